# SPDX-License-Identifier: Apache-2.0
"""What a launch that recorded kernels comes to: its entry of `kernels` in analysis_summary.json, as values.

The entry's sentences are not among them: they follow from the values, and whoever shows them makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from model_profiling.analysis.tables.kernels import CALLED, REGISTERED
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.kernel_names import COMPUTE

#: Distinct kernels by role, by family.
Families = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Coverage:
    """How many of a model's matrix layers, and of their multiply-adds, call kernels of some families."""

    layers: int
    all_layers: int
    multiply_adds: int
    all_multiply_adds: int

    @property
    def share(self) -> float:
        """Share of the multiply-adds, 0 to 1; 0 for a model without any."""
        return self.multiply_adds / self.all_multiply_adds if self.all_multiply_adds else 0.0

    @classmethod
    def from_json(cls, held: JsonObject) -> Coverage:
        return cls(*(held.whole(key) for key in cls.__dataclass_fields__))

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "share": self.share}


@dataclass(frozen=True)
class TimeCoverage:
    """Shares of traced time, 0 to 1: of the matrix layers' and of whole executions."""

    matrix_share: float
    execution_share: float

    @classmethod
    def from_json(cls, held: JsonObject) -> TimeCoverage:
        return cls(held.number("matrix_share"), held.number("execution_share"))

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class MatrixLayer:
    """A matrix layer: what it ran as, and whether it computes with kernels of a family."""

    layer: str
    multiply_adds: int
    operators: tuple[str, ...]
    reached: bool

    @classmethod
    def from_json(cls, held: JsonObject) -> MatrixLayer:
        return cls(held.text("layer"), held.whole("multiply_adds"), held.texts("operators"), held.flag("reached"))

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "operators": list(self.operators)}


@dataclass(frozen=True)
class CalledKernels:
    """Kernels whose calls were counted. `coverage` is None where the model's layers are not known.

    `time` holds coverage by time by the experiment that was timed.
    """

    kernel_calls: int
    families: Families
    coverage: Coverage | None
    time: Mapping[str, TimeCoverage]
    matrix_layers: tuple[MatrixLayer, ...]
    evidence = CALLED

    @classmethod
    def from_json(cls, held: JsonObject) -> CalledKernels:
        coverage, times = held.maybe_within("sme2_coverage"), held.maybe_within("sme2_time")
        return cls(
            held.whole("kernel_calls"),
            _families(held),
            Coverage.from_json(coverage) if coverage else None,
            {name: TimeCoverage.from_json(inner) for name, inner in times.by_name()} if times else {},
            tuple(map(MatrixLayer.from_json, held.each("matrix_layers"))),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "evidence": self.evidence,
            "kernel_calls": self.kernel_calls,
            "families": self.families,
            "sme2_coverage": self.coverage and self.coverage.to_json(),
            "sme2_time": {name: held.to_json() for name, held in self.time.items()},
            "matrix_layers": [layer.to_json() for layer in self.matrix_layers],
        }


@dataclass(frozen=True)
class RegisteredKernels:
    """Kernels that a log names: registered while loading, not known to run.

    `operators` and `skipped_operators` count what level 5 of the log names. `packed_for_sme` says which
    layers ran with element types that are packed for SME alone, None where layers are not known.
    """

    kernels: int
    kernel_lines: int
    lines_cut: int
    families: Families
    operators: Mapping[str, int]
    skipped_operators: Mapping[str, int]
    packed_for_sme: Coverage | None
    evidence = REGISTERED

    def computing(self, family: str) -> int:
        """Return how many distinct kernels of a family compute."""
        return self.families.get(family, {}).get(COMPUTE, 0)

    @classmethod
    def from_json(cls, held: JsonObject) -> RegisteredKernels:
        packed = held.maybe_within("packed_for_sme")
        return cls(
            held.whole("kernels"),
            held.whole("kernel_lines"),
            held.whole("lines_cut"),
            _families(held),
            held.counts_by_name("operators"),
            held.counts_by_name("skipped_operators"),
            Coverage.from_json(packed) if packed else None,
        )

    def to_json(self) -> dict[str, object]:
        return {
            "evidence": self.evidence,
            "kernels": self.kernels,
            "kernel_lines": self.kernel_lines,
            "lines_cut": self.lines_cut,
            "families": self.families,
            "operators": dict(self.operators),
            "skipped_operators": dict(self.skipped_operators),
            "packed_for_sme": self.packed_for_sme and self.packed_for_sme.to_json(),
        }


KernelEntry = CalledKernels | RegisteredKernels


def read_entry(held: JsonObject) -> KernelEntry:
    """Read an entry of either evidence."""
    evidence = held.text("evidence")
    if evidence == CALLED:
        return CalledKernels.from_json(held)
    if evidence == REGISTERED:
        return RegisteredKernels.from_json(held)
    raise held.refused(f'"evidence" of recorded kernels is {evidence!r}')


def _families(held: JsonObject) -> Families:
    families = held.within("families")
    return {family: families.counts_by_name(family) for family in families.keys()}
