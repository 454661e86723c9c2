# SPDX-License-Identifier: Apache-2.0
"""Roofline: what the machine can do at most, and how near each layer is to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.tables.layers import LayerRow
from model_profiling.pipeline.ceilings import COPY, Ceilings, SideCeilings
from model_profiling.report.figures import Drawable
from model_profiling.report.layer_rows import LayersOfSide
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.palette import series
from model_profiling.report.quantities import Identifier, Quantity, quantity
from model_profiling.report.roofline_figure import Dot, Roof, RooflineChart, roofline
from model_profiling.report.section import Block, BlocksSection
from model_profiling.report.view import ComparisonView, View
from model_profiling.report.words.table import Table
from model_profiling.rounding import places_for
from model_profiling.wording import count

#: Layers that are listed, and of them those whose dots are named.
_LISTED, _NAMED = 10, 3
_EXPLAINED = (
    "A ceiling is the fastest that this machine did the one thing that it is of, through the same runtime: operations "
    "of matrix products, or bytes of copies, in the same number types. A layer takes at least the longer of the time "
    "for its operations and the time for the bytes that it has to move, counted at the least; its share of the ceiling "
    "is that time over what it took, and what fits the caches is held against the rate of the caches."
)


@dataclass(frozen=True)
class RooflineSection(BlocksSection):
    """The ceilings, and for each comparison its figure and its largest layers."""

    anchor: ClassVar[str] = "roofline"
    title: ClassVar[str] = "Roofline"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> RooflineSection:
        if run.ceilings is None:
            return cls(())
        figures = [block for compared in view.comparisons for block in _compared(run, run.ceilings, compared)]
        return cls(((_EXPLAINED,), _ceilings(run, run.ceilings, naming), *figures))


def _ceilings(run: RunData, ceilings: Ceilings, naming: Naming) -> Table:
    columns = ("Side", "Recipe", "Peak (10⁹ operations/s)", "Copies beyond the caches (GB/s)", "Within (GB/s)")
    rows = []
    for number, side in enumerate(ceilings.sides):
        who = naming.side(side.experiments[0]) if side.experiments else ""
        for recipe, peak in side.peak_gops.items():
            path = run.in_ceilings("sides", number, "peak_gops", recipe)
            rows.append(
                (
                    f"{who}, {count(side.threads, 'thread')}",
                    recipe,
                    quantity(peak, path, places_for(peak * 0.02, peak)),
                    _rate(run, number, side, -1),
                    _rate(run, number, side, 0),
                )
            )
    return Table(f"Ceilings, measured {ceilings.measured[:10]}", columns, tuple(rows), frozenset(columns[2:]))


def _rate(run: RunData, number: int, side: SideCeilings, which: int) -> Quantity | None:
    copies = sorted((rate.bytes, place) for place, rate in enumerate(side.rates) if rate.pattern == COPY)
    if not copies:
        return None
    place = copies[which][1]
    value = side.rates[place].gb_s
    return quantity(value, run.in_ceilings("sides", number, "rates", place, "gb_s"), places_for(value * 0.02, value))


def _compared(run: RunData, ceilings: Ceilings, compared: ComparisonView) -> Iterator[Block]:
    roofs, dots = [], []
    legend = {series(compared.baseline_series): compared.baseline_side}
    legend |= {series(compared.candidate_series): compared.candidate_side}
    for role, name in zip(legend, (compared.baseline, compared.candidate), strict=True):
        side, rows = ceilings.side(name, compared.threads), LayersOfSide(run, name, compared.threads).table.rows
        if side is not None and side.peak_gops and side.bandwidth_gb_s():
            roofs.append(_roof(side, role))
            named = _largest(rows)[:_NAMED] if name == compared.candidate else []
            dots += list(_dots(rows, f"{role}dot", named))
    if roofs and dots:
        dots.sort(key=lambda dot: bool(dot.label))
        alt = f"Roofline of {compared.title}, {count(len(dots), 'dot')}; the table below lists the largest layers."
        name = f"roofline-{compared.anchor}"
        chart = RooflineChart(name, alt, (), tuple(legend.items()), roofs=tuple(roofs), dots=tuple(dots))
        caption = (
            f"{compared.title}: each dot is a matrix layer, larger the more time it takes; the lines are the ceilings, "
            "bold from memory, thin from the caches. Both scales are logarithmic."
        )
        yield Drawable(chart, roofline, caption)
    if table := _layers(run, compared):
        yield table


def _roof(side: SideCeilings, role: str) -> Roof:
    memory = side.bandwidth_gb_s() or 0.0
    return Roof(role, max(side.peak_gops.values()), memory, max(memory, side.bandwidth_gb_s(0) or 0.0))


def _largest(rows: Sequence[LayerRow]) -> list[LayerRow]:
    return sorted((row for row in rows if row.cost.gflops), key=lambda row: -row.cost.median_us)


def _dots(rows: Sequence[LayerRow], role: str, named: Sequence[LayerRow]) -> Iterator[Dot]:
    longest = max((row.cost.median_us for row in rows), default=0.0)
    for row in rows:
        intensity = row.reach.intensity_ops_per_byte if row.reach else None
        if row.cost.gflops and intensity:
            number, _, what = row.layer.layer.partition(" ")
            label = f"{number} {row.layer.module or what}" if row in named else ""
            yield Dot(role, intensity, row.cost.gflops, row.cost.median_us / longest, label, number if label else "")


def _layers(run: RunData, compared: ComparisonView) -> Table | None:
    side = LayersOfSide(run, compared.candidate, compared.threads)
    order = sorted(range(len(side.table.rows)), key=lambda number: -side.table.rows[number].cost.median_us)
    rows = [_layer(side, number) for number in order[:_LISTED] if side.table.rows[number].reach]
    columns = ("Layer", "Share (%)", "Bound", "Median (µs)", compared.candidate_rate, "Operations a byte")
    numbers = frozenset((columns[1], *columns[3:]))
    where = f"{compared.candidate_side}, {count(compared.threads, 'thread')}"
    title = f"The layers that take the most time, and their share of the ceiling: {where}"
    return Table(title, columns, tuple(rows), numbers) if rows else None


def _layer(side: LayersOfSide, number: int) -> tuple[str | Quantity | None, ...]:
    row = side.table.rows[number]
    assert row.reach is not None  # of the rows that have one
    intensity = row.reach.intensity_ops_per_byte
    path = side.table.path(number, "intensity_ops_per_byte")
    return (
        Identifier(row.layer.layer),
        side.share(row.layer.layer),
        row.reach.bound or "not known",
        quantity(row.cost.median_us, side.table.path(number, "median_us"), 0),
        side.gflops(row.layer.layer),
        quantity(intensity, path, min(places_for(None, intensity), 1)) if intensity else None,
    )
