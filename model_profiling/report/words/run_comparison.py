# SPDX-License-Identifier: Apache-2.0
"""A comparison of two runs as lines for the screen and the log of a CI job."""

from __future__ import annotations

from collections.abc import Sequence

from model_profiling.analysis.comparing.run_comparison import RunComparison, RunRow
from model_profiling.rounding import places_for, ratio_places

_HEADINGS = ("experiment", "threads", "launches", "baseline", "candidate", "time ratio", "95 % interval", "change")
_WIDEST_VALUE = 60


def comparison_lines(found: RunComparison) -> list[str]:
    """Return the table, one line for each experiment and thread count, then what to know about it."""
    lines = _table([_HEADINGS, *map(_cells, found.rows)])
    lines.append("")
    lines.append(
        "The time ratio is candidate over baseline (above 1: slower), with Welch's interval over launches. "
        "The interval does not cover what differs between two sessions, such as temperature."
    )
    if any(row.estimate.low is None for row in found.rows):
        lines.append("A run with one launch has no interval and supports no verdict.")
    lines += found.remarks
    for difference in found.differences:
        values = [
            value if len(value) <= _WIDEST_VALUE else f"{value[: _WIDEST_VALUE - 1]}…" for value in difference.values
        ]
        if len(set(values)) == 1:  # what differs lies beyond the cut
            lines.append(f"The runs differ in {difference.what}.")
        else:
            lines.append(f"The runs differ in {difference.what}: {values[0]} before, {values[1]} now.")
    return lines


def _cells(row: RunRow) -> tuple[str, ...]:
    found = row.estimate
    places = places_for(None, found.ratio) if found.low is None else ratio_places(found.low, found.ratio, found.high)
    interval = "none" if found.low is None else f"{found.low:.{places}f} to {found.high:.{places}f}"
    return (
        row.experiment,
        str(row.threads),
        " / ".join(map(str, found.launches)),
        f"{row.baseline_ms:.4g} ms",
        f"{row.candidate_ms:.4g} ms",
        f"{found.ratio:.{places}f}",
        interval,
        f"{100 * (found.ratio - 1):+.{max(places - 2, 0)}f} %",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
