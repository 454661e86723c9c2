# SPDX-License-Identifier: Apache-2.0
"""What commands print while they work: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(line: str = "") -> None:
    """Print one line now; the caller's text is never taken for markup."""
    print(line, flush=True)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[str], None]]:
    """Yield `advance(text)`: a live bar on a terminal, else one numbered line a step."""
    if not sys.stdout.isatty():
        done = 0

        def print_step(text: str) -> None:
            nonlocal done
            done += 1
            say(f"[{done}/{total}] {text}")

        yield print_step
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
