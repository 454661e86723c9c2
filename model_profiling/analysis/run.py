# SPDX-License-Identifier: Apache-2.0
"""Analyzes a run directory: traces to tables, launches to statistics, all of it to values. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.experiments import compare
from model_profiling.analysis.comparing.noise_floor import known_floors
from model_profiling.analysis.comparing.sides import Blocks, MeasuredSide, collect_sides, counting_blocks
from model_profiling.analysis.experiments import summarize
from model_profiling.analysis.kernels.recorded import RecordedKernels, read_recorded
from model_profiling.analysis.metrics import Metrics, metrics_of
from model_profiling.analysis.summary import AnalysisSummary, ByExperiment
from model_profiling.analysis.tables.kernels import kernels_csv
from model_profiling.analysis.tables.layers import layers_csv
from model_profiling.analysis.tables.operators import operators_csv
from model_profiling.analysis.tables.timeline import first_run_csv, timeline_csv
from model_profiling.analysis.traces.layers import Layer, layer_stats, model_layers
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.recording import RowIdentity
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.layers import read_graph
from model_profiling.pipeline.run_directory import Launch, RunDirectory


@dataclass(frozen=True)
class Analysis:
    """What an analysis gives: the run as it was read, its summary and metrics, and each table's content by its file.

    Of an emulated CPU the tables are there and nothing of its times is in `timed`, the summary or the metrics.
    """

    directory: RunDirectory
    manifest: Manifest
    config: Config
    launches: Sequence[Launch]
    sides: tuple[MeasuredSide, ...]
    timed: tuple[MeasuredSide, ...]
    summary: AnalysisSummary
    metrics: Metrics
    tables: Mapping[Path, bytes]

    @property
    def only_emulated(self) -> bool:
        """Whether times were measured of an emulated CPU, so that none is given."""
        return bool(self.sides) and not self.timed


def analyze(directory: RunDirectory) -> Analysis:
    """Analyze a run.

    Raises
    ------
    UserError : no run, no complete pair of launches, a missing or damaged trace.
    """
    manifest = directory.read_manifest()
    config, launches = manifest.config, directory.read_launches()
    blocks = counting_blocks(launches, config)
    graph = read_graph(directory.model_graph) if directory.model_graph.is_file() else ()
    layers, model = model_layers(graph), manifest.model.id
    sides = tuple(collect_sides(directory, config, blocks, graph, tuple(layer.layer for layer in layers)))
    timed = () if manifest.emulated else sides
    recorded = tuple(read_recorded(directory, config, graph, layers, manifest, sides))
    summary = AnalysisSummary(
        model,
        manifest.feature.label,
        ByExperiment((side.experiment, side.threads, summarize(side)) for side in timed),
        tuple(_comparisons(config, timed, blocks, layers, known_floors(manifest), manifest.quick)),
        ByExperiment((r.experiment, r.threads, r.entry) for r in recorded),
    )
    return Analysis(
        directory,
        manifest,
        config,
        launches,
        sides,
        timed,
        summary,
        metrics_of(model, timed, launches),
        dict(_tables(directory, model, sides, layers, recorded)),
    )


def _comparisons(
    config: Config,
    sides: Sequence[MeasuredSide],
    blocks: Blocks,
    layers: Sequence[Layer],
    floors: Mapping[int, float],
    quick: bool,
) -> Iterator[Comparison]:
    by_name = {(side.experiment, side.threads): side for side in sides}
    for names in config.compare_pairs:
        for threads in config.experiment(names[0]).threads:
            baseline, candidate = (by_name.get((name, threads)) for name in names)
            if baseline and candidate:
                comparison = compare(baseline, candidate, blocks, floors.get(threads), quick, layers)
                if comparison is not None:
                    yield comparison


def _tables(
    directory: RunDirectory,
    model: str,
    sides: Sequence[MeasuredSide],
    layers: Sequence[Layer],
    recorded: Sequence[RecordedKernels],
) -> Iterator[tuple[Path, bytes]]:
    for side in sides:
        identity = RowIdentity(model, side.experiment, side.threads)
        for kind, content in _side_tables(identity, side, layers):
            yield directory.table(model, side.experiment, side.threads, kind), content
    for r in recorded:
        yield directory.table(model, r.experiment, r.threads, "kernels"), kernels_csv(r.rows)


def _side_tables(identity: RowIdentity, side: MeasuredSide, layers: Sequence[Layer]) -> Iterator[tuple[str, bytes]]:
    if side.recordings:
        yield "all_runs_timeline", timeline_csv(identity, side.recordings)
        yield "run0_timeline", first_run_csv(identity, side.recordings)
        yield "ops_stats", operators_csv(identity, operator_stats(side.recordings))
        if layers:
            yield "layers", layers_csv(identity, layer_stats(side.recordings, layers))
