# SPDX-License-Identifier: Apache-2.0
"""What each rewrite may save: the operators outside XNNPACK that it takes in, and the time that they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model_profiling.analysis.comparing.comparison import OperatorComparison


@dataclass(frozen=True)
class Outside:
    """Operators of one kind outside XNNPACK, as an export's record has them; `origin` is the call that they are of."""

    operator: str
    count: int
    origin: str


def base_name(operator: str) -> str:
    """Return an operator's name as ATen, edge dialect and runtime share it: "aten._softmax.default" is softmax."""
    packet = operator.removeprefix("native_call_").split(".")
    name = packet[1] if packet[0] in ("aten", "dim_order_ops") and len(packet) > 1 else packet[0]
    return name.lstrip("_").removeprefix("native_").removesuffix("_copy")


def operators_outside(outside: Iterable[Outside], replaced: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return how many operators outside XNNPACK each rewrite takes in; `replaced` has the ATen names of each."""
    return {name: sum(one.count for one, taker in _taken(outside, replaced) if taker == name) for name in replaced}


def gains_ms(
    outside: Sequence[Outside], operators: Iterable[OperatorComparison], replaced: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Return the ms of an execution that the operators which each rewrite takes in took of the baseline.

    Operators of one kind share their time equally: the trace tells them apart by kind alone.
    """
    took: dict[str, float] = {}
    for one in operators:
        if not one.delegated and one.baseline is not None:
            took[base_name(one.name)] = took.get(base_name(one.name), 0.0) + one.baseline.ms
    counts: dict[str, int] = {}
    for kind in outside:
        counts[base_name(kind.operator)] = counts.get(base_name(kind.operator), 0) + kind.count
    gains = dict.fromkeys(replaced, 0.0)
    for kind, taker in _taken(outside, replaced):
        if taker is not None:
            name = base_name(kind.operator)
            gains[taker] += took.get(name, 0.0) * kind.count / counts[name]
    return gains


def _taken(outside: Iterable[Outside], replaced: Mapping[str, Sequence[str]]) -> list[tuple[Outside, str | None]]:
    """Return each kind with the first rewrite that takes it in, by the call that it is of before its own name."""
    by_name = {base_name(operator): name for name in reversed(list(replaced)) for operator in replaced[name]}
    return [(one, by_name.get(base_name(one.origin)) or by_name.get(base_name(one.operator))) for one in outside]
