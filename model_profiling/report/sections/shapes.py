# SPDX-License-Identifier: Apache-2.0
"""By input shape: the same comparison at several shapes of the inputs, and from which on a side is the faster one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.paired_statistics import FASTER, SLOWER
from model_profiling.pipeline.manifest import Manifest
from model_profiling.report import figures
from model_profiling.report.figures import Bar, BarRow, Chart, Drawable
from model_profiling.report.latencies import execution_time
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.palette import series
from model_profiling.report.quantities import Sentence
from model_profiling.report.section import Block, BlocksSection
from model_profiling.report.view import ComparisonView, View
from model_profiling.report.words.programs import shape_words
from model_profiling.report.words.table import Table
from model_profiling.wording import count, listed


@dataclass(frozen=True)
class ShapesSection(BlocksSection):
    """Each comparison that was made at several shapes: what it says, its figure, its table."""

    anchor: ClassVar[str] = "input-shapes"
    title: ClassVar[str] = "By input shape"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> ShapesSection:
        groups = _groups(run.manifest, view.comparisons)
        return cls(tuple(block for number, held in enumerate(groups) for block in _told(run, held, number)))


@dataclass(frozen=True)
class _AtShape:
    """A comparison at one shape: `shape` as it is written, `elements` by which shapes are ordered."""

    shape: str
    elements: int
    method: str
    compared: ComparisonView


def _groups(manifest: Manifest, comparisons: Sequence[ComparisonView]) -> list[list[_AtShape]]:
    """Return comparisons of one method and thread count that differ in shapes alone, from the smallest shape on."""
    groups: dict[tuple[str, str, int], list[ComparisonView]] = {}
    for one in comparisons:
        program = manifest.program(one.candidate)
        if manifest.same_program(one.baseline, one.candidate) and program.input_shapes:
            groups.setdefault((program.model.path, program.method or "", one.threads), []).append(one)
    return [
        sorted((_at_shape(manifest, one, held) for one in held), key=lambda at: at.elements)
        for held in groups.values()
        if len({manifest.program_number(one.candidate) for one in held}) == len(held) > 1
    ]


def _at_shape(manifest: Manifest, one: ComparisonView, held: Sequence[ComparisonView]) -> _AtShape:
    program = manifest.program(one.candidate)
    words = shape_words(program, [manifest.program(other.candidate) for other in held])
    elements = sum(math.prod(shape) for shape in program.input_shapes)
    return _AtShape(words, elements, program.method or "", one)


def _told(run: RunData, held: Sequence[_AtShape], number: int) -> Iterator[Block]:
    label = run.manifest.feature.label
    sides = (f"{label} off", f"{label} on") if label else ("Baseline", "Candidate")
    first = held[0]
    what = f"{first.method}, " if first.method else ""
    where = f"{what}{count(first.compared.threads, 'thread')}"
    yield _sentence(held, where, sides[1])
    yield Drawable(
        _chart(held, f"input-shapes-{number}", f"{sides[1]} against {sides[0]}, {where}"),
        figures.intervals,
        f"Speed-up of {sides[1]} over {sides[0]}, {where}: each pair, the estimate and its 95 % interval.",
    )
    yield _table(run, held, sides, where)


def _sentence(held: Sequence[_AtShape], where: str, side: str) -> Sentence:
    """Say from which shape on the candidate is faster, and where it is slower."""
    words = [at.compared.verdict.word for at in held]
    start = next((n for n in range(len(held)) if all(word == FASTER for word in words[n:])), None)
    slower = [at.shape for at, word in zip(held, words, strict=True) if word == SLOWER]
    if start is None:
        told = f"{side} is not shown to be faster at the largest shape"
    elif start == 0:
        told = f"{side} is faster at every shape that was measured"
    else:
        told = f"{side} is faster from {held[start].shape} on"
    return (f"{where[:1].upper()}{where[1:]}: {told}{f', and slower at {listed(slower)}' if slower else ''}.",)


def _chart(held: Sequence[_AtShape], name: str, what: str) -> Chart:
    rows, told = [], []
    for at in held:
        verdict = at.compared.verdict
        dots = tuple(pair.speedup.raw for pair in at.compared.pairs)
        low, high = (end.raw if end else None for end in (verdict.low, verdict.high))
        bar = Bar(verdict.speedup.raw, f"{verdict.speedup.text}×", series(1), dots, low, high)
        rows.append(BarRow(at.shape, verdict.badge, (bar,)))
        told.append(f"{at.shape} {verdict.speedup.text} times, {verdict.badge}")
    return Chart(name, f"Speed-ups of {what}, by input shape. {'; '.join(told)}.", tuple(rows))


def _table(run: RunData, held: Sequence[_AtShape], sides: Sequence[str], where: str) -> Table:
    columns = ("Input", *(f"{side} (ms)" for side in sides), "Speed-up", "95 % from", "95 % to", "Verdict")
    rows = tuple(
        (
            at.shape,
            execution_time(run, at.compared.baseline, at.compared.threads),
            execution_time(run, at.compared.candidate, at.compared.threads),
            at.compared.verdict.speedup,
            at.compared.verdict.low,
            at.compared.verdict.high,
            at.compared.verdict.badge,
        )
        for at in held
    )
    return Table(f"By input shape, {where}", columns, rows, frozenset(columns[1:-1]))
