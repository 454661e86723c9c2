# SPDX-License-Identifier: Apache-2.0
"""One trace as notebooks and scripts open it."""

from __future__ import annotations

import os
from pathlib import Path

from model_profiling.analysis.loading.etdump import LoadedTrace, read_trace


def load_etdump(path: str | os.PathLike[str]) -> LoadedTrace:
    """Read the ETDump at `path`, of the kit's runners or of anyone's.

    >>> from model_profiling import load_etdump
    >>> trace = load_etdump("test-cases/fixtures/reference_run/mac/mac_sme2_on/mac_sme2_on_t1_p0.etdump")
    >>> trace.operators["category"].iloc[0], int(trace.timeline["run_index"].nunique())
    ('CONV', 10)

    Raises
    ------
    UserError : the file is missing, no ETDump, damaged, or holds no execution.
    """
    return read_trace(Path(path))
