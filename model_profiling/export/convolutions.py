# SPDX-License-Identifier: Apache-2.0
"""A convolution of a captured graph, read from either of the two operators that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

CONVOLUTION, CONV2D = OPERATORS = ("aten.convolution.default", "aten.conv2d.default")


@dataclass(frozen=True)
class Convolution:
    """A 2-d convolution whose weight is stored; `bias` is its node, None without one. Pairs are height and width."""

    source: torch.fx.Node
    weight: torch.Tensor
    bias: torch.fx.Node | None
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def read_convolution(editor: GraphEditor, node: torch.fx.Node) -> Convolution | None:
    """Return the convolution of a node, None where it is none: a transposed one, or one whose weight is computed."""
    name = operator_of(node)
    if name not in OPERATORS:
        return None
    arguments: list[Any] = [*node.args, *[None] * 7]
    weight = editor.value_of(arguments[1])
    if weight is None or weight.dim() != 4 or (name == CONVOLUTION and arguments[6]):
        return None
    groups = (arguments[8] if name == CONVOLUTION else arguments[6]) or 1
    stride, padding, dilation = map(_both, arguments[3:6], (1, 0, 1))
    return Convolution(arguments[0], weight, arguments[2], stride, padding, dilation, groups)


def _both(given: Any, default: int) -> tuple[int, int]:
    """Return the values for height and width."""
    values = tuple(given or (default,))
    return values[0], values[-1]
