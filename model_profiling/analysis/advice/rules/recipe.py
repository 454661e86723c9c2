# SPDX-License-Identifier: Apache-2.0
"""Matrix layers whose recipe has no SME2 kernel, where another recipe has one."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER
from model_profiling.analysis.advice.opportunity import AMDAHL
from model_profiling.export.matrix_layers import FLOAT16, FLOAT32, INT8, INT8_DYNAMIC
from model_profiling.export.sme2_reach import ReachTable
from model_profiling.pipeline.program_records import ExportedReach

RECIPE = "recipe"
#: The recipes whose layers compute on these numbers.
_RECIPES = {FLOAT32: "fp32", FLOAT16: "fp16", INT8: "int8", INT8_DYNAMIC: "8da8w"}


def without_sme2_kernel(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose another recipe for layers that reach no SME2 kernel in this one; on a CPU with SME2 alone."""
    missing = [layer for layer in advised.matrix_layers if layer.reaches is False] if advised.sme2 else []
    if not missing:
        return
    table, by_recipe = ReachTable.read(), dict[str, list[ExportedReach]]()
    for layer in missing:
        for numbers, recipe in _RECIPES.items():
            row = table.row_for(layer.kind, numbers, layer.rows)
            if row and row.reaches and recipe != advised.exported.dtype:
                by_recipe.setdefault(recipe, []).append(layer)
    for recipe, layers in by_recipe.items():
        places = {(layer.module, layer.source) for layer in layers}
        numbers_of = [n for n, own in enumerate(advised.layers) if own.matrix and (own.module, own.source) in places]
        if numbers_of:
            facts = {"recipe": recipe, "dtype": advised.exported.dtype, "count": str(len(numbers_of))}
            bounds = {(LAYER, number): 0.0 for number in numbers_of}
            yield Candidate(f"{RECIPE}-{recipe}", RECIPE, AMDAHL, bounds, facts)
