# SPDX-License-Identifier: Apache-2.0
"""Dimensions that vary: their names and ranges in an export's record, and expressions of them.

An extent is a number, or an expression as the export writes it: names, whole numbers, ``+ - * // %``, ``Max``
and ``Min``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_profiling.errors import UserError

_LONGEST = 400  # characters; of an expression that an export wrote
_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {"Max": max, "Min": min, "Mod": operator.mod, "PythonMod": operator.mod}


@dataclass(frozen=True)
class Dimension:
    """The range of a dimension that varies, both ends included."""

    low: int
    high: int


def read_dimensions(record: Mapping[str, Any] | None) -> tuple[tuple[tuple[int | str, ...], ...], dict[str, Dimension]]:
    """Return the extents of each input and the ranges of the dimensions in them; both empty where nothing varies.

    Raises
    ------
    UserError : the record holds something else there.
    """
    if not record or not record.get("dimensions"):
        return (), {}
    try:
        ranges = {str(k): Dimension(_whole(v["low"]), _whole(v["high"])) for k, v in record["dimensions"].items()}
        inputs = tuple(tuple(_extent(one) for one in entry["extents"]) for entry in record["inputs"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the export record does not describe its dimensions ({error})", "beside the model", "export it again"
        ) from error
    return inputs, ranges


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} where a whole number belongs")
    return value


def _extent(value: object) -> int | str:
    if isinstance(value, str):
        return value
    return _whole(value)


def evaluate(extent: int | str, sizes: Mapping[str, int]) -> int:
    """Return an extent's value.

    Raises
    ------
    ValueError : it is no expression of the kind, or names a dimension that `sizes` lacks.
    """
    if isinstance(extent, int):
        return extent
    if len(extent) > _LONGEST:
        raise ValueError("an expression of impossible length")
    try:
        return _value(ast.parse(extent, mode="eval").body, sizes)
    except (SyntaxError, ZeroDivisionError, RecursionError, KeyError, MemoryError) as error:
        raise ValueError(f"{extent!r} is no extent ({error})") from error


def _value(node: ast.expr, sizes: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, sizes)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, sizes), _value(node.right, sizes))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and node.args:
        return _FUNCTIONS[node.func.id](*(_value(one, sizes) for one in node.args))
    raise ValueError(f"{ast.dump(node)[:60]} is no part of an extent")


def solve(
    extent: int | str, given: int, sizes: Mapping[str, int], dimensions: Mapping[str, Dimension]
) -> dict[str, int] | None:
    """Return what an extent's value says of a dimension that `sizes` lacks; None where it contradicts.

    Only an extent that is a dimension itself tells it; one that is computed from others has to agree with them.
    """
    if isinstance(extent, str) and extent in dimensions and extent not in sizes:
        return {extent: given}
    try:
        return {} if evaluate(extent, sizes) == given else None
    except ValueError:
        return {}  # of a dimension that no input has by itself: nothing can be checked


def shape_of(extents: Sequence[int | str], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return a shape's values; see `evaluate`."""
    return tuple(evaluate(extent, sizes) for extent in extents)
