# SPDX-License-Identifier: Apache-2.0
"""What a rule of advice proposes, before what several propose for one place is told apart; and what rules see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model_profiling.analysis.advice.costs import CALL, LAYER, Costs, Place
from model_profiling.analysis.advice.opportunity import EXECUTION
from model_profiling.analysis.advice.roofline import LayerCeiling
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.traces.layers import Layer
from model_profiling.pipeline.program.exported import Exported
from model_profiling.pipeline.program.layers import GraphInstruction
from model_profiling.pipeline.program_records import ExportedReach


@dataclass(frozen=True)
class AdvisedSide:
    """The side of a program that advice is about, with all that is known of it.

    `costs` are of one execution without the tracer. `ceilings` are by layer name. `others` are the experiment's sides
    at other thread counts, `comparison` the one whose candidate it is, at its thread count. `sme2` says whether the
    CPU that ran has SME2, so that a recipe without kernels for it loses something here, `float16` whether it computes
    in float16; `matrix_layers` are those of the export, with what each reaches.
    """

    side: MeasuredSide
    costs: Costs
    exported: Exported
    ceilings: Mapping[str, LayerCeiling] = field(default_factory=dict)
    others: Sequence[MeasuredSide] = ()
    comparison: Comparison | None = None
    sme2: bool = False
    matrix_layers: Sequence[ExportedReach] = ()
    float16: bool = True

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.side.program.layers

    @property
    def graph(self) -> Sequence[GraphInstruction]:
        return self.side.program.graph

    def ms(self, layer: int) -> float:
        """Return what a layer costs in one execution, ms; `layer` is its position."""
        return self.costs.ms.get((LAYER, layer), 0.0)

    def call_ms(self, instruction: int) -> float:
        """Return what an instruction's call costs beside its layers, ms."""
        return self.costs.ms.get((CALL, instruction), 0.0)


@dataclass(frozen=True)
class Candidate:
    """One proposal: `bounds_ms` are the times that its places could take instead, at the least.

    `per` says whether they are places of every execution or of a start. `interval_ms` is the 95 % interval of what it
    saves, where that was measured.
    """

    id: str
    kind: str
    basis: str
    bounds_ms: Mapping[Place, float]
    facts: Mapping[str, str] = field(default_factory=dict)
    interval_ms: tuple[float, float] | None = None
    per: str = EXECUTION
