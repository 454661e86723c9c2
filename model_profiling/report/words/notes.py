# SPDX-License-Identifier: Apache-2.0
"""What a reader should know before believing a run's numbers, one sentence each, for the screen and the summaries."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.run import Analysis
from model_profiling.paired_statistics import DRIFT_WARNING_PERCENT
from model_profiling.pipeline.manifest import Manifest
from model_profiling.report.words.doubts import did_not_count, drifted, not_compared, without_category
from model_profiling.report.words.kernels import kernel_sentences
from model_profiling.wording import count

#: Said in place of times.
EMULATED = (
    "The CPU was emulated: its times say nothing about a device, so no latency and no speed-up is given. Which "
    "kernels ran, how often, and whether outputs agree holds."
)


def disagreeing(manifest: Manifest) -> tuple[str, ...]:
    """Return a sentence for each program that was kept although its answers are not those of its model."""
    return tuple(
        f"{one.model.id} does not agree with its eager model (exported with --keep-disagreeing): its times hold, its "
        "results do not, and a program with right ones may take other times."
        for one in manifest.every_program
        if one.model.disagrees
    )


def run_notes(analysis: Analysis) -> tuple[str, ...]:
    """Return the notes of an analyzed run, those on recorded kernels last."""
    return tuple(_notes(analysis))


def _notes(analysis: Analysis) -> Iterator[str]:
    yield from disagreeing(analysis.manifest)
    if analysis.only_emulated:
        yield EMULATED
    if void := sum(1 for launch in analysis.launches if not launch.counts):
        yield did_not_count(void, len(analysis.launches))
    for side in analysis.sides:
        yield from _side_notes(side)
    if not analysis.only_emulated:
        compared = {(c.baseline, c.candidate) for c in analysis.summary.comparisons}
        for baseline, candidate in analysis.config.compare_pairs:
            if (baseline, candidate) not in compared:
                yield not_compared(baseline, candidate)
    for experiment, threads, entry in analysis.summary.kernels.entries():
        where = f"{experiment}, {count(threads, 'thread')}"
        yield from (f"{where}: {sentence}" for sentence in kernel_sentences(entry))


def _side_notes(side: MeasuredSide) -> Iterator[str]:
    where = f"{side.experiment}, {count(side.threads, 'thread')}"
    drift = side.drift_percent()
    if abs(drift) > DRIFT_WARNING_PERCENT:
        yield drifted(where, drift)
    if unmapped := side.unmapped():
        yield f"{where}: {without_category(unmapped)}"
    if side.overfull:
        yield f"{where}: operators report more time than their method took."
