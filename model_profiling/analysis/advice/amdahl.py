# SPDX-License-Identifier: Apache-2.0
"""The most that SME2 could give: Amdahl's bound, from measured times of layers and which of them reach SME2. Pure.

Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities", AFIPS 1967: where
a part of the time is taken away altogether, what is left bounds the speed-up. It is a bound and no forecast: layers
that reach SME2 take some time there too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from model_profiling.analysis.advice.reaching_layers import ReachingLayers, reaching_layers
from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.traces.layers import times_per_run
from model_profiling.analysis.traces.recording import Recording
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.kernel_names import SME2
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program_records import KeptProgram


@dataclass(frozen=True)
class Sme2Bound:
    """Amdahl's bound of one experiment at one thread count.

    `time_ms` is a traced execution, `reached_ms` the part in layers that reach SME2, `unknown_ms` in matrix layers of
    which nothing tells; `share_low` and `share_high` are the least and the largest share of `reached_ms` in any launch.
    `bound` is `time_ms` over what is left without `reached_ms`; `bound_with_unknown` counts `unknown_ms` as reached,
    and equals `bound` where there is none. Both are None where nothing is left, and 1 where nothing is reached.
    `evidence` and `executorch` are as in `ReachingLayers`; layers are counted among the matrix layers.
    """

    evidence: str
    executorch: str
    time_ms: float
    reached_ms: float
    unknown_ms: float
    share_low: float
    share_high: float
    bound: float | None
    bound_with_unknown: float | None
    reached_layers: int
    unknown_layers: int
    matrix_layers: int

    @property
    def share(self) -> float:
        """The share of the time in layers that reach SME2, 0 to 1."""
        return self.reached_ms / self.time_ms

    @classmethod
    def from_json(cls, held: JsonObject) -> Sme2Bound:
        return cls(
            held.text("evidence"),
            held.text("executorch"),
            held.number("time_ms"),
            held.number("reached_ms"),
            held.number("unknown_ms"),
            held.number("share_low"),
            held.number("share_high"),
            held.maybe_number("bound"),
            held.maybe_number("bound_with_unknown"),
            held.whole("reached_layers"),
            held.whole("unknown_layers"),
            held.whole("matrix_layers"),
        )

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def amdahl_bound(time: float, taken_away: float) -> float | None:
    """Return T / (T - t), the speed-up were the part `taken_away` to take no time; None where nothing would be left.

    Both in one unit, `time` above 0 and `taken_away` within 0 and `time`; Amdahl's law for an infinite factor.

    Raises
    ------
    ValueError : they are not.
    """
    if not 0 < time or not 0 <= taken_away <= time:
        raise ValueError(f"{taken_away} of {time} cannot be taken away")
    return time / (time - taken_away) if taken_away < time else None


def sme2_bound(side: MeasuredSide, record: KeptProgram, manifest: Manifest, time_ms: float) -> Sme2Bound | None:
    """Return the bound of a side whose traced execution takes `time_ms`.

    None of a CPU that has SME2, where it can be measured, or is emulated, so that times say nothing; and where no
    layer was traced, or nothing says which reach SME2.
    """
    if manifest.emulated or SME2 in manifest.cpu.names or not _layers_are_known(side):
        return None
    reach = reaching_layers(side.program.layers, record, manifest.executorch.version)
    if reach is None or not reach.matrix_layers:
        return None
    return _bound(side, reach, time_ms)


def _bound(side: MeasuredSide, reach: ReachingLayers, time_ms: float) -> Sme2Bound:
    shares = [_share(side, recording, reach.reaching) for recording in side.recordings]
    unknown = [_share(side, recording, reach.unknown) for recording in side.recordings]
    reached_ms = _mean(side, shares) * time_ms
    unknown_ms = min(_mean(side, unknown) * time_ms, time_ms - reached_ms)
    return Sme2Bound(
        reach.evidence,
        reach.executorch,
        time_ms,
        reached_ms,
        unknown_ms,
        min(shares),
        max(shares),
        amdahl_bound(time_ms, reached_ms),
        amdahl_bound(time_ms, reached_ms + unknown_ms),
        len(reach.reaching),
        len(reach.unknown),
        reach.matrix_layers,
    )


def _layers_are_known(side: MeasuredSide) -> bool:
    return bool(side.recordings) and all(recording.layer is not None for recording in side.recordings)


def _share(side: MeasuredSide, recording: Recording, names: Collection[str]) -> float:
    """Return which share of the executions of a launch passes in some layers: the mean of the executions' shares.

    Operators may report more time than their execution took, by the clock's resolution: no share is above 1.
    """
    chosen = np.array([name in names for name in side.program.names], bool)
    times = times_per_run(recording, len(chosen))[chosen].sum(axis=0)
    return min(float(np.mean(times / np.maximum(recording.timeline.method_ns, 1))), 1.0)


def _mean(side: MeasuredSide, shares: Sequence[float]) -> float:
    """Return the mean over all executions, of which launches may have different numbers."""
    runs = [recording.timeline.runs for recording in side.recordings]
    return float(np.average(shares, weights=runs))
