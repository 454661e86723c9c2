# SPDX-License-Identifier: Apache-2.0
"""Where the time of a comparison went: categories and placement, the bottleneck, and what got slower."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_profiling.analysis.comparing.bottleneck import dominant, most_grown, share, share_not_attributed
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.summary import TracedTimes
from model_profiling.paired_statistics import MIN_PAIRS_FOR_VERDICT, SLOWER
from model_profiling.report.latencies import spread_of
from model_profiling.report.layer_rows import layer_rows
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.operator_rows import operator_rows
from model_profiling.report.quantities import Identifier, Quantity, Sentence, pointer, quantity
from model_profiling.report.view import CategoryRow, ComparedLayer, ComparedOperator, TimeBreakdown
from model_profiling.report.words.bottleneck import moved, stayed
from model_profiling.rounding import places_for
from model_profiling.wording import count

#: Rows of the operator table; the tables under the run directory hold all of them.
MOST_OPERATORS = 40
#: How the layers of two programs are matched (`comparing.layer_matching`).
_MATCHING = (
    "Layers of the two programs are matched by module, and operators by name. What one program alone has, or what its "
    "export recorded no module of, has no partner. Layers of a module that do not correspond one to one are compared "
    "together."
)
_NO_LAYERS = (
    "Layers are not reported: they could not be read from the .pte and the export record beside it. The run's output "
    "says why.",
)
#: Operators and layers each that a report names as slower in words; the tables mark all.
_MOST_SLOWER = 5


def breakdown_of(run: RunData, naming: Naming, index: int) -> TimeBreakdown | None:
    """Return where the time went in comparison `index`, None where a side was not traced."""
    compared = run.summary.comparisons[index]
    before, after = (
        run.summary.experiments[x][compared.threads].traced for x in (compared.baseline, compared.candidate)
    )
    if before is None or after is None or not before.categories_ms or not after.categories_ms:
        return None
    sides = (
        TracedQuantities(run, compared.baseline, compared.threads, before),
        TracedQuantities(run, compared.candidate, compared.threads, after),
    )
    operators, layers = operator_rows(run, index), layer_rows(run, index)
    return TimeBreakdown(
        bottleneck=tuple(_bottleneck(naming, compared, *sides)),
        categories=_categories(*sides),
        placement=_placement(*sides),
        operators=operators[:MOST_OPERATORS],
        layers=layers,
        not_attributed=_not_attributed(naming, compared, *sides) if layers else _NO_LAYERS,
        matching=_MATCHING if layers and compared.models else "",
        slower=tuple(_slower_parts(run, naming, compared, operators, layers)),
    )


class TracedQuantities:
    """Where one experiment's time went, as quantities; digits follow the traced executions' spread."""

    def __init__(self, run: RunData, experiment: str, threads: int, traced: TracedTimes) -> None:
        self.traced = traced
        self._spread, self._path = spread_of(traced.latency_ms), run.in_summary("experiments", experiment, threads)

    def time(self, category: str) -> Quantity | None:
        return self.known_time(category) if category in self.traced.categories_ms else None

    def share(self, category: str) -> Quantity | None:
        categories = self.traced.categories_ms
        return self.known_share(category) if category in categories and sum(categories.values()) > 0 else None

    def known_time(self, category: str) -> Quantity:
        return self._quantity(self.traced.categories_ms[category], pointer("categories_ms", category))

    def known_share(self, category: str) -> Quantity:
        path = f"{self._path}{pointer('categories_ms', category)}|share"
        return quantity(share(self.traced.categories_ms, category), path, 0)

    def delegated(self) -> Quantity:
        return self._quantity(self.traced.delegated_ms, "/delegated_ms")

    def portable(self) -> Quantity:
        return self._quantity(self.traced.portable_ms, "/portable_ms")

    def not_attributed(self) -> Quantity | None:
        """Return the percentage of the operators' time that belongs to no known layer."""
        attributed = self.traced.attributed_percent
        if attributed is None:
            return None
        return quantity(share_not_attributed(attributed), f"{self._path}/attributed_percent|rest", 1)

    def _quantity(self, value: float, path: str) -> Quantity:
        return quantity(value, self._path + path, places_for(self._spread * value, value))


