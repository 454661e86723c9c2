# SPDX-License-Identifier: Apache-2.0
"""Which matrix layers of an export can reach SME2 kernels, by what was recorded for the pinned ExecuTorch.

`sme2_reach.json` holds for each recipe, kind of layer and number of rows what that layer ran as on an emulated CPU
with SME2. `tools/make_sme2_reach.py` records it again, and tests hold it to recorded calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.export.matrix_layers import ExportedLayer
from model_profiling.json_objects import JsonObject

TABLE = Path(__file__).with_name("sme2_reach.json")
SCHEMA_VERSION = 1
COMMAND = "tools/make_sme2_reach.py"
_FIX = f"run {COMMAND}"


@dataclass(frozen=True)
class ReachRow:
    """What one layer of a recipe ran as.

    `recipe` is the export's label ("8da4w_g32"), `kind` and `numbers` are as in `ExportedLayer`, `ran_as` is
    XNNPACK's operator, `kernel` the KleidiAI kernel that computed it: "" where none did.
    """

    recipe: str
    kind: str
    rows: int
    numbers: str
    ran_as: str
    kernel: str
    reaches: bool

    @classmethod
    def from_json(cls, held: JsonObject) -> ReachRow:
        return cls(
            held.text("recipe"),
            held.text("kind"),
            held.whole("rows"),
            held.text("numbers"),
            held.text("ran_as"),
            held.text("kernel"),
            held.flag("reaches"),
        )

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class ReachTable:
    """All that was recorded, and for which ExecuTorch."""

    executorch: str
    executorch_git: str
    emulator: str
    rows: tuple[ReachRow, ...]

    @classmethod
    def read(cls, path: Path = TABLE) -> ReachTable:
        """Read the table; `UserError` where it is missing or damaged."""
        held = JsonObject.read(path, _FIX)
        if held.whole("schema_version") != SCHEMA_VERSION:
            raise UserError("the table of SME2 kernels is of another version of the kit", f"at {path}", _FIX)
        return cls(
            held.text("executorch"),
            held.text("executorch_git"),
            held.text("emulator"),
            tuple(ReachRow.from_json(row) for row in held.each("rows")),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "command": COMMAND,
            "executorch": self.executorch,
            "executorch_git": self.executorch_git,
            "emulator": self.emulator,
            "rows": [row.to_json() for row in self.rows],
        }

    def row_for(self, kind: str, numbers: str, rows: int) -> ReachRow | None:
        """Return what a layer was recorded as: at the fewest rows that are not below its own, else at the most.

        XNNPACK has a kernel of its own for exactly one row, and takes the same one for all other numbers of rows.
        None for a layer of which nothing was recorded.
        """
        recorded = self._by_layer.get((kind, numbers), ())
        enough = [row for row in recorded if row.rows >= rows]
        if enough:
            return min(enough, key=lambda row: row.rows)
        return max(recorded, key=lambda row: row.rows, default=None)

    @cached_property
    def _by_layer(self) -> dict[tuple[str, str], list[ReachRow]]:
        by_layer: dict[tuple[str, str], list[ReachRow]] = {}
        for row in self.rows:
            by_layer.setdefault((row.kind, row.numbers), []).append(row)
        return by_layer


@dataclass(frozen=True)
class LayerReach:
    """Whether a layer can reach SME2, None where nothing was recorded that would tell, and the kernel it would call."""

    layer: ExportedLayer
    reaches: bool | None
    kernel: str

    def to_json(self) -> dict[str, object]:
        return {**self.layer.to_json(), "reaches": self.reaches, "kernel": self.kernel}


@dataclass(frozen=True)
class Reach:
    """What can be said of a program before any run; `recorded_for` is the table's ExecuTorch, `version` the export's.

    Where the two differ, nothing is known of any layer that XNNPACK has.
    """

    version: str
    recorded_for: str
    layers: tuple[LayerReach, ...]

    @property
    def known(self) -> bool:
        return self.version == self.recorded_for

    @property
    def reaching(self) -> tuple[LayerReach, ...]:
        """The layers that can reach SME2."""
        return tuple(layer for layer in self.layers if layer.reaches)

    @property
    def share(self) -> float:
        """Share of the multiply-adds that can reach SME2, 0 to 1."""
        whole = sum(one.layer.multiply_adds for one in self.layers)
        return sum(one.layer.multiply_adds for one in self.reaching) / whole if whole else 0.0

    def to_json(self) -> dict[str, object]:
        return {
            "executorch": self.recorded_for,
            "known": self.known,
            "matrix_layers": len(self.layers),
            "reaching_layers": len(self.reaching) if self.known else None,
            "share_of_multiply_adds": round(self.share, 6) if self.known else None,
            "layers": [layer.to_json() for layer in self.layers],
        }


def reach_of(layers: Sequence[ExportedLayer], version: str) -> Reach:
    """Return which of `layers` can reach SME2 in ExecuTorch `version` ("1.5.1+cpu" is 1.5.1)."""
    table, release = ReachTable.read(), version.partition("+")[0]
    return Reach(release, table.executorch, tuple(_reach(one, table, release) for one in layers))


def _reach(layer: ExportedLayer, table: ReachTable, release: str) -> LayerReach:
    if not layer.delegated:
        return LayerReach(layer, False, "")
    row = table.row_for(layer.kind, layer.numbers, layer.rows) if release == table.executorch else None
    return LayerReach(layer, row.reaches, row.kernel) if row else LayerReach(layer, None, "")
