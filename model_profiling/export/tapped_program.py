# SPDX-License-Identifier: Apache-2.0
"""A program with layers' results beside its own: what the runtime computes inside of delegates becomes an output.

ExecuTorch's Inspector sees what crosses the border of a delegate. Here the graph is given more outputs before it
is lowered, and the runtime runs the program that this makes. Its own results tell whether it still is the same one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.errors import KitError
from model_profiling.export import lowering, verification
from model_profiling.export.graph_run import flat_module
from model_profiling.export.program_graph import is_mark
from model_profiling.export.recipe import Recipe
from model_profiling.models.contract import FORWARD
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch

#: All results that a program is made to give take at most this much memory, as float32.
MOST_BYTES = 256_000_000
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Tapped:
    """What the runtime gave for one sample: the program's own outputs, and layers' results by name; else why not."""

    outputs: list[torch.Tensor]
    results: dict[str, torch.Tensor]
    note: str = ""


def run_tapped(
    program: torch.export.ExportedProgram,
    wanted: Mapping[str, str],
    inputs: Sequence[torch.Tensor],
    recipe: Recipe,
    backend: str,
) -> Tapped:
    """Lower `program` with more outputs, and run it.

    Parameters
    ----------
    wanted : names of layers with the operator of the graph that has each one's result; the first matter most.
    inputs : the flat inputs of a sample, in the recipe's types.
    """
    chosen = dict(_affordable(program, wanted))
    if not chosen:
        return Tapped([], {}, "no layer's result is small enough")
    try:
        with ForeignCode("making a program that gives each layer's result", ""):
            pte = program_with(program, chosen.values(), inputs, recipe, backend)
        got = verification.run_program(pte, [tuple(inputs)], {}, "running a program that gives each layer's result")[0]
    except KitError as error:
        return Tapped([], {}, str(error))
    own = len(got) - len(chosen)
    return Tapped(got[:own], dict(zip(chosen, got[own:], strict=True)))


def program_with(
    program: torch.export.ExportedProgram,
    names: Iterable[str],
    inputs: Sequence[torch.Tensor],
    recipe: Recipe,
    backend: str,
    whole: bool = True,
) -> bytes:
    """Return the `.pte` that gives the results of the operators `names` after its own.

    Parameters
    ----------
    whole : whether it has its own results; it ends at the last of `names` otherwise.
    """
    module = flat_module(program)
    nodes = {node.name: node for node in module.graph.nodes}
    output = next(node for node in module.graph.nodes if node.op == "output")
    own = output.args[0] if isinstance(output.args[0], (tuple, list)) else (output.args[0],)
    with module.graph.inserting_before(output):
        results = [_tap(nodes[name]) if whole else nodes[name] for name in names]
    output.args = ((*(own if whole else ()), *results),)
    module.graph.eliminate_dead_code()
    module.recompile()
    captured = lowering.capture(module, tuple(inputs), {}, None)
    return bytes(lowering.serialize(lowering.lower({FORWARD: captured}, backend, recipe, etrecord=False)).buffer)


def _tap(node: torch.fx.Node) -> torch.fx.Node:
    """Return a result of its own for an output: what the next layer takes must not be one, as lowering fails then.

    The factor 1 changes no value and keeps the copy from being removed.
    """
    import torch

    copied = node.graph.node_copy(node) if is_mark(node) else node
    return node.graph.call_function(torch.ops.aten.mul.Scalar, (copied, 1.0))


def _affordable(program: torch.export.ExportedProgram, wanted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    left = MOST_BYTES
    for name, operator in wanted.items():
        size = _FLOAT_BYTES * math.prod(map(int, values[operator].shape))
        if size <= left:
            left -= size
            yield name, operator
