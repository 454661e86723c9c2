# SPDX-License-Identifier: Apache-2.0
"""The rewrites of a captured graph: one file each, found by being here. Listing them imports no torch."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from model_profiling.errors import UserError, nearest
from model_profiling.export.rewrite import Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

ALL, NONE = "all", "none"
_ROUNDS = 4  # one rewrite may open the way for another; more were never needed


@functools.cache
def rewrites() -> Mapping[str, Rewrite]:
    """Return every rewrite by its name, in the order in which they are applied."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    ranked: list[Rewrite] = sorted((module.REWRITE for module in modules), key=lambda rewrite: rewrite.rank)
    return {rewrite.name: rewrite for rewrite in ranked}


def find_rewrites(names: Sequence[str], flag: str = "--rewrite") -> tuple[str, ...]:
    """Return the names of the rewrites that `names` asks for in `flag`, else raise a `UserError` with the nearest.

    "all" is every one, "none" no one; each stands alone.
    """
    known = (*rewrites(), ALL, NONE)
    for name in names:
        if name not in known:
            raise UserError(
                f"there is no rewrite {name!r}{nearest(name, known)}",
                f"in {flag}",
                f"see {'' if flag == '--rewrite' else 'export_model.py '}--list-rewrites",
            )
        if name in (ALL, NONE) and len(names) > 1:
            raise UserError(f"{name!r} stands beside other names", f"in {flag}", f"give {name} alone, or names alone")
    if list(names) == [ALL]:
        return tuple(rewrites())
    return () if list(names) == [NONE] else tuple(name for name in rewrites() if name in names)


def rewrite_for(hint: str) -> Rewrite | None:
    """Return the rewrite that takes in the operators of a row of hints, or None."""
    return next((rewrite for rewrite in rewrites().values() if hint in rewrite.hints), None)


def apply(
    program: torch.export.ExportedProgram, names: Sequence[str]
) -> tuple[torch.export.ExportedProgram, dict[str, int]]:
    """Return `program` rewritten, and how often each of the rewrites called `names` was applied."""
    from model_profiling.export.graph_editor import GraphEditor, finish, functional

    counts = dict.fromkeys(names, 0)
    if not names:
        return program, counts
    program = functional(program)
    editor = GraphEditor(program)
    for _ in range(_ROUNDS):
        before = sum(counts.values())
        for name in names:
            counts[name] += _apply_one(editor, rewrites()[name])
            editor.clean()
        if sum(counts.values()) == before:
            break
    finish(program)
    return program, counts


def _apply_one(editor: GraphEditor, rewrite: Rewrite) -> int:
    from model_profiling.export.graph_editor import is_static, result_types
    from model_profiling.models.graph_places import operator_of

    applied = 0
    for node in list(editor.graph.nodes):
        if node.op != "call_function" or not node.users or not is_static(node):
            continue
        if rewrite.operators and operator_of(node) not in rewrite.operators:
            continue
        types = {str(tensor.dtype).removeprefix("torch.") for tensor in result_types(node)}
        if rewrite.dtypes and not types <= set(rewrite.dtypes):
            continue
        applied += rewrite.edit(editor, node)
    return applied
