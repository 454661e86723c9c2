# SPDX-License-Identifier: Apache-2.0
"""Pages run as a reader would: one shell a page, outputs compared, stand-ins, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.pages import REPOSITORY, SAMPLE_PAGES, own_number, start

from tools.pages.checks.checker import Checker
from tools.pages.reading import known_programs
from tools.pages.reading.lexer import read_document
from tools.pages.running import account
from tools.pages.running.engine import CHECKED, EXECUTED, FAILED, NOT_HERE, NOT_REACHED, PageRun, chains, run_chain
from tools.pages.running.workspace import new_workspace

COMMAND = [sys.executable, str(REPOSITORY / "tools" / "run_pages.py")]
LIMIT_S = 120.0
AT_HOME = "<!-- check: start-in HOME -->\n\n"


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


def run(text: str, checker: Checker, folder: Path, limit_s: float = LIMIT_S) -> PageRun:
    """Run a page with this text."""
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return run_chain([read_document(path, "page.md")], checker, lambda _: None, limit_s)[0]


def block(*lines: str, output: str | None = None) -> str:
    shown = f"```output\n{output}\n```\n\n" if output is not None else ""
    return "```bash\n" + "\n".join(lines) + f"\n```\n\n{shown}"


def outcomes(page: PageRun) -> list[str]:
    return [line.outcome for line in page.lines]


# ---------------------------------------------------------------- one shell a page


def test_the_shell_keeps_folder_variables_and_files_from_block_to_block(checker: Checker, tmp_path: Path) -> None:
    page = run(
        AT_HOME
        + block("mkdir deep", "cd deep", "NAME=world", "export GREETING=hello")
        + "Save as `note.txt`:\n\n<!-- check: save-as note.txt -->\n```text\na note\n```\n\n"
        + block(
            'echo "$GREETING $NAME"',
            "cat note.txt",
            'basename_of=$(pwd); echo "${basename_of##*/}"',
            output="hello world\na note\ndeep",
        ),
        checker,
        tmp_path,
    )
    assert page.problems == [] and page.compared == 1


def test_a_wrong_output_is_a_problem_at_its_line(checker: Checker, tmp_path: Path) -> None:
    page = run(AT_HOME + block("echo one", "echo towels", output="one\ntowel"), checker, tmp_path)
    (problem,) = page.problems
    assert str(problem) == "page.md:10:1: error: this did not come out: towel; what came nearest: towels"


def test_the_first_failing_line_ends_the_page(checker: Checker, tmp_path: Path) -> None:
    page = run(AT_HOME + block("sort /nowhere/at-all", "sort /dev/null"), checker, tmp_path)
    assert outcomes(page) == [FAILED, NOT_REACHED]
    (problem,) = page.problems
    assert problem.place.line == 4 and "exited with status 2: sort /nowhere/at-all" in problem.message
    assert "No such file" in problem.message


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("false | sort", FAILED),
        ("yes | head -n 1", EXECUTED),
        ("grep -q x /dev/null && sort /dev/null", FAILED),
        ("for n in 1 2; do sort /dev/null; done", EXECUTED),
        ("exit", FAILED),
        ("! grep -q x /dev/null", EXECUTED),
    ],
)
def test_what_counts_as_failing(line: str, outcome: str, checker: Checker, tmp_path: Path) -> None:
    assert outcomes(run(AT_HOME + block(line), checker, tmp_path)) == [outcome]


def test_a_failure_that_the_page_announces_is_none(checker: Checker, tmp_path: Path) -> None:
    meant = "<!-- check: exits 2 -->\n" + block("sort /nowhere/at-all") + block("sort /dev/null")
    assert outcomes(run(AT_HOME + meant, checker, tmp_path)) == [EXECUTED, EXECUTED]
    page = run(AT_HOME + "<!-- check: exits 2 -->\n" + block("sort /dev/null"), checker, tmp_path)
    assert outcomes(page) == [FAILED] and "exited with status 0, the page says 2" in page.problems[0].message


def test_a_page_that_hangs_is_ended(checker: Checker, tmp_path: Path) -> None:
    page = run(AT_HOME + block("sort /dev/null", "tail -f /dev/null"), checker, tmp_path, limit_s=3)
    assert outcomes(page) == [EXECUTED, FAILED] and "time limit" in page.problems[0].message


# ---------------------------------------------------------------- the reader's place


def test_the_public_address_leads_to_the_checkout(checker: Checker, tmp_path: Path) -> None:
    address = "https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling"
    page = run(
        AT_HOME
        + block(
            f"git clone --quiet --filter=blob:none --sparse {address}.git kit && cd kit",
            "git sparse-checkout set model_profiling tools",
            "ls",
        )
        + block("git rev-parse HEAD", "ls -d model_profiling test-cases || true"),
        checker,
        tmp_path,
    )
    assert page.problems == [] and outcomes(page)[:2] == [EXECUTED, EXECUTED]


def test_a_page_without_a_word_starts_in_a_fresh_clone(checker: Checker, tmp_path: Path) -> None:
    page = run(block("ls LICENSE", "git status --porcelain", output="LICENSE"), checker, tmp_path)
    assert page.problems == [] and page.compared == 1


def test_raw_files_come_from_the_checkout_and_count_as_checked(checker: Checker, tmp_path: Path) -> None:
    raw = "https://raw.githubusercontent.com/ArmDeveloperEcosystem/sme-executorch-profiling/main"
    page = run(AT_HOME + block(f"curl -fsSLO {raw}/LICENSE", "grep -c Apache LICENSE"), checker, tmp_path)
    assert outcomes(page) == [CHECKED, EXECUTED] and page.problems == []
    gone = run(AT_HOME + block(f"curl -fsSLO {raw}/LICENCE"), checker, tmp_path)
    assert outcomes(gone) == [FAILED] and "404" in gone.problems[0].message


@pytest.mark.parametrize(
    ("download", "unpack"),
    [
        ("curl -L {} | tar xz", "sme-executorch-profiling-main"),
        ("curl -fsSLo kit.tar.gz {} && tar xzf kit.tar.gz", "sme-executorch-profiling-main"),
        ("wget -q -O - {} | tar -xz --strip-components=1", "."),
    ],
    ids=["piped", "kept", "stripped"],
)
def test_the_archive_holds_the_last_commit(download: str, unpack: str, checker: Checker, tmp_path: Path) -> None:
    archive = "https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling/archive/refs/heads/main.tar.gz"
    page = run(
        AT_HOME
        + block(
            f"mkdir new && cd new && {download.format(archive)}",
            f"sort {unpack}/LICENSE",
            f"ls -d {unpack}/model_profiling",
        ),
        checker,
        tmp_path,
    )
    assert page.problems == [] and outcomes(page) == [CHECKED, EXECUTED, EXECUTED]


def test_a_phone_and_macos_are_stood_in_for_and_what_needs_their_files_does_not_run(
    checker: Checker, tmp_path: Path
) -> None:
    page = run(
        AT_HOME
        + block("adb devices -l", "brew install cmake")
        + "<!-- check: no-run it needs a phone with SME2 -->\n"
        + block("mkdir from_phone")
        + block("cp from_phone copy", "sort copy"),
        checker,
        tmp_path,
    )
    assert outcomes(page) == [CHECKED, CHECKED, NOT_HERE, NOT_HERE, NOT_HERE]
    assert page.problems == [] and "phone with SME2" in page.lines[-1].why


@pytest.mark.parametrize(
    ("system", "stood_in_for"), [("linux", ["brew", "open", "sysctl"]), ("darwin", ["brew", "open"])]
)
def test_what_only_asks_macos_is_the_real_thing_there(
    system: str, stood_in_for: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_programs.sys, "platform", system)
    assert [name for name in ("brew", "open", "sysctl") if known_programs.known()[name].stand_in] == stood_in_for


def test_nothing_of_this_terminal_reaches_the_reader(
    checker: Checker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    page = run(AT_HOME + block('echo "[${VIRTUAL_ENV:-}${PYTHONPATH:-}]"', output="[]"), checker, tmp_path)
    assert page.problems == []


def test_pages_that_follow_each_other_share_a_home(checker: Checker, tmp_path: Path) -> None:
    (tmp_path / "first.md").write_text(AT_HOME + block("touch made", "cd /"), encoding="utf-8")
    (tmp_path / "second.md").write_text(
        AT_HOME + "<!-- check: after first.md -->\n\n" + block("ls made", output="made"), encoding="utf-8"
    )
    (chain,) = chains([checker.read(tmp_path / "second.md")], checker)
    assert [page.path.name for page in chain] == ["first.md", "second.md"]
    runs = run_chain(chain, checker, lambda _: None)
    assert [run.problems for run in runs] == [[], []] and runs[1].compared == 1


def test_the_share_leaves_out_what_only_looks(checker: Checker, tmp_path: Path) -> None:
    page = run(
        AT_HOME + block("cd /", "ls", "sed -n p /dev/null", "adb devices", "awk 1 /dev/null | sort"), checker, tmp_path
    )
    assert account.share(page.lines) == pytest.approx(2 / 3)


# ---------------------------------------------------------------- nothing is left


def _running(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark in line and "ps -eo" not in line]


def test_a_page_leaves_no_process_and_no_file(checker: Checker, tmp_path: Path) -> None:
    before = set(Path(os.environ.get("TMPDIR", "/tmp")).glob("pages-*"))
    one, other = f"sleep {own_number(1)}", f"sleep {own_number(2)}"
    page = run(AT_HOME + block(f"{one} &", f"setsid {other} &", "sort /dev/null"), checker, tmp_path)
    assert outcomes(page)[-1] == EXECUTED
    assert _running(one) == _running(other) == []
    assert set(Path(os.environ.get("TMPDIR", "/tmp")).glob("pages-*")) <= before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupted_run_leaves_no_process_and_no_file(number: signal.Signals, status: int, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    one, other = f"sleep {own_number(1)}", f"sleep {own_number(2)}"
    page.write_text(AT_HOME + block("touch begun", f"setsid {one} & {other}"), encoding="utf-8")
    running = start([*COMMAND, page], TMPDIR=str(tmp_path))
    deadline = time.monotonic() + 120
    while not (_running(one) and _running(other)) and time.monotonic() < deadline:
        time.sleep(0.1)
    running.send_signal(number)
    _, told = running.communicate(timeout=60)
    assert running.returncode == status and told.strip().splitlines()[-1] == "interrupted"
    assert _running(one) == _running(other) == []
    assert list(tmp_path.glob("pages-*")) == []


# ---------------------------------------------------------------- the command


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def test_the_command_runs_pages_and_says_how_many_lines_were_executed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        AT_HOME + block("sed -n p /dev/null", "echo x", output="x") + block("adb devices"), encoding="utf-8"
    )
    done = command(page)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 2 command lines executed (50 %), 1 checked only, against stand-ins; 1 more" in done.stdout
    assert "1 outputs compared, 0 not" in done.stdout


def test_a_page_that_fails_is_status_1_and_one_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(AT_HOME + block("sort /nowhere/at-all"), encoding="utf-8")
    done = command(page)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: 1 problem, 0 lines not reached; the first at ")


def test_the_list_runs_nothing() -> None:
    done = command("--list", SAMPLE_PAGES)
    assert done.returncode == 0
    assert (
        "needs macOS" in done.stdout and "stand-in: a phone" in done.stdout and "command lines executed" in done.stdout
    )


def test_a_page_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = command(tmp_path / "no.md")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no.md does not exist" in done.stderr


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt on this system")
def test_the_kit_s_own_use_of_apt_get_is_no_reader_s(tmp_path: Path) -> None:
    """It fetches QEMU with folders of its own; what a page types installs nothing."""
    with new_workspace(REPOSITORY) as home:

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            argv = ["apt-get", *words]
            return subprocess.run(argv, env=home.environment(), capture_output=True, text=True, timeout=60)

        typed = run("download", "no-such-package")
        assert (typed.returncode, typed.stdout, typed.stderr) == (0, "", "")
        own = run("-o", f"Dir::Cache={tmp_path}", "download", "no-such-package")
        assert own.returncode == 100 and "no-such-package" in own.stderr


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
