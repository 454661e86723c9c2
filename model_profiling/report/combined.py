# SPDX-License-Identifier: Apache-2.0
"""Several runs in one report: devices, element types or models side by side.

Within a run its pairs support a speed-up. Between runs of one CPU times are compared
unpaired, with Welch's interval; between CPUs no ratio is given at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from model_profiling.analysis.comparing.run_comparison import LaunchTimes, launch_times, time_ratio
from model_profiling.analysis.comparing.run_differences import cpu_name, cpu_of, differences, shared_facts
from model_profiling.analysis.traces.operator_names import CATEGORIES
from model_profiling.analysis.traces.operators import FRAMEWORK_OVERHEAD
from model_profiling.errors import UserError
from model_profiling.export.recipe import label_of
from model_profiling.export.recipes import label_in
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.combined_view import CombinedView, ComparisonRow, RatioRow, RunCard, ShareRow, share_of
from model_profiling.report.compose import build_view, naming_of
from model_profiling.report.load import ExportRecord, RunData, read_run
from model_profiling.report.quantities import quantity
from model_profiling.report.sections.sme2_bound import combined_bounds
from model_profiling.report.shipping import ShippingSource, shipping_groups
from model_profiling.report.view import ExperimentRow, View
from model_profiling.report.words.verdict import combined_sentence
from model_profiling.rounding import places_for, ratio_places
from model_profiling.wording import count, listed

_OTHER_CPU = "another CPU"


@dataclass(frozen=True)
class CombinedRun:
    """One run with its own view; every number's path begins with the run's folder."""

    directory: RunDirectory
    data: RunData
    view: View
    times: LaunchTimes


def read_runs(folders: Sequence[Path]) -> list[CombinedRun]:
    """Read the runs of a combined report.

    Raises
    ------
    UserError : fewer than two folders, one named twice, or one that is not an analyzed run.
    """
    where, known = "in --run-dirs", set()
    if len(folders) < 2:
        raise UserError(
            "a combined report needs at least two runs",
            where,
            "name another run directory, or use generate_report.py for one",
        )
    for folder in folders:
        if folder.resolve() in known:
            raise UserError(f"{folder} is named twice", where, "name each run once")
        known.add(folder.resolve())
    return [_read(RunDirectory(folder)) for folder in folders]


def _read(directory: RunDirectory) -> CombinedRun:
    data = read_run(directory, prefix=f"{quote(str(directory.root))}/")
    return CombinedRun(directory, data, build_view(data, str(directory.root)), launch_times(directory, data.manifest))


def build_combined(runs: Sequence[CombinedRun]) -> CombinedView:
    """Return what the combined report of `runs` says."""
    labels = _labels(runs)
    manifests = [run.data.manifest for run in runs]
    cpus = list(dict.fromkeys(map(cpu_name, manifests)))
    comparisons = tuple(
        ComparisonRow(label, c) for label, run in zip(labels, runs, strict=True) for c in run.view.comparisons
    )
    return CombinedView(
        title=f"{count(len(runs), 'run')} side by side",
        byline=(listed(cpus), *dict.fromkeys(run.view.byline[2] for run in runs)),
        summary=tuple(combined_sentence(row.label, row.comparison) for row in comparisons),
        caution=_caution(manifests, cpus),
        runs=tuple(_card(label, run) for label, run in zip(labels, runs, strict=True)),
        differences=tuple(differences(manifests)),
        shared=tuple(shared_facts(manifests).items()),
        experiments=tuple(
            _ratio_row(label, run, row, runs[0])
            for label, run in zip(labels, runs, strict=True)
            for row in run.view.experiments
        ),
        comparisons=comparisons,
        categories=(*CATEGORIES, FRAMEWORK_OVERHEAD),
        shares=tuple(_shares(comparisons)),
        shipping=shipping_groups([_source(label, run) for label, run in zip(labels, runs, strict=True)]),
        sme2_bounds=combined_bounds(
            [(label, run.data, naming_of(run.data)) for label, run in zip(labels, runs, strict=True)]
        ),
    )


def _source(label: str, run: CombinedRun) -> ShippingSource:
    return ShippingSource(label, run.data, run.view.experiments, run.times, _dtypes_of(run.data))


def _labels(runs: Sequence[CombinedRun]) -> list[str]:
    """Return what to call each run: its model, with its CPU or folder where that is not enough."""
    models = [run.view.title for run in runs]
    with_cpu = [f"{model}, {cpu_name(run.data.manifest)}" for model, run in zip(models, runs, strict=True)]
    with_folder = [f"{model} ({run.directory.root.name})" for model, run in zip(models, runs, strict=True)]
    for names in (models, with_cpu, with_folder):
        if len(set(names)) == len(runs):
            return names
    return [f"{model} ({run.directory.root})" for model, run in zip(models, runs, strict=True)]


def _card(label: str, run: CombinedRun) -> RunCard:
    manifest = run.data.manifest
    return RunCard(
        label,
        cpu_name(manifest),
        run.view.title,
        _dtypes(run.data),
        run.view.subtitle,
        manifest.executorch.version,
        manifest.started[:10],
        str(run.directory.root),
    )


def _dtypes(data: RunData) -> str:
    """Return the element types of a run's programs."""
    return listed(list(dict.fromkeys(_dtypes_of(data))))


