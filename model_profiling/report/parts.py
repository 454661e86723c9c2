# SPDX-License-Identifier: Apache-2.0
"""The parts of a model in a comparison: its operators, its layers, and which of them got slower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_profiling.analysis.comparing.bottleneck import share_not_attributed
from model_profiling.analysis.comparing.parts import MIN_PART_US
from model_profiling.analysis.traces.operators import NATIVE_PREFIX
from model_profiling.paired_statistics import MIN_PAIRS_FOR_VERDICT, NO_VERDICT, SLOWER
from model_profiling.report.load import RunData, Table
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Quantity, Sentence, quantity, ratio_with_interval
from model_profiling.report.view import LayerRow, OperatorRow
from model_profiling.rounding import places_for
from model_profiling.wording import count

#: Rows of the operator table; the tables under the run directory hold all of them.
MOST_OPERATORS = 40
#: Operators and layers each that a report names as slower in words; the tables mark all.
_MOST_SLOWER = 5
#: XNNPACK's clock counts whole microseconds; medians of them may end in a half.
_CLOCK_US = 1.0
_MILLION = 1e6


def operator_rows(run: RunData, index: int) -> tuple[OperatorRow, ...]:
    """Return the operators of comparison `index`, the most expensive first."""
    path = run.in_summary("comparisons", index, "operators")
    held = run.summary["comparisons"][index].get("operators") or ()
    return tuple(_operator_row(f"{path}/{number}", entry) for number, entry in enumerate(held))


def _operator_row(path: str, entry: Mapping) -> OperatorRow:
    sides = [_operator_time(path, entry, side) for side in ("baseline", "candidate")]
    calls = dict.fromkeys(
        f"{entry[key]:g}" for key in ("baseline_calls", "candidate_calls") if entry.get(key) is not None
    )
    ratio = (
        (None, None, None)
        if entry["speedup"] is None
        else ratio_with_interval(entry["speedup"], entry.get("ci95"), path)
    )
    # "portable" says already what ExecuTorch's prefix would.
    name = entry["name"] if entry["delegated"] else entry["name"].replace(NATIVE_PREFIX, "")
    return OperatorRow(
        name,
        entry["category"],
        "XNNPACK" if entry["delegated"] else "portable",
        " / ".join(calls),
        sides[0],
        sides[1],
        *ratio,
        _word(entry),
    )


def _operator_time(path: str, entry: Mapping, side: str) -> Quantity | None:
    value = entry[f"{side}_ms"]
    if value is None:
        return None
    spread = entry.get(f"{side}_relative_spread") or 0.0
    return quantity(value, f"{path}/{side}_ms", places_for(spread * value, value))


def _word(entry: Mapping) -> str:
    """Return an entry's verdict, "" where there is none."""
    found = entry.get("verdict") or NO_VERDICT
    return "" if found == NO_VERDICT else found


def layer_rows(run: RunData, index: int) -> tuple[LayerRow, ...]:
    """Return the layers of comparison `index`, those that take the most time on either side first."""
    entry = run.summary["comparisons"][index]
    path = run.in_summary("comparisons", index, "layers")
    sides = [_Side(run, entry[side], int(entry["threads"])) for side in ("baseline", "candidate")]
    held = entry.get("layers") or ()
    rows = [_layer_row(f"{path}/{number}", number, layer, sides) for number, layer in enumerate(held)]
    return tuple(sorted(rows, key=lambda row: -_longest(row)))


def _longest(row: LayerRow) -> float:
    return max((side.raw for side in (row.baseline, row.candidate) if side), default=0.0)


class _Side:
    """The layer table of one side of a comparison, by layer."""

    def __init__(self, run: RunData, experiment: str, threads: int) -> None:
        self.table = run.layers.get((experiment, threads), Table("", ()))
        self._row_of = {row["layer"]: number for number, row in enumerate(self.table.rows)}

    def row(self, layer: str) -> Mapping[str, str]:
        number = self._row_of.get(layer)
        return {} if number is None else self.table.rows[number]

    def spread(self, layer: str) -> float | None:
        """Return half the range from the 10th to the 90th percentile in us, None where unknown."""
        row = self.row(layer)
        return (float(row["p90_us"]) - float(row["p10_us"])) / 2 if row else None

    def gflops(self, layer: str) -> Quantity | None:
        row = self.row(layer)
        if not row or not row["gflops"]:
            return None
        value, time = float(row["gflops"]), float(row["median_us"])
        # The time's spread, or the clock's tick where that is coarser, is the speed's spread.
        spread = max(self.spread(layer), _CLOCK_US / 2) / time * value
        return quantity(value, self.table.path(self._row_of[layer], "gflops"), min(places_for(spread, value), 1))


