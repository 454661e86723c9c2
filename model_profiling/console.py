# SPDX-License-Identifier: Apache-2.0
"""What commands print while they work: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model_profiling.wording import duration


def say(line: str = "") -> None:
    """Print one line now; the caller's text is never taken for markup."""
    print(line, flush=True)


#: Where there is no terminal, a line says what is left at most this often, and where that is as long.
LEFT_EVERY_S = 60.0


class Steps:
    """One numbered line a step, and now and then how long the others will take, by those that were."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = total, clock
        self._done, self._began, self._told = 0, clock(), -math.inf

    def advance(self, text: str) -> None:
        self._done += 1
        say(f"[{self._done}/{self._total}] {text}")
        now = self._clock()
        left_s = (now - self._began) / self._done * (self._total - self._done)
        if left_s >= LEFT_EVERY_S and now - self._told >= LEFT_EVERY_S:
            say(f"about {duration(left_s)} left")
            self._told = now


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[str], None]]:
    """Yield `advance(text)`: a live bar on a terminal, else one numbered line a step."""
    if not sys.stdout.isatty():
        yield Steps(total).advance
        return
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(escape(label), total=total, last="")
        yield lambda text: bar.update(task, advance=1, last=escape(text))
