# SPDX-License-Identifier: Apache-2.0
"""Commands in forks of a process that has imported the libraries and exported once: an export takes 3 s, not 13 s.

What a fork runs is the command's own file with its own words, environment and folder; none of the kit's modules
is imported before. Started anew, as by a user, are: what pages, skills, use cases and the quick start type, commands
of another Python or with another environment for it, everything where `FRESH` is set, and everything
while coverage is measured (which begins as a Python does).
"""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

#: What a Python or its libraries read as they start: a fork cannot have it otherwise than the server.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "OMP_", "MKL_", "COVERAGE_", "TORCH")
#: The variable that has every command started anew.
FRESH = "TESTS_FRESH_COMMANDS"
_NEVER_WARM = (FRESH, "COVERAGE_PROCESS_START")
_TESTS = Path(__file__).resolve().parents[1]

_server: multiprocessing.context.ForkServerContext | None = None
_server_environment: dict[str, str] = {}
#: Processor seconds of all forks that this process asked for: the system does not count them as its children's.
spent_s = 0.0


def run(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a Python file, `argv` being [python, file, words...], in a fork where that is the same, anew where not."""
    if not _can_be_forked(argv[0], environment):
        return subprocess.run(
            argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    sys.audit("subprocess.Popen", argv[0], list(argv), str(cwd), environment)  # as for any program started
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr, spent = (Path(folder, name) for name in ("stdout", "stderr", "spent"))
        given = (list(argv[1:]), str(cwd), dict(environment), str(stdout), str(stderr), str(spent))
        fork = _started_server().Process(target=_run_in_fork, args=given)
        fork.start()
        fork.join(timeout_s)
        if fork.exitcode is None:
            fork.kill()
            fork.join()
            raise subprocess.TimeoutExpired(list(argv), timeout_s)
        if spent.is_file():
            global spent_s
            spent_s += float(spent.read_text())
        return subprocess.CompletedProcess(list(argv), fork.exitcode, stdout.read_text(), stderr.read_text())


def _can_be_forked(python: str, environment: Mapping[str, str]) -> bool:
    if python != sys.executable or any(name in environment for name in _NEVER_WARM):
        return False
    at_start = _server_environment if _server else os.environ
    return _read_at_start(environment) == _read_at_start(at_start)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


def _started_server() -> multiprocessing.context.ForkServerContext:
    global _server
    if _server is None:
        _server_environment.update(os.environ)
        _server = multiprocessing.get_context("forkserver")
        _server.set_forkserver_preload(["support.warm_imports"])
        # Python 3.11 leaves `sys_path` of its own preparation data unused, and passes over what it cannot import.
        with mock.patch.dict(os.environ, PYTHONPATH=str(_TESTS)):
            multiprocessing.forkserver.ensure_running()
    return _server


def _run_in_fork(words: list[str], cwd: str, environment: dict[str, str], stdout: str, stderr: str, spent: str) -> None:
    """Become the command: `words` are its file and arguments."""
    from support import warm_imports

    warm_imports.use_all_threads()
    for number, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    # What multiprocessing has put in their places is not what a command finds.
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False) for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # it is looked for in the environment
    os.chdir(cwd)
    sys.argv = words
    sys.path = [str(Path(words[0]).parent), *(path for path in sys.path if not _is_of_tests(path))]
    try:
        runpy.run_path(words[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing's way to end leaves them out
        sys.stdout.flush()
        times = os.times()
        Path(spent).write_text(str(sum(times[:4])))


def _is_of_tests(path: str) -> bool:
    return not path or Path(path) == _TESTS.parent or Path(path).is_relative_to(_TESTS)
