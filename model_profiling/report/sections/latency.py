# SPDX-License-Identifier: Apache-2.0
"""Latency: every experiment at every thread count, and what threads bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.scaling import Scaling, scaling
from model_profiling.report.section import Section
from model_profiling.report.view import ExperimentRow, View


@dataclass(frozen=True)
class LatencySection(Section):
    """The rows of the latency tables, and each comparison over several thread counts."""

    anchor: ClassVar[str] = "latency"
    title: ClassVar[str] = "Latency"
    template: ClassVar[str] = "latency"
    experiments: tuple[ExperimentRow, ...]
    scaling: tuple[Scaling, ...]

    @property
    def shown(self) -> bool:
        return bool(self.experiments)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> LatencySection:
        return cls(view.experiments, scaling(run, naming, view.comparisons))
