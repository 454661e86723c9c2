# SPDX-License-Identifier: Apache-2.0
"""What to know before trusting the numbers: agreement, void launches, outliers, drift, settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.comparing.outputs import agreement
from model_profiling.paired_statistics import DRIFT_WARNING_PERCENT, MAX_ADAPTIVE_PAIRS
from model_profiling.pipeline.run_directory import Launch, newest_attempts
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Sentence, quantity
from model_profiling.wording import count, listed


@dataclass(frozen=True)
class Note:
    """Something to know before trusting the numbers. `tone`: "good", "info" or "warn"."""

    tone: str
    title: str
    sentences: tuple[Sentence, ...]


#: Void launches named one by one; launches.jsonl has all of them.
_MOST_NAMED = 8


def notes(run: RunData, naming: Naming) -> tuple[Note, ...]:
    """Return the notes of a run, warnings first."""
    found = [
        *_unfinished(run),
        *_agreements(run, naming),
        *_void(run, naming),
        *_outliers(run, naming),
        *_drift(run, naming),
        *_unmapped(run, naming),
        *_not_compared(run, naming),
        *_masking(run, naming),
        *_tracer(run),
        *_noise_floor(run),
        *_adaptive(run, naming),
    ]
    order = {"warn": 0, "good": 1, "info": 2}
    return tuple(sorted(found, key=lambda note: order[note.tone]))


def _unfinished(run: RunData) -> Iterator[Note]:
    if run.manifest.finished is None:
        yield Note(
            "warn",
            "The run is unfinished",
            (("Launches that were planned are missing. Run the pipeline again with --resume, then analyze again.",),),
        )


def _agreements(run: RunData, naming: Naming) -> Iterator[Note]:
    same: list[Sentence] = []
    for entry in run.summary["comparisons"]:
        names, threads = (entry["baseline"], entry["candidate"]), int(entry["threads"])
        found = agreement(run.launches, *names, threads)
        where = f"{listed([naming.side(name) for name in names])}, {count(threads, 'thread')}"
        if not found.compared:
            same.append((f"{where}: outputs were not compared.",))
        elif found.identical == found.compared:
            same.append((f"{where}: bit for bit identical in all {count(found.compared, 'comparison')}.",))
        elif found.max_abs_error is None or found.cosine is None:
            yield Note(
                "warn",
                "Outputs differ",
                (
                    (
                        f"{where}: an output is not finite (NaN or infinity) on one side. "
                        "A comparison of different results means nothing.",
                    ),
                ),
            )
        else:
            relative = "" if found.max_rel_error is None else f" ({found.max_rel_error:.1e} of the largest value)"
            same.append(
                (
                    f"{where}: largest difference {found.max_abs_error:.1e}{relative}, "
                    f"smallest cosine {_cosine(found.cosine)}.",
                )
            )
    if same:
        yield Note("good", "Outputs of both sides, compared in every pair", tuple(same))


def _cosine(value: float) -> str:
    return "1" if value >= 1 else f"{value:.6f}" if value < 0.9999995 else "above 0.999999"


def _void(run: RunData, naming: Naming) -> Iterator[Note]:
    void = [launch for launch in run.launches if launch.void or not launch.ok]
    if not void and run.launches:
        yield Note(
            "good",
            "Nothing was void",
            (
                (
                    f"All {count(len(run.launches), 'launch')} succeeded, and none was disturbed enough to be made again.",
                ),
            ),
        )
    if not void:
        return
    told: list[Sentence] = [
        (
            f"{count(len(void), 'launch')} of {len(run.launches)} did not count, and neither did the "
            "rest of their pairs.",
        ),
        *_made_again(run, void),
    ]
    for launch in void[:_MOST_NAMED]:
        reason = launch.void or f"exit status {launch.exit_code}, signal {launch.signal}"
        told.append(
            (f"Pair {launch.pair + 1}, {count(launch.threads, 'thread')}, {naming.side(launch.experiment)}: {reason}.",)
        )
    if len(void) > _MOST_NAMED:
        told.append((f"{len(void) - _MOST_NAMED} more are in launches.jsonl.",))
    yield Note("warn", "Launches that did not count", tuple(told))


def _made_again(run: RunData, void: Sequence[Launch]) -> Iterator[Sentence]:
    """Say what became of the pairs that were disturbed."""
    disturbed = {(launch.threads, launch.pair) for launch in void}
    held = newest_attempts(run.launches)
    recovered = sum(all(launch.counts for launch in held[key]) for key in disturbed)
    if recovered:
        yield (
            f"{count(recovered, 'pair')} {'was' if recovered == 1 else 'were'} made again and "
            f"{'counts' if recovered == 1 else 'count'}.",
        )
    if recovered < len(disturbed):
        lost = len(disturbed) - recovered
        yield (
            f"{count(lost, 'pair')} could not be made without a disturbance and "
            f"{'stays' if lost == 1 else 'stay'} out of every number.",
        )


def _series(run: RunData, naming: Naming) -> Iterator[tuple[str, dict, dict]]:
    """Yield what to call each experiment and thread count, its metrics and its summary."""
    for name, by_threads in run.metrics["experiments"].items():
        for threads, entry in by_threads.items():
            title = f"{naming.side(name)}, {count(int(threads), 'thread')}"
            yield title, entry, run.summary["experiments"][name][threads]


def _outliers(run: RunData, naming: Naming) -> Iterator[Note]:
    told: list[Sentence] = [
        (f"{title}, pair {launch['pair'] + 1}: {launch['outlier']}.",)
        for title, entry, _ in _series(run, naming)
        for launch in entry["launches"]
        if launch["outlier"]
    ]
    if told:
        intro = (
            "These launches lie far from the others of their experiment. They are flagged and kept: "
            "dropping them would make the interval look better than it is.",
        )
        yield Note("warn", "Outlying launches", (intro, *told))


def _drift(run: RunData, naming: Naming) -> Iterator[Note]:
    told: list[Sentence] = []
    for title, entry, _ in _series(run, naming):
        percent = entry["drift_percent"]
        if abs(percent) > DRIFT_WARNING_PERCENT:
            told.append(
                (
                    f"{title}: launches became {abs(percent):.0f} % {'slower' if percent > 0 else 'faster'} "
                    "over the run.",
                )
            )
    if told:
        yield Note(
            "warn",
            "The machine drifted",
            (*told, ("Randomized pairs cancel most of it in the comparison, not in each experiment's own latency.",)),
        )


def _unmapped(run: RunData, naming: Naming) -> Iterator[Note]:
    names = sorted({name for _, _, entry in _series(run, naming) for name in entry.get("unmapped_operators") or ()})
    if names:
        yield Note(
            "warn",
            "Operators without a category",
            ((f"These are counted as Other because the kit does not know them: {listed(names)}.",),),
        )


def _not_compared(run: RunData, naming: Naming) -> Iterator[Note]:
    compared = {(entry["baseline"], entry["candidate"]) for entry in run.summary["comparisons"]}
    wanted = () if run.manifest.emulated else run.manifest.config.compare_pairs
    for baseline, candidate in wanted:
        if (baseline, candidate) not in compared:
            sides = f"{naming.side(baseline)} and {naming.side(candidate)}"
            yield Note("warn", "A comparison is missing", ((f"{sides} share no complete pair of launches.",),))


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
    traced = [
        values
        for by_threads in run.summary["experiments"].values()
        for values in by_threads.values()
        if values.get("categories_ms")
    ]
    if traced:
        yield Note(
            "info",
            "Latency and operators come from different executions",
            (
                (
                    "Latency is measured without the tracer. Operator and category times come from further executions of the "
                    "same launches with the tracer on, and add up to their median; the tables under Latency give the tracer's "
                    "cost.",
                ),
            ),
        )
    elif run.summary["experiments"]:
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
    entries = [
        (index, entry)
        for index, entry in enumerate(run.summary["comparisons"])
        if entry.get("noise_floor_percent") is not None
    ]
    if run.manifest.calibration:
        return
    if entries:
        told: dict[int, Sentence] = {}
        for index, entry in entries:
            floor = quantity(
                entry["noise_floor_percent"], run.in_summary("comparisons", index, "noise_floor_percent"), 1
            )
            told[int(entry["threads"])] = (f"{count(int(entry['threads']), 'thread')}: ", floor, " %.")
        yield Note(
            "info",
            "Noise floor",
            (
                (
                    "An A/A calibration on this machine measured how large a difference shows where there is none; smaller "
                    "effects get no verdict.",
                ),
                *told.values(),
            ),
        )
    elif run.summary["comparisons"]:
        yield Note(
            "info",
            "Noise floor not measured",
            (
                (
                    "No A/A calibration was made. mac_pipeline.py --aa runs one side against itself and measures how large "
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
                *(_pairs_used(run, naming, index) for index in range(len(run.summary["comparisons"]))),
            ),
        )


def _pairs_used(run: RunData, naming: Naming, index: int) -> Sentence:
    entry = run.summary["comparisons"][index]
    pairs = quantity(entry["pairs"], run.in_summary("comparisons", index, "pairs"), 0)
    return (
        f"{naming.side(entry['candidate'])} against {naming.side(entry['baseline'])}, "
        f"{count(int(entry['threads']), 'thread')}: ",
        pairs,
        f" {'pair' if entry['pairs'] == 1 else 'pairs'}.",
    )
