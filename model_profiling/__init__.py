# SPDX-License-Identifier: Apache-2.0
"""SME2 ExecuTorch Profiling Kit: export, paired on/off profiling, analysis and report.

The layers, each importing only from those left of it::

    base modules <- models <- export, pipeline <- analysis <- report <- fleet <- scripts, tools

Base modules are those that stand beside this file (``errors``, ``files``, ``processes``,
``paired_statistics``, ...). CONTRIBUTING.md says what each layer may do.

For notebooks and scripts there are the names in `__all__`: `load_run(path)` opens a run directory as pandas DataFrames.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_profiling.report.notebook import (
        LoadedRun,
        LoadedRuns,
        LoadedSweep,
        LoadedTrace,
        UserError,
        load_etdump,
        load_run,
        load_runs,
        load_sweep,
    )

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

__version__ = "0.1.0"

#: Where users get the kit; single scripts install it from here.
KIT_ADDRESS = "https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling"

#: The package's own folder (scripts, configs and C++ sources lie below it).
PACKAGE_DIR = Path(__file__).resolve().parent


def __getattr__(name: str) -> Any:  # what a module holds has no one type
    """Import a public name when it is first asked for: the package itself needs neither pandas nor numpy."""
    if name in __all__:
        return getattr(importlib.import_module("model_profiling.report.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
