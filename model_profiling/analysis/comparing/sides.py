# SPDX-License-Identifier: Apache-2.0
"""The sides that a run measured: each experiment at each thread count, its launches that count and their traces."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.program_layers import NO_LAYERS, ProgramLayers
from model_profiling.analysis.traces.breakdown import Breakdown, break_down, join
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import LayerStats, attribute, attributed_share, layer_stats
from model_profiling.analysis.traces.recording import ExecutionTurns, Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.errors import UserError
from model_profiling.paired_statistics import drift_percent
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.run_directory import Launch, RunDirectory, newest_attempts

_NS_PER_MS = 1e6


@dataclass(frozen=True)
class MeasuredSide:
    """One experiment at one thread count: its launches that count, and their traces.

    `recordings` and `breakdown` are empty and None where the experiment traces nothing. `program` is the same value
    in sides that executed one program.
    """

    experiment: str
    threads: int
    launches: tuple[Launch, ...]
    recordings: tuple[Recording, ...]
    breakdown: Breakdown | None
    program: ProgramLayers = NO_LAYERS

    @cached_property
    def layer_stats(self) -> Sequence[LayerStats]:
        """What each layer of the program costs, in execution order; none where nothing was traced."""
        return layer_stats(self.recordings, self.program.layers) if self.recordings else ()

    @property
    def latencies_ms(self) -> NDArray[np.float64]:
        """Every untraced execution in ms, launch after launch."""
        return np.concatenate([np.asarray(launch.latency_ns, float) for launch in self.launches]) / _NS_PER_MS

    @property
    def traced_ms(self) -> NDArray[np.float64]:
        """Every traced execution in ms, as Method::execute took it; empty without traces."""
        return np.empty(0) if self.breakdown is None else self.breakdown.method / _NS_PER_MS

    @property
    def overfull(self) -> bool:
        """Whether operators of some execution report more time than their method took."""
        return self.breakdown is not None and bool((self.breakdown.framework < 0).any())

    def drift_percent(self) -> float:
        """Return how far the launch medians drifted over the run, in percent of their level."""
        return drift_percent([launch.index for launch in self.launches], [launch_median_ms(x) for x in self.launches])

    def attributed_percent(self) -> float | None:
        """Return which share of the operators' traced time is tied to a layer, None where layers are unknown."""
        if not self.recordings or self.recordings[0].layer is None:
            return None
        return 100 * attributed_share(self.recordings)

    def unmapped(self) -> list[str]:
        """Return the operators that the table of categories lacks, sorted."""
        return sorted({name for recording in self.recordings for name in recording.timeline.unmapped()})


def launch_median_ms(launch: Launch) -> float:
    """Return a launch's time of an execution in ms: a launch is one sample."""
    return launch.execution_ns / _NS_PER_MS


def median_ms(times_ns: Sequence[int]) -> float:
    """Return the median of times in ns, in ms."""
    return statistics.median(times_ns) / _NS_PER_MS


Blocks = Mapping[tuple[int, int], Mapping[str, Launch]]


def counting_blocks(launches: Sequence[Launch], config: Config) -> dict[tuple[int, int], dict[str, Launch]]:
    """Return the pairs that count, by (threads, pair): each experiment's launch.

    A pair counts when the newest attempt at it holds a launch of every experiment with
    that thread count, all of them succeeded and none is void.
    """
    counting = {}
    for (threads, pair), block in sorted(newest_attempts(launches).items()):
        wanted = {e.name for e in config.timed if threads in e.threads}
        held = {launch.experiment: launch for launch in block}
        if wanted and wanted <= held.keys() and all(held[name].counts for name in wanted):
            counting[threads, pair] = {name: held[name] for name in wanted}
    return counting


def collect_sides(
    directory: RunDirectory, config: Config, blocks: Blocks, programs: Mapping[str, ProgramLayers]
) -> list[MeasuredSide]:
    """Read the traces of all launches that count, in the configuration's order.

    `programs` ties the operators of each experiment to layers.

    Raises
    ------
    UserError : of timed experiments no pair counts at all, or a launch's trace is missing or damaged.
    """
    if not blocks and config.timed:
        raise UserError(
            "no pair of launches is complete, so there is nothing to analyze",
            f"in {directory.launches}",
            "run the pipeline again with --resume",
        )
    sides = []
    for experiment in config.timed:
        for threads in experiment.threads:
            launches = tuple(
                block[experiment.name] for (t, _), block in blocks.items() if t == threads and experiment.name in block
            )
            if launches:
                sides.append(_side(directory, experiment.name, threads, launches, programs[experiment.name]))
    return sides


def _side(
    directory: RunDirectory, experiment: str, threads: int, launches: tuple[Launch, ...], program: ProgramLayers
) -> MeasuredSide:
    recordings = tuple(
        _recording(directory.root / launch.etdump, launch, program) for launch in launches if launch.etdump
    )
    breakdown = join([break_down(r.timeline) for r in recordings]) if recordings else None
    return MeasuredSide(experiment, threads, launches, recordings, breakdown, program)


def _recording(path: Path, launch: Launch, program: ProgramLayers) -> Recording:
    turns = [turn for turn in launch.turns if turn.traced]
    counts = [place >= turn.left_out for turn in turns for place in range(len(turn.ns))]
    left_out = {number for number, counted in enumerate(counts) if not counted}
    timeline = build_timeline(read_etdump(path), str(path), launch.traced_warmup, left_out)
    counted = [(turn.round, turn.order) for turn in turns for _ in turn.counted_ns]
    places = ExecutionTurns(*np.array(counted, np.int64).T) if counted else None
    recording = Recording(timeline, launch.pair, turns=places)
    if not program.graph:
        return recording
    return replace(recording, layer=attribute(timeline, program.graph), layer_names=program.names)
