# SPDX-License-Identifier: Apache-2.0
"""Where a document's commands are typed: a home of its own, or this checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tools.pages.reading.document import Document


class Surroundings(Protocol):
    """What a shell needs to know of the place that it runs in."""

    @property
    def session(self) -> Path:
        """Folder of the shell's script, its events and its outputs."""

    @property
    def home(self) -> Path:
        """Folder that the shell's process starts in."""

    def start(self, document: Document) -> Path:
        """Return the folder that the document's first command finds itself in; make it if need be."""

    def environment(self) -> Mapping[str, str]:
        """Return the whole environment of the shell."""

    def end_processes(self) -> None:
        """End whatever the shell has left running."""
