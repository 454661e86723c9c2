# SPDX-License-Identifier: Apache-2.0
"""Reading what the figures are drawn from, and what their alternative texts and captions say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_profiling.files import read_json

DATA = Path(__file__).with_name("data")
TEXTS = Path(__file__).with_name("texts.json")


@dataclass(frozen=True)
class Text:
    """What a page says about a figure: `alt` for who cannot see it, `caption` under it."""

    alt: str
    caption: str


def load(name: str) -> Any:
    """Return the data of a figure from `data/<name>.json`."""
    return read_json(DATA / f"{name}.json", "data of a figure")


def texts() -> dict[str, Text]:
    """Return the text of every figure, by the figure's name."""
    held: Any = read_json(TEXTS, "texts of the figures")
    return {name: Text(**entry) for name, entry in held.items()}
