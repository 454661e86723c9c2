# SPDX-License-Identifier: Apache-2.0
"""Building the view of a report from a run: pure, everything it needs is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from model_profiling.report import heading
from model_profiling.report.comparisons import comparison_view
from model_profiling.report.latencies import execution_time, latency_places, spread_of
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Quantity, quantity
from model_profiling.report.sections import SECTIONS
from model_profiling.report.view import ExperimentRow, View
from model_profiling.report.words.programs import title_of
from model_profiling.rounding import places_for
from model_profiling.wording import listed


def build_view(run: RunData, run_dir: str, title: str | None = None) -> View:
    """Return what the report of `run` says.

    `run_dir` is the run directory as the reader would type it; `title` replaces the
    report's heading, which else is the model's name, or those of several programs.
    """
    experiments, naming = run.summary.experiments, naming_of(run)
    model = run.manifest.model.id
    comparisons = tuple(comparison_view(run, naming, index) for index in range(len(run.summary.comparisons)))
    view = View(
        title=title or title_of(run.manifest),
        model=model,
        subtitle=_subtitle(run, naming),
        byline=heading.byline(run),
        switched=heading.switched(run, naming),
        experiments=tuple(
            _experiment(run, naming, name, threads)
            for threads in sorted({threads for _, threads, _ in experiments.entries()})
            for name in sorted(experiments, key=naming.series)
            if threads in experiments[name]
        ),
        comparisons=comparisons,
    )
    run = replace(run, typed_as=run_dir)
    return replace(view, sections=tuple(make(run, naming, view) for make in SECTIONS))


def _subtitle(run: RunData, naming: Naming) -> str:
    if run.manifest.calibration:
        return "A/A calibration"
    compared = [(c.baseline, c.candidate) for c in run.summary.comparisons]
    if compared and not any(run.manifest.same_program(*names) for names in compared):
        return f"{len(run.manifest.programs)} programs"
    if naming.label:
        return f"{naming.label} on and off"
    return "Latency" if run.summary.experiments else "Kernels"


def naming_of(run: RunData) -> Naming:
    """Return what the experiments of a run are called."""
    return Naming(run.manifest, list(run.summary.experiments), [c.baseline for c in run.summary.comparisons])


def _experiment(run: RunData, naming: Naming, name: str, threads: int) -> ExperimentRow:
    summary, own = run.summary.experiments[name][threads], run.metrics.experiments[name][threads].launches
    here, places = run.in_summary("experiments", name, threads), latency_places(run, name, threads)
    counted = {launch.index for launch in own}
    launches = [launch for launch in run.launches if launch.index in counted]
    resolved = sorted({launch.threads_resolved for launch in launches if launch.threads_resolved is not None})

    def latency(key: str, value: float) -> Quantity:
        return quantity(value, f"{here}/latency_ms/{key}", places)

    tracer, latencies = summary.tracer_overhead_percent, summary.latency_ms
    return ExperimentRow(
        experiment=name,
        side=naming.side(name),
        series=naming.series(name),
        threads=threads,
        resolved=listed([str(number) for number in resolved]),
        launches=quantity(summary.launches, f"{here}/launches", 0),
        executions=quantity(summary.executions, f"{here}/executions", 0),
        time=execution_time(run, name, threads),
        mean=latency("mean", latencies.mean),
        p10=latency("p10", latencies.p10),
        p90=latency("p90", latencies.p90),
        minimum=latency("min", latencies.min),
        maximum=latency("max", latencies.max),
        load=_scattered(summary.load_ms, f"{here}/load_ms", [launch.load_ms for launch in launches], 2),
        rss=_scattered(summary.peak_rss_mib, f"{here}/peak_rss_mib", [launch.peak_rss_mib for launch in launches], 1),
        tracer=None
        if tracer is None
        else quantity(
            tracer, f"{here}/tracer_overhead_percent", min(places_for(100 * spread_of(latencies), tracer), 1)
        ),
        dots=tuple(launch.median_ms for launch in own),
    )


def _scattered(value: float | None, path: str, samples: Iterable[float | None], most: int) -> Quantity | None:
    """Return a value whose digits follow how it scatters over the launches."""
    if value is None:
        return None
    known = [sample for sample in samples if sample is not None]
    spread = (max(known) - min(known)) / 2 if len(known) > 1 else None
    return quantity(value, path, min(places_for(spread, value), most))
