# SPDX-License-Identifier: Apache-2.0
"""What does not depend on the inputs, computed once while exporting: positions, masks, tables of sines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

#: A result larger than all that it is made of is stored up to this size: it is in the `.pte` from then on.
LARGEST_BYTES = 1 << 20
# Views of a parameter cost nothing, and a linear layer's weight is recognized by its transposition.
_VIEWS = ("t.default", "transpose.int", "permute.default", "expand.default", "detach.default", "alias.default")


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    import torch

    if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten" or _changes(node):
        return False
    if not isinstance(node.meta.get("val"), torch.Tensor):
        return False
    values = [_stored(editor, given) for given in node.all_input_nodes]
    if any(value is None for value in values) or (values and _is_view(node)):
        return False
    value = _computed(editor, node)
    if value.nbytes > max(LARGEST_BYTES, *(one.nbytes for one in values if one is not None), 0):
        return False
    editor.put(node, editor.constant(value))
    return True


def _stored(editor: GraphEditor, node: torch.fx.Node) -> torch.Tensor | None:
    """Return what is stored under a node, or under the views of it that are left as they are."""
    if _is_view(node) and all(_stored(editor, given) is not None for given in node.all_input_nodes):
        return _computed(editor, node)
    return editor.value_of(node)


def _is_view(node: torch.fx.Node) -> bool:
    return operator_of(node).removeprefix("aten.") in _VIEWS


def _computed(editor: GraphEditor, node: torch.fx.Node) -> torch.Tensor:
    import torch

    def stored(given: Any) -> Any:
        return _stored(editor, given)

    function: Any = node.target
    arguments: Any = torch.fx.node.map_arg(node.args, stored)
    named: Any = torch.fx.node.map_arg(node.kwargs, stored)
    with torch.no_grad():
        value: torch.Tensor = function(*arguments, **named)
    return value


def _changes(node: torch.fx.Node) -> bool:
    """Tell whether an operator gives something else each time, or what its memory happened to hold."""
    import torch

    tags = getattr(node.target, "tags", ())
    return torch.Tag.nondeterministic_seeded in tags or "empty" in operator_of(node) or node.is_impure()


REWRITE = Rewrite(
    name="constants",
    rank=10,
    replaces="any aten operator of parameters, buffers and constants alone, up to 1 MiB of result",
    operators=(),
    dtypes=(),
    bound=(0.0, 0.0),
    saves="Computes once what every execution computed anew: position embeddings, masks, arange and full.",
    edit=edit,
    hints=("constant made anew",),
)
