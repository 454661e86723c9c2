# SPDX-License-Identifier: Apache-2.0
"""What a run of pages tells: every command line with what became of it, then the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from model_profiling.console import say
from tools.pages.reader.following import CommandLine
from tools.pages.running.engine import CHECKED, DONE_BEFORE, EXECUTED, FAILED, NOT_HERE, NOT_REACHED, Line, PageRun

#: What is asked of all pages together on plain Linux.
LEAST_SHARE = 0.8
_WIDTH = 92


def planned(step: CommandLine) -> Line:
    """Return what a run is expected to make of a command line."""
    if step.needs:
        return Line(step, NOT_HERE, step.needs if step.options.no_run else f"needs {step.needs}")
    return Line(step, CHECKED, f"stand-in: {step.stand_in}") if step.stand_in else Line(step, EXECUTED)


def line_text(line: Line, timed: bool = True) -> str:
    """Return one row of the account of a page's command lines."""
    first, _, more = line.step.statement.text.partition("\n")
    text = first + (" ..." if more else "")
    text = text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
    seconds = f"{line.seconds:>4} s" if timed and line.outcome in (EXECUTED, CHECKED, FAILED) else " " * 6
    counted = " " if line.counts else "."
    return f"  {line.outcome:<11} {seconds} {counted} {line.step.statement.place.line:>4}  {text}" + (
        f"  [{line.why}]" if line.why else ""
    )


def show_lines(name: str, lines: Sequence[Line], timed: bool = True) -> None:
    """Print a page's command lines."""
    say(name)
    for line in lines:
        say(line_text(line, timed))


def show_run(run: PageRun) -> None:
    """Print what became of one page."""
    show_lines(run.document.name, run.lines)
    for problem in sorted(run.problems):
        say(str(problem))
    for place, why in run.not_compared:
        say(f"{run.document.name}:{place}: note: the output is not compared: {why}")
    say()


def share(lines: Sequence[Line]) -> float | None:
    """Return the share of the command lines that were executed; trivial ones do not count."""
    counted = [line for line in lines if line.counts]
    return sum(line.outcome in (EXECUTED, DONE_BEFORE) for line in counted) / len(counted) if counted else None


def show_sums(lines: Sequence[Line], compared: int | None = None, not_compared: int = 0) -> None:
    """Print the sums over all pages."""
    counts = Counter(line.outcome for line in lines if line.counts)
    executed = share(lines)
    counts[EXECUTED] += counts.pop(DONE_BEFORE, 0)
    if executed is None:
        say("no command line does more than look or move")
        return
    others = [
        f"{counts[outcome]} {label}"
        for outcome, label in (
            (CHECKED, "checked only, against stand-ins"),
            (NOT_HERE, "not runnable here"),
            (FAILED, "failed"),
            (NOT_REACHED, "not reached"),
        )
        if counts[outcome]
    ]
    trivial = sum(not line.counts for line in lines)
    say(
        f"{counts[EXECUTED]} of {sum(counts.values())} command lines executed ({100 * executed:.0f} %)"
        + "".join(f", {other}" for other in others)
        + f"; {trivial} more that only look or move (.) do not count"
    )
    if compared is not None:
        say(f"{compared} outputs compared, {not_compared} not")
