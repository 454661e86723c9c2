# SPDX-License-Identifier: Apache-2.0
"""The command that checks pages: statuses, JSON, what is no page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import REPOSITORY

COMMAND = [sys.executable, str(REPOSITORY / "tools" / "check_pages.py")]


# ---------------------------------------------------------------- the command


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )


def test_pages_in_order_are_status_0_and_opt_outs_are_printed() -> None:
    done = command()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "README.md:14:1: note: not run: " in done.stdout and re.search(r"^\d+ opt-outs?$", done.stdout, re.MULTILINE)
    assert re.search(r"pages? in order, \d+ command lines followed$", done.stdout.strip())


def test_problems_are_status_2_one_line_each(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Use `--onyl`.\n\n```bash\npyhton\n```\n")
    done = command(page)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"{page}:1:6: error: --onyl is not a flag of any command (did you mean --only?)",
        f"{page}:4:1: error: pyhton is not a program that pages call (did you mean python?)",
    ]
    assert done.stderr == "error: 2 problems found, in 1 page: correct what the lines above name\n"


def test_problems_as_json(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Use `--onyl`.\n")
    told = json.loads(command("--json", page).stdout)
    assert told["problems"] == [
        {
            "path": str(page),
            "line": 1,
            "column": 6,
            "rule": "flag",
            "message": "--onyl is not a flag of any command (did you mean --only?)",
        }
    ]
    assert told["pages"] == [str(page)] and told["opt_outs"] == []


def test_the_command_lines_are_listed() -> None:
    listed = command("--list-commands", "README.md").stdout.splitlines()
    assert any(re.fullmatch(r"README\.md:\d+: bash model_profiling/scripts/setup_repo\.sh", line) for line in listed)
    assert any("--model toy_cnn --dtype fp16" in line for line in listed)


@pytest.mark.parametrize(
    ("name", "told"), [("no.md", "does not exist"), ("", "holds no Markdown file"), ("x.md", "cannot be read")]
)
def test_what_is_no_page_is_one_line(name: str, told: str, tmp_path: Path) -> None:
    if name == "x.md":
        (tmp_path / name).write_bytes(b"\xff\xfe")
    done = command(tmp_path / name)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and told in done.stderr


@pytest.mark.slow
def test_shellcheck_has_to_be_there_in_continuous_integration(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(
        subprocess.run(["which", "git"], capture_output=True, text=True).stdout.strip()
    )
    plain, strict = (command("README.md", PATH=str(tmp_path / "bin"), CI=value) for value in ("", "true"))
    assert plain.returncode == 0 and "shellcheck is not installed, so no shell block was checked" in plain.stdout
    assert strict.returncode == 2 and strict.stderr.startswith("error: shellcheck is not installed")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
