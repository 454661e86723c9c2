# SPDX-License-Identifier: Apache-2.0
"""Where and when jobs are done. A scheduler takes jobs and gives notes; what a job is it need not know.

Jobs are plain values: what has to travel to another host are they, the programs' files by their digests, and back the
run directories. The scheduler's own state may be lost at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from model_profiling.fleet.directory import JobNote
from model_profiling.fleet.plan import Job


class Scheduler(Protocol):
    """Has jobs done, each once."""

    def run(self, jobs: Sequence[Job], begins: Callable[[Job], object]) -> Iterator[JobNote]:
        """Yield how each job went, as they end; a cell is not begun before its program is done or has failed.

        `begins` is told of each job as it begins.
        """


class LocalScheduler:
    """This process, one job at a time, in their order."""

    def __init__(self, perform: Callable[[Job], JobNote]) -> None:
        self._perform = perform

    def run(self, jobs: Sequence[Job], begins: Callable[[Job], object]) -> Iterator[JobNote]:
        for job in jobs:
            begins(job)
            yield self._perform(job)
