# SPDX-License-Identifier: Apache-2.0
"""Before you trust the numbers: what a reader should know first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.notes import Note, notes
from model_profiling.report.section import Section
from model_profiling.report.view import View


@dataclass(frozen=True)
class Trust(Section):
    """The notes of a run, warnings first."""

    anchor: ClassVar[str] = "trust"
    title: ClassVar[str] = "Before you trust the numbers"
    template: ClassVar[str] = "trust"
    notes: tuple[Note, ...]

    @property
    def shown(self) -> bool:
        return bool(self.notes)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> Trust:
        return cls(notes(run, naming))
