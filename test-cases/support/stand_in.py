# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a source-built `executor_runner`: it replays what a real one wrote, and runs no model.

CI builds ExecuTorch from no source. What the pipeline does with such a runner's log and trace
can be tested all the same, on recordings of real ones (fixtures/executor_runner, etdump).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from support.kit import FIXTURES, TESTS

_ITERATION = re.compile(r"^.* Iteration (\d+) of \d+: .*\n", re.MULTILINE)


def stand_in(folder: Path, build: str, model: str) -> Path:
    """Write a program into `folder` that replays the recorded run of `model` by the runner `build`."""
    path = folder / f"stand_in_for_executor_runner_{build}_{model}"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(TESTS)!r})\n"
        f"from support.stand_in import replay\nreplay({build!r}, {model!r}, sys.argv[1:])\n"
    )
    path.chmod(0o755)
    return path


def replay(build: str, model: str, words: list[str]) -> None:
    """Print the recorded log, with as many Iteration lines as were asked for; write the recorded trace."""
    flags = dict(word.removeprefix("--").split("=", 1) for word in words)
    wanted = int(flags["num_executions"])
    log = (FIXTURES / "executor_runner" / build / f"{model}.stderr.log").read_text()
    sys.stderr.write(
        _ITERATION.sub(lambda m: re.sub(r" of \d+:", f" of {wanted}:", m[0]) if int(m[1]) <= wanted else "", log)
    )
    operators = FIXTURES / "xnntrace" / f"{build}__{model}.stdout.log"
    if operators.is_file():
        sys.stdout.write(operators.read_text())
    Path(flags["etdump_path"]).write_bytes((FIXTURES / "etdump" / f"{build}__{model}.etdump").read_bytes())
