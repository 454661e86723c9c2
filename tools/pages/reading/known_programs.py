# SPDX-License-Identifier: Apache-2.0
"""Programs that are not the kit's own, with their flags, as `known_programs.yaml` has them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Program:
    """One entry of the table; see the comment at its head."""

    flags: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    trivial: bool = False
    needs: str | None = None
    reads: str = ""
    least: int = 0
    passes: bool = False
    asks: bool = False

    @property
    def stand_in(self) -> str | None:
        """Return what a stand-in is needed for here, None where the program itself is run."""
        return None if self.asks and sys.platform == "darwin" else self.needs


@functools.cache
def known() -> Mapping[str, Program]:
    return _load("known_programs.yaml")


@functools.cache
def subcommands() -> Mapping[str, Mapping[str, Program]]:
    raw = yaml.safe_load((_FOLDER / "subcommands.yaml").read_text(encoding="utf-8"))
    return {name: {sub: _program(entry) for sub, entry in entries.items()} for name, entries in raw.items()}


def _load(name: str) -> Mapping[str, Program]:
    raw = yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))
    return {str(key).lower() if key is True else str(key): _program(entry) for key, entry in raw.items()}


def _program(entry: Mapping[str, Any] | None) -> Program:
    fields: dict[str, Any] = {
        key: tuple(map(str, value)) if isinstance(value, list) else value for key, value in (entry or {}).items()
    }
    return Program(**fields)
