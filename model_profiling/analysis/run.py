# SPDX-License-Identifier: Apache-2.0
"""Analyzes a run directory: traces to tables, launches to statistics, all of it to values. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_profiling.analysis.advice.advising import advise
from model_profiling.analysis.advice.amdahl import sme2_bound
from model_profiling.analysis.advice.ceilings import known_ceilings
from model_profiling.analysis.advice.largest import largest_kind
from model_profiling.analysis.advice.roofline import AgainstCeilings, LayerCeiling, layer_ceilings
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.experiments import compare
from model_profiling.analysis.comparing.noise_floor import known_floors
from model_profiling.analysis.comparing.sides import Blocks, MeasuredSide, collect_sides, counting_blocks
from model_profiling.analysis.experiments import summarize
from model_profiling.analysis.kernels.recorded import RecordedKernels, read_recorded
from model_profiling.analysis.metrics import Metrics, metrics_of
from model_profiling.analysis.program_layers import read_programs
from model_profiling.analysis.summary import AnalysisSummary, ByExperiment, ExperimentSummary
from model_profiling.analysis.tables.kernels import kernels_csv
from model_profiling.analysis.tables.layers import layers_csv
from model_profiling.analysis.tables.operators import operators_csv
from model_profiling.analysis.tables.timeline import first_run_csv, timeline_csv
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.recording import RowIdentity
from model_profiling.pipeline.ceilings import Ceilings
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program_records import KeptProgram, read_records
from model_profiling.pipeline.run_directory import Launch, RunDirectory


@dataclass(frozen=True)
class Analysis:
    """What an analysis gives: the run as it was read, its summary and metrics, and each table's content by its file.

    `ceilings` are the machine's, None where they are not known.
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
    ceilings: Ceilings | None = None

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
    programs, model = read_programs(directory, manifest), manifest.model.id
    sides = tuple(collect_sides(directory, config, blocks, programs))
    timed = () if manifest.emulated else sides
    ceilings = known_ceilings(directory, manifest)
    against = _against_ceilings(sides, ceilings) if ceilings else {}
    recorded = tuple(read_recorded(directory, config, programs, manifest, sides))
    comparisons = tuple(_comparisons(manifest, timed, blocks))
    kept = read_records(directory, manifest)
    records = {e.name: kept[manifest.program_number(e.name)] for e in config.experiments}
    summary = AnalysisSummary(
        model,
        manifest.feature.label,
        ByExperiment(_experiments(records, manifest, timed)),
        comparisons,
        ByExperiment((r.experiment, r.threads, r.entry) for r in recorded),
        advise(manifest, timed, comparisons, records, against),
        tuple(filter(None, map(largest_kind, timed))),
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
        dict(_tables(directory, manifest, sides, recorded, against)),
        ceilings,
    )


def _against_ceilings(sides: Sequence[MeasuredSide], ceilings: Ceilings) -> AgainstCeilings:
    """Return each side's layers against the ceilings that were measured for it; other sides are left out."""
    known = [side for side in sides if ceilings.side(side.experiment, side.threads)]
    return {(side.experiment, side.threads): layer_ceilings(side, ceilings) for side in known}


def _experiments(
    records: Mapping[str, KeptProgram], manifest: Manifest, sides: Sequence[MeasuredSide]
) -> Iterator[tuple[str, int, ExperimentSummary]]:
    for side in sides:
        summary = summarize(side, manifest.tokens.get(side.experiment))
        bound = sme2_bound(side, records[side.experiment], manifest, summary.traced.time_ms) if summary.traced else None
        yield side.experiment, side.threads, replace(summary, sme2_bound=bound)


def _comparisons(manifest: Manifest, sides: Sequence[MeasuredSide], blocks: Blocks) -> Iterator[Comparison]:
    config, floors = manifest.config, known_floors(manifest)
    by_name = {(side.experiment, side.threads): side for side in sides}
    for names in config.compare_pairs:
        for threads in config.experiment(names[0]).threads:
            baseline, candidate = (by_name.get((name, threads)) for name in names)
            if baseline and candidate:
                comparison = compare(baseline, candidate, blocks, floors.get(threads), manifest.quick)
                if comparison is not None:
                    yield replace(comparison, models=_models(manifest, *names))


def _models(manifest: Manifest, baseline: str, candidate: str) -> tuple[str, str] | None:
    """Return the names of two experiments' programs, None where they executed one."""
    if manifest.same_program(baseline, candidate):
        return None
    return manifest.program(baseline).model.id, manifest.program(candidate).model.id


def _tables(
    directory: RunDirectory,
    manifest: Manifest,
    sides: Sequence[MeasuredSide],
    recorded: Sequence[RecordedKernels],
    against: AgainstCeilings,
) -> Iterator[tuple[Path, bytes]]:
    for side in sides:
        identity = RowIdentity(manifest.program(side.experiment).model.id, side.experiment, side.threads)
        for kind, content in _side_tables(identity, side, against.get((side.experiment, side.threads))):
            yield directory.table(identity.model_id, side.experiment, side.threads, kind), content
    for r in recorded:
        model = manifest.program(r.experiment).model.id
        yield directory.table(model, r.experiment, r.threads, "kernels"), kernels_csv(r.rows)


def _side_tables(
    identity: RowIdentity, side: MeasuredSide, against: Mapping[str, LayerCeiling] | None
) -> Iterator[tuple[str, bytes]]:
    if side.recordings:
        yield "all_runs_timeline", timeline_csv(identity, side.recordings)
        yield "run0_timeline", first_run_csv(identity, side.recordings)
        yield "ops_stats", operators_csv(identity, operator_stats(side.recordings))
        if side.program.layers:
            yield "layers", layers_csv(identity, side.layer_stats, against)
