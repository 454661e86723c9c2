# SPDX-License-Identifier: Apache-2.0
"""Other work for a machine to do while something is measured."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

#: Keeps a core busy without a pause.
BUSY = "while True: pass"
#: Keeps a core busy in random bursts of 0.7 s with pauses of 1 s, in the mean.
BURSTS = """
import random, time
generator = random.Random(5)
while True:
    until = time.monotonic() + generator.expovariate(1 / 0.7)
    while time.monotonic() < until:
        pass
    time.sleep(generator.expovariate(1 / 1.0))
"""


@contextlib.contextmanager
def loaded(programs: Sequence[tuple[str, int | None]]) -> Iterator[None]:
    """Keep Python programs running, each with the core that it is pinned to, or None."""

    def pinned(core: int | None) -> Callable[[], None] | None:
        return None if core is None else lambda: os.sched_setaffinity(0, {core})

    running = [subprocess.Popen([sys.executable, "-c", code], preexec_fn=pinned(core)) for code, core in programs]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
