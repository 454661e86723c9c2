# SPDX-License-Identifier: Apache-2.0
"""What a rewrite is: an operator of the captured graph in a form that XNNPACK takes. They are in `rewrites/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

FLOATS = ("float32", "float16")


@dataclass(frozen=True)
class Rewrite:
    """One way to change a graph; each file of `rewrites/` holds one as `REWRITE`, and imports torch only when asked.

    Attributes
    ----------
    name : what `--rewrite` takes.
    rank : its place in lists and in the order of rewriting, smallest first.
    replaces : the pattern, in ATen's names.
    operators : ATen operators that it is asked about; empty for every one.
    dtypes : types of their results in which it is applied, under torch's names; empty for every one.
    bound : largest difference from what it replaces on values within -8 to 8, in float32 and float16, relative to
        the largest output where that exceeds 1.
    saves : one sentence for `--list-rewrites`.
    edit : changes the graph at a node and returns True, or leaves it and returns False.
    hints : names of the rows of hints (`hints_of_*.py`) whose operators it takes in.
    """

    name: str
    rank: int
    replaces: str
    operators: tuple[str, ...]
    dtypes: tuple[str, ...]
    bound: tuple[float, float]
    saves: str
    edit: Callable[[GraphEditor, torch.fx.Node], bool]
    hints: tuple[str, ...] = ()
