# SPDX-License-Identifier: Apache-2.0
"""What to know of how a run was measured: its categories, comparisons, switch, tracer, noise floor and pairs."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.paired_statistics import MAX_ADAPTIVE_PAIRS
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.note import Note
from model_profiling.report.quantities import Sentence, quantity
from model_profiling.report.words.doubts import not_compared, without_category
from model_profiling.wording import capitalized, count, listed


def method_notes(run: RunData, naming: Naming) -> Iterator[Note]:
    """Yield the notes on how it was measured."""
    yield from _unmapped(run)
    yield from _not_compared(run, naming)
    yield from _masking(run, naming)
    yield from _tracer(run)
    yield from _noise_floor(run)
    yield from _adaptive(run, naming)


def _unmapped(run: RunData) -> Iterator[Note]:
    names = sorted(
        {
            name
            for _, _, summary in run.summary.experiments.entries()
            if summary.traced
            for name in summary.traced.unmapped_operators
        }
    )
    if names:
        yield Note("warn", "Operators without a category", ((capitalized(without_category(names)),),))


def _not_compared(run: RunData, naming: Naming) -> Iterator[Note]:
    compared = {(c.baseline, c.candidate) for c in run.summary.comparisons}
    wanted = () if run.manifest.emulated else run.manifest.config.compare_pairs
    for baseline, candidate in wanted:
        if (baseline, candidate) not in compared:
            missing = not_compared(naming.side(baseline), naming.side(candidate))
            yield Note("warn", "A comparison is missing", ((missing,),))


def _masking(run: RunData, naming: Naming) -> Iterator[Note]:
    for name, features in run.manifest.disabled.items():
        launches = [launch for launch in run.launches if launch.experiment == name and launch.ok]
        if not features or not launches:
            continue
        whole = naming.label and features == run.manifest.feature.disabled
        what = naming.label if whole else listed(features)
        if all(
            set(features) <= set(launch.masked_cpu_features) and not set(features) & set(launch.active_cpu_features)
            for launch in launches
        ):
            yield Note(
                "good",
                "The switch was verified",
                ((f"In every launch of {naming.side(name)} the runtime saw a CPU without {what}.",),),
            )
        else:
            yield Note(
                "warn",
                "The switch did not work in every launch",
                ((f"Some launches of {naming.side(name)} still had some of {what}.",),),
            )


def _tracer(run: RunData) -> Iterator[Note]:
    summaries = [summary for _, _, summary in run.summary.experiments.entries()]
    if any(summary.traced for summary in summaries):
        yield Note(
            "info",
            "Latency and operators come from different executions",
            (
                (
                    "Latency is measured without the tracer. Operator and category times come from further executions "
                    "of the same launches with the tracer on, and add up to their median; the tables "
                    "under Latency give the tracer's "
                    "cost.",
                ),
            ),
        )
    elif summaries:
        yield Note(
            "info",
            "No traces",
            (
                (
                    "This run recorded no operator times (traced_runs is 0, or the runner wrote "
                    "no trace), so the report has latencies only.",
                ),
            ),
        )


def _noise_floor(run: RunData) -> Iterator[Note]:
    if run.manifest.calibration:
        return
    told: dict[int, Sentence] = {}
    for index, compared in enumerate(run.summary.comparisons):
        if compared.noise_floor_percent is not None:
            path = run.in_summary("comparisons", index, "noise_floor_percent")
            floor = quantity(compared.noise_floor_percent, path, 1)
            told[compared.threads] = (f"{count(compared.threads, 'thread')}: ", floor, " %.")
    if told:
        yield Note(
            "info",
            "Noise floor",
            (
                (
                    "An A/A calibration on this machine measured how large a difference shows where there is none; "
                    "smaller "
                    "effects get no verdict.",
                ),
                *told.values(),
            ),
        )
    elif run.summary.comparisons:
        yield Note(
            "info",
            "Noise floor not measured",
            (
                (
                    "No A/A calibration was made. mac_pipeline.py --aa runs one side against itself and measures how "
                    "large "
                    "a difference this machine shows where there is none.",
                ),
            ),
        )


def _adaptive(run: RunData, naming: Naming) -> Iterator[Note]:
    precision = run.manifest.precision_percent
    if precision is not None:
        yield Note(
            "info",
            "The number of pairs was adaptive",
            (
                (
                    f"Pairs were added until the interval's half-width was under {precision:g} %, or until there were "
                    f"{MAX_ADAPTIVE_PAIRS}. Stopping on the result makes the interval slightly optimistic.",
                ),
                *(_pairs_used(run, naming, index) for index in range(len(run.summary.comparisons))),
            ),
        )


def _pairs_used(run: RunData, naming: Naming, index: int) -> Sentence:
    compared = run.summary.comparisons[index]
    return (
        f"{naming.side(compared.candidate)} against {naming.side(compared.baseline)}, "
        f"{count(compared.threads, 'thread')}: ",
        quantity(compared.pairs, run.in_summary("comparisons", index, "pairs"), 0),
        f" {count(compared.pairs, 'pair').partition(' ')[2]}.",
    )
