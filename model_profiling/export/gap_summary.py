# SPDX-License-Identifier: Apache-2.0
"""What the export command prints of where accuracy is lost: the layers that cost most, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.export.artifacts import ArtifactPaths
from model_profiling.export.recipe import Recipe
from model_profiling.numeric_gap import LayerGap, NumericGap
from model_profiling.wording import count

SHOWN_LAYERS = 8  # the table beside the .pte has every one
#: The first columns are figures.
_FIGURES = 2
_HEAD = ("alone", "local", "layer", "operators", "source")


def print_gaps(gaps: Mapping[str, NumericGap], paths: ArtifactPaths, recipe: Recipe) -> None:
    """Print of each method the layers that cost most accuracy and what to do; nothing where none was measured."""
    for method, gap in gaps.items():
        say()
        name = f"{method}: " if len(gaps) > 1 else ""
        say(f"Where accuracy is lost: {name}{_whole(gap)}")
        _print_layers(gap)
        for line in advice(gap, recipe):
            say(f"  {line}")
    if gaps:
        say(f"  All layers: {paths.numeric_gap}")


def _whole(gap: NumericGap) -> str:
    over = f"over {count(gap.samples, 'input')}"
    if gap.program.exact:
        return f"nowhere, the program gives the eager model's output {over}"
    told = f"the program's output has {gap.program.shown} SQNR {over}"
    return f"{told}; the graph that PyTorch runs has {gap.graph.shown}"


def _print_layers(gap: NumericGap) -> None:
    worst = gap.ranked[:SHOWN_LAYERS]
    if not worst:
        if not gap.program.exact:
            say("  PyTorch computes every layer of the graph as the eager model does: what differs is the kernels'")
        return
    say("  alone: SQNR of the output with this layer's own error only; local: of the layer's result, its inputs exact")
    rows = [_HEAD, *map(_row, worst)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        cells = [
            cell.rjust(width) if number < _FIGURES else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say(f"  {'  '.join(cells)}".rstrip())


def _row(layer: LayerGap) -> tuple[str, ...]:
    return (
        layer.alone.shown if layer.alone else "-",
        layer.local.shown,
        one_line(layer.place),
        one_line(layer.operators),
        one_line(layer.source),
    )


def advice(gap: NumericGap, recipe: Recipe) -> Sequence[str]:
    """Return what to do, a line each."""
    best = gap.best_kept
    if best is not None and best.kept is not None:
        words = shlex.join(["--keep-float", *best.keep])
        return (f"Try: {words}: the output's SQNR should go from {gap.graph.shown} to {best.kept.shown}",)
    if not gap.ranked:
        return ()
    if recipe.quantizes:
        return ("No layer alone costs much: the errors of all add up; try more calibration inputs, 8da8w or fp16",)
    return (f"In {recipe.name} a layer's values lose what its type does not hold: scale them, or export in fp32",)
