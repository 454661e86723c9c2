# SPDX-License-Identifier: Apache-2.0
"""Where each instruction of a program, and each node inside its delegates, comes from in the model.

The runtime names neither: an ETDump has instruction numbers, and a delegate's graph has
debug handles. Both were given out while the program was made, so they are written down then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from model_profiling.export.dimensions import Varying
from model_profiling.export.multiply_adds import of_node
from model_profiling.export.program_graph import delegate_of, is_mark, is_work
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch

_DELEGATE_CALL = "executorch_call_delegate"


def read_places(graph_module: torch.fx.GraphModule, varying: Varying) -> list[dict[str, object]]:
    """Return one entry for each instruction of a serialized program, in order.

    An operator's entry has ``operator``, ``module`` (the submodule's path, "" for the model
    itself), ``source`` ("file:line") and, of a matrix layer, ``multiply_adds``; a delegate's has ``handles``: the
    same for each debug handle of its nodes, and where shapes vary ``shapes``: those of its inputs and its output.
    """
    return [
        _delegate(node, varying) if _is_delegate(node) else _place(node) | _work(node)
        for node in _emitted(graph_module)
    ]


def _emitted(graph_module: torch.fx.GraphModule) -> Iterator[torch.fx.Node]:
    """Yield the nodes that become instructions; of a branch or a loop, those of its parts where it stands."""
    for node in graph_module.graph.nodes:
        parts = [part for argument in node.args if (part := _part(graph_module, argument)) is not None]
        if parts and not _is_delegate(node):
            for part in parts:
                yield from _emitted(part)
        elif _is_delegate(node) or is_work(node) or _is_executed_view(node):
            yield node


def _part(graph_module: torch.fx.GraphModule, argument: object) -> torch.fx.GraphModule | None:
    """Return the graph that an argument of a branch or a loop names."""
    if getattr(argument, "op", None) != "get_attr":
        return None
    named = getattr(graph_module, str(getattr(argument, "target", "")), None)
    return cast("torch.fx.GraphModule", named) if hasattr(named, "graph") else None


def _is_delegate(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and getattr(node.target, "__name__", "") == _DELEGATE_CALL


def _is_executed_view(node: torch.fx.Node) -> bool:
    """Tell whether a view is an instruction, `executorch_prim::et_view`: its shape varies, or no memory is planned.

    The others are left out of the program, by the rule of `_emit_view` in ExecuTorch 1.5.1's `exir/emit/_emitter.py`.
    """
    if node.op != "call_function" or getattr(node.target, "__name__", "") != "view":
        return False
    spec = node.meta["spec"]
    planned = spec.mem_id is not None and spec.mem_offset is not None
    return not (spec.is_static_shape_tensor and (planned or (spec.const and spec.storage is not None)))


def _place(node: torch.fx.Node) -> dict[str, object]:
    return {"operator": operator_of(node), "module": module_of(node), "source": source_of(node)}


def _work(node: torch.fx.Node) -> dict[str, object]:
    """Return an operator's multiply-adds, at the example's shapes, where it has any: it is a matrix layer then."""
    work = of_node(node)
    return {"multiply_adds": work} if work else {}


def _delegate(node: torch.fx.Node, varying: Varying) -> dict[str, object]:
    return {"operator": _DELEGATE_CALL, "handles": dict(_handles(delegate_of(node).original_module.graph, varying))}


def _handles(graph: torch.fx.Graph, varying: Varying) -> Iterator[tuple[str, dict[str, object]]]:
    # A quantization mark shares its operator's handle and stands after it: the operator counts.
    nodes = [node for node in graph.nodes if is_work(node) and node.meta.get("debug_handle") is not None]
    for node in (*filter(is_mark, nodes), *(n for n in nodes if not is_mark(n))):
        yield str(node.meta["debug_handle"]), _place(node) | (_shapes(node, varying) if varying.names else {})


def _shapes(node: torch.fx.Node, varying: Varying) -> dict[str, object]:
    inputs = [varying.extents(source.meta.get("val")) for source in node.all_input_nodes]
    return {"shapes": {"inputs": inputs, "output": varying.extents(node.meta.get("val"))}}
