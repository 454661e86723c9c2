# SPDX-License-Identifier: Apache-2.0
"""What an export is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_profiling.export.recipe import Recipe
from model_profiling.export.recipes import find_grouped


@dataclass(frozen=True)
class ExportRequest:
    """What to export and where to; `model` or `model_file` names it.

    Without an `outdir` the files go to ``out_<model>/artifacts``. `group_size` is that of the weights, 0 for one
    scale a row. `keep_disagreeing` writes a program that does not agree with its model, and says so in its record.
    `rewrites` names those to apply, in their order; `methods` those of the model's methods to export, all where empty.
    `kept_float` names the modules and operators that a recipe does not quantize; `numeric_gap` asks where accuracy is
    lost.
    """

    model: str | None
    model_file: Path | None
    weights: Path | None
    dtype: str
    backend: str
    outdir: Path | None = None
    save_graph: bool = False
    group_size: int = 0
    keep_disagreeing: bool = False
    rewrites: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    kept_float: tuple[str, ...] = ()
    numeric_gap: bool = False

    @property
    def recipe(self) -> Recipe:
        """The recipe that it asks for."""
        return find_grouped(self.dtype, self.group_size)
