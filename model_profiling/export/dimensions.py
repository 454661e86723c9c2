# SPDX-License-Identifier: Apache-2.0
"""Dimensions that vary: their names, ranges and expressions, as an export's record has them.

Names are those of the model's ``torch.export.Dim``, else ``n0``, ``n1``, ... A program keeps none of this: its own
shapes are the largest ones.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

    from model_profiling.models.contract import DynamicShapes

#: An extent: a number, or an expression of names.
Extents = list[int | str]
_MOST = 2**31 - 1  # of a dimension without an upper bound


class NamedDimension(NamedTuple):
    """What a model says of a dimension: its name, and its least size.

    torch.export reasons as if it were 2 or more, and lets it be less where the model says so.
    """

    name: str
    low: int


@dataclass(frozen=True)
class Varying:
    """What varies in a method: `names` by symbol, `ranges` by name, and the extents of each input."""

    names: dict[object, str] = field(default_factory=dict)
    ranges: dict[str, dict[str, int]] = field(default_factory=dict)
    inputs: tuple[Extents, ...] = ()

    def extents(self, value: object) -> Extents:
        """Return a tensor's shape in these names; empty for what is no tensor."""
        return [self._extent(one) for one in getattr(value, "shape", ())]

    def _extent(self, extent: Any) -> int | str:
        if isinstance(extent, int):
            return extent
        expression = extent.node.expr
        named = {
            symbol: type(symbol)(self.names.get(symbol, str(symbol)), integer=True)
            for symbol in expression.free_symbols
        }
        return str(expression.xreplace(named)) if named else int(expression)


def read_varying(program: torch.export.ExportedProgram, names: Sequence[Mapping[int, NamedDimension]]) -> Varying:
    """Return what varies in a program in any dialect.

    Parameters
    ----------
    names : for each input what the model says of its dimensions that vary, by axis (`names_of`).
    """
    inputs = _inputs(program)
    known: dict[object, str] = {}
    lows: dict[object, int] = {}
    for value, of_input in zip(inputs, names, strict=False):
        for axis, (name, low) in of_input.items():
            symbol = getattr(getattr(value.shape[axis], "node", None), "expr", None)
            if getattr(symbol, "is_Symbol", False) and name not in known.values():
                known[symbol], lows[symbol] = name, low
    for symbol in _symbols(inputs):
        if symbol not in known:
            known[symbol] = next(name for n in range(len(known) + 1) if (name := f"n{n}") not in known.values())
    limits = {symbol: program.range_constraints.get(symbol) for symbol in known}
    ranges = {
        name: {
            "low": lows.get(s, max(0, _whole(limits[s], "lower", 0))),
            "high": min(_MOST, _whole(limits[s], "upper", _MOST)),
        }
        for s, name in known.items()
    }
    varying = Varying(known, ranges)
    return Varying(known, ranges, tuple(varying.extents(value) for value in inputs)) if known else varying


def _inputs(program: torch.export.ExportedProgram) -> list[Any]:
    import torch

    names = program.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    return [values[name] for name in names if isinstance(values.get(str(name)), torch.Tensor)]


def _symbols(inputs: Sequence[Any]) -> list[object]:
    expressions = [extent.node.expr for value in inputs for extent in value.shape if not isinstance(extent, int)]
    return list(dict.fromkeys(symbol for one in expressions for symbol in sorted(one.free_symbols, key=str)))


def _whole(limits: object, end: str, otherwise: int) -> int:
    value = getattr(limits, end, None)
    return int(value) if value is not None and getattr(value, "is_finite", True) is not False else otherwise


def names_of(
    module: torch.nn.Module, inputs: Sequence[object], kwargs: Mapping[str, object], shapes: DynamicShapes
) -> list[dict[int, NamedDimension]]:
    """Return for each tensor among the inputs what the model says of its dimensions that vary, by axis."""
    if not shapes:
        return []
    if isinstance(shapes, Mapping):
        arguments = [name for name in inspect.signature(module.forward).parameters if name not in kwargs]
        positional: list[object] = [shapes.get(name) for name in arguments[: len(inputs)]]
        named = shapes
    else:
        positional, named = list(shapes), {}
    positional += [None] * (len(inputs) - len(positional))
    pairs = [*zip(inputs, positional, strict=False), *((value, named.get(name)) for name, value in kwargs.items())]
    return [names for value, spec in pairs for names in _named(value, spec)]


def _named(value: object, spec: Any) -> Iterator[dict[int, NamedDimension]]:
    """Yield the names of each tensor of an input; containers are given the shapes of what they hold."""
    import torch

    if isinstance(value, torch.Tensor):
        axes = spec.items() if isinstance(spec, Mapping) else enumerate(spec or ())
        named = {int(axis): NamedDimension(getattr(one, "__name__", ""), getattr(one, "min", 0)) for axis, one in axes}
        yield {axis: one for axis, one in named.items() if one.name.isidentifier()}
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _named(inner, spec.get(key) if isinstance(spec, Mapping) else None)
    elif isinstance(value, (tuple, list)):
        for number, inner in enumerate(value):
            yield from _named(inner, spec[number] if isinstance(spec, (tuple, list)) else None)
