# SPDX-License-Identifier: Apache-2.0
"""A skill's shell in this checkout: the user's own environment, as a new shell has it; nothing is deleted."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.pages.reading.document import Document
from tools.pages.running import stand_ins
from tools.pages.running.marked_processes import MARK, end_marked


@dataclass(frozen=True)
class InPlace:
    """A checkout as the place of a run that keeps its notes in `folder`."""

    checkout: Path
    folder: Path
    mark: str

    @property
    def session(self) -> Path:
        return self.folder / "session"

    @property
    def home(self) -> Path:
        return self.checkout

    def start(self, document: Document) -> Path:
        return self.checkout

    def environment(self) -> Mapping[str, str]:
        """Return this process's environment without the activated `.venv`, which the skills activate themselves."""
        own = str(Path(sys.prefix) / "bin")
        path = [
            str(stand_ins.programs_of(self.folder)),
            *(p for p in os.environ.get("PATH", "").split(os.pathsep) if p != own),
        ]
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "BASH_ENV")}
        return kept | {
            "PATH": os.pathsep.join(path),
            "TERM": "dumb",
            MARK: self.mark,
            **stand_ins.variables(self.folder),
        }

    def end_processes(self) -> None:
        end_marked(self.mark)
