#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A kind of device is one folder and one entry of the list: here a board whose shell is this host's `sh`."""

from __future__ import annotations

import platform
import sys
from pathlib import Path, PurePosixPath

import pytest
from support.kit import write_config

from model_profiling.errors import UserError
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.devices import kinds
from model_profiling.pipeline.devices.posix import launching, sections
from model_profiling.pipeline.devices.posix.files import RemoteFiles
from model_profiling.pipeline.devices.posix.shell import Lost
from model_profiling.pipeline.preparation import RunOptions

#: All that a new kind consists of, in a folder of its own.
BOARD = """
from contextlib import contextmanager
from pathlib import Path

from model_profiling.pipeline.cpu import features
from model_profiling.pipeline.devices.posix.device import PosixDevice
from model_profiling.pipeline.devices.posix.files import run_folder
from model_profiling.pipeline.devices.posix.shell import PosixShell
from model_profiling.processes import run_child


class BoardShell(PosixShell):
    client = "sh"
    command = "sh -c"
    name = "bench-1"
    off = False

    def start(self, script, *, timeout_s, log=None):
        return run_child(["false"] if self.off else ["sh", "-c", script], timeout_s=timeout_s, log=log)

    def send(self, path, target, *, timeout_s):
        return run_child(["cp", path, target], timeout_s=timeout_s)

    def fetch(self, folder, into, *, timeout_s):
        return run_child(["cp", "-R", f"{folder}/.", into], timeout_s=timeout_s)

    def words_of(self, child):
        return "the cable is out" if self.off else child.output.strip()


class Board(PosixDevice):
    name = "board"


@contextmanager
def open_board(config, *, root):
    yield Board(BoardShell(), features.detect(), "Linux", run_folder(Path(root), config.output_root))
"""


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The new kind's module, entered in the list of kinds."""
    (tmp_path / "kinds" / "bench_board").mkdir(parents=True)
    (tmp_path / "kinds" / "bench_board" / "__init__.py").touch()
    (tmp_path / "kinds" / "bench_board" / "device.py").write_text(BOARD)
    monkeypatch.syspath_prepend(str(tmp_path / "kinds"))
    monkeypatch.setitem(kinds.KINDS, "board", ("bench_board.device", "open_board"))
    for name in ("bench_board", "bench_board.device"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from bench_board import device

    return device


@pytest.mark.skipif(platform.system() != "Linux", reason="the native runner is pushed to Linux devices")
def test_a_run_on_a_device_of_a_new_kind(board, toy: Path, tmp_path: Path) -> None:
    path = write_config(tmp_path, toy, pairs=1)
    config, root = load_config(path), tmp_path / "board's files"
    root.mkdir()
    with kinds.open_device("board", config, root=root) as device:
        directory = orchestrator.run(config, device, RunOptions(path, "test"))
    manifest, launches = directory.read_manifest(), directory.read_launches()
    assert manifest.device == "board" and manifest.finished and not manifest.emulated
    assert manifest.host == {"system": "Linux", "machine": manifest.cpu.architecture}
    assert len(launches) == 2 and all(launch.counts for launch in launches)
    assert all(launch.argv[0].startswith(str(root)) for launch in launches), "launched from what was pushed"
    assert all((directory.root / launch.log).is_file() and launch.etdump for launch in launches)
    assert list(root.iterdir()) == [], "what was pushed is removed"


def test_every_part_works_through_its_shell(board, tmp_path: Path) -> None:
    shell, folder = board.BoardShell(), PurePosixPath(tmp_path / "a folder; $x")
    assert (shell.shell("echo a; exit 3").status, shell.shell("echo a; exit 3").text) == (3, "a\n")
    assert sections.ask(shell, {"one": "echo 1", "two": "false"}) == {"one": "1", "two": ""}
    source = tmp_path / "it's a file"
    source.write_text("content")
    files = RemoteFiles(shell, folder)
    there = files.push({source.name: source})
    assert Path(there / source.name).read_text() == "content" and files.push({source.name: source}) == there
    work = Path(files.fresh_workspace())
    log = tmp_path / "launch.log"
    argv = ["sh", "-c", f"echo out; echo $WORD > '{work}/made'; kill -ILL $$"]
    child = launching.launch(shell, folder, argv, {"WORD": "w"}, timeout_s=30, log=log, cores=None)
    assert (child.exit_code, child.signal) == (None, "SIGILL") and log.read_text().startswith("out\n")
    home = tmp_path / "home"
    home.mkdir()
    files.pull_workspace(home)
    assert (home / "made").read_text() == "w\n"
    files.remove()
    assert not Path(folder).exists()


def test_a_lost_connection_is_told_in_the_clients_words(board) -> None:
    shell = board.BoardShell()
    shell.off = True
    with pytest.raises(Lost, match=r"the device bench-1 was lost \(sh: the cable is out\)"):
        shell.shell("true")


def test_the_kinds_that_there_are(toy: Path, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, toy))
    assert set(kinds.KINDS) == {"local", "emulated", "adb"}
    with kinds.open_device("local", config) as device:
        assert (device.name, device.emulated) == ("local", False)
    with pytest.raises(UserError, match="locl is no kind of device .*local"):
        kinds.open_device("locl", config)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
