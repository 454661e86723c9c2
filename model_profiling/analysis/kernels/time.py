# SPDX-License-Identifier: Apache-2.0
"""SME2 coverage by time: which share of the traced time passes in layers that call SME2 kernels. Pure.

Only a CPU with SME2 can say so. An emulated one runs the same kernels at speeds that mean
nothing, and a launch in which SME2 was switched off has none.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.kernels.entries import TimeCoverage
from model_profiling.analysis.traces.layers import Layer, times_per_run
from model_profiling.analysis.traces.recording import Recording
from model_profiling.pipeline.kernel_names import SME2
from model_profiling.pipeline.manifest import Manifest

#: Runners of the kit's own: on the wheel they are one program, on sources the native one is another.
_OWN_RUNNERS = frozenset(("native", "python"))


def time_coverage(
    layers: Sequence[Layer], reached: Container[str], recordings: Sequence[Recording]
) -> TimeCoverage | None:
    """Return which share of the time the `reached` layers take: the mean of the executions' shares.

    Packing counts with its layer. None where no execution was traced, where layers are not
    known, or where the matrix layers took no time at all.
    """
    if not recordings or any(recording.layer is None for recording in recordings):
        return None
    times = np.concatenate([times_per_run(recording, len(layers)) for recording in recordings], axis=1)
    method = np.maximum(np.concatenate([recording.timeline.method_ns for recording in recordings]), 1)
    mine = np.array([layer.layer in reached for layer in layers], bool)
    matrix = np.array([bool(layer.matrix) for layer in layers], bool)
    of_matrix = times[matrix].sum(axis=0)
    if not len(layers) or not (of_matrix > 0).all():
        return None
    return TimeCoverage(
        float(np.mean(times[matrix & mine].sum(axis=0) / of_matrix)), float(np.mean(times[mine].sum(axis=0) / method))
    )


def timed_alike(
    manifest: Manifest, sides: Sequence[MeasuredSide], experiment: str, threads: int
) -> tuple[MeasuredSide, ...]:
    """Return the timed sides whose executions called what `experiment` recorded, on a real CPU with SME2 in use.

    They executed its program, have its thread count, switched off the same features, ran the same
    ExecuTorch (the wheel, or one native build from source), and saw SME2 in every launch.
    """
    if manifest.emulated:
        return ()
    disabled, runners = manifest.disabled, manifest.runner
    return tuple(
        side
        for side in sides
        if side.threads == threads
        and manifest.same_program(side.experiment, experiment)
        and disabled[side.experiment] == disabled[experiment]
        and (runners.get(side.experiment) or {}).get("name") in _OWN_RUNNERS
        and _source_build(runners, side.experiment) == _source_build(runners, experiment)
        and all(SME2 in launch.active_cpu_features for launch in side.launches)
    )


def _source_build(runners: Mapping[str, Mapping[str, object]], experiment: str) -> object:
    """Return what the native runner of an experiment was built from; None for the wheel, and for other runners."""
    runner = runners.get(experiment) or {}
    build = runner.get("build") if runner.get("name") in _OWN_RUNNERS else None
    return build.get("recipe") if isinstance(build, dict) else None