def _layer_row(path: str, position: int, entry: Mapping, sides: Sequence[_Side]) -> LayerRow:
    layer = entry["layer"]
    known = sides[0].row(layer) or sides[1].row(layer)
    number, _, title = layer.partition(" ")
    delegated = known.get("delegated", "1") == "1"
    kind, detail = known.get("kind", ""), known.get("detail", "")
    what = detail if delegated else f"{kind}, {detail}"
    times = [
        _time(path, entry, name, side.spread(layer), delegated) for name, side in zip(("baseline", "candidate"), sides)
    ]
    ratio = (None, None, None)
    if entry["speedup"] is not None and min(entry["baseline_us"], entry["candidate_us"]) >= MIN_PART_US:
        ratio = ratio_with_interval(entry["speedup"], entry.get("ci95"), path)
    module = known.get("module", "")
    return LayerRow(
        position=position,
        number=Identifier(number),
        name=Identifier(module or what or title),
        detail=what if module else "",
        multiply_adds=_work(path, entry),
        baseline=times[0],
        candidate=times[1],
        baseline_gflops=sides[0].gflops(layer),
        candidate_gflops=sides[1].gflops(layer),
        speedup=ratio[0],
        low=ratio[1],
        high=ratio[2],
        verdict=_word(entry),
    )


def _work(path: str, entry: Mapping) -> Quantity | None:
    """Return a layer's multiply-adds in millions, None where it has none."""
    work = entry.get("multiply_adds")
    return quantity(work, f"{path}/multiply_adds", places_for(None, work / _MILLION), _MILLION) if work else None


def _time(path: str, entry: Mapping, side: str, spread: float | None, delegated: bool) -> Quantity | None:
    value = entry[f"{side}_us"]
    if value is None:
        return None
    most = 0 if delegated and value >= _CLOCK_US else 1
    return quantity(value, f"{path}/{side}_us", min(places_for(spread, value), most))


def not_attributed(run: RunData, naming: Naming, index: int) -> Sentence:
    """Say how much of the operators' time belongs to no known layer, on both sides."""
    entry = run.summary["comparisons"][index]
    words: list[str | Quantity] = ["Of the operators' time, "]
    for separator, name in (("", entry["baseline"]), (" and ", entry["candidate"])):
        held = run.summary["experiments"][name][str(entry["threads"])].get("attributed_percent")
        if held is None:
            return ()
        path = run.in_summary("experiments", name, entry["threads"], "attributed_percent") + "|rest"
        words += [separator, quantity(share_not_attributed(held), path, 1), f" % {naming.under(name)}"]
    return (*words, " could not be tied to a layer.")


def slower_parts(
    run: RunData, naming: Naming, entry: Mapping, operators: Sequence[OperatorRow], layers: Sequence[LayerRow]
) -> tuple[Sentence, ...]:
    """Name the operators and layers that got slower, those that lost most first.

    Where none did, say what that rests on: too few pairs for a verdict show nothing.
    """
    if not operators or run.manifest.calibration:
        return ()
    if run.manifest.quick or entry["pairs"] < MIN_PAIRS_FOR_VERDICT:
        return ((f"Which operators or layers got slower cannot be told from {count(int(entry['pairs']), 'pair')}.",),)
    named = [*_named(operators, "Operator", " ms ", naming, entry), *_named(layers, "Layer", " µs ", naming, entry)]
    if named:
        return tuple(named)
    parts = "operator or layer" if layers else "operator"
    return ((f"No {parts} was shown to get slower.",),)


def _named(
    rows: Sequence[OperatorRow | LayerRow], word: str, unit: str, naming: Naming, entry: Mapping
) -> list[Sentence]:
    found = sorted((row for row in rows if row.verdict == SLOWER), key=lambda row: row.baseline.raw - row.candidate.raw)
    told: list[Sentence] = []
    for row in found[:_MOST_SLOWER]:
        what = f" ({row.detail})" if isinstance(row, LayerRow) and row.detail else ""
        told.append(
            (
                f"{word} ",
                Identifier(row.name),
                f"{what} got slower: ",
                row.candidate,
                f"{unit}{naming.under(entry['candidate'])}, ",
                row.baseline,
                f"{unit}{naming.under(entry['baseline'])}.",
            )
        )
    if len(found) > _MOST_SLOWER:
        told.append((f"{count(len(found) - _MOST_SLOWER, f'more {word.lower()}')} got slower; the table marks them.",))
    return told
