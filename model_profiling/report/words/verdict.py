# SPDX-License-Identifier: Apache-2.0
"""What a comparison came to, in one sentence: on the screen, in the summaries and in the reports.

Each place has its own wording around the same phrases.
"""

from __future__ import annotations

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.trace_comparison import LatencyComparison
from model_profiling.paired_statistics import NO_VERDICT
from model_profiling.report.quantities import Identifier, Sentence, plain, ratio_with_interval
from model_profiling.report.view import ComparisonView, Verdict
from model_profiling.wording import count

#: Said in place of a verdict.
QUICK = "quick: no verdict"


def interval_phrase(verdict: Verdict, none: str) -> Sentence:
    """Return "95 % interval 1.60 to 1.69", or what is said where one pair gives none."""
    if verdict.low is None or verdict.high is None:
        return (none,)
    return ("95 % interval ", verdict.low, " to ", verdict.high)


def programs_compared(baseline: str, candidate: str, compared: Comparison, path: str) -> Sentence:
    """Return "toy_cnn int8 is 1.42 times as fast as toy_cnn fp32 (1.39 to 1.45)"; of one pair without an interval."""
    speedup, low, high = ratio_with_interval(compared.speedup, compared.interval, path)
    interval: Sentence = (" (", low, " to ", high, ")") if low and high else ()
    return (Identifier(candidate), " is ", speedup, " times as fast as ", Identifier(baseline), *interval, ".")


def speedup_sentence(compared: Comparison | LatencyComparison, quick: bool) -> str:
    """Say what two experiments came to, by their own names."""
    speedup, low, high = ratio_with_interval(compared.speedup, compared.interval, "")
    pairs = count(compared.pairs, "pair")
    interval = f"no interval from {pairs}" if compared.pairs else "medians; the launches are not paired"
    if low and high:
        interval = f"95 % interval {low.text} to {high.text} from {pairs}"
    where = f", {count(int(compared.threads), 'thread')}" if compared.threads != "" else ""  # of lone traces not known
    names = compared.candidate, compared.baseline
    if isinstance(compared, Comparison) and compared.models and len(set(compared.models)) > 1:
        names = f"{names[0]} ({compared.models[1]})", f"{names[1]} ({compared.models[0]})"
    head = f"{names[0]} against {names[1]}{where}: {speedup.text}x"
    return f"{head} ({interval}): {QUICK if quick else compared.verdict}"


def outcome_sentence(comparison: ComparisonView) -> str:
    """Say what one comparison of a report came to, for the screen."""
    verdict = comparison.verdict
    interval = "".join(
        x if isinstance(x, str) else x.text for x in interval_phrase(verdict, "one pair, so no interval")
    )
    # "faster", "slower" and "no difference shown" stand in the headline already.
    word = f" ({verdict.badge})" if verdict.word == NO_VERDICT else ""
    if verdict.of_programs:
        return f"{plain(verdict.sentences[0]).removesuffix('.')}: {verdict.badge}, {_amount(comparison)}."
    return f"{verdict.heading}: {verdict.speedup.text}x, {interval}, {_amount(comparison)}{word}."


def _amount(comparison: ComparisonView) -> str:
    return f"{count(int(comparison.verdict.pairs.raw), 'pair')}, {count(comparison.threads, 'thread')}"


def combined_sentence(label: str, comparison: ComparisonView) -> Sentence:
    """Say what one comparison of one of several runs came to, for their combined report."""
    verdict = comparison.verdict
    return (
        f"{label}, {count(comparison.threads, 'thread')}: {verdict.headline}, ",
        verdict.speedup,
        "×",
        " (",
        *interval_phrase(verdict, "one pair: no interval"),
        ")",
        f". Verdict: {verdict.badge}.",
    )
