# SPDX-License-Identifier: Apache-2.0
"""Gathers what a run measured: for each experiment and thread count its launches and traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model_profiling.analysis.traces.breakdown import Breakdown, break_down, join
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import attribute, attributed_share, model_layers
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.errors import UserError
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.program.layers import GraphInstruction
from model_profiling.pipeline.run_directory import Launch, RunDirectory, newest_attempts

_NS_PER_MS = 1e6


@dataclass(frozen=True)
class Arm:
    """One experiment at one thread count: its launches that count, and their traces.

    `recordings` and `breakdown` are empty and None where the experiment traces nothing.
    """

    experiment: str
    threads: int
    launches: tuple[Launch, ...]
    recordings: tuple[Recording, ...]
    breakdown: Breakdown | None

    @property
    def latencies_ms(self) -> np.ndarray:
        """Every untraced execution in ms, launch after launch."""
        return np.concatenate([np.asarray(launch.latency_ns, float) for launch in self.launches]) / _NS_PER_MS

    @property
    def traced_ms(self) -> np.ndarray:
        """Every traced execution in ms, as Method::execute took it; empty without traces."""
        return np.empty(0) if self.breakdown is None else self.breakdown.method / _NS_PER_MS

    def attributed_percent(self) -> float | None:
        """Return which share of the operators' traced time is tied to a layer, None where layers are unknown."""
        if not self.recordings or self.recordings[0].layer is None:
            return None
        return 100 * attributed_share(self.recordings)

    def unmapped(self) -> list[str]:
        """Return the operators that the table of categories lacks, sorted."""
        return sorted({name for recording in self.recordings for name in recording.timeline.unmapped()})


Blocks = Mapping[tuple[int, int], Mapping[str, Launch]]


def counting_blocks(launches: Sequence[Launch], config: Config) -> dict[tuple[int, int], dict[str, Launch]]:
    """Return the pairs that count, by (threads, pair): each experiment's launch.

    A pair counts when the newest attempt at it holds a launch of every experiment with
    that thread count, all of them succeeded and none is void.
    """
    found = {}
    for (threads, pair), block in sorted(newest_attempts(launches).items()):
        wanted = {e.name for e in config.timed if threads in e.threads}
        held = {launch.experiment: launch for launch in block}
        if wanted and wanted <= held.keys() and all(held[name].counts for name in wanted):
            found[threads, pair] = {name: held[name] for name in wanted}
    return found


def collect_arms(
    directory: RunDirectory, config: Config, blocks: Blocks, graph: Sequence[GraphInstruction]
) -> list[Arm]:
    """Read the traces of all launches that count, in the configuration's order.

    `graph` ties operators to layers; empty where the model's layers are not known.

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
    arms = []
    for experiment in config.timed:
        for threads in experiment.threads:
            launches = tuple(
                block[experiment.name] for (t, _), block in blocks.items() if t == threads and experiment.name in block
            )
            if launches:
                arms.append(_arm(directory, experiment.name, threads, launches, graph))
    return arms


def _arm(
    directory: RunDirectory,
    experiment: str,
    threads: int,
    launches: tuple[Launch, ...],
    graph: Sequence[GraphInstruction],
) -> Arm:
    names = tuple(layer.layer for layer in model_layers(graph))
    recordings = tuple(_recording(directory, launch, graph, names) for launch in launches if launch.etdump)
    breakdown = join([break_down(r.timeline) for r in recordings]) if recordings else None
    return Arm(experiment, threads, launches, recordings, breakdown)


def _recording(
    directory: RunDirectory, launch: Launch, graph: Sequence[GraphInstruction], names: tuple[str, ...]
) -> Recording:
    path = directory.root / launch.etdump
    timeline = build_timeline(read_etdump(path), str(path), launch.traced_warmup)
    if not graph:
        return Recording(timeline, launch.pair)
    return Recording(timeline, launch.pair, attribute(timeline, graph), names)
