# SPDX-License-Identifier: Apache-2.0
"""Where each instruction of a program, and each node inside its delegates, comes from in the model.

The runtime names neither: an ETDump has instruction numbers, and a delegate's graph has
debug handles. Both were given out while the program was made, so they are written down then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from model_profiling.export.delegation import delegate_of, is_mark, is_work
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch

_DELEGATE_CALL = "executorch_call_delegate"


def read_places(graph_module: torch.fx.GraphModule) -> list[dict[str, object]]:
    """Return one entry for each instruction of a serialized program, in order.

    An operator's entry has ``operator``, ``module`` (the submodule's path, "" for the model
    itself) and ``source`` ("file:line"); a delegate's has ``handles``: the same for each
    debug handle of its nodes.
    """
    return [
        _delegate(node) if _is_delegate(node) else _place(node)
        for node in graph_module.graph.nodes
        if _is_delegate(node) or is_work(node)
    ]


def _is_delegate(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and getattr(node.target, "__name__", "") == _DELEGATE_CALL


def _place(node: torch.fx.Node) -> dict[str, object]:
    return {"operator": operator_of(node), "module": module_of(node), "source": source_of(node)}


def _delegate(node: torch.fx.Node) -> dict[str, object]:
    return {"operator": _DELEGATE_CALL, "handles": dict(_handles(delegate_of(node).original_module.graph))}


def _handles(graph: torch.fx.Graph) -> Iterator[tuple[str, dict[str, object]]]:
    # A quantization mark shares its operator's handle and stands after it: the operator counts.
    nodes = [node for node in graph.nodes if is_work(node) and node.meta.get("debug_handle") is not None]
    for node in (*filter(is_mark, nodes), *(n for n in nodes if not is_mark(n))):
        yield str(node.meta["debug_handle"]), _place(node)
