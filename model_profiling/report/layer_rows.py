# SPDX-License-Identifier: Apache-2.0
"""The layers of a comparison, before and after, and what the layer table of each side knows of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model_profiling.analysis.comparing.comparison import BASELINE, CANDIDATE, LayerComparison
from model_profiling.analysis.comparing.parts import MIN_PART_US
from model_profiling.analysis.tables.layers import LayerRow
from model_profiling.report.load import RunData, RunTable
from model_profiling.report.operator_rows import NO_PARTNER, shown_verdict
from model_profiling.report.quantities import Identifier, Quantity, quantity, ratio_or_none
from model_profiling.report.view import ComparedLayer
from model_profiling.rounding import places_for

#: XNNPACK's clock counts whole microseconds; medians of them may end in a half.
_CLOCK_US = 1.0
_MILLION = 1e6
#: Layout and types in an operator's name.
_FORM = re.compile(r" \([^()]*\)")


class LayersOfSide:
    """The layer table of one side of a comparison, by layer; empty where the side has none."""

    def __init__(self, run: RunData, experiment: str, threads: int) -> None:
        self.table = run.layers.get((experiment, threads), RunTable[LayerRow]("", ()))
        self._row_of = {row.layer.layer: number for number, row in enumerate(self.table.rows)}

    def row(self, layer: str) -> LayerRow | None:
        number = self._row_of.get(layer)
        return None if number is None else self.table.rows[number]

    def spread(self, layer: str) -> float | None:
        """Return half the range from the 10th to the 90th percentile in us, None where unknown."""
        row = self.row(layer)
        return (row.cost.p90_us - row.cost.p10_us) / 2 if row else None

    def gflops(self, layer: str) -> Quantity | None:
        row, spread = self.row(layer), self.spread(layer)
        if row is None or spread is None or row.cost.gflops is None:
            return None
        value, time = row.cost.gflops, row.cost.median_us
        # The time's spread, or the clock's tick where that is coarser, is the speed's spread.
        relative = max(spread, _CLOCK_US / 2) / time
        path = self.table.path(self._row_of[layer], "gflops")
        return quantity(value, path, min(places_for(relative * value, value), 1))

    def share(self, layer: str) -> Quantity | None:
        """Return which share of its ceiling a layer reaches, in percent, None where that is not known."""
        row = self.row(layer)
        if row is None or row.reach is None or row.reach.share_of_ceiling_percent is None:
            return None
        path = self.table.path(self._row_of[layer], "share_of_ceiling_percent")
        return quantity(row.reach.share_of_ceiling_percent, path, 0)


def layer_rows(run: RunData, index: int) -> tuple[ComparedLayer, ...]:
    """Return the layers of comparison `index`, those that take the most time on either side first."""
    compared = run.summary.comparisons[index]
    before = LayersOfSide(run, compared.baseline, compared.threads)
    after = LayersOfSide(run, compared.candidate, compared.threads)
    rows = [
        _row(run.in_summary("comparisons", index, "layers", number), number, layer, before, after)
        for number, layer in enumerate(compared.layers)
    ]
    return tuple(sorted(rows, key=lambda row: -_longest(row)))


def operator_words(operators: str) -> str:
    """Return what a layer ran as, without layouts and types: "Convolution IGEMM" of "Convolution (NHWC, F32) IGEMM"."""
    return _FORM.sub("", operators.removeprefix("native_call_"))


def _longest(row: ComparedLayer) -> float:
    return max((side.raw for side in (row.baseline, row.candidate) if side), default=0.0)


def _row(path: str, position: int, layer: LayerComparison, before: LayersOfSide, after: LayersOfSide) -> ComparedLayer:
    names = layer.names_on(False), layer.names_on(True)
    known = [[side.row(name) for name in own] for side, own in zip((before, after), names, strict=True)]
    rows = [row for side in known for row in side if row]
    delegated = not rows or any(row.layer.delegated for row in rows)
    name, detail = _name_and_detail(layer, rows)
    shortest = min(layer.baseline_us or 0.0, layer.candidate_us or 0.0)
    speedup, low, high = ratio_or_none(layer.speedup if shortest >= MIN_PART_US else None, layer.interval, path)
    lone = [own[0] if len(own) == 1 else "" for own in names]  # of several layers together no table has a row
    return ComparedLayer(
        position=position,
        number=Identifier(_numbers(names)),
        name=Identifier(name),
        detail=detail,
        multiply_adds=_work(path, layer.multiply_adds),
        baseline=_time(f"{path}/{BASELINE}_us", layer.baseline_us, before.spread(lone[0]), delegated),
        candidate=_time(f"{path}/{CANDIDATE}_us", layer.candidate_us, after.spread(lone[1]), delegated),
        baseline_gflops=before.gflops(lone[0]),
        candidate_gflops=after.gflops(lone[1]),
        speedup=speedup,
        low=low,
        high=high,
        verdict=NO_PARTNER if layer.alone else shown_verdict(layer.verdict),
        ran_as=Identifier(" / ".join(dict.fromkeys(operator_words(row.cost.operators) for row in rows))),
        baseline_share=before.share(lone[0]),
        candidate_share=after.share(lone[1]),
    )


def _numbers(names: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    """Return the numbers of a layer on both sides, once where they are the same."""
    sides = [" + ".join(name.partition(" ")[0] for name in own) for own in names if own]
    return " / ".join(dict.fromkeys(sides))


def _name_and_detail(layer: LayerComparison, rows: Sequence[LayerRow]) -> tuple[str, str]:
    """Return a layer's module and what it does, or what it does and "" where no module is known."""
    details = dict.fromkeys(
        row.layer.detail if row.layer.delegated else f"{row.layer.kind}, {row.layer.detail}" for row in rows
    )
    module, what = next((row.layer.module for row in rows), ""), " / ".join(details)
    return (module, what) if module else (what or layer.layer.partition(" ")[2], "")


def _work(path: str, work: int) -> Quantity | None:
    """Return a layer's multiply-adds in millions, None where it has none."""
    return quantity(work, f"{path}/multiply_adds", places_for(None, work / _MILLION), _MILLION) if work else None


def _time(path: str, value: float | None, spread: float | None, delegated: bool) -> Quantity | None:
    if value is None:
        return None
    most = 0 if delegated and value >= _CLOCK_US else 1
    return quantity(value, path, min(places_for(spread, value), most))
