# SPDX-License-Identifier: Apache-2.0
"""One ETDump as DataFrames, with the columns that etdump_to_csv.py writes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from model_profiling.analysis.loading.frames import dtypes_of, read_table
from model_profiling.analysis.loading.run import TIMELINE_CATEGORIES
from model_profiling.analysis.tables.operators import operators_csv
from model_profiling.analysis.tables.timeline import TimelineRow, timeline_csv
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operator_stats import OperatorStats, operator_stats
from model_profiling.analysis.traces.recording import Recording, RowIdentity
from model_profiling.analysis.traces.timeline import build_timeline


@dataclass(frozen=True, eq=False, repr=False)
class LoadedTrace:
    """A trace that stands alone: no experiment, and its thread count and pair are not known.

    It holds every execution that was recorded, the first one too.

    >>> from model_profiling import load_etdump
    >>> trace = load_etdump("test-cases/fixtures/reference_run/mac/mac_sme2_off/mac_sme2_off_t1_p0.etdump")
    >>> timeline = trace.timeline
    >>> sorted(timeline[timeline["category"] == "CONV"]["backend"].unique())
    ['XNNPACK']
    """

    path: Path
    recording: Recording

    def __repr__(self) -> str:
        return f"LoadedTrace({str(self.path)!r})"

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """Every event of every execution; times in us."""
        dtypes = dtypes_of(TimelineRow, categories=TIMELINE_CATEGORIES, lone=True)
        return read_table(timeline_csv(self._identity, [self.recording]), dtypes)

    @cached_property
    def operators(self) -> pd.DataFrame:
        """Every operator over all executions, the most expensive first."""
        content = operators_csv(self._identity, operator_stats([self.recording]))
        return read_table(content, dtypes_of(RowIdentity, OperatorStats, lone=True))

    @property
    def _identity(self) -> RowIdentity:
        return RowIdentity(self.path.stem)


def read_trace(path: Path) -> LoadedTrace:
    """Read the ETDump at `path`; raises as `read_etdump` and `build_timeline`."""
    return LoadedTrace(path, Recording(build_timeline(read_etdump(path), str(path))))
