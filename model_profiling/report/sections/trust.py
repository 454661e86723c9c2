# SPDX-License-Identifier: Apache-2.0
"""Before you trust the numbers: what a reader should know first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.launch_notes import launch_notes
from model_profiling.report.load import RunData
from model_profiling.report.method_notes import method_notes
from model_profiling.report.naming import Naming
from model_profiling.report.note import Note
from model_profiling.report.section import Section
from model_profiling.report.view import View

#: In this order they stand.
_TONES = ("warn", "good", "info")


@dataclass(frozen=True)
class TrustSection(Section):
    """The notes of a run, warnings first."""

    anchor: ClassVar[str] = "trust"
    title: ClassVar[str] = "Before you trust the numbers"
    template: ClassVar[str] = "trust"
    notes: tuple[Note, ...]

    @property
    def shown(self) -> bool:
        return bool(self.notes)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> TrustSection:
        notes = [*launch_notes(run, naming), *method_notes(run, naming)]
        return cls(tuple(sorted(notes, key=lambda note: _TONES.index(note.tone))))