def _dtypes_of(data: RunData) -> tuple[str, ...]:
    """Return the element type of each program."""
    programs = data.manifest.every_program
    return tuple(map(dtype_of, programs, data.exports or [None] * len(programs)))


def dtype_of(program: MeasuredProgram, export: ExportRecord | None) -> str:
    """Return a program's element type: as its export recorded it, else as its name ends; groups of weights with it."""
    recorded = export or {}
    if "dtype" not in recorded:
        return label_in(program.model.id) or "unknown"
    return label_of(str(recorded["dtype"]), recorded.get("group_size", 0))


def _caution(manifests: Sequence[Manifest], cpus: Sequence[str]) -> tuple[str, ...]:
    told = []
    if len({cpu_of(manifest) for manifest in manifests}) > 1:
        told.append(
            f"These runs were made on different CPUs ({listed(cpus)}). Their latencies stand side by side, but "
            "no ratio between CPUs is given: compare the speed-ups, each measured within its own run."
        )
    else:
        told.append(
            "Runs were made one after another: ratios between them are unpaired, and what changed from one "
            "session to the next, such as temperature, is in them. Speed-ups within a run are paired."
        )
    if len({frozenset(program.model.sha256 for program in m.every_program) for m in manifests}) > 1:
        told.append("The runs measured different models; a ratio between them compares whole models.")
    if len({manifest.feature.label for manifest in manifests}) > 1:
        told.append("The runs did not switch the same CPU feature, so their speed-ups do not answer the same question.")
    return tuple(told)


def _ratio_row(label: str, run: CombinedRun, experiment: ExperimentRow, first: CombinedRun) -> RatioRow:
    key = (experiment.experiment, experiment.threads)
    if run is first:
        return RatioRow(label, experiment, None, None, None, "the reference")
    if cpu_of(run.data.manifest) != cpu_of(first.data.manifest):
        return RatioRow(label, experiment, None, None, None, _OTHER_CPU)
    unpaired = time_ratio(first.times, run.times, key)
    if unpaired is None:
        return RatioRow(label, experiment, None, None, None, "not in the first run")
    path = ",".join(side.data.in_metrics("experiments", *key, "launches") for side in (first, run))
    if unpaired.low is None or unpaired.high is None:
        ratio = quantity(unpaired.ratio, f"{path}|unpaired ratio", places_for(None, unpaired.ratio))
        return RatioRow(label, experiment, ratio, None, None, "")
    places = ratio_places(unpaired.low, unpaired.ratio, unpaired.high)
    return RatioRow(
        label,
        experiment,
        quantity(unpaired.ratio, f"{path}|unpaired ratio", places),
        quantity(unpaired.low, f"{path}|unpaired low", places),
        quantity(unpaired.high, f"{path}|unpaired high", places),
        "",
    )


def _shares(rows: Sequence[ComparisonRow]) -> list[ShareRow]:
    rows_of_sides: dict[tuple[str, str, int], ShareRow] = {}
    for row in rows:
        c = row.comparison
        if c.breakdown is None:
            continue
        for side, series, candidate in (
            (c.baseline_side, c.baseline_series, False),
            (c.candidate_side, c.candidate_series, True),
        ):
            shares = tuple(
                share_of(c.breakdown.categories, name, candidate) for name in (*CATEGORIES, FRAMEWORK_OVERHEAD)
            )
            rows_of_sides.setdefault((row.label, side, c.threads), ShareRow(row.label, side, series, c.threads, shares))
    return list(rows_of_sides.values())
