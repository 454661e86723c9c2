# SPDX-License-Identifier: Apache-2.0
"""A sweep in words: its plan, each of its jobs as it ends, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_profiling.analysis.advice.shipping import CALLED, EXPORTED, PREVIEWED
from model_profiling.analysis.sweeping.cell_result import CellResult, CellSpeedup
from model_profiling.analysis.sweeping.summary import DONE, FAILED, MISSING, SweepSummary, SweptCell
from model_profiling.paired_statistics import NO_VERDICT
from model_profiling.report.quantities import ratio_with_interval
from model_profiling.report.words.verdict import QUICK
from model_profiling.wording import count, duration, listed, percent

#: What tells how much of a program reaches SME2.
EVIDENCE = {CALLED: "called", EXPORTED: "export", PREVIEWED: "preview"}


def plan_lines(
    programs: Sequence[str], cells: Sequence[str], left_out: int, finished: int, seconds: float, measured: bool
) -> list[str]:
    """Return a plan as lines: what would be exported and measured, and how long that takes."""
    lines = [f"export   {name}" for name in programs] + [f"measure  {name}" for name in cells]
    parts = [count(len(programs), "export"), count(len(cells), "cell")]
    told = f"{listed(parts)} to do"
    if finished:
        told += f", {count(finished, 'cell')} finished"
    if left_out:
        told += f", {count(left_out, 'cell')} left out"
    if not lines:
        return [f"{told}."]
    basis = "by what was done so far" if measured else "a guess for small models; larger ones take longer"
    return [*lines, f"{told}. About {duration(seconds)} ({basis})."]


def beginning(job: str, is_cell: bool) -> str:
    """Say what is being done."""
    return f"{'measuring' if is_cell else 'exporting'} {job}"


def ended(job: str, reason: str, result: CellResult | None) -> str:
    """Say in one line how a job ended."""
    if reason:
        return f"{job}: failed: {reason}"
    if result is None:
        return f"{job}: exported"
    return f"{job}: {outcome(result)}"


def outcome(result: CellResult) -> str:
    """Say what a cell came to."""
    if result.speedups:
        return speedup_words(result.speedups[0], result.quick)
    if result.sides:
        return f"{result.sides[0].latency_ms.value:.3g} ms"
    if result.reach is not None:
        return f"{percent(result.reach.share)} of the multiply-adds reach SME2 kernels"
    return "done, without times"


def speedup_words(compared: CellSpeedup, quick: bool) -> str:
    """Return "1.42x (1.39 to 1.45), faster"."""
    speedup, low, high = ratio_with_interval(compared.speedup, compared.interval, "")
    interval = f" ({low.text} to {high.text})" if low and high else ""
    return f"{speedup.text}x{interval}, {verdict_word(compared, quick)}"


def verdict_word(compared: CellSpeedup, quick: bool) -> str:
    """Return a verdict, or what is said in its place where there were too few pairs."""
    return QUICK if quick and compared.verdict == NO_VERDICT else compared.verdict


def standing(summary: SweepSummary) -> str:
    """Say how many cells stand how: "6 of 8 cells are done, 1 failed, 1 is missing."."""
    counts, every = summary.counts, len(summary.cells)
    if counts[DONE] == every:
        return f"All {count(every, 'cell')} are done." if every > 1 else "The cell is done."
    told = [f"{counts[DONE]:,} of {count(every, 'cell')} {'is' if counts[DONE] == 1 else 'are'} done"]
    if counts[FAILED]:
        told.append(f"{counts[FAILED]:,} failed")
    if counts[MISSING]:
        told.append(f"{counts[MISSING]:,} {'is' if counts[MISSING] == 1 else 'are'} missing")
    return f"{', '.join(told)}."


def failure(failed: Sequence[SweptCell], asked: int, page: str) -> str:
    """Say that cells failed, of so many that were asked for, with the first reason."""
    first = f"{failed[0].name}: {failed[0].reason}"
    return f"{len(failed):,} of {count(asked, 'cell')} failed ({first}); all reasons are in {page}"


def tally(verdicts: Mapping[str, int]) -> str:
    """Say how many comparisons came to what: "Of 8 comparisons: 5 faster, 2 slower, 1 no difference shown."."""
    every = sum(verdicts.values())
    if not every:
        return ""
    if list(verdicts) == [QUICK]:
        return "A quick sweep gives no verdicts."
    if len(verdicts) == 1:
        (word,) = verdicts
        return f"{count(every, 'comparison')}, {'each' if every > 1 else 'it is'} {word}."
    told = ", ".join(f"{number:,} {word}" for word, number in sorted(verdicts.items(), key=lambda one: -one[1]))
    return f"Of {count(every, 'comparison')}: {told}."
