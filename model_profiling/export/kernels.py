# SPDX-License-Identifier: Apache-2.0
"""Operators that ExecuTorch's runtime has no kernel for, found before the program is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.errors import UserError
from model_profiling.export.program_graph import graphs, is_work
from model_profiling.models.foreign_code import Place
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch

_PRIMITIVES = ("executorch_prim", "prim", "_operator")


#: Namespaces of operators that ExecuTorch itself lowers to operators with kernels.
_LOWERED = ("aten", "dim_order_ops", "quantized_decomposed", "torchao", "torch", "prim", "prims")


def check_kernels(graph_module: torch.fx.GraphModule, model: str) -> None:
    """Raise a `UserError` that names the first operator of `graph_module` without any kernel.

    The runtime itself gives only a number (0x14) and prints the name to a log.
    """
    # Loaded here, in this order: the quantized kernels register themselves with the runtime.
    from executorch.extension.pybindings import portable_lib
    from executorch.kernels import quantized  # noqa: F401  (registers its operators)

    known = {name.partition(".")[0] for name in portable_lib._get_operator_names()}
    for graph in graphs(graph_module):
        for node in graph.nodes:
            packet = _packet(node) if is_work(node) else ""
            if packet and packet not in known:
                raise _without_kernel(node, packet, model)


def check_custom_operators(graph_module: torch.fx.GraphModule, model: str) -> None:
    """Raise the same for an operator of the model's own, which cannot even be serialized."""
    for graph in graphs(graph_module):
        for node in graph.nodes:
            packet = _packet(node) if is_work(node) else ""
            if packet and packet.partition("::")[0] not in _LOWERED:
                raise _without_kernel(node, packet, model)


def _without_kernel(node: torch.fx.Node, packet: str, model: str) -> UserError:
    place = Place(module_of(node), source_of(node), operator_of(node))
    return UserError(
        f"ExecuTorch's runtime has no kernel for {packet}, which {model} needs",
        f"in {place}",
        "write it with operators that have one, or leave it outside the model",
    )


def _packet(node: torch.fx.Node) -> str:
    """Return "namespace::name" of an operator, "" of arithmetic on shapes, which the runtime has built in."""
    target: object = node.target
    while type(target).__name__ == "EdgeOpOverload":
        target = getattr(target, "_op", None)
    packet = getattr(getattr(target, "_schema", None), "name", None)
    if not isinstance(packet, str):
        return ""
    shape_arithmetic = packet.startswith("aten::sym_") or packet.partition("::")[0] in _PRIMITIVES
    return "" if shape_arithmetic else packet
