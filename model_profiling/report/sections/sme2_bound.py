# SPDX-License-Identifier: Apache-2.0
"""The most that SME2 could give: Amdahl's bound of each experiment on a CPU without SME2, and what it assumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.advice.amdahl import Sme2Bound
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Sentence
from model_profiling.report.section import Block, BlocksSection
from model_profiling.report.view import View
from model_profiling.report.words.sme2_bound import (
    assumptions,
    bound_cells,
    bound_columns,
    other_architecture,
    unknown_layers,
    where_from,
)
from model_profiling.report.words.table import Cell, Table
from model_profiling.wording import count


@dataclass(frozen=True)
class Sme2BoundSection(BlocksSection):
    """What the bound assumes, where it comes from, and a row for each experiment and thread count."""

    anchor: ClassVar[str] = "sme2-bound"
    title: ClassVar[str] = "The most that SME2 could give"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> Sme2BoundSection:
        return cls(tuple(_blocks(run, naming)))


def _blocks(run: RunData, naming: Naming) -> Iterator[Block]:
    held = _bounds(run)
    if held:
        yield assumptions()
        yield from other_architecture([run.manifest.cpu.architecture])
        columns = ("Experiment", "Threads", *bound_columns())
        rows = ((Identifier(naming.side(one.experiment)), str(one.threads), *one.cells) for one in held)
        yield Table("The most that SME2 could give, by experiment", columns, tuple(rows), frozenset(columns[1:]))
        yield where_from([one.bound for one in held])
        for one in held:
            yield from one.unknown(naming.side(one.experiment))


def combined_bounds(runs: Sequence[tuple[str, RunData, Naming]]) -> tuple[Block, ...]:
    """Return what a combined report says of the bound: a row for each run and thread count, with all features on."""
    return tuple(_combined(runs))


def _combined(runs: Sequence[tuple[str, RunData, Naming]]) -> Iterator[Block]:
    held = [(name, run, one) for label, run, naming in runs for name, one in _whole(label, run, naming)]
    if held:
        yield assumptions()
        yield from other_architecture([run.manifest.cpu.architecture for _, run, _ in held])
        columns = ("Run", "Threads", *bound_columns())
        rows = ((Identifier(name), str(one.threads), *one.cells) for name, _, one in held)
        yield Table("The most that SME2 could give, by run", columns, tuple(rows), frozenset(columns[1:]))
        yield where_from([one.bound for *_, one in held])
        for name, _, one in held:
            yield from one.unknown(name)


def _whole(label: str, run: RunData, naming: Naming) -> Iterator[tuple[str, _Held]]:
    """Yield the bounds of experiments with all CPU features on, named by run, and by side where it has several."""
    whole = [one for one in _bounds(run) if not run.manifest.disabled.get(one.experiment)]
    several = len({one.experiment for one in whole}) > 1
    of_files = len({program.model.path for program in run.manifest.programs}) > 1
    for one in whole:
        side = naming.side(one.experiment)
        yield side if of_files else f"{label} ({side})" if several else label, one


@dataclass(frozen=True)
class _Held:
    """The bound of one experiment at one thread count; the paths of its numbers begin with `path`."""

    experiment: str
    threads: int
    bound: Sme2Bound
    path: str

    @property
    def cells(self) -> tuple[Cell, ...]:
        return bound_cells(self.bound, self.path)

    def unknown(self, who: str) -> Iterator[Sentence]:
        return unknown_layers(f"{who}, {count(self.threads, 'thread')}", self.bound, self.path)


def _bounds(run: RunData) -> list[_Held]:
    return [
        _Held(name, threads, one.sme2_bound, run.in_summary("experiments", name, threads, "sme2_bound"))
        for name, threads, one in run.summary.experiments.entries()
        if one.sme2_bound is not None
    ]
