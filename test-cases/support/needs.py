# SPDX-License-Identifier: Apache-2.0
"""What a test needs beside Python and a compiler, as a marker; `--fast` leaves those that need anything out.

A new test cannot be wrong about it unnoticed: in every run the programs that a test without a marker starts are
watched, with `--fast` its processor time too, and a test that says too little fails with the marker it lacks.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import PurePath

import pytest

from support import warm

#: Marker -> what it says of a test; also the lines of `pytest --markers`.
NEEDS = {
    "network": "downloads, or makes an environment with pip or uv",
    "browser": "opens pages in Chromium",
    "emulator": "runs programs on an emulated CPU",
    "device": "talks to an Android device through adb",
    "exports": "exports models larger than the toys",
    "slow": "takes longer than a unit test may",
    "nightly": "shows for more models, machines or moments what another test shows for few",
}
#: Fixtures that bring their need along.
_FIXTURES = {
    "browser": "browser",
    "open_page": "browser",
    "graph_of": "exports",
    "actionlint": "network",
    "shared_exports": "slow",  # about 10 s each
}
#: Values of a parametrized test that do.
_VALUES = {"mobilenet_v3_small": "exports"}
#: What a started program's words say of a need; a word counts by its last part, as a path's.
_PROGRAMS = (
    (re.compile(r"chromium(-browser)?|google-chrome(-stable)?|chrome"), "browser"),
    (re.compile(r"qemu-\w+"), "emulator"),
    (re.compile(r"adbd?"), "device"),
    (re.compile(r"npm|uvx?"), "network"),
    (re.compile(r"mobilenet_v3_small|edgetam_\w+"), "exports"),
)
#: Processor seconds of a test with its fixtures and child processes: several times what a unit test takes.
LIMIT_S = 45.0


def add_option(parser: pytest.Parser) -> None:
    """Add `--fast` and `--nightly`."""
    parser.addoption("--fast", action="store_true", help="run the tests that need nothing but Python and a compiler")
    parser.addoption(
        "--nightly", action="store_true", help="run those too that repeat for more models what others show for few"
    )


def register(config: pytest.Config) -> None:
    """Make the markers known."""
    for name, meaning in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def needs_of(item: pytest.Item) -> set[str]:
    """Return what a test says it needs, through markers and through the fixtures that it asks for."""
    marked = {name for name in NEEDS if item.get_closest_marker(name)}
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return (
        marked
        | {_FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in _FIXTURES}
        | {_VALUES[value] for value in values if isinstance(value, str) and value in _VALUES}
    )


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect with `--fast` every test that needs something, and without `--nightly` those of a night."""

    def left_out(item: pytest.Item) -> bool:
        needed = needs_of(item)
        return bool(needed) if config.getoption("fast") else "nightly" in needed and not config.getoption("nightly")

    leaving = [item for item in items if left_out(item)]
    config.hook.pytest_deselected(items=leaving)
    items[:] = [item for item in items if not left_out(item)]


def needs_of_program(words: list[str]) -> set[str]:
    """Return the needs that the words of a command line show, those of a shell's script among them."""
    stand_in = words[0].startswith(tempfile.gettempdir())  # a test's own script under a program's name
    parts = {PurePath(part).name for word in words[stand_in:] for part in _split(word)}
    if {"preview_sme2.py", "--model"} <= parts:
        parts.add("qemu-aarch64")  # which it starts
    return {need for pattern, need in _PROGRAMS if any(map(pattern.fullmatch, parts))}


def _split(word: str) -> list[str]:
    try:
        return shlex.split(word) or [""]
    except ValueError:  # no shell's words: a text that a program is given
        return [word]


class Watch:
    """Sees the programs that this process starts, and the processor time of each test."""

    def __init__(self) -> None:
        self._started: list[list[str]] = []
        self._since = 0.0
        sys.addaudithook(self._hear)  # for as long as the process lives: an audit hook cannot be taken away

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen":
            words = arguments[1]
            self._started.append(list(map(os.fsdecode, words)) if isinstance(words, (list, tuple)) else [str(words)])

    def begin(self) -> None:
        self._started.clear()
        self._since = _processor_time()

    def lacking(self, item: pytest.Item) -> Iterator[str]:
        """Yield what the test should have said, one sentence each; one that says anything is no fast test."""
        if needs_of(item):
            return
        for words in self._started:
            for need in sorted(needs_of_program(words)):
                yield f"mark it `{need}`, it starts {shlex.join(words)[:200]}"
        took = _processor_time() - self._since
        if item.config.getoption("fast") and took > LIMIT_S:
            yield f"mark it `slow`, it takes {took:.0f} s of processor time"


def _processor_time() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + warm.spent_s