def _bottleneck(
    naming: Naming, compared: Comparison, before: TracedQuantities, after: TracedQuantities
) -> Iterator[Sentence]:
    first, then = dominant(before.traced.categories_ms), dominant(after.traced.categories_ms)
    if first is None or then is None:
        yield ("The traces hold no time to attribute.",)
        return
    was, becomes = before.known_share(first[0]), after.known_share(then[0])
    baseline, candidate = naming.under(compared.baseline), naming.under(compared.candidate)
    if first[0] == then[0]:
        yield (f"{stayed(first[0])}: ", was, f" % {baseline}, ", becomes, f" % {candidate}.")
    else:
        takes = f"{baseline}, {first[0]} takes "
        yield (
            f"{moved(first[0], then[0])}: {takes}",
            was,
            f" % of the time; {candidate}, {then[0]} takes the most, ",
            becomes,
            " %.",
        )
    grown = most_grown(before.traced.categories_ms, after.traced.categories_ms)
    if grown:
        yield (
            f"{grown} grows most in share, from ",
            before.known_share(grown),
            " % to ",
            after.known_share(grown),
            " %; in time it goes from ",
            before.known_time(grown),
            " ms to ",
            after.known_time(grown),
            " ms.",
        )


def _categories(before: TracedQuantities, after: TracedQuantities) -> tuple[CategoryRow, ...]:
    times = before.traced.categories_ms
    names = sorted({*times, *after.traced.categories_ms}, key=lambda name: (-times.get(name, 0), name))
    return tuple(
        CategoryRow(name, before.time(name), after.time(name), before.share(name), after.share(name)) for name in names
    )


def _placement(before: TracedQuantities, after: TracedQuantities) -> tuple[CategoryRow, ...]:
    return (
        CategoryRow("In XNNPACK delegates", before.delegated(), after.delegated(), None, None),
        CategoryRow("In portable kernels", before.portable(), after.portable(), None, None),
    )


def _not_attributed(
    naming: Naming, compared: Comparison, before: TracedQuantities, after: TracedQuantities
) -> Sentence:
    """Say how much of the operators' time belongs to no known layer, on both sides."""
    rests = before.not_attributed(), after.not_attributed()
    if rests[0] is None or rests[1] is None:
        return ()
    return (
        "Of the operators' time, ",
        rests[0],
        f" % {naming.under(compared.baseline)}",
        " and ",
        rests[1],
        f" % {naming.under(compared.candidate)}",
        " could not be tied to a layer.",
    )


def _slower_parts(
    run: RunData,
    naming: Naming,
    compared: Comparison,
    operators: Sequence[ComparedOperator],
    layers: Sequence[ComparedLayer],
) -> Iterator[Sentence]:
    """Name the operators and layers that got slower, those that lost most first.

    Where none did, say what that rests on: too few pairs for a verdict show nothing.
    """
    if not operators or run.manifest.calibration:
        return
    if run.manifest.quick or compared.pairs < MIN_PAIRS_FOR_VERDICT:
        yield (f"Which operators or layers got slower cannot be told from {count(compared.pairs, 'pair')}.",)
        return
    named = [
        *_named(operators, "Operator", " ms ", naming, compared),
        *_named(layers, "Layer", " µs ", naming, compared),
    ]
    yield from named
    if not named:
        yield (f"No {'operator or layer' if layers else 'operator'} was shown to get slower.",)


def _named(
    rows: Sequence[ComparedOperator | ComparedLayer], word: str, unit: str, naming: Naming, compared: Comparison
) -> Iterator[Sentence]:
    slower = [
        (row.baseline, row.candidate, row)
        for row in rows
        if row.verdict == SLOWER and row.baseline is not None and row.candidate is not None
    ]
    slower.sort(key=lambda entry: entry[0].raw - entry[1].raw)
    for before, after, row in slower[:_MOST_SLOWER]:
        what = f" ({row.detail})" if isinstance(row, ComparedLayer) and row.detail else ""
        yield (
            f"{word} ",
            Identifier(row.name),
            f"{what} got slower: ",
            after,
            f"{unit}{naming.under(compared.candidate)}, ",
            before,
            f"{unit}{naming.under(compared.baseline)}.",
        )
    if len(slower) > _MOST_SLOWER:
        yield (f"{count(len(slower) - _MOST_SLOWER, f'more {word.lower()}')} got slower; the table marks them.",)
