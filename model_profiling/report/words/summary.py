# SPDX-License-Identifier: Apache-2.0
"""Results in words and tables: for the terminal and the Markdown summary, from the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.report.words.markup import escape
from model_profiling.report.words.table import Table
from model_profiling.rounding import fixed, places_for, ratio_places


def milliseconds(value: float | None, half_spread: float | None = None) -> str:
    """Return a time in ms with the digits that its spread supports, at least two significant ones."""
    if value is None:
        return "-"
    unit = half_spread if half_spread and half_spread > 0 else abs(value) / 1000
    places = 0 if unit <= 0 else -math.floor(math.log10(unit))
    least = 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{min(max(places, least, 0), 6)}f}"


def percent(value: float | None) -> str:
    """Return a percentage with one decimal, "-" where there is none."""
    return "-" if value is None else f"{value:.1f} %"


def speedup_sentence(entry: Mapping, quick: bool) -> str:
    """Say in one sentence what a comparison of the summary came to."""
    threads = f", {_threads(entry['threads'])}" if entry["threads"] != "" else ""
    ends = entry["ci95"] or (None, None)
    places = (
        places_for(None, entry["speedup"])
        if entry["ci95"] is None
        else ratio_places(ends[0], entry["speedup"], ends[1])
    )
    head = f"{entry['candidate']} against {entry['baseline']}{threads}: {fixed(entry['speedup'], places)}x"
    pairs = f"{entry['pairs']} pair{'' if entry['pairs'] == 1 else 's'}"
    interval = f"no interval from {pairs}" if entry["pairs"] else "medians; the launches are not paired"
    if entry["ci95"] is not None:
        low, high = (fixed(end, places) for end in ends)
        interval = f"95 % interval {low} to {high} from {pairs}"
    return f"{head} ({interval}): {'quick: no verdict' if quick else entry['verdict']}"


def bottleneck_sentence(entry: Mapping) -> str | None:
    """Say which category dominates on each side of a comparison, None without traces."""
    sides = entry.get("bottleneck") or {}
    before, after = sides.get("baseline"), sides.get("candidate")
    if not before or not after:
        return None
    was = f"{before['percent']:.0f} % with {entry['baseline']}"
    becomes = f"{after['percent']:.0f} % with {entry['candidate']}"
    if before["category"] == after["category"]:
        return f"{before['category']} takes the most time on both sides: {was}, {becomes}"
    return f"The bottleneck moves from {before['category']} ({was}) to {after['category']} ({becomes})"


def latency_table(summary: Mapping) -> Table | None:
    """Return the latency of every experiment and thread count; None where nothing was timed."""
    columns = ("experiment", "threads", "median ms", "p10", "p90", "launches", "tracer cost")
    rows = []
    for name, by_threads in summary["experiments"].items():
        for threads, entry in by_threads.items():
            six = entry["latency_ms"]
            spread = (six["p90"] - six["p10"]) / 2
            rows.append(
                (
                    name,
                    threads,
                    *(milliseconds(six[key], spread) for key in ("median", "p10", "p90")),
                    str(entry["launches"]),
                    percent(entry["tracer_overhead_percent"]),
                )
            )
    return Table("Latency", columns, tuple(rows), frozenset(columns[1:])) if rows else None


def category_table(summary: Mapping) -> Table | None:
    """Return where the traced time went, one column an experiment; None without traces."""
    entries = [
        (f"{name}, {_threads(threads)}", entry)
        for name, by_threads in summary["experiments"].items()
        for threads, entry in by_threads.items()
        if entry["categories_ms"]
    ]
    if not entries:
        return None
    rows = []
    for category in entries[0][1]["categories_ms"]:
        rows.append((category, *(_time_and_share(entry["categories_ms"], category) for _, entry in entries)))
    columns = ("category", *(f"{title} (ms)" for title, _ in entries))
    return Table("Where the time goes", columns, tuple(rows), frozenset(columns[1:]))


def _time_and_share(categories: Mapping[str, float], category: str) -> str:
    total = sum(categories.values())
    return f"{milliseconds(categories[category], total / 1000)} ({100 * categories[category] / total:4.1f} %)"


def _threads(count: int | str) -> str:
    return f"{count} thread{'' if str(count) == '1' else 's'}"


def summary_markdown(plain: Mapping, summary: Mapping, more: Sequence[Table] = ()) -> str:
    """Return `<model>_pipeline_summary.md`, with `more` tables before the notes."""
    lines = [f"# {escape(plain['model'])}: pipeline summary", "", escape(plain["feature"]["sentence"]), ""]
    for entry in plain["comparisons"]:
        lines.append(f"- {escape(speedup_sentence(entry, plain['quick']))}")
        bottleneck = bottleneck_sentence(entry)
        if bottleneck:
            lines.append(f"- {escape(bottleneck)}")
    tables: Sequence[Table | None] = (latency_table(summary), category_table(summary), *more)
    parts = ["\n".join(lines) + "\n", *(table.markdown() for table in tables if table)]
    if plain["notes"]:
        parts.append("## Notes\n\n" + "\n".join(f"- {escape(note)}" for note in plain["notes"]) + "\n")
    parts.append(
        f"ExecuTorch {plain['executorch']['version']}, {escape(plain['cpu'])}, seed {plain['seed']}, "
        f"started {plain['started']}.\n"
    )
    return "\n".join(parts)


def show_analysis(
    summary: Mapping, feature: str, notes: Sequence[str], quick: bool, more: Sequence[Table] = ()
) -> None:
    """Print what a run came to: what was switched, tables (`more` last), comparisons, notes."""
    say(one_line(f"{summary['model']}: {feature}"))
    say()
    for table in (latency_table(summary), category_table(summary), *more):
        if table:
            table.show()
    for entry in summary["comparisons"]:
        say(one_line(speedup_sentence(entry, quick)))
        bottleneck = bottleneck_sentence(entry)
        if bottleneck:
            say(one_line(bottleneck))
    for note in notes:
        say(one_line(f"note: {note}"))
    say()
