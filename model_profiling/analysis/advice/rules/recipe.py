# SPDX-License-Identifier: Apache-2.0
"""Matrix layers that another recipe computes faster: it has an SME2 kernel for them, or numbers that the CPU has."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER
from model_profiling.analysis.advice.opportunity import AMDAHL, CEILING
from model_profiling.export.matrix_layers import FLOAT16, FLOAT32, INT8, INT8_DYNAMIC
from model_profiling.export.sme2_reach import ReachTable
from model_profiling.pipeline.program_records import ExportedReach

RECIPE, SLOWER_NUMBERS = "recipe", "slower-numbers"
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


def slower_numbers(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose the recipe whose operations are faster on this CPU: float32 where it has no float16 arithmetic."""
    by_recipe: dict[str, dict[int, float]] = {}
    for number, layer in enumerate(advised.layers):
        ceiling = advised.ceilings.get(layer.layer)
        if ceiling and ceiling.fastest_recipe and ceiling.floor_ms is not None:
            by_recipe.setdefault(ceiling.fastest_recipe, {})[number] = ceiling.floor_ms
    for recipe, floors in by_recipe.items():
        facts = {"recipe": recipe, "dtype": advised.exported.dtype, "count": str(len(floors))}
        bounds = {(LAYER, number): floor for number, floor in floors.items()}
        yield Candidate(f"{SLOWER_NUMBERS}-{recipe}", SLOWER_NUMBERS, CEILING, bounds, facts)
