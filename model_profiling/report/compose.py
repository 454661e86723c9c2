# SPDX-License-Identifier: Apache-2.0
"""Building the view of a report from a run: pure, everything it needs is passed in."""

from __future__ import annotations

from dataclasses import replace

from model_profiling.report import heading
from model_profiling.report.comparing import comparison, latency_places
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Quantity, quantity
from model_profiling.report.sections import SECTIONS
from model_profiling.report.view import ExperimentRow, View
from model_profiling.rounding import places_for
from model_profiling.wording import listed


def build_view(run: RunData, run_dir: str, title: str | None = None) -> View:
    """Return what the report of `run` says.

    `run_dir` is the run directory as the reader would type it; `title` replaces the
    report's heading, which else is the model's name.
    """
    experiments = run.summary["experiments"]
    baselines = [entry["baseline"] for entry in run.summary["comparisons"]]
    naming = Naming(run.manifest, list(experiments), baselines)
    model = run.manifest.model.id
    comparisons = tuple(comparison(run, naming, index) for index in range(len(run.summary["comparisons"])))
    view = View(
        title=title or model,
        model=model,
        subtitle=_subtitle(run, naming),
        byline=heading.byline(run),
        switched=heading.switched(run, naming),
        experiments=tuple(
            _experiment(run, naming, name, threads)
            for threads in sorted({int(t) for by_threads in experiments.values() for t in by_threads})
            for name in sorted(experiments, key=naming.series)
            if str(threads) in experiments[name]
        ),
        comparisons=comparisons,
    )
    run = replace(run, typed_as=run_dir)
    return replace(view, sections=tuple(make(run, naming, view) for make in SECTIONS))


def _subtitle(run: RunData, naming: Naming) -> str:
    if run.manifest.calibration:
        return "A/A calibration"
    if naming.label:
        return f"{naming.label} on and off"
    return "Latency" if run.summary["experiments"] else "Kernels"


def _experiment(run: RunData, naming: Naming, name: str, threads: int) -> ExperimentRow:
    values = run.summary["experiments"][name][str(threads)]
    statistics = values["latency_ms"]
    here = run.in_summary("experiments", name, threads)
    places = latency_places(run, name, threads)
    held = run.metrics["experiments"][name][str(threads)]["launches"]
    counted = {launch["index"] for launch in held}
    launches = [launch for launch in run.launches if launch.index in counted]

    def latency(key: str) -> Quantity:
        return quantity(statistics[key], f"{here}/latency_ms/{key}", places)

    def scattered(key: str, samples: list[float | None], most: int) -> Quantity | None:
        """Return a value whose digits follow how it scatters over the launches."""
        if values.get(key) is None:
            return None
        known = [sample for sample in samples if sample is not None]
        spread = (max(known) - min(known)) / 2 if len(known) > 1 else None
        return quantity(values[key], f"{here}/{key}", min(places_for(spread, values[key]), most))

    tracer = values.get("tracer_overhead_percent")
    relative = 100 * (statistics["p90"] - statistics["p10"]) / 2 / statistics["median"]
    resolved = sorted({launch.threads_resolved for launch in launches if launch.threads_resolved is not None})
    return ExperimentRow(
        experiment=name,
        side=naming.side(name),
        series=naming.series(name),
        threads=threads,
        resolved=listed([str(number) for number in resolved]),
        launches=quantity(values["launches"], f"{here}/launches", 0),
        executions=quantity(values["executions"], f"{here}/executions", 0),
        median=latency("median"),
        mean=latency("mean"),
        p10=latency("p10"),
        p90=latency("p90"),
        minimum=latency("min"),
        maximum=latency("max"),
        load=scattered("load_ms", [launch.load_ms for launch in launches], 2),
        rss=scattered("peak_rss_mib", [launch.peak_rss_mib for launch in launches], 1),
        tracer=None
        if tracer is None
        else quantity(tracer, f"{here}/tracer_overhead_percent", min(places_for(relative, tracer), 1)),
        dots=tuple(launch["median_ms"] for launch in held),
    )
