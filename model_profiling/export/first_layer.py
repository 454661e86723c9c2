# SPDX-License-Identifier: Apache-2.0
"""Where a program that does not agree with its eager model leaves it: the first layer whose output is too far off.

Two searches. The graph that was captured in the recipe's types, quantized where asked, is run by PyTorch beside the
float32 graph: what rounding, overflow or a quantized range does shows there, operator by operator. Where that
finds nothing, the fault lies in lowering or in a kernel: programs that end at one operator each are made and
run, halving the stretch in which the first wrong one lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.agreement import Agreement
from model_profiling.export import verification
from model_profiling.export.graph_run import GraphRun
from model_profiling.export.layer_points import matched
from model_profiling.export.recipe import Recipe
from model_profiling.export.tapped_program import program_with
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch

#: Programs made while halving: enough for 2 ** 12 operators.
_MOST_PROGRAMS = 12


@dataclass(frozen=True)
class FirstLayer:
    """The first operator whose output is further from float32 than the recipe's limit.

    `lowered` tells that only the lowered program is off, not the graph it was made of; `before` is how far the
    operators before it had come, None at the first.
    """

    operator: str
    module: str
    source: str
    lowered: bool
    error: Agreement
    before: Agreement | None

    def __str__(self) -> str:
        place = ", ".join(filter(None, (self.module and f"module {self.module}", self.source)))
        off = "not finite" if self.error.max_rel_error is None else f"relative error {self.error.max_rel_error:.3g}"
        if self.error.cosine is not None:
            off += f", cosine {self.error.cosine:.4f}"
        came = self.before and self.before.max_rel_error
        after = "" if came is None else f", after at most {came:.2g} before it"
        return f"{self.operator}{f' ({place})' if place else ''}: {off}{after}"


def find(
    reference: torch.export.ExportedProgram,
    captured: torch.export.ExportedProgram,
    inputs: tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]],
    recipe: Recipe,
    backend: str,
) -> FirstLayer | None:
    """Return the first layer that is off, or None where every one is within the limit by itself.

    Parameters
    ----------
    reference, captured : the model's graph in float32, and the one that was lowered.
    inputs : flat inputs of each.
    """
    there, same = _values(reference, inputs[0]), _comparable(reference, captured)
    expected = {name: there[other] for name, other in same.items() if other in there}
    nodes = {node.name: node for node in captured.graph.nodes}
    before: Agreement | None = None
    for name, value in _values(captured, inputs[1]).items():
        if name not in expected or value.shape != expected[name].shape:
            continue
        error = verification.compare([[expected[name]]], [[value]])
        if not verification.within(error, recipe.limit):
            return _first(nodes[name], False, error, before)
        before = error if before is None else _worse(before, error)
    return _halved(captured, [nodes[name] for name in expected], expected, inputs[1], recipe, backend)


def _halved(
    captured: torch.export.ExportedProgram,
    candidates: Sequence[torch.fx.Node],
    expected: Mapping[str, torch.Tensor],
    inputs: Sequence[torch.Tensor],
    recipe: Recipe,
    backend: str,
) -> FirstLayer | None:
    def error_at(node: torch.fx.Node) -> Agreement:
        pte = program_with(captured, [node.name], inputs, recipe, backend, whole=False)
        got = verification.run_program(pte, [tuple(inputs)], {}, f"running it as far as {operator_of(node)}")
        return verification.compare([[expected[node.name]]], [got[0][-1:]])

    found: tuple[torch.fx.Node, Agreement] | None = None
    before: Agreement | None = None
    low, high = 0, len(candidates)  # all before `low` are right, `high` is wrong or the end
    for _ in range(_MOST_PROGRAMS):
        if low >= high:
            break
        middle = (low + high) // 2
        error = error_at(candidates[middle])
        if verification.within(error, recipe.limit):
            low, before = middle + 1, error
        else:
            high, found = middle, (candidates[middle], error)
    return _first(found[0], True, found[1], before) if found else None


def _first(node: torch.fx.Node, lowered: bool, error: Agreement, before: Agreement | None) -> FirstLayer:
    return FirstLayer(operator_of(node), module_of(node), source_of(node), lowered, error, before)


def _worse(first: Agreement, second: Agreement) -> Agreement:
    return max(first, second, key=lambda one: one.max_rel_error or 0.0)


def _comparable(reference: torch.export.ExportedProgram, captured: torch.export.ExportedProgram) -> dict[str, str]:
    """Return the operators that both graphs have, in the order of the captured one, with their names in the other."""
    return {name: pair.same.name for name, pair in matched(reference.graph, captured.graph).items()}


def _values(program: torch.export.ExportedProgram, inputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what every operator of `program` gives, as PyTorch computes it, in order."""
    values: dict[str, torch.Tensor] = {}

    def keep(name: str, value: torch.Tensor) -> None:
        values[name] = value.detach().clone()

    GraphRun(program)(inputs, keep)
    return values
