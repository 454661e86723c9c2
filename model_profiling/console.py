# SPDX-License-Identifier: Apache-2.0
"""What commands print while they work: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model_profiling.wording import duration

if TYPE_CHECKING:
    from rich.progress import Progress


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


class TimedSteps:
    """Jobs of very different lengths: one numbered line each, and what the caller expects the others to take."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = total, clock
        self._done, self._told = 0, -math.inf

    def begin(self, text: str) -> None:
        """Say what is being done now, where there is a place for it."""

    def advance(self, text: str, left_s: float) -> None:
        """Say how a job ended, and how long the others will take."""
        self._done += 1
        say(f"[{self._done}/{self._total}] {text}")
        now = self._clock()
        if left_s >= LEFT_EVERY_S and now - self._told >= LEFT_EVERY_S:
            say(f"about {duration(left_s)} left")
            self._told = now


class _TimedBar(TimedSteps):
    """The same on a terminal: lines of what is done, a live bar below them."""

    def __init__(self, bar: Progress, total: int, left_s: float) -> None:
        super().__init__(total)
        self._bar, self._task = bar, bar.add_task("", total=total, left=_left(left_s))

    def begin(self, text: str) -> None:
        from rich.markup import escape

        self._bar.update(self._task, description=escape(text))

    def advance(self, text: str, left_s: float) -> None:
        self._done += 1
        self._bar.console.print(f"[{self._done}/{self._total}] {text}", markup=False, highlight=False)
        self._bar.update(self._task, advance=1, left=_left(left_s))


def _left(seconds: float) -> str:
    return f"about {duration(seconds)} left" if seconds > 0 else ""


@contextmanager
def timed_progress(total: int, left_s: float) -> Iterator[TimedSteps]:
    """Yield what tells of `total` jobs that are expected to take `left_s` seconds together."""
    if not sys.stdout.isatty():
        yield TimedSteps(total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}"),
    )
    # Once a second: the CPU that it would take more often is measured on.
    with Progress(*columns, refresh_per_second=1) as bar:
        yield _TimedBar(bar, total, left_s)


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
