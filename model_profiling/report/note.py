# SPDX-License-Identifier: Apache-2.0
"""A note of a report."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.report.quantities import Sentence


@dataclass(frozen=True)
class Note:
    """Something to know before trusting the numbers. `tone`: "good", "info" or "warn"."""

    tone: str
    title: str
    sentences: tuple[Sentence, ...]
