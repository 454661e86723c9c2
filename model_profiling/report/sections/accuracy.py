# SPDX-License-Identifier: Apache-2.0
"""Where accuracy is lost: of each program whose export measured it, the layers that cost most, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from model_profiling.numeric_gap import LayerGap, NumericGap
from model_profiling.pipeline.program_records import KeptProgram, recorded_gap
from model_profiling.recorded_agreement import RecordedAgreement
from model_profiling.report import figures
from model_profiling.report.figures import Bar, BarRow, Chart, Drawable
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.palette import series
from model_profiling.report.quantities import Identifier, Sentence
from model_profiling.report.section import Block, BlocksSection
from model_profiling.report.view import View
from model_profiling.report.words.table import Cell, Table
from model_profiling.wording import count

_ROWS, _BARS = 20, 8
_FIGURES = ("Alone (dB)", "Own result (dB)", "So far (dB)", "In the runtime (dB)", "Kept in float (dB)")
_COLUMNS = ("Layer", "Operators", "Source", *_FIGURES)
_READ = (
    "All figures below are SQNR. Alone is that of the model's output where this layer alone is as in the program, and "
    "kept in float where all but this layer are; own result is that of the layer's result where its inputs are exact, "
    "so far that with all errors before it."
)


@dataclass(frozen=True)
class AccuracySection(BlocksSection):
    """What the exports of a run's programs measured of their accuracy; their figures are the record's own."""

    anchor: ClassVar[str] = "accuracy"
    title: ClassVar[str] = "Where accuracy is lost"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> AccuracySection:
        programs = {run.manifest.program_number(e.name): e.name for e in run.manifest.config.experiments}
        several = len(programs) > 1
        told = (
            block
            for number, name in programs.items()
            for block in _told(_record(run, name), naming.side(name) if several else "", number)
        )
        return cls(tuple(told))


def _record(run: RunData, experiment: str) -> KeptProgram:
    """Return what the run kept, and what was measured since and lies beside the model."""
    kept, beside = run.record_of(experiment), run.export_of(experiment)
    return kept if beside is None or kept.gap else replace(kept, gap=recorded_gap(beside))


def _told(record: KeptProgram, program: str, number: int) -> Iterator[Block]:
    """Yield what a record says; nothing where it has neither layers nor the model's own accuracy."""
    gap, agreement = record.gap, record.agreement
    if gap is None and (agreement is None or agreement.accuracy is None):
        return
    of = Identifier(f"{program}: ") if program else ""
    if agreement is not None:
        yield from ((of, one) for one in _judged(agreement, record.made.dtype if record.made else ""))
    if gap is None:
        return
    yield (of, _whole(gap))
    if gap.ranked:
        yield Drawable(_chart(gap, number, program), figures.bars, _caption(gap))
        yield (_READ,)
        yield _table(gap, program)
    if gap.ranked:
        yield (of, *_advice(gap))


def _judged(agreement: RecordedAgreement, dtype: str) -> Iterator[str]:
    own = agreement.accuracy
    if own is not None:
        limit = "no limit is given" if own.limit is None else f"the limit is {own.limit:g}"
        yield (
            f"The model's own evaluate() gives {own.eager:.6g} for the eager model and {own.program:.6g} for the "
            f"program, over {count(own.items, 'item')}: a loss of {own.loss:.3g}; {limit}."
        )
    if agreement.loose:
        yield (
            f"The limit that {dtype} is held to is loose (relative error {agreement.max_rel_limit:g}, cosine "
            f"{agreement.min_cosine:g}): it tells what is broken, not what lost accuracy. An evaluate() in the model's "
            "file, with an accuracy_loss_limit, takes its place."
        )


def _whole(gap: NumericGap) -> str:
    over = f"over {count(gap.samples, 'input')} of the export"
    if gap.program.exact:
        return f"The program gives the eager model's output, {over}."
    return (
        f"The ratio of the output to its error (SQNR) is {gap.program.shown} in the runtime, {over}, and "
        f"{gap.graph.shown} where PyTorch runs the program's graph, of which the layers' figures are."
    )


def _chart(gap: NumericGap, number: int, program: str) -> Chart:
    shown = [layer for layer in gap.ranked[:_BARS] if layer.alone is not None and layer.alone.noise]
    rows = tuple(
        BarRow(layer.place, layer.operators, (Bar(_percent(layer), _alone(layer), series(1)),)) for layer in shown
    )
    told = "; ".join(f"{layer.place} {_alone(layer)}" for layer in shown)
    what = f" of {program}" if program else ""
    return Chart(f"accuracy-{number}", f"Bar chart of the error that each layer{what} alone makes. {told}.", rows)


def _percent(layer: LayerGap) -> float:
    return 100 * (layer.alone.noise or 0.0) if layer.alone else 0.0


def _alone(layer: LayerGap) -> str:
    return layer.alone.shown if layer.alone else ""


def _caption(gap: NumericGap) -> str:
    return (
        "What each layer alone costs: the power of the error in the model's output, all other layers as in the eager "
        "model. The layers that cost most."
    )


def _table(gap: NumericGap, program: str) -> Table:
    name = f", {program}" if program else ""
    shown = gap.layers[:_ROWS]
    title = f"The layers that cost most accuracy{name}" if len(gap.layers) > len(shown) else f"Accuracy by layer{name}"
    return Table(title, _COLUMNS, tuple(map(_row, shown)), frozenset(_FIGURES))


def _row(layer: LayerGap) -> tuple[Cell, ...]:
    found = (layer.alone, layer.local, layer.output, layer.runtime, layer.kept)
    return (
        Identifier(layer.place),
        Identifier(layer.operators),
        Identifier(layer.source.rpartition("/")[2]),  # a whole path would break into a line a folder
        *(None if one is None else one.shown.removesuffix(" dB") for one in found),
    )


def _advice(gap: NumericGap) -> Sentence:
    best = gap.best_kept
    if best is None or best.kept is None:
        return ("No layer kept in float would change the output much.",)
    flag = Identifier(shlex.join(["--keep-float", *best.keep]))
    return ("Exported again with ", flag, f", the output should have {best.kept.shown}.")
