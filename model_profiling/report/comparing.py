# SPDX-License-Identifier: Apache-2.0
"""The comparisons of a report: verdicts, where the time went, operators, pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from model_profiling.analysis.comparing import bottleneck
from model_profiling.analysis.comparing.pairs import pair_times
from model_profiling.paired_statistics import FASTER, MIN_PAIRS_FOR_VERDICT, NO_DIFFERENCE, NO_VERDICT, SLOWER
from model_profiling.report import parts
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Quantity, Sentence, pointer, probability, quantity, ratio_with_interval
from model_profiling.report.view import Breakdown, CategoryRow, ComparisonView, PairRow, Verdict
from model_profiling.rounding import places_for
from model_profiling.wording import count


def comparison(run: RunData, naming: Naming, index: int) -> ComparisonView:
    """Return the view of comparison `index` of the analysis summary."""
    entry = run.summary["comparisons"][index]
    baseline, candidate, threads = entry["baseline"], entry["candidate"], int(entry["threads"])
    sides = naming.side(baseline), naming.side(candidate)
    return ComparisonView(
        anchor=f"comparison-{index}",
        baseline=baseline,
        candidate=candidate,
        baseline_side=sides[0],
        candidate_side=sides[1],
        baseline_series=naming.series(baseline),
        candidate_series=naming.series(candidate),
        threads=threads,
        title=f"{sides[1]} against {sides[0]}, {count(threads, 'thread')}",
        verdict=_verdict(run, naming, index),
        breakdown=_breakdown(run, naming, index),
        pairs=_pairs(run, naming, baseline, candidate, threads),
    )


def latency_places(run: RunData, experiment: str, threads: int | str) -> int:
    """Return the decimals of an experiment's latencies in ms.

    Launches are the samples, so their medians' range says which digit is uncertain; a
    single launch leaves only the spread of its executions.
    """
    statistics = run.summary["experiments"][experiment][str(threads)]["latency_ms"]
    medians = [launch["median_ms"] for launch in run.metrics["experiments"][experiment][str(threads)]["launches"]]
    spread = max(medians) - min(medians) if len(medians) > 1 else statistics["p90"] - statistics["p10"]
    return places_for(spread / 2, statistics["median"])


def median(run: RunData, experiment: str, threads: int | str) -> Quantity:
    """Return an experiment's median latency in ms."""
    statistics = run.summary["experiments"][experiment][str(threads)]["latency_ms"]
    path = run.in_summary("experiments", experiment, threads, "latency_ms", "median")
    return quantity(statistics["median"], path, latency_places(run, experiment, threads))


def _verdict(run: RunData, naming: Naming, index: int) -> Verdict:
    entry = run.summary["comparisons"][index]
    here = run.in_summary("comparisons", index)
    speedup, low, high = ratio_with_interval(entry["speedup"], entry.get("ci95"), here)
    floor, p_value = entry.get("noise_floor_percent"), entry.get("p_value")
    word = entry["verdict"]
    quick = run.manifest.quick
    return Verdict(
        word=word,
        tone={FASTER: "good", SLOWER: "bad"}.get(word, "open"),
        badge=_badge(run, word, quick),
        headline=_headline(run, naming, entry),
        speedup=speedup,
        low=low,
        high=high,
        p_value=None if p_value is None else probability(p_value, f"{here}/p_value"),
        noise_floor=None if floor is None else quantity(floor, f"{here}/noise_floor_percent", 1),
        pairs=quantity(entry["pairs"], f"{here}/pairs", 0),
        sentences=_verdict_sentences(run, naming, entry, here, quick),
    )


def _badge(run: RunData, word: str, quick: bool) -> str:
    if run.manifest.calibration:
        return "A/A calibration"
    return "quick: no verdict" if quick else word


def _headline(run: RunData, naming: Naming, entry: Mapping) -> str:
    baseline, candidate = naming.side(entry["baseline"]), naming.side(entry["candidate"])
    if run.manifest.calibration:
        return "one experiment against itself"
    if entry["verdict"] in (FASTER, SLOWER):
        return f"{candidate} is {entry['verdict']} than {baseline}"
    if entry["verdict"] == NO_DIFFERENCE:
        return f"no difference shown between {baseline} and {candidate}"
    return f"measured speed-up of {candidate} over {baseline}"


