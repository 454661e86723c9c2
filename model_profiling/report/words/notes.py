# SPDX-License-Identifier: Apache-2.0
"""What a reader should know before believing a run's numbers, one sentence each, for the screen and the summaries."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.run import Analysis
from model_profiling.paired_statistics import DRIFT_WARNING_PERCENT
from model_profiling.report.words.kernels import kernel_sentences
from model_profiling.wording import count

#: Said in place of times.
EMULATED = (
    "The CPU was emulated: its times say nothing about a device, so no latency and no speed-up is given. Which "
    "kernels ran, how often, and whether outputs agree holds."
)


def run_notes(analysis: Analysis) -> tuple[str, ...]:
    """Return the notes of an analyzed run, those on recorded kernels last."""
    return tuple(_notes(analysis))


def _notes(analysis: Analysis) -> Iterator[str]:
    if analysis.only_emulated:
        yield EMULATED
    void = sum(1 for launch in analysis.launches if launch.void)
    if void:
        yield f"{void} launches were void and do not count; their pairs were made again where possible."
    for side in analysis.sides:
        yield from _side_notes(side)
    if not analysis.only_emulated:
        compared = {(c.baseline, c.candidate) for c in analysis.summary.comparisons}
        for baseline, candidate in analysis.config.compare_pairs:
            if (baseline, candidate) not in compared:
                yield f"{baseline} and {candidate} share no complete pair of launches, so they are not compared."
    for experiment, threads, entry in analysis.summary.kernels.entries():
        where = f"{experiment}, {count(threads, 'thread')}"
        yield from (f"{where}: {sentence}" for sentence in kernel_sentences(entry))


def _side_notes(side: MeasuredSide) -> Iterator[str]:
    drift = side.drift_percent()
    if abs(drift) > DRIFT_WARNING_PERCENT:
        yield f"Launches of {side.experiment} at {side.threads} threads drifted by {drift:+.0f} % over the run."
    unmapped = side.unmapped()
    if unmapped:
        names = ", ".join(unmapped)
        yield f"{side.experiment} ran operators without a category of their own, counted as Other: {names}."
    if side.overfull:
        yield f"Operators of {side.experiment} report more time than their method took."
