# SPDX-License-Identifier: Apache-2.0
"""The graphs of a lowered program: what of them is work, and what was handed to a backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import torch

# Nodes that are bookkeeping and no work: unpacking a delegate's results, planning memory.
_BOOKKEEPING = {"getitem", "alloc", "view", "executorch_call_delegate", "free"}
# In a quantized graph these only mark scales; XNNPACK folds them into the operators between them.
_QUANTIZATION_MARKS = ("quantize_per", "dequantize_per", "quantize_affine", "dequantize_affine", "choose_qparams")


def graphs(graph_module: torch.fx.GraphModule) -> Iterator[torch.fx.Graph]:
    """Yield the graph and those of its branches and loops, but not the delegates' own."""
    import torch

    yield graph_module.graph
    for _, child in graph_module.named_children():
        if isinstance(child, torch.fx.GraphModule):
            yield from graphs(child)


class LoweredModule(Protocol):
    """What a delegate's call runs: the part of the program that was handed to a backend."""

    original_module: torch.export.ExportedProgram
    backend_id: str


def lowered_modules(graph_module: torch.nn.Module) -> Iterator[LoweredModule]:
    """Yield the modules that were handed to a backend, those of branches and loops included."""
    for _, child in graph_module.named_children():
        if hasattr(child, "original_module") and hasattr(child, "backend_id"):
            yield cast("LoweredModule", child)
        elif hasattr(child, "graph"):
            yield from lowered_modules(child)


def delegate_of(call: torch.fx.Node) -> LoweredModule:
    """Return what a delegate's call runs; its first argument names it in the module that owns the graph."""
    name = str(call.all_input_nodes[0].target)
    lowered: LoweredModule = getattr(call.graph.owning_module, name)
    return lowered


def is_work(node: torch.fx.Node) -> bool:
    """Tell whether a node computes something, at run time or as a mark of quantization."""
    return node.op == "call_function" and getattr(node.target, "__name__", "") not in _BOOKKEEPING


def is_mark(node: torch.fx.Node) -> bool:
    """Tell whether a node marks a quantization that XNNPACK folds into its neighbors."""
    return getattr(node.target, "__name__", "").split(".", 1)[-1].startswith(_QUANTIZATION_MARKS) or getattr(
        node.target, "__name__", ""
    ).startswith(_QUANTIZATION_MARKS)