def _verdict_sentences(run: RunData, naming: Naming, entry: Mapping, here: str, quick: bool) -> tuple[Sentence, ...]:
    baseline, candidate, threads = entry["baseline"], entry["candidate"], entry["threads"]
    sentences: list[Sentence] = [
        (
            f"One inference on {count(int(threads), 'thread')} takes ",
            median(run, baseline, threads),
            f" ms {naming.under(baseline)} and ",
            median(run, candidate, threads),
            f" ms {naming.under(candidate)} (medians).",
        )
    ]
    pairs = quantity(entry["pairs"], f"{here}/pairs", 0)
    if run.manifest.calibration:
        return (*sentences, _calibrated(entry))
    lost = len({launch.pair for launch in run.launches if launch.threads == int(threads)}) - entry["pairs"]
    if lost > 0:
        sentences.append(
            (f"{count(lost, 'pair')} could not be measured undisturbed and {'does' if lost == 1 else 'do'} not count.",)
        )
    if entry["verdict"] == NO_VERDICT:
        words = f" {'pair' if entry['pairs'] == 1 else 'pairs'} of launches; a verdict needs "
        needed = f"a full run of at least {MIN_PAIRS_FOR_VERDICT}." if quick else f"at least {MIN_PAIRS_FOR_VERDICT}."
        sentences.append(("This was a quick run of " if quick else "This run has ", pairs, words + needed))
    if entry["verdict"] == NO_DIFFERENCE:
        sentences.append(("That is no proof of equality: a difference smaller than the interval may exist.",))
    return tuple(sentences)


def _calibrated(entry: Mapping) -> Sentence:
    if not entry.get("ci95"):
        return ("One pair gives no interval, so nothing is calibrated.",)
    low, high = entry["ci95"]
    if low <= 1 <= high:
        return ("The interval holds 1, as it should: the calibration passed.",)
    return (
        "The interval excludes 1 although both sides are the same: the calibration failed, and this machine is not "
        "quiet enough for verdicts.",
    )


def _breakdown(run: RunData, naming: Naming, index: int) -> Breakdown | None:
    entry = run.summary["comparisons"][index]
    baseline, candidate, threads = entry["baseline"], entry["candidate"], str(entry["threads"])
    before, after = run.summary["experiments"][baseline][threads], run.summary["experiments"][candidate][threads]
    if not before.get("categories_ms") or not after.get("categories_ms"):
        return None
    operators, layers = parts.operator_rows(run, index), parts.layer_rows(run, index)
    sides = _CategorySide(run, baseline, threads, before), _CategorySide(run, candidate, threads, after)
    return Breakdown(
        bottleneck=_bottleneck(naming, entry, before["categories_ms"], after["categories_ms"], sides),
        categories=_categories(before["categories_ms"], after["categories_ms"], sides),
        placement=_placement(sides),
        operators=operators[: parts.MOST_OPERATORS],
        layers=layers,
        not_attributed=parts.not_attributed(run, naming, index) if layers else (),
        slower=parts.slower_parts(run, naming, entry, operators, layers),
    )


def _bottleneck(
    naming: Naming,
    entry: Mapping,
    before: Mapping[str, float],
    after: Mapping[str, float],
    sides: Sequence[_CategorySide],
) -> tuple[Sentence, ...]:
    first, then = bottleneck.dominant(before), bottleneck.dominant(after)
    if first is None or then is None:
        return (("The traces hold no time to attribute.",),)
    baseline, candidate = naming.under(entry["baseline"]), naming.under(entry["candidate"])
    first, then = first[0], then[0]
    was, becomes = sides[0].share(first), sides[1].share(then)
    if first == then:
        told: list[Sentence] = [
            (f"{first} takes the most time on both sides: ", was, f" % {baseline}, ", becomes, f" % {candidate}.")
        ]
    else:
        told = [
            (
                f"The bottleneck moves from {first} to {then}: {baseline}, {first} takes ",
                was,
                f" % of the time; {candidate}, {then} takes the most, ",
                becomes,
                " %.",
            )
        ]
    grown = bottleneck.most_grown(before, after)
    if grown:
        told.append(
            (
                f"{grown} grows most in share, from ",
                sides[0].share(grown),
                " % to ",
                sides[1].share(grown),
                " %; in time it goes from ",
                sides[0].time(grown),
                " ms to ",
                sides[1].time(grown),
                " ms.",
            )
        )
    return tuple(told)


