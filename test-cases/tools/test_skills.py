# SPDX-License-Identifier: Apache-2.0
"""Skills run to their verdict: passed, failed and gone on with, and the repository's own from a fresh clone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pages import REPOSITORY
from support.skills import FIRST, SECOND, commit, log, make_checkout, outcomes, run, run_all, with_first, write

from tools.pages.checks.checker import Checker
from tools.pages.reading.lexer import read_document
from tools.pages.reading.skill_form import read_form
from tools.skills.progress import Progress

EXECUTED, FAILED, BEFORE, MISSED, CHECKED = "executed", "failed", "done before", "not reached", "checked"
LEAST_PERCENT = 80


@pytest.fixture()
def root(tmp_path: Path) -> Path:
    return make_checkout(tmp_path)


# ---------------------------------------------------------------- the verdict


def test_a_skill_passes_and_says_what_it_did(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_first(root)
    result = run(root)
    assert (result["skill"], result["name"], result["status"], result["next"]) == (
        "01",
        "write-the-log",
        "passed",
        "count-the-log",
    )
    assert [(line["section"], line["command"], line["outcome"], line["status"]) for line in result["steps"]] == [
        ("Prerequisites", "awk 1 /dev/null", EXECUTED, 0),
        ("Steps", "echo one | tee -a log.txt", EXECUTED, 0),
    ]
    assert [(line["line"], line["outcome"]) for line in result["criteria"]] == [(42, EXECUTED)]
    assert result["metrics"] == [
        {
            "metric": "lines",
            "command": "wc -l log.txt",
            "counts": False,
            "outcome": EXECUTED,
            "value": 1,
            "low": 1,
            "high": 3,
            "inside": True,
            "outside_it": "run step 1 again",
        }
    ]
    assert (
        result["outputs"] == {"compared": 1, "different": []}
        and result["advice"] == []
        and result["executed_percent"] == 100
    )
    shown = capsys.readouterr().out
    assert " Success criteria\n  executed " in shown and "  inside      1 (1 to 3) lines" in shown
    assert "01 write-the-log: passed; next: 02 count-the-log" in shown


def test_a_failing_line_ends_the_skill_with_the_row_that_explains_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_first(
        root,
        steps="sort nowhere.txt\necho one | tee -a log.txt",
        failures="| `read: nowhere... No such file` | the file is gone | `touch nowhere.txt` makes it |\n"
        "| `another thing` | not this | `touch other.txt` makes it |",
    )
    result = run(root)
    assert result["status"] == "failed" and outcomes(result) == [EXECUTED, FAILED, MISSED, MISSED]
    assert result["advice"] == ["the file is gone: touch nowhere.txt makes it"]
    shown = capsys.readouterr().out
    assert (
        "| sort: cannot read: nowhere.txt: No such file" in shown
        and "what to do: the file is gone: touch nowhere.txt" in shown
    )


def test_prerequisites_that_are_not_met_end_it_with_the_sentence_that_helps(root: Path) -> None:
    with_first(root, check="test -e nothing\nsort /dev/null")
    result = run(root)
    assert outcomes(result) == [FAILED, MISSED, MISSED, MISSED] and result["advice"] == [
        "Where that fails, do skill 01 first."
    ]
    assert not (root / "log.txt").exists()


def test_every_criterion_and_metric_is_asked(root: Path) -> None:
    with_first(root, criteria="test -e nothing\ngrep -q one log.txt\ngrep -q two log.txt")
    result = run(root)
    assert outcomes(result)[-3:] == [FAILED, EXECUTED, FAILED] and result["status"] == "failed"
    assert result["metrics"][0]["inside"] is True


@pytest.mark.parametrize(
    ("row", "value", "advice"),
    [
        ("| lines | `wc -l log.txt` | 2 to 3 lines | run step 1 again |", 1, "lines: run step 1 again"),
        ("| lines | `wc -l log.txt` | at least 5 | write four more lines |", 1, "lines: write four more lines"),
        ("| lines | `cat log.txt` | 2 to 3 lines | run step 1 again |", None, "lines: run step 1 again"),
        ("| lines | `grep two log.txt` | 2 to 3 lines | run step 1 again |", None, "lines: run step 1 again"),
    ],
)
def test_a_metric_outside_its_range_fails_with_its_advice(
    row: str, value: float | None, advice: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_first(root, metrics=row)
    result = run(root)
    assert (result["status"], result["metrics"][0]["value"], result["metrics"][0]["inside"]) == ("failed", value, False)
    assert result["advice"] == [advice]
    assert f"OUTSIDE     {'no number' if value is None else value}" in capsys.readouterr().out


def test_another_output_is_told_here_and_fails_in_a_fresh_place(root: Path) -> None:
    with_first(root, output="another line")
    here, fresh = run(root), run(root, fresh=True)
    assert (here["status"], fresh["status"]) == ("passed", "failed")
    assert [
        found["message"].partition(";")[0] for found in (here["outputs"]["different"] + fresh["outputs"]["different"])
    ] == ["this did not come out: another line"] * 2


def test_the_shell_is_a_new_one_in_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("OF_THE_USER", "kept")
    with_first(
        root,
        steps='echo "one [${VIRTUAL_ENV:-}] $OF_THE_USER" | tee -a log.txt\npwd | tee -a log.txt\n'
        "sudo apt install nothing-at-all",
    )
    result = run(root)
    assert log(root).splitlines() == ["one [] kept", str(root)]
    assert (
        outcomes(result) == [EXECUTED, EXECUTED, EXECUTED, CHECKED, EXECUTED]
        and "stand-in: root" in result["steps"][3]["why"]
    )


# ---------------------------------------------------------------- going on


def test_a_skill_goes_on_after_its_last_good_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_first(
        root,
        steps='NAME=one\nexport NAME\necho "$NAME" | tee -a log.txt\nsort made.txt\necho "$NAME two" | tee -a log.txt',
    )
    assert outcomes(run(root))[1:6] == [EXECUTED, EXECUTED, EXECUTED, FAILED, MISSED]
    (root / "made.txt").touch()
    result = run(root)
    assert (
        outcomes(result) == [EXECUTED, EXECUTED, EXECUTED, BEFORE, EXECUTED, EXECUTED, EXECUTED]
        and result["status"] == "passed"
    )
    assert log(root) == "one\none two\n" and result["executed_percent"] == 100
    assert "note: going on after line 32; 1 done before (--restart forgets them)" in capsys.readouterr().out
    assert outcomes(run(root)).count(BEFORE) == 0 and log(root) == "one\none two\n" * 2  # a finished run starts anew


def test_what_a_reader_saves_is_not_saved_over_what_later_lines_made_of_it(root: Path) -> None:
    steps = "cp note.txt log.txt\ntest -e made.txt\necho one >> log.txt"
    text = replace(FIRST, steps=steps).text.replace(
        "```bash\ncp note",
        "Save as `note.txt`:\n\n<!-- check: save-as note.txt -->\n```text\na note\n```\n\n```bash\ncp note",
    )
    (root / "agent_skill_ml_profiling" / "01_write_log.md").write_text(text, encoding="utf-8")
    assert run(root)["status"] == "failed"
    (root / "note.txt").write_text("edited", encoding="utf-8")
    (root / "made.txt").touch()
    assert outcomes(run(root))[1:4] == [BEFORE, EXECUTED, EXECUTED]
    assert (root / "note.txt").read_text() == "edited" and log(root) == "a note\none\n"


@pytest.mark.parametrize(
    ("change", "told"), [("text", "the skill's text is another one"), ("commit", "the checkout is at another commit")]
)
def test_a_changed_skill_or_checkout_starts_anew_and_says_so(
    change: str, told: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = "echo one | tee -a log.txt\ntest -e made.txt"
    with_first(root, steps=steps)
    assert run(root)["status"] == "failed"
    if change == "text":
        write(root, replace(FIRST, steps=f"{steps}\nsort log.txt"))
    else:
        commit(root)
    assert outcomes(run(root))[1] == EXECUTED and log(root) == "one\none\n"
    assert f"note: starting anew: {told}" in capsys.readouterr().out


def test_restart_forgets(root: Path) -> None:
    with_first(root, steps="echo one | tee -a log.txt\ntest -e made.txt")
    run(root)
    assert outcomes(run(root))[1] == BEFORE and outcomes(run(root, restart=True))[1] == EXECUTED
    assert log(root) == "one\none\n"


@settings(deadline=None, max_examples=60)
@given(
    state=st.one_of(st.binary(max_size=60), st.just(b"[]"), st.just(b'{"finished": false}')),
    events=st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([b"begin 1 0", b"end 1 0 0", b"end 1 1 0", b"end 99 0 0", b"begin 1", b"end x 0 0"]),
        )
    ),
)
def test_notes_of_any_content_are_read(state: bytes, events: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent_skill_x" / "01_write_log.md"
        form = read_form(read_document(path, path.name, FIRST.text))
        notes = Path(folder) / "notes"
        (notes / "session").mkdir(parents=True)
        (notes / "state.json").write_bytes(state)
        (notes / "session" / "events").write_bytes(b"\n".join(events))
        done, _ = Progress(notes, "", "").done(Checker.of(Path(folder)).follow(form.document), form)
        assert done <= {1}


def test_a_failed_gate_makes_the_steps_run_anew(root: Path) -> None:
    with_first(root, metrics="| lines | `wc -l log.txt` | at least 2 | run it again |")
    assert [run(root)["status"], run(root)["status"]] == ["failed", "passed"]


def test_a_chain_stops_at_the_first_that_fails_and_goes_on_there(root: Path) -> None:
    write(root, replace(SECOND, steps="sort made.txt\nwc -l log.txt"))
    first = run_all(root)
    assert [result["status"] for result in first] == ["passed", "failed"]
    (root / "made.txt").touch()
    first, second = run_all(root)
    assert (first["status"], second["status"], log(root)) == ("passed", "passed", "one\n")
    assert outcomes(first) == [BEFORE] * 5
    assert outcomes(run_all(root)[0]) == [EXECUTED] * 5 and log(root) == "one\none\n"


def test_after_a_skill_that_failed_the_next_is_not_reached(root: Path) -> None:
    with_first(root, check="test -e nothing")
    assert [result["status"] for result in run_all(root)] == ["failed", "not reached"]
    assert set(outcomes(run_all(root)[1])) == {MISSED}


# ---------------------------------------------------------------- the repository's own


@pytest.mark.network
def test_the_repository_s_skills_pass_from_a_fresh_clone() -> None:
    """Set-up to report. Downloading and unpacking packages is test_quick_start.py's and test_ways_of_getting.py's."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "tools" / "run_skill.py"), "--fresh", "--all", "--json", "--lend-packages"],
        capture_output=True,
        text=True,
        timeout=3600,
    )
    found = json.loads(done.stdout)
    wrong = {
        result["skill"]: (
            result["advice"],
            result["outputs"]["different"],
            [line for line in (*result["steps"], *result["criteria"]) if line["outcome"] in (FAILED, MISSED)][:1],
        )
        for result in found["skills"]
        if result["status"] != "passed"
    }
    assert done.returncode == 0 and wrong == {}, wrong
    assert [result["skill"] for result in found["skills"]] == [f"{number:02}" for number in range(1, 9)]
    lines = [
        line
        for result in found["skills"]
        for line in (*result["steps"], *result["criteria"], *result["metrics"])
        if line["counts"]
    ]
    executed = sum(line["outcome"] == EXECUTED for line in lines)
    assert 100 * executed >= LEAST_PERCENT * len(lines), f"{executed} of {len(lines)}"
    assert all(line["why"] for line in lines if line["outcome"] != EXECUTED and "why" in line)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
