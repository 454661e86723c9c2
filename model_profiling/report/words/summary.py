# SPDX-License-Identifier: Apache-2.0
"""An analyzed run in words and tables: for the terminal and the Markdown summary, from the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_profiling.analysis.metrics import Metrics
from model_profiling.analysis.run import Analysis
from model_profiling.analysis.summary import AnalysisSummary, TracedTimes
from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.report.latencies import half_spread_ms, spread_of
from model_profiling.report.words.bottleneck import bottleneck_sentence
from model_profiling.report.words.digits import milliseconds, percent
from model_profiling.report.words.kernels import kernel_table, missing_tables
from model_profiling.report.words.markup import escape
from model_profiling.report.words.notes import run_notes
from model_profiling.report.words.programs import programs_sentence
from model_profiling.report.words.table import Table
from model_profiling.report.words.verdict import speedup_sentence
from model_profiling.rounding import fixed, places_for
from model_profiling.wording import count


def latency_table(summary: AnalysisSummary, metrics: Metrics) -> Table | None:
    """Return the latency of every experiment and thread count; None where nothing was timed."""
    columns = ("experiment", "threads", "time ms", "p10", "p90", "launches", "tracer cost")
    rows = []
    for name, threads, experiment in summary.experiments.entries():
        latency, half = experiment.latency_ms, half_spread_ms(experiment, metrics.experiments[name][threads])
        time_ms = latency.median if experiment.time_ms is None else experiment.time_ms
        places = places_for(half, time_ms)
        rows.append(
            (
                name,
                str(threads),
                *(fixed(value, places) for value in (time_ms, latency.p10, latency.p90)),
                str(experiment.launches),
                percent(experiment.tracer_overhead_percent),
            )
        )
    return Table("Latency", columns, tuple(rows), frozenset(columns[1:])) if rows else None


def category_table(summary: AnalysisSummary) -> Table | None:
    """Return where the traced time went, one column an experiment; None without traces."""
    sides = [
        (f"{name}, {count(threads, 'thread')}", experiment.traced)
        for name, threads, experiment in summary.experiments.entries()
        if experiment.traced and experiment.traced.categories_ms
    ]
    if not sides:
        return None
    rows = tuple(
        (category, *(_time_and_share(traced, category) for _, traced in sides))
        for category in sides[0][1].categories_ms
    )
    columns = ("category", *(f"{title} (ms)" for title, _ in sides))
    return Table("Where the time goes", columns, rows, frozenset(columns[1:]))


def _time_and_share(traced: TracedTimes, category: str) -> str:
    value, total = traced.categories_ms[category], sum(traced.categories_ms.values())
    return f"{milliseconds(value, spread_of(traced.latency_ms) * value)} ({100 * value / total:4.1f} %)"


def summary_markdown(analysis: Analysis) -> str:
    """Return `<model>_pipeline_summary.md`."""
    summary, manifest, notes = analysis.summary, analysis.manifest, run_notes(analysis)
    head = [f"# {escape(summary.model)}: pipeline summary", "", escape(manifest.feature.sentence), ""]
    if programs := programs_sentence(manifest):
        head += [escape(programs), ""]
    results = [f"- {escape(line)}" for line in _results(analysis)]
    parts = ["\n".join([*head, *results]) + "\n"]
    parts += [table.markdown() for table in (*_tables(analysis), *missing_tables(summary))]
    if notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {escape(note)}" for note in notes) + "\n")
    parts.append(
        f"ExecuTorch {manifest.executorch.version}, {escape(manifest.cpu.model_name)}, seed {manifest.seed}, "
        f"started {manifest.started}.\n"
    )
    return "\n".join(parts)


def show_analysis(analysis: Analysis) -> None:
    """Print what a run came to: what was switched, tables, comparisons, notes."""
    say(one_line(f"{analysis.summary.model}: {analysis.manifest.feature.sentence}"))
    if programs := programs_sentence(analysis.manifest):
        say(one_line(programs))
    say()
    for table in _tables(analysis):
        table.show()
    for line in _results(analysis):
        say(one_line(line))
    for note in run_notes(analysis):
        say(one_line(f"note: {note}"))
    say()


def _tables(analysis: Analysis) -> Sequence[Table]:
    summary = analysis.summary
    tables = latency_table(summary, analysis.metrics), category_table(summary), kernel_table(summary)
    return [table for table in tables if table]


def _results(analysis: Analysis) -> Iterator[str]:
    """Yield a comparison's result, and where its bottleneck is."""
    for compared in analysis.summary.comparisons:
        yield speedup_sentence(compared, analysis.manifest.quick)
        bottleneck = bottleneck_sentence(compared)
        if bottleneck:
            yield bottleneck
