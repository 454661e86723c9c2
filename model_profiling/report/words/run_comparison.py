# SPDX-License-Identifier: Apache-2.0
"""A comparison of two runs as lines for the screen and the log of a CI job."""

from __future__ import annotations

from model_profiling.analysis.comparing.run_comparison import RunComparison, RunRow
from model_profiling.analysis.comparing.run_differences import RunDifference
from model_profiling.report.words.table import Table
from model_profiling.rounding import fixed, places_for, ratio_places
from model_profiling.wording import count

_HEADINGS = ("experiment", "threads", "launches", "baseline", "candidate", "time ratio", "95 % interval", "change")
_WIDEST_VALUE = 60
#: What a comparison of two runs rests on, and what does without it.
CANNOT_KNOW = (
    "Nothing of this is paired, and whether conditions were the same in both runs cannot be known: to compare two "
    'programs, measure them in one run, with a "model" for one of its experiments (generate_config.py --against).'
)


def comparison_lines(compared: RunComparison) -> list[str]:
    """Return the table, one line for each experiment and thread count, then what to know about it."""
    table = Table("Time ratios", _HEADINGS, tuple(map(_cells, compared.rows)), frozenset(_HEADINGS[1:]))
    lines = [
        *table.lines(),
        "",
        "The time ratio is candidate over baseline (above 1: slower), with Welch's interval over launches. "
        "The interval does not cover what differs between two sessions, such as temperature.",
        CANNOT_KNOW,
    ]
    if any(row.estimate.low is None for row in compared.rows):
        lines.append("A run with one launch has no interval and supports no verdict.")
    lines += [f"The run in {root} is unfinished." for root in compared.unfinished]
    for only in compared.left_out:
        names = ", ".join(f"{name} on {count(threads, 'thread')}" for name, threads in only.experiments)
        lines.append(f"Only in {only.root}: {names}.")
    return [*lines, *map(_difference, compared.differences)]


def _difference(difference: RunDifference) -> str:
    values = [value if len(value) <= _WIDEST_VALUE else f"{value[: _WIDEST_VALUE - 1]}…" for value in difference.values]
    if len(set(values)) == 1:  # what differs lies beyond the cut
        return f"The runs differ in {difference.what}."
    return f"The runs differ in {difference.what}: {values[0]} before, {values[1]} now."


def slowdown(row: RunRow, percent: float) -> str:
    """Say by how much the candidate is slower than the `percent` allowed."""
    least = row.estimate.ratio if row.estimate.low is None else row.estimate.low
    return (
        f"{row.experiment} on {count(row.threads, 'thread')} is slower by {100 * (row.estimate.ratio - 1):.1f} % "
        f"(at least {100 * (least - 1):.1f} %, more than the {percent:g} % allowed)"
    )


def _cells(row: RunRow) -> tuple[str, ...]:
    estimate, places, interval = row.estimate, places_for(None, row.estimate.ratio), "none"
    if estimate.low is not None and estimate.high is not None:
        places = ratio_places(estimate.low, estimate.ratio, estimate.high)
        interval = f"{estimate.low:.{places}f} to {estimate.high:.{places}f}"
    return (
        row.experiment,
        str(row.threads),
        " / ".join(map(str, estimate.launches)),
        f"{row.baseline_ms:.4g} ms",
        f"{row.candidate_ms:.4g} ms",
        f"{estimate.ratio:.{places}f}",
        interval,
        _signed(100 * (estimate.ratio - 1), max(places - 2, 0)),
    )


def _signed(percent: float, places: int) -> str:
    """Return a change with its sign; one that rounds to nothing has none."""
    text = fixed(percent, places)
    return f"{'+' if percent > 0 and text.strip('0.') else ''}{text} %"
