# SPDX-License-Identifier: Apache-2.0
"""What `model_profiling` offers to notebooks and scripts: runs, sweeps and traces, and how a notebook shows them."""

from model_profiling.analysis.loading.etdump import LoadedTrace
from model_profiling.analysis.loading.runs import LoadedRuns
from model_profiling.errors import UserError
from model_profiling.report.notebook.run import LoadedRun, load_run, load_runs
from model_profiling.report.notebook.sweep import LoadedSweep, load_sweep
from model_profiling.report.notebook.trace import load_etdump

__all__ = [
    "LoadedRun",
    "LoadedRuns",
    "LoadedSweep",
    "LoadedTrace",
    "UserError",
    "load_etdump",
    "load_run",
    "load_runs",
    "load_sweep",
]
