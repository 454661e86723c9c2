# SPDX-License-Identifier: Apache-2.0
"""Which program of a sweep to ship on each device, in a row: a page of thousands of cells has no room for more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.advice.shipping import (
    ShippingOption,
    by_task,
    fastest,
    most_exact,
    not_told_apart,
    unbeaten_options,
)
from model_profiling.analysis.sweeping.summary import SweptCell
from model_profiling.report.words.shipping import PERCENT
from model_profiling.rounding import fixed, places_for
from model_profiling.wording import count

#: Alternatives named one by one.
_MOST_NAMED = 3


@dataclass(frozen=True)
class ShippedRow:
    """What to ship of a model on a CPU where latency counts most.

    `cell` is the place of its cell in the summary, `also` what else nothing beats, `alike` what may be as fast,
    `exact` the most exact one where that is another.
    """

    cell: int
    device: str
    model: str
    method: str
    ship: str
    latency: str
    latency_raw: str
    interval: str
    size: str
    error: str
    agrees: bool
    exact: str
    alike: str
    also: str


def shipped_rows(cells: Sequence[SweptCell]) -> Iterator[ShippedRow]:
    """Yield a row for each CPU, model and method that were measured in several ways."""
    placed = [
        (number, cell, option)
        for number, cell in enumerate(cells)
        if cell.result is not None
        for option in cell.result.options
    ]
    options = [option for _, _, option in placed]
    best = unbeaten_options(options)
    for places in by_task(options).values():
        if len(places) > 1:
            yield _row([placed[place] for place in places], [best[place] for place in places])


def _row(placed: Sequence[tuple[int, SweptCell, ShippingOption]], best: Sequence[bool]) -> ShippedRow:
    options = [option for _, _, option in placed]
    cell_of = {id(option): cell for _, cell, option in placed}
    number_of = {id(option): number for number, _, option in placed}
    chosen, exact = fastest(options), most_exact(options)
    alike = [cell_of[id(other)] for other in not_told_apart(chosen, options)]
    also = [cell for (_, cell, option), unbeaten in zip(placed, best, strict=True) if unbeaten and option is not chosen]
    cell, latency = cell_of[id(chosen)], chosen.latency_ms
    places = places_for((latency.high - latency.low) / 2 if latency.bounded else None, latency.value)
    return ShippedRow(
        number_of[id(chosen)],
        cell.device,
        cell.model,
        cell.method or "",
        _called(cell),
        fixed(latency.value, places),
        f"{latency.value:.6g}",
        f"{fixed(latency.low, places)} to {fixed(latency.high, places)}" if latency.bounded else "",
        "" if chosen.size_bytes is None else _short(chosen.size_bytes / 1e6),
        _error(chosen),
        chosen.agreement is None or chosen.agreement.passed,
        "" if exact is None or exact is chosen else f"{_called(cell_of[id(exact)])}: {_error(exact)} %",
        _named(alike),
        _named(also),
    )


def _called(cell: SweptCell) -> str:
    return cell.dtype if cell.threads is None else f"{cell.dtype}, {count(cell.threads, 'thread')}"


def _named(cells: Sequence[SweptCell]) -> str:
    named = "; ".join(_called(cell) for cell in cells[:_MOST_NAMED])
    more = len(cells) - _MOST_NAMED
    return f"{named} and {count(more, 'other')}" if more > 0 else named


def _error(option: ShippingOption) -> str:
    error = option.rel_error
    return "" if error is None else _short(error / PERCENT) if error < float("inf") else "not finite"


def _short(value: float) -> str:
    return fixed(value, places_for(None, value))
