# SPDX-License-Identifier: Apache-2.0
"""Parts of a model that stay in floating point where a recipe quantizes: modules by their path, operators by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from model_profiling.errors import UserError, nearest
from model_profiling.export.recipe import Recipe
from model_profiling.models.graph_places import module_of

if TYPE_CHECKING:
    import torch
    from torchao.quantization.pt2e.quantizer import Quantizer

_WHERE = "in --keep-float"


def check(recipe: Recipe, kept: Sequence[str]) -> None:
    """Raise a `UserError` where parts are to be kept by a recipe that changes the type of all."""
    if kept and not recipe.quantizes:
        raise UserError(f"{recipe.name} quantizes nothing", _WHERE, "leave it out, or export in a dtype that quantizes")


def keep_operators(quantizer: Quantizer, program: torch.export.ExportedProgram, kept: Sequence[str]) -> Quantizer:
    """Have the quantizer leave alone what `kept` names in the captured graph.

    Raises
    ------
    UserError : the graph has no such module or operator.
    """
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    paths = set(_with_parents(map(module_of, nodes)))
    _check_known(kept, {node.name for node in nodes} | paths)
    modules, operators = ([one for one in kept if (one in paths) is wanted] for wanted in (True, False))
    before = quantizer.filter_fn

    def quantized(node: torch.fx.Node) -> bool:
        left_alone = node.name in operators or is_kept(module_of(node), modules)
        return not left_alone and (before is None or bool(before(node)))

    quantizer.set_filter_function(quantized)
    return quantizer


def check_modules(module: torch.nn.Module, kept: Sequence[str]) -> None:
    """Raise a `UserError` where `module` has no part of that name."""
    _check_known(kept, {name for name, _ in module.named_modules() if name})


def is_kept(module: str, kept: Iterable[str]) -> bool:
    """Tell whether a module, by its path, is one of `kept` or inside of one."""
    return any(module == one or module.startswith(f"{one}.") for one in kept)


def _with_parents(paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        parts = path.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1) if path)


def _check_known(kept: Sequence[str], known: set[str]) -> None:
    unknown = next((one for one in kept if one not in known), None)
    if unknown is not None:
        raise UserError(
            f"the model has no module or operator {unknown!r}{nearest(unknown, known)}",
            _WHERE,
            "name modules by their path (--explain and --numeric-gap show it), or operators as in the table of "
            "--numeric-gap",
        )
