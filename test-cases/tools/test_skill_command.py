# SPDX-License-Identifier: Apache-2.0
"""The command that runs skills, killed, interrupted, twice at once, and asked for what it cannot do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.pages import REPOSITORY, own_number, start
from support.skills import FIRST, arguments, command, log, make_checkout, outcomes, run, with_first, write

EXECUTED, FAILED, BEFORE, MISSED, CHECKED = "executed", "failed", "done before", "not reached", "checked"


@pytest.fixture()
def root(tmp_path: Path) -> Path:
    return make_checkout(tmp_path)


# ---------------------------------------------------------------- the command, killed and interrupted


def wait_for(file: Path, running: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not file.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert file.exists(), running.communicate()


def started(root: Path, *words: str) -> subprocess.Popen[str]:
    return start(arguments(root, *words), root, PYTHONPATH=str(REPOSITORY))


def sleeping(seconds: int) -> bool:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return f"sleep {seconds}" in listed.splitlines()


def test_a_killed_run_goes_on_and_repeats_no_finished_line(root: Path) -> None:
    long = own_number(1)
    with_first(
        root,
        steps=f"echo one | tee -a log.txt\ntouch begun; test -e go || sleep {long}\necho two | tee -a log.txt",
        output="one\ntwo",
    )
    running = started(root, "01")
    wait_for(root / "begun", running)
    running.kill()
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL and sleeping(long)  # its shell knows nothing yet
    (root / "go").touch()
    done = command(root, "01", "--json")
    result = json.loads(done.stdout)["skills"][0]
    assert done.returncode == 0 and outcomes(result)[1:5] == [BEFORE, BEFORE, EXECUTED, EXECUTED]
    assert log(root) == "one\ntwo\n" and not sleeping(long)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_tells_what_it_did_and_can_go_on(number: signal.Signals, root: Path) -> None:
    long = own_number(number)
    with_first(root, steps=f"echo one | tee -a log.txt\ntouch begun; test -e go || sleep {long}")
    running = started(root, "01", "--json")
    wait_for(root / "begun", running)
    running.send_signal(number)
    out, told = running.communicate(timeout=60)
    result = json.loads(out)["skills"][0]
    assert (running.returncode, told.strip(), result["status"]) == (130, "interrupted", "interrupted")
    assert outcomes(result) == [EXECUTED, EXECUTED, EXECUTED, MISSED, MISSED] and not sleeping(long)
    (root / "go").touch()
    assert outcomes(run(root))[1:4] == [BEFORE, BEFORE, EXECUTED] and log(root) == "one\n"


def test_two_runs_at_once_are_one_too_many(root: Path) -> None:
    with_first(root, steps="touch begun; test -e go || sleep 600\necho one | tee -a log.txt")
    running = started(root, "01")
    wait_for(root / "begun", running)
    done = command(root, "01")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("error: another run of skills is under way, in ")


def test_what_the_list_says_is_what_happens(root: Path) -> None:
    with_first(root, steps="echo one | tee -a log.txt\nadb devices\nmkdir -p .venv/bin\ntouch .venv/bin/activate")
    listed, done = command(root, "--all", "--list", "--json"), command(root, "--all", "--json")
    assert (listed.returncode, done.returncode, listed.stderr, done.stderr) == (0, 0, "", "")
    planned, happened = json.loads(listed.stdout), json.loads(done.stdout)
    assert [result["status"] for result in planned["skills"]] == ["planned", "planned"] and happened["passed"] is True
    for before, after in zip(planned["skills"], happened["skills"], strict=True):
        assert [
            (line["command"], line["outcome"]) for line in (*before["steps"], *before["criteria"], *before["metrics"])
        ] == [(line["command"], line["outcome"]) for line in (*after["steps"], *after["criteria"], *after["metrics"])]
    assert CHECKED in outcomes(happened["skills"][0]) and happened["skills"][0]["executed_percent"] < 100


def test_a_failed_skill_is_status_1_one_line_and_one_json_document(root: Path) -> None:
    with_first(root, steps="sort nowhere.txt")
    done = command(root, "write-the-log", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and done.stderr == "error: skill 01 write-the-log did not pass\n"
    assert (found["schema_version"], found["passed"], len(found["skills"])) == (1, False, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["9"], "error: 9 is no skill"),
        (["write-teh-log"], "(did you mean write-the-log?)"),
        ([], "error: it takes the number of one skill, or --all"),
        (["01", "--all"], "error: it takes the number of one skill, or --all"),
        (["--jsn", "01"], "--jsn is not a flag (did you mean --json?)"),
    ],
)
def test_what_the_user_can_fix_is_one_line(words: list[str], told: str, root: Path) -> None:
    done = command(root, *words)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
    assert not (root / "out_skills").exists()


def test_a_skill_without_the_form_of_one_does_not_run(root: Path) -> None:
    path = write(root, FIRST)
    path.write_text(path.read_text().replace("## Success criteria", "## Success"), encoding="utf-8")
    done = command(root, "1")
    assert done.returncode == 2 and done.stderr.startswith("error: the skill does not have the form of one (")
    assert not (root / "log.txt").exists()


def test_a_fresh_run_takes_the_skills_before_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    done = command(root, "02", "--fresh", "--json", TMPDIR=str(tmp_path / "tmp"))
    found = json.loads(done.stdout)
    assert done.returncode == 0 and [result["skill"] for result in found["skills"]] == ["01", "02"]
    assert [result["outputs"] for result in found["skills"]] == [{"compared": 1, "different": []}] * 2
    assert (
        list((tmp_path / "tmp").iterdir()) == []
        and not (root / "log.txt").exists()
        and not (root / "out_skills").exists()
    )


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
