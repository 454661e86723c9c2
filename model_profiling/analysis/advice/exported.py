# SPDX-License-Identifier: Apache-2.0
"""What an export recorded of a program, as far as advice is made of it; kept in the run directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import RunDirectory

_FIX = "restore it, or remove it: advice then knows less"


@dataclass(frozen=True)
class SmeLayer:
    """A matrix layer, and whether its recipe has an SME2 kernel for it: None where nothing was recorded of such."""

    module: str
    source: str
    kind: str
    numbers: str
    rows: int
    reaches: bool | None


@dataclass(frozen=True)
class Exported:
    """How a program was made, what of it stayed outside XNNPACK, and what its matrix layers can reach.

    `outside` are entries of the record's `not_delegated`; `pte_bytes` is the file's size.
    """

    model: str = ""
    source: str = ""
    dtype: str = ""
    group_size: int = 0
    rewrites: tuple[str, ...] = ()
    outside: tuple[Mapping[str, Any], ...] = ()
    matrix_layers: tuple[SmeLayer, ...] = ()
    pte_bytes: int | None = None

    @classmethod
    def from_json(cls, held: JsonObject) -> Exported:
        """Read a record; what an older one lacks is empty.

        Raises
        ------
        UserError : a key is of another shape.
        """
        delegation, sme2 = held.maybe_within("delegation"), held.maybe_within("sme2")
        rewrites = held.maybe_within("rewrites")
        pte = held.maybe_within("pte")
        return cls(
            held.maybe_text("model") or "",
            held.maybe_text("source") or "",
            held.maybe_text("dtype") or "",
            held.maybe_whole("group_size") or 0,
            tuple(name for name in rewrites.keys() if rewrites.whole(name)) if rewrites else (),
            tuple(map(_outside, delegation.each("not_delegated"))) if delegation else (),
            tuple(map(_layer, sme2.each("layers"))) if sme2 else (),
            pte.maybe_whole("bytes") if pte else None,
        )


NOTHING_RECORDED = Exported()


def read_exported(directory: RunDirectory, manifest: Manifest) -> dict[str, Exported]:
    """Return what is recorded of each experiment's program.

    Raises
    ------
    UserError : a record is there and damaged.
    """
    files = [directory.export_record(number) for number in range(len(manifest.every_program))]
    programs = [
        Exported.from_json(JsonObject.read(file, _FIX)) if file.is_file() else NOTHING_RECORDED for file in files
    ]
    return {e.name: programs[manifest.program_number(e.name)] for e in manifest.config.experiments}


def _outside(held: JsonObject) -> Mapping[str, Any]:
    texts = ("operator", "module", "source", "reason", "hint", "origin", "rewrite")
    return {**{key: held.maybe_text(key) or "" for key in texts}, "count": held.whole("count")}


def _layer(held: JsonObject) -> SmeLayer:
    return SmeLayer(
        held.text("module"),
        held.text("source"),
        held.text("kind"),
        held.text("numbers"),
        held.whole("rows"),
        held.flag("reaches") if "reaches" in held else None,
    )
