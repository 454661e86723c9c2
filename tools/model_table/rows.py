# SPDX-License-Identifier: Apache-2.0
"""The table's rows, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_profiling.json_objects import JsonObject

COMMAND = "tools/make_model_table.py"
TABLE = Path(__file__).with_name("models.json")
SCHEMA_VERSION = 1
_FIX = f"run {COMMAND}"


@dataclass(frozen=True)
class ModelRow:
    """One export of a model's method; `failed` says why there is none, and the counts are then 0.

    `cosine` is the agreement with the eager model, None where it is not finite. `reaches_sme2` is the share of
    multiply-adds in layers that can reach an SME2 kernel, None where it has no matrix layer.
    """

    model: str
    method: str
    recipe: str
    rewritten: bool
    failed: str
    delegates: int
    outside: int
    cosine: float | None
    reaches_sme2: float | None

    @classmethod
    def of(cls, model: str, recipe: str, rewritten: bool, method: str, record: Mapping[str, Any]) -> ModelRow:
        """Return the row of a method, from what its export recorded."""
        divided, sme2 = record["delegation"], record["sme2"]
        share = sme2["share_of_multiply_adds"] if sme2["matrix_layers"] else None
        return cls(
            model,
            method,
            recipe,
            rewritten,
            "",
            divided["delegates"],
            divided["portable_operators"],
            record["agreement"]["cosine"],
            share,
        )

    @classmethod
    def failure(cls, model: str, recipe: str, rewritten: bool, why: str) -> ModelRow:
        return cls(model, "", recipe, rewritten, why, 0, 0, None, None)

    @classmethod
    def from_json(cls, plain: JsonObject) -> ModelRow:
        return cls(
            plain.text("model"),
            plain.text("method"),
            plain.text("recipe"),
            plain.flag("rewritten"),
            plain.text("failed"),
            plain.whole("delegates"),
            plain.whole("outside"),
            plain.maybe_number("cosine"),
            plain.maybe_number("reaches_sme2"),
        )


@dataclass(frozen=True)
class ModelTable:
    """All rows, and the releases that gave them."""

    executorch: str
    transformers: str
    rows: tuple[ModelRow, ...]

    @classmethod
    def read(cls, path: Path = TABLE) -> ModelTable:
        """Read the table; `UserError` where it is missing or damaged."""
        held = JsonObject.read(path, _FIX)
        if held.whole("schema_version") != SCHEMA_VERSION:
            raise held.refused("the table of models is of another version of the kit")
        rows = tuple(ModelRow.from_json(row) for row in held.each("rows"))
        return cls(held.text("executorch"), held.text("transformers"), rows)

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "command": COMMAND,
            "executorch": self.executorch,
            "transformers": self.transformers,
            "rows": [asdict(row) for row in self.rows],
        }
