# SPDX-License-Identifier: Apache-2.0
"""A sweep's cells as a DataFrame, and which of them are runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from model_profiling.analysis.loading.frames import dtypes_of, read_table
from model_profiling.analysis.sweeping.summary import SWEEP_SUMMARY_FILE, SWEEP_TABLE_FILE, SweepSummary
from model_profiling.analysis.tables.sweep import SweepRow
from model_profiling.errors import UserError

_CATEGORIES = (
    *("model", "dtype", "method", "device", "status", "cpu", "serial", "feature", "candidate", "baseline"),
    *("verdict", "agrees", "sme2_evidence", "executorch"),
)
_AGAIN = "run the sweep again with --resume to write it anew"


@dataclass(frozen=True, eq=False, repr=False)
class SweepTables:
    """A sweep; what it came to is read when it is first asked for."""

    root: Path

    @cached_property
    def summary(self) -> SweepSummary:
        """What sweep_summary.json holds, as values."""
        return SweepSummary.read(self.root / SWEEP_SUMMARY_FILE)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Every cell, those that failed or are missing too (`sweep.csv`)."""
        return read_table(self.root / SWEEP_TABLE_FILE, dtypes_of(SweepRow, categories=_CATEGORIES), _AGAIN)


def check_sweep(root: Path) -> None:
    """Raise the `UserError` for a folder that holds no sweep with results."""
    if not root.is_dir():
        raise UserError("there is no sweep directory", f"at {root}", "name the output_root of a sweep")
    if not (root / SWEEP_SUMMARY_FILE).is_file():
        fix = "name the output_root of a sweep, or run it to its end with --resume"
        raise UserError(f"the folder holds no results of a sweep ({SWEEP_SUMMARY_FILE} is missing)", f"at {root}", fix)