def _categories(
    before: Mapping[str, float], after: Mapping[str, float], sides: Sequence[_CategorySide]
) -> tuple[CategoryRow, ...]:
    names = sorted({*before, *after}, key=lambda name: (-before.get(name, 0), name))
    return tuple(
        CategoryRow(name, sides[0].time(name), sides[1].time(name), sides[0].share(name), sides[1].share(name))
        for name in names
    )


class _CategorySide:
    """Where one experiment's time went, as quantities; digits follow the traced executions' spread."""

    def __init__(self, run: RunData, experiment: str, threads: str, values: Mapping) -> None:
        statistics = values.get("traced_latency_ms") or values["latency_ms"]
        self._spread = (statistics["p90"] - statistics["p10"]) / 2 / statistics["median"]
        self._path = run.in_summary("experiments", experiment, threads)
        self._values, self._categories = values, values["categories_ms"]

    def time(self, category: str) -> Quantity | None:
        return self._quantity(self._categories.get(category), pointer("categories_ms", category))

    def part(self, key: str) -> Quantity | None:
        return self._quantity(self._values.get(key), pointer(key))

    def share(self, category: str) -> Quantity | None:
        if category not in self._categories or sum(self._categories.values()) <= 0:
            return None
        path = f"{self._path}{pointer('categories_ms', category)}|share"
        return quantity(bottleneck.share(self._categories, category), path, 0)

    def _quantity(self, value: float | None, path: str) -> Quantity | None:
        return None if value is None else quantity(value, self._path + path, places_for(self._spread * value, value))


def _placement(sides: Sequence[_CategorySide]) -> tuple[CategoryRow, ...]:
    return tuple(
        CategoryRow(name, sides[0].part(key), sides[1].part(key), None, None)
        for key, name in (("delegated_ms", "In XNNPACK delegates"), ("portable_ms", "In portable kernels"))
    )


def _pairs(run: RunData, naming: Naming, baseline: str, candidate: str, threads: int) -> tuple[PairRow, ...]:
    """Return one row for each pair that counts, with launches flagged that lie apart."""
    names = (baseline, candidate)
    held = [run.metrics["experiments"][name][str(threads)]["launches"] for name in names]
    spreads = [run.summary["experiments"][name][str(threads)]["latency_ms"] for name in names]
    relative = math.hypot(*((s["p90"] - s["p10"]) / 2 / s["median"] for s in spreads))
    order = {launch.index: launch.order for launch in run.launches}
    rows = []
    for pair in pair_times(*held):
        sides, flags = [], []
        for name, launches, position, value in zip(names, held, pair.positions, (pair.baseline_ms, pair.candidate_ms)):
            path = run.in_metrics("experiments", name, threads, "launches", position, "median_ms")
            sides.append(quantity(value, path, latency_places(run, name, threads)))
            if launches[position].get("outlier"):
                flags.append(f"{naming.side(name)}: {launches[position]['outlier']} outlier")
        ratio = quantity(
            pair.speedup, f"{sides[0].path},{sides[1].path}|ratio", places_for(relative * pair.speedup, pair.speedup)
        )
        places = [order.get(launches[position]["index"], 0) for launches, position in zip(held, pair.positions)]
        first = baseline if places[0] < places[1] else candidate
        rows.append(PairRow(pair.number + 1, naming.side(first), *sides, ratio, "; ".join(flags)))
    return tuple(rows)
