# SPDX-License-Identifier: Apache-2.0
"""Amdahl's bound for SME2 in words and cells: what it assumes, where it comes from, and never as a speed-up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_profiling.analysis.advice.amdahl import Sme2Bound, amdahl_bound
from model_profiling.analysis.advice.reaching_layers import EXPORT, PREVIEW
from model_profiling.report.quantities import Identifier, Quantity, Sentence, quantity
from model_profiling.report.words.table import Cell
from model_profiling.rounding import places_for
from model_profiling.wording import count, listed

_ARM = frozenset(("aarch64", "arm64"))
_PERCENT = 0.01
_MOST_PLACES = 1  # of shares in percent: they are of traced times, and differ from launch to launch
_EVIDENCE = {PREVIEW: "the calls that a preview recorded on an emulated CPU", EXPORT: "the table of the export"}


def assumptions() -> Sentence:
    """Say what the bound is, and what it takes for granted."""
    return (
        "A bound and no measurement: this CPU has no SME2. Amdahl's law takes away all the time that was measured in "
        "layers which have SME2 kernels, and what is left bounds how much faster an execution could get. It assumes "
        "that these layers take no time at all, that only they gain, and that nothing else changes; they do take time "
        "on every device, so none gets there.",
    )


def other_architecture(architectures: Sequence[str]) -> Iterator[Sentence]:
    """Yield what has to be said of times that no Arm CPU took."""
    other = [name for name in dict.fromkeys(architectures) if name not in _ARM]
    if other:
        yield (
            f"These are shares of another architecture ({listed(other)}): so much of this CPU's time is in layers that "
            "have SME2 kernels. On an Arm CPU the shares differ, and the bound with them.",
        )


def where_from(bounds: Sequence[Sme2Bound]) -> Sentence:
    """Say what tells which layers reach SME2."""
    parts: list[str | Quantity] = ["Which layers have SME2 kernels is from "]
    for place, (evidence, version) in enumerate(dict.fromkeys((one.evidence, one.executorch) for one in bounds)):
        parts += [" and " if place else "", f"{_EVIDENCE[evidence]} for ExecuTorch ", Identifier(version)]
    return (*parts, "; their times are from the traced executions.")


def bound_columns() -> tuple[str, ...]:
    return ("Execution, ms", "In such layers, ms", "Share, %", "Bound, times", "Such layers")


def bound_cells(bound: Sme2Bound, path: str) -> tuple[Cell, ...]:
    """Return a bound as cells; the paths of its numbers begin with `path`."""
    half = (bound.share_high - bound.share_low) / 2
    spread = half * bound.time_ms or None
    return (
        quantity(bound.time_ms, f"{path}/time_ms", places_for(spread, bound.time_ms)),
        quantity(bound.reached_ms, f"{path}/reached_ms", places_for(spread, bound.reached_ms)),
        quantity(
            bound.share,
            f"{path}/reached_ms,{path}/time_ms|ratio",
            min(places_for(100 * half or None, 100 * bound.share), _MOST_PLACES),
            _PERCENT,
        ),
        _bound(bound, bound.bound, f"{path}/bound") or "none: it is all of the time",
        f"{bound.reached_layers} of {bound.matrix_layers}",
    )


def unknown_layers(who: str, bound: Sme2Bound, path: str) -> Iterator[Sentence]:
    """Yield what is said of matrix layers of which nothing tells whether they reach SME2."""
    if bound.unknown_layers:
        with_them = _bound(bound, bound.bound_with_unknown, f"{path}/bound_with_unknown")
        then: Sentence = ("were they to, the bound would be ", with_them, ".") if with_them else ("they may be all.",)
        yield (
            f"{who}: of {count(bound.unknown_layers, 'matrix layer')} nothing tells whether "
            "SME2 kernels compute them; ",
            *then,
        )


def _bound(bound: Sme2Bound, value: float | None, path: str) -> Quantity | None:
    """Return a bound with the digits that the launches' shares support."""
    if value is None:
        return None
    ends = [amdahl_bound(1, share) for share in (bound.share_low, bound.share_high)]
    half = (ends[1] - ends[0]) / 2 if ends[0] is not None and ends[1] is not None else value
    return quantity(value, path, min(places_for(half or None, value), 2))
