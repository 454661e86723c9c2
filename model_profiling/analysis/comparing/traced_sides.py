# SPDX-License-Identifier: Apache-2.0
"""The sides that timeline tables hold, one or two of them to compare, read for the tools on single files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.tables.timeline import read_launches
from model_profiling.analysis.traces.recording import Recording
from model_profiling.errors import UserError


@dataclass(frozen=True, eq=False)
class TracedSide:
    """One side of a comparison at one thread count: its executions, in launches where known.

    `threads` is "" where a trace stood alone, and so is a recording's pair.
    """

    label: str
    threads: str
    recordings: tuple[Recording, ...]

    @property
    def latencies_ms(self) -> NDArray[np.float64]:
        """Duration of every execution in ms, as Method::execute took it."""
        return np.concatenate([r.timeline.method_ns for r in self.recordings]) / 1e6


def read_sides(paths: Sequence[Path], label: str | None, fallback: str) -> dict[str, TracedSide]:
    """Return what the tables at `paths` hold by thread count; they must be of one model and experiment.

    Parameters
    ----------
    label : name for this side; the tables' experiment, else `fallback`, where it is None.

    Raises
    ------
    UserError : a file is missing or is no timeline table, or the files do not belong together.
    """
    recordings: dict[str, list[Recording]] = {}
    sources = set()
    for path in paths:
        for identity, recording in read_launches(path):
            sources.add((identity.model_id, identity.experiment))
            recordings.setdefault(str(identity.threads), []).append(recording)
    if len(sources) > 1:
        names = ", ".join(sorted({" ".join(filter(None, source)) for source in sources}))
        raise UserError(
            f"the tables are of different models or experiments ({names})",
            f"in {paths[0].parent}",
            "give the tables of one experiment to each side",
        )
    name = label or next(iter(sources))[1] or fallback
    return {threads: TracedSide(name, threads, tuple(held)) for threads, held in sorted(recordings.items())}
