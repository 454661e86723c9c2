# SPDX-License-Identifier: Apache-2.0
"""Turns taken on a device: its shell starts the sides, tells them what to do and says what they answered."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.devices.posix.conducting import RemoteSide, conducted, script_for, why_no_fifo
from model_profiling.pipeline.devices.posix.shell import PosixShell
from model_profiling.pipeline.lockstep.conductor import Conducted, SideFailed
from model_profiling.pipeline.lockstep.script import END, START, TRACE, Cue
from model_profiling.processes import ChildResult, run_child

SHELLS = [shell for shell in ("dash", "bash", "mksh", "busybox") if shutil.which(shell)]
#: A side that answers each line by what it was told, and ends when it is told to.
ECHO = """echo '{"ready": 1}'
while read -r line; do [ "$line" = end ] && exit 0; echo "{\\"told\\": \\"$line\\"}"; done"""
BOTH = [Cue(0, START), Cue(1, START), Cue(1, "turn 3"), Cue(0, "turn 2"), Cue(1, TRACE), Cue(0, END), Cue(1, END)]


def played(shell: str, scripts: Sequence[str], folder: Path, cues: Sequence[Cue] = BOTH) -> Conducted:
    sides, logs = [], []
    for number, script in enumerate(scripts):
        place = folder / f"it's side {number}"
        place.mkdir()
        sides.append(RemoteSide(["sh", "-c", script], {"WORD": "a 'b' $c"}, None, PurePosixPath(place)))
        logs.append(place / "side.log")
    words = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run([*words, "-c", script_for(cues, sides)], capture_output=True, text=True, timeout=60)
    return conducted(done.stdout, cues, [side.argv for side in sides], 1.0, logs)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_side_hears_its_own_and_answers_in_turn(shell: str, tmp_path: Path) -> None:
    done = played(shell, [ECHO, ECHO], tmp_path)
    told = [None if answer is None else answer.plain() for answer in done.answers]
    assert told == [{"ready": 1}, {"ready": 1}, {"told": "turn 3"}, {"told": "turn 2"}, {"told": TRACE}, None, None]
    assert [child.exit_code for child in done.children] == [0, 0]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("ending", "code", "signal"),
    [("exit 7", 7, None), ("kill -9 $$", None, "SIGKILL"), ("kill -15 $$", None, "SIGTERM")],
)
def test_a_side_that_ends_early_is_named_and_the_other_is_not_left(
    shell: str, ending: str, code: int | None, signal: str | None, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(SideFailed) as raised:
        played(shell, [f"echo $$ > '{pid}'; {ECHO}", f"""echo '{{"ready": 1}}'; read line; {ending}"""], tmp_path)
    assert raised.value.side == 1
    assert (raised.value.child.exit_code, raised.value.child.signal) == (code, signal)
    subprocess.run(
        ["sh", "-c", f"while kill -0 {pid.read_text().strip()} 2>/dev/null; do sleep 0.01; done"], timeout=20
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_messages_and_environment_reach_their_places(shell: str, tmp_path: Path) -> None:
    script = """echo "$WORD" >&2; echo '{}'; read line; exit 0"""
    played(shell, [script], tmp_path, [Cue(0, START), Cue(0, END)])
    assert (tmp_path / "it's side 0" / "side.log").read_text() == "a 'b' $c\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_that_is_not_there_is_a_side_that_failed(shell: str, tmp_path: Path) -> None:
    side = RemoteSide(["/no/such/runner"], {}, None, PurePosixPath(tmp_path))
    words = [shell, "sh"] if shell == "busybox" else [shell]
    cues = [Cue(0, START), Cue(0, END)]
    done = subprocess.run([*words, "-c", script_for(cues, [side])], capture_output=True, text=True, timeout=60)
    with pytest.raises(SideFailed, match="exit"):
        conducted(done.stdout, cues, [side.argv], 1.0, [tmp_path / "side.log"])


class LocalShell(PosixShell):
    """A shell of this machine, with programs of the test's before its own."""

    client, command, name = "sh", "sh -c", "here"

    def __init__(self, shell: str, programs: Path) -> None:
        self._words = [shell, "sh"] if shell == "busybox" else [shell]
        self._path = f"{programs}:{os.environ['PATH']}"

    def start(self, script: str, *, timeout_s: float, log: Path | None = None) -> ChildResult:
        return run_child([*self._words, "-c", script], timeout_s=timeout_s, log=log, env={"PATH": self._path})

    def words_of(self, child: ChildResult) -> str:
        return child.output

    def send(self, path: Path, target: PurePosixPath, *, timeout_s: float) -> ChildResult:
        raise NotImplementedError

    fetch = send


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "busybox"])  # which has a mkfifo of its own
@pytest.mark.parametrize(
    ("mkfifo", "told"),
    [
        (None, ""),
        ('echo "mkfifo: $1: Operation not permitted"; exit 1', r": mkfifo: .*/probe: Operation not permitted"),
        ("exit 1", ": a word sent through one does not arrive"),
        (': > "$1"', ": a word sent through one does not arrive"),  # a file, which nothing can be read from
    ],
)
def test_a_fifo_is_tried_before_turns_are_given_through_one(
    shell: str, mkfifo: str | None, told: str, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if mkfifo is not None:
        (programs / "mkfifo").write_text(f"#!/bin/sh\n{mkfifo}\n")
        (programs / "mkfifo").chmod(0o755)
    folder = tmp_path / "it's a run"
    said = why_no_fifo(LocalShell(shell, programs), PurePosixPath(folder))
    assert re.fullmatch(f"the device's shell has no FIFO to give turns through{told}" if told else "", said)
    assert not folder.exists()


LINES = ["kit-answer {}", "kit-answer x", "kit-ended 0 0", "kit-ended 1 0", "kit-ended", "noise"]
LINES += ["kit-gone 1 9", "kit-gone", "kit-gone x", "kit-gone 7 9", "kit-gone 0 99999"]


@given(st.lists(st.sampled_from(LINES)))
def test_any_output_is_an_account_or_an_error(lines: list[str]) -> None:
    try:
        done = conducted("\n".join(lines), BOTH, [["a"], ["b"]], 1.0, [Path("a"), Path("b")])
    except (MeasurementError, UserError) as error:
        assert "\n" not in str(error)
    else:
        assert len(done.answers) == len(BOTH) and len(done.children) == 2
