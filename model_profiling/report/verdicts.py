# SPDX-License-Identifier: Apache-2.0
"""What a comparison of a report supports: its verdict, in a word, a headline and sentences."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.paired_statistics import FASTER, MIN_PAIRS_FOR_VERDICT, NO_DIFFERENCE, NO_VERDICT, SLOWER
from model_profiling.report.latencies import execution_time
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Sentence, probability, quantity, ratio_with_interval
from model_profiling.report.view import Verdict
from model_profiling.report.words.verdict import QUICK, programs_compared
from model_profiling.wording import count


def verdict_of(run: RunData, naming: Naming, index: int) -> Verdict:
    """Return what comparison `index` of the analysis summary supports."""
    compared, here = run.summary.comparisons[index], run.in_summary("comparisons", index)
    speedup, low, high = ratio_with_interval(compared.speedup, compared.interval, here)
    floor, p_value = compared.noise_floor_percent, compared.p_value
    return Verdict(
        word=compared.verdict,
        tone={FASTER: "good", SLOWER: "bad"}.get(compared.verdict, "open"),
        badge=_badge(run, compared.verdict),
        headline=_headline(run, naming, compared),
        speedup=speedup,
        low=low,
        high=high,
        p_value=None if p_value is None else probability(p_value, f"{here}/p_value"),
        noise_floor=None if floor is None else quantity(floor, f"{here}/noise_floor_percent", 1),
        pairs=quantity(compared.pairs, f"{here}/pairs", 0),
        sentences=tuple(_sentences(run, naming, compared, here)),
        of_programs=compared.models is not None,
    )


def _badge(run: RunData, word: str) -> str:
    if run.manifest.calibration:
        return "A/A calibration"
    return QUICK if run.manifest.quick else word


def _headline(run: RunData, naming: Naming, compared: Comparison) -> str:
    common, baseline, candidate = naming.compared(compared.baseline, compared.candidate)
    of = f"{common.removesuffix(', ')}: " if common else ""
    if run.manifest.calibration:
        return "one experiment against itself"
    if compared.verdict in (FASTER, SLOWER):
        return f"{of}{candidate} is {compared.verdict} than {baseline}"
    if compared.verdict == NO_DIFFERENCE:
        return f"{of}no difference shown between {baseline} and {candidate}"
    return f"{of}measured speed-up of {candidate} over {baseline}"


def _sentences(run: RunData, naming: Naming, compared: Comparison, here: str) -> list[Sentence]:
    baseline, candidate, threads = compared.baseline, compared.candidate, compared.threads
    sentences: list[Sentence] = [
        *_of_programs(naming, compared, here),
        (
            f"One inference on {count(threads, 'thread')} takes ",
            execution_time(run, baseline, threads),
            f" ms {naming.under(baseline)} and ",
            execution_time(run, candidate, threads),
            f" ms {naming.under(candidate)}.",
        ),
    ]
    if run.manifest.calibration:
        return [*sentences, _calibrated(compared)]
    lost = len({launch.pair for launch in run.launches if launch.threads == threads}) - compared.pairs
    if lost > 0:
        sentences.append(
            (f"{count(lost, 'pair')} could not be measured undisturbed and {'does' if lost == 1 else 'do'} not count.",)
        )
    if compared.verdict == NO_VERDICT:
        sentences.append(_too_few(run, compared, here))
    if compared.verdict == NO_DIFFERENCE:
        sentences.append(("That is no proof of equality: a difference smaller than the interval may exist.",))
    return sentences


def _of_programs(naming: Naming, compared: Comparison, here: str) -> Iterator[Sentence]:
    """Say how two programs compare, by their names; nothing of one program's sides."""
    if compared.models is not None:
        yield programs_compared(naming.side(compared.baseline), naming.side(compared.candidate), compared, here)


def _too_few(run: RunData, compared: Comparison, here: str) -> Sentence:
    pairs, noun = quantity(compared.pairs, f"{here}/pairs", 0), count(compared.pairs, "pair").partition(" ")[2]
    needed = f" {noun} of launches; a verdict needs "
    if run.manifest.quick:
        return "This was a quick run of ", pairs, f"{needed}a full run of at least {MIN_PAIRS_FOR_VERDICT}."
    return "This run has ", pairs, f"{needed}at least {MIN_PAIRS_FOR_VERDICT}."


def _calibrated(compared: Comparison) -> Sentence:
    if compared.interval is None:
        return ("One pair gives no interval, so nothing is calibrated.",)
    if 1 in compared.interval:
        return ("The interval holds 1, as it should: the calibration passed.",)
    return (
        "The interval excludes 1 although both sides are the same: the calibration failed, and this machine is not "
        "quiet enough for verdicts.",
    )
