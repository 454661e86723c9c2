# SPDX-License-Identifier: Apache-2.0
"""The most that SME2 could give: Amdahl's bound of each experiment on a CPU without SME2, and what it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier
from model_profiling.report.section import Block, BlocksSection
from model_profiling.report.view import View
from model_profiling.report.words.sme2_bound import (
    assumptions,
    bound_cells,
    bound_columns,
    numbers_of,
    other_architecture,
    unknown_layers,
    where_from,
)
from model_profiling.report.words.table import Table


@dataclass(frozen=True)
class Sme2BoundSection(BlocksSection):
    """What the bound assumes, where it comes from, and a row for each experiment and thread count."""

    anchor: ClassVar[str] = "sme2-bound"
    title: ClassVar[str] = "The most that SME2 could give"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> Sme2BoundSection:
        return cls(tuple(_blocks(run, naming)))


def _blocks(run: RunData, naming: Naming) -> Iterator[Block]:
    held = [
        (naming.side(name), name, threads, one.sme2_bound)
        for name, threads, one in run.summary.experiments.entries()
        if one.sme2_bound is not None
    ]
    if not held:
        return
    yield assumptions()
    yield from other_architecture([run.manifest.cpu.architecture])
    rows = [
        (
            Identifier(side),
            str(threads),
            *bound_cells(bound, run.in_summary("experiments", name, threads, "sme2_bound")),
        )
        for side, name, threads, bound in held
    ]
    columns = ("Experiment", "Threads", *bound_columns())
    yield Table("The most that SME2 could give, by experiment", columns, tuple(rows), numbers_of(columns[1:]))
    yield where_from([bound for *_, bound in held])
    for side, name, threads, bound in held:
        yield from unknown_layers(
            f"{side}, ", threads, bound, run.in_summary("experiments", name, threads, "sme2_bound")
        )
