# SPDX-License-Identifier: Apache-2.0
"""What to know of the launches of a run: void ones, outliers, drift, whether outputs agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_profiling.agreement import alike
from model_profiling.analysis.comparing.outputs import AgreementLimit, OutputAgreement, agreement, limit_of, within
from model_profiling.analysis.metrics import ExperimentMetrics
from model_profiling.paired_statistics import DRIFT_WARNING_PERCENT
from model_profiling.pipeline.run_directory import Launch, newest_attempts
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.note import Note
from model_profiling.report.quantities import Sentence
from model_profiling.report.steadiness import steadiness_notes
from model_profiling.report.words.agreement import cosine_text
from model_profiling.report.words.doubts import did_not_count, drifted
from model_profiling.report.words.programs import limit_words
from model_profiling.wording import count, listed

#: Void launches named one by one; launches.jsonl has all of them.
_MOST_NAMED = 8


def launch_notes(run: RunData, naming: Naming) -> Iterator[Note]:
    """Yield the notes on how launches went."""
    yield from _unfinished(run)
    yield from _agreements(run, naming)
    yield from _void(run, naming)
    yield from _outliers(run, naming)
    yield from _drift(run, naming)
    yield from steadiness_notes(run)


def _unfinished(run: RunData) -> Iterator[Note]:
    if run.manifest.finished is None:
        yield Note(
            "warn",
            "The run is unfinished",
            (("Launches that were planned are missing. Run the pipeline again with --resume, then analyze again.",),),
        )


def _agreements(run: RunData, naming: Naming) -> Iterator[Note]:
    same: list[Sentence] = []
    unknown: list[Sentence] = []
    programs: list[Note] = []
    for compared in run.summary.comparisons:
        names, threads = (compared.baseline, compared.candidate), compared.threads
        outputs = agreement(run.launches, *names, threads)
        where = f"{listed([naming.side(name) for name in names])}, {count(threads, 'thread')}"
        if compared.models is not None:
            programs.append(_of_programs(where, outputs, limit_of(run.manifest, *names)))
        elif not outputs.compared:
            unknown.append((f"{where}: outputs were not compared.",))
        elif outputs.identical == outputs.compared:
            same.append((f"{where}: bit for bit identical in all {count(outputs.compared, 'comparison')}.",))
        elif outputs.max_abs_error is None or outputs.cosine is None:
            yield _differ(f"{where}: an output is not finite (NaN or infinity) on one side.")
        elif not alike(outputs.cosine):
            yield _differ(f"{where}: {_difference(outputs)}.")
        else:
            same.append((f"{where}: {_difference(outputs)}.",))
    if same:
        yield Note("good", "Outputs of both sides, compared in every pair", tuple(same))
    if unknown:
        yield Note("warn", "Outputs of both sides are not known to agree", tuple(unknown))
    yield from programs


def _of_programs(where: str, outputs: OutputAgreement, limit: AgreementLimit) -> Note:
    """Say how close the outputs of two programs are: they need not be equal, and need not even be close."""
    title, far = "Outputs of the two programs", "Outputs of the two programs are far apart"
    meant = (
        "That is right where the change is meant to change what the model computes, and else an error of one of them."
    )
    if not outputs.compared:
        told = f"{where}: the programs give outputs of different shapes, so they were not compared."
        return Note("info", title, ((told,),))
    if outputs.identical == outputs.compared:
        told = f"{where}: bit for bit identical in all {count(outputs.compared, 'comparison')}."
        return Note("good", title, ((told,),))
    if outputs.max_abs_error is None or outputs.cosine is None:
        return Note("warn", far, ((f"{where}: an output is not finite (NaN or infinity) in one of them.",),))
    if within(outputs, limit):
        return Note("good", title, ((f"{where}: {_difference(outputs)}, within {limit_words(limit)}.",),))
    return Note("warn", far, ((f"{where}: {_difference(outputs)}, beyond {limit_words(limit)}.",), (meant,)))


def _differ(what: str) -> Note:
    return Note("warn", "Outputs differ", ((f"{what} A comparison of different results means nothing.",),))


def _difference(outputs: OutputAgreement) -> str:
    relative = "" if outputs.max_rel_error is None else f" ({outputs.max_rel_error:.1e} of the largest value)"
    cosine = "unknown" if outputs.cosine is None else cosine_text(outputs.cosine)
    return f"largest difference {outputs.max_abs_error:.1e}{relative}, smallest cosine {cosine}"


def _void(run: RunData, naming: Naming) -> Iterator[Note]:
    void = [launch for launch in run.launches if not launch.counts]
    if not void and run.launches:
        yield Note(
            "good",
            "Nothing was void",
            ((f"All {count(len(run.launches), 'launch')} succeeded, and no pair had to be made again.",),),
        )
    if not void:
        return
    told: list[Sentence] = [(did_not_count(len(void), len(run.launches)),), *_made_again(run, void)]
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


def _series(run: RunData, naming: Naming) -> Iterator[tuple[str, ExperimentMetrics]]:
    """Yield what to call each experiment and thread count, and its metrics."""
    for name, threads, metrics in run.metrics.experiments.entries():
        yield f"{naming.side(name)}, {count(threads, 'thread')}", metrics


def _outliers(run: RunData, naming: Naming) -> Iterator[Note]:
    told: list[Sentence] = [
        (f"{title}, pair {launch.pair + 1}: {launch.outlier}.",)
        for title, metrics in _series(run, naming)
        for launch in metrics.launches
        if launch.outlier
    ]
    if told:
        intro = (
            "These launches lie far from the others of their experiment. They are flagged and kept: "
            "dropping them would make the interval look better than it is.",
        )
        yield Note("warn", "Outlying launches", (intro, *told))


def _drift(run: RunData, naming: Naming) -> Iterator[Note]:
    told: list[Sentence] = []
    for title, metrics in _series(run, naming):
        percent = metrics.drift_percent
        if abs(percent) > DRIFT_WARNING_PERCENT:
            told.append((drifted(title, percent),))
    if told:
        yield Note(
            "warn",
            "The machine drifted",
            (*told, ("Randomized pairs cancel most of it in the comparison, not in each experiment's own latency.",)),
        )
