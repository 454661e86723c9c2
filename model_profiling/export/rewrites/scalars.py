# SPDX-License-Identifier: Apache-2.0
"""Arithmetic with numbers of the model as arithmetic with constants of the graph's type."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

_ARITHMETIC = ("add", "sub", "rsub", "mul", "div")


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    import torch

    arguments: tuple[Any, ...] = node.args
    name = operator_of(node).split(".")[1]
    if name == "pow":
        return _power(editor, node, *arguments)
    if node.kwargs.get("alpha", 1) != 1 or len(arguments) != 2 or set(node.kwargs) - {"alpha"}:
        return False
    if not isinstance(arguments[0], torch.fx.Node) or arguments[0].meta["val"].dtype != node.meta["val"].dtype:
        return False
    if isinstance(arguments[1], torch.fx.Node):
        return _foreign(editor, node, *arguments)
    pair = [arguments[0], editor.number(float(arguments[1]), node)]
    function: Callable[..., object] = getattr(torch, "sub" if name == "rsub" else name)
    return editor.replace(node, function, *(reversed(pair) if name == "rsub" else pair))


def _foreign(editor: GraphEditor, node: torch.fx.Node, x: torch.fx.Node, y: torch.fx.Node) -> bool:
    """Bring a stored number of another type into the graph's type."""
    stored = editor.value_of(y)
    if stored is None or stored.dim() or stored.dtype == node.meta["val"].dtype:
        return False
    function: Any = node.target
    return editor.replace(node, function, x, editor.number(float(stored), node))


def _power(editor: GraphEditor, node: torch.fx.Node, x: torch.fx.Node, power: float) -> bool:
    import torch

    forms: dict[float, Callable[[Any], object]] = {
        2: lambda x: x * x,
        3: lambda x: x * x * x,
        0.5: torch.sqrt,
        -0.5: torch.rsqrt,
    }
    return power in forms and editor.replace(node, forms[power], x)


REWRITE = Rewrite(
    name="scalars",
    rank=150,
    replaces="aten.add, sub, mul, div with a number, aten.pow by 2, 3, 0.5 and -0.5",
    operators=(
        *(f"aten.{name}.{kind}" for name in _ARITHMETIC for kind in ("Tensor", "Scalar")),
        "aten.pow.Tensor_Scalar",
    ),
    dtypes=FLOATS,
    bound=(1e-6, 2e-3),
    saves="A conversion of a number in every execution, in float16 one for each number; powers that XNNPACK lacks.",
    edit=edit,
    hints=("integer constant", "constant in fp16"),
)
