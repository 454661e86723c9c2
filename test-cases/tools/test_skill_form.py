# SPDX-License-Identifier: Apache-2.0
"""The form of a skill: what the checker asks of each section, and how ranges, values and commands are read."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pages import REPOSITORY
from support.skills import FIRST, FOLDER, SECOND, make_checkout

from tools.pages.checks.checker import Checker
from tools.pages.reading.lexer import read_document
from tools.pages.reading.skill_form import Range, is_command, plausible_range, read_form
from tools.skills.metrics import value_of


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("form"))


@pytest.fixture(scope="module")
def checker(root: Path) -> Checker:
    return Checker.of(root)


def told(text: str, root: Path, checker: Checker, name: str = "01_write_log.md") -> list[str]:
    """Return what the checker says of a skill with this text."""
    return [problem.message for problem in checker.check([read_document(root / FOLDER / name, name, text)])]


# ---------------------------------------------------------------- the checker


def test_a_skill_in_order_raises_no_alarm(root: Path, checker: Checker) -> None:
    assert told(FIRST.text, root, checker) == [] and told(SECOND.text, root, checker, "02_count_log.md") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: write-the-log", "name: Write_the_log", "does not match"),
        ("name: write-the-log", "name: write--log", "does not match"),
        (
            "name: write-the-log",
            "name: write-teh-log",
            "readme.md does not name write-teh-log (did you mean write-the-log?)",
        ),
        ("name: write-the-log", "name: count-the-log", "the name count-the-log is 02_count_log.md's too"),
        ("name: write-the-log\n", "", "the key name is missing"),
        ("license: Apache-2.0\n", "", "the key license is missing"),
        (
            "license: Apache-2.0",
            "licence: Apache-2.0",
            "licence is not a key of a skill's front matter (did you mean license?)",
        ),
        ("license: Apache-2.0", "license: MIT", "'Apache-2.0' was expected"),
        ("Use when a test needs a skill.", "It is for tests.", "does not say when to use it"),
        ('order: "01"', 'order: "02"', 'order is "02", the file\'s number is 01'),
        ('order: "01"', "order: 1", "is not of type 'string'"),
        ("# Write the log\n", "", "the body begins with one H1"),
        ("# Write the log", "# The log", 'does not tell to do something: "The"'),
        ("# Write the log\n\nIt shows how skills are run.", "# Write the log", "no sentence after the title"),
        ("## Steps", "## Step", '"Step" is no section of a skill (did you mean Steps?)'),
        ("## Time", "## Steps", 'the section "Steps" stands twice'),
        ("## Refine and try again\n\n- Write more lines.\n\n", "", 'the section "Refine and try again" is missing'),
        (
            "## Time\n\nLess than 1 second on a 2-core x86-64 virtual machine.\n\n## Next skill",
            "## Next skill\n\n## Time",
            "another order",
        ),
        ("- A shell.\n", "A shell.\n", "a bullet list of what has to be there"),
        ("Where that fails, do [skill 01](01_write_log.md) first.\n", "", "no sentence after the check"),
        ("### 1. Write a line", "### 2. Write a line", 'begins with "1. "'),
        ("### 1. Write a line", "### 1. A line", 'does not tell to do something: "A"'),
        ("### 1. Write a line", "#### 1. Write a line", "an H3"),
        ("It goes to the end of the log.\n", "", "no sentence says what the step does"),
        (
            "It goes to the end of the log.",
            "It goes. To the end. Of the log. Now.",
            "4 sentences before the step's commands",
        ),
        ("The output is similar to:\n\n```output\none\n```\n", "", "does not show what one should see"),
        ("The output is similar to:", "You should see:", "an output block is led in by"),
        ("echo one | tee -a log.txt", "cd /tmp && echo one | tee -a log.txt", "does nothing else"),
        ("grep -q one log.txt", "grep -q one log.txt || true", "this check cannot fail"),
        ("```bash\ngrep -q one log.txt\n```\n", "", "one bash block holds the success criteria; here are 0"),
        (
            "| metric | command | plausible | outside it |",
            "| metric | command | range | outside it |",
            "a table with the columns metric, command",
        ),
        ("1 to 3 lines", "a few lines", '"a few lines" is no range'),
        ("1 to 3 lines", "3 to 1 lines", '"3 to 1 lines" is no range'),
        ("`wc -l log.txt`", "wc -l log.txt", 'the column "command" holds one code span'),
        ("`wc -l log.txt`", "`wc -l log.txt; wc -l log.txt`", "a metric's command is one command line"),
        ("`wc -l log.txt`", "`wc --lines log.txt`", "--lines is not a flag of wc"),
        ("`wc -l log.txt`", "`wc -l lgo.txt`", "lgo.txt is not there"),
        ("| run step 1 again |", "| again |", '"again" does not say what to do'),
        ("- Write more lines.", "Write more lines.", "say in bullets"),
        ("| symptom | cause | fix |", "| symptom | reason | fix |", "a table with the columns symptom, cause, fix"),
        ("| `No such file` |", "| No such file |", 'the column "symptom" holds one code span'),
        ("| the file is gone |", "| |", "has no cause"),
        ("| `touch log.txt` makes it |", "| make it again |", '"make it again" is no fix'),
        (
            "`touch log.txt` makes it",
            "`tuoch log.txt` makes it",
            "tuoch is not a program that pages call (did you mean touch?)",
        ),
        ("`touch log.txt` makes it", "`sort --numbers log.txt` makes it", "--numbers is not a flag of sort"),
        (
            "`touch log.txt` makes it |",
            "`touch log.txt` makes it |\n| `No such file` | again | `touch log.txt` makes it |",
            "stands twice",
        ),
        ("Less than 1 second on", "Not long on", "say how long it takes"),
        ("second on a 2-core x86-64 virtual machine", "second", "say what it was measured on"),
        ("[Count](02_count_log.md)", "[Count](readme.md)", "readme.md is not the next skill: link to 02_count_log.md"),
        ("[Count](02_count_log.md)", "Count", "one sentence with one link leads to 02_count_log.md"),
        ("# Write the log", "<!-- check: start-in HOME -->\n# Write the log", 'leave "check: start-in" out'),
        ("## Time\n", "## Time\n\n### Here\n", "only the steps have headings of their own"),
    ],
)
def test_a_fault_of_the_form_is_named(old: str, new: str, message: str, root: Path, checker: Checker) -> None:
    assert old in FIRST.text
    found = told(FIRST.text.replace(old, new, 1), root, checker)
    assert any(message in problem for problem in found), found


def test_a_later_skill_activates_the_environment_and_names_one_that_helps(root: Path, checker: Checker) -> None:
    found = told(replace(SECOND, check="sort /dev/null").text, root, checker, "02_count_log.md")
    assert 'the check begins with "source .venv/bin/activate"' in found
    helpless = SECOND.text.replace("do [skill 01](01_write_log.md) first", "think again")
    assert "the sentence after the check links to no skill that helps" in told(
        helpless, root, checker, "02_count_log.md"
    )


def test_what_is_printed_is_no_command_and_no_path(root: Path, checker: Checker) -> None:
    row = "| `error: --dtpye is no flag, tools/nowhere.py` | a misspelt flag | `touch log.txt` makes it |"
    assert told(replace(FIRST, failures=row).text, root, checker) == []


def test_a_fix_leaves_nothing_for_the_next(root: Path, checker: Checker) -> None:
    rows = (
        "| `one is gone` | no file | `touch made.txt` makes it |\n"
        "| `two is gone` | no file | `sort made.txt` needs it |"
    )
    (message,) = told(replace(FIRST, failures=rows).text, root, checker)
    assert message.startswith("made.txt is not there")


def test_a_bar_in_a_table_is_a_pipe(root: Path, checker: Checker) -> None:
    row = "| lines | `sort log.txt \\| wc {}` | 1 to 3 lines | run step 1 again |"
    assert told(replace(FIRST, metrics=row.format("-l")).text, root, checker) == []
    text = replace(FIRST, metrics=row.format("--no")).text
    (problem,) = checker.check([read_document(root / FOLDER / "01_write_log.md", "page.md", text)])
    assert "wc --no" in text.splitlines()[problem.place.line - 1] and "--no is not a flag of wc" in problem.message


# ---------------------------------------------------------------- ranges, values, commands


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 to 3 lines", Range(1, 3)),
        ("0.5 to 20", Range(0.5, 20)),
        ("-3 to 3 %", Range(-3, 3)),
        ("1,000 to 2,000 kB", Range(1000, 2000)),
        ("at least 1 runner", Range(1, None)),
        ("at most 5 %", Range(None, 5)),
        ("3 to 1", None),
        ("2 to 2", None),
        ("about 3", None),
        ("1 to 3 or 5", None),
        ("", None),
        ("at least many", None),
        ("1 - 3", None),
    ],
)
def test_plausible_ranges(text: str, found: Range | None) -> None:
    assert plausible_range(text) == found


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-2e6, 2e6))
def test_a_range_holds_what_lies_between_its_ends(one: float, other: float, value: float) -> None:
    low, high = sorted((round(one, 3), round(other, 3)))
    found = plausible_range(f"{low:.3f} to {high:.3f} ms")
    assert (found is None) == (low == high)
    assert found is None or found.holds(value) == (low <= value <= high)


@given(st.text(max_size=60))
def test_any_text_is_a_range_or_none(text: str) -> None:
    found = plausible_range(text)
    assert found is None or any(end is not None for end in (found.low, found.high))


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("3 log.txt\n", 3),
        ("speed-up 1.648x, 95 % interval 1.6 to 1.7\n", 1.7),
        ("1,577\t.venv", 1577),
        ("[1, 2, 3]", 3),
        ("1e-3", 0.001),
        ("took 12 s of 15", 15),
        ("no number", None),
        ("", None),
        ("toy_cnn_2 v3", None),
        ("nan", None),
        ("1.5.1", None),
        ("86.4 %)", 86.4),
    ],
)
def test_the_value_is_the_last_token_that_is_a_number(output: str, value: float | None) -> None:
    assert value_of(output) == value


@given(st.text(max_size=80), st.integers(-(10**9), 10**9))
def test_a_number_at_the_end_is_the_value(text: str, number: int) -> None:
    assert value_of(f"{text}\n{number}\n") == number


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("source .venv/bin/activate", True),
        ("bash model_profiling/scripts/setup_repo.sh", True),
        ("rm -rf out_x", True),
        ("unset CXX", True),
        ("CXX=c++ make all", True),
        ("pyhton tools/x.py --y", True),
        (".venv/bin/python", True),
        ("--resume", False),
        ("toy_cnn", False),
        ("CXX=clang++", False),
        ('"model": "x.pte"', False),
        ("out_x/config.json", False),
        ("", False),
        ("'", False),
    ],
)
def test_which_spans_of_a_fix_are_typed(text: str, is_one: bool) -> None:
    assert is_command(text) is is_one


# ---------------------------------------------------------------- any text at all


REAL = [path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / FOLDER).glob("[0-9]*.md"))] + [FIRST.text]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(REAL), st.randoms(use_true_random=False))
def test_a_shuffled_skill_is_read_and_judged(text: str, chance: random.Random) -> None:
    """Lines gone, doubled, swapped and cut: a reader of files meets anything, and says so without a traceback."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 8)):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[at] = chance.choice(
            ["", lines[other], lines[at][: chance.randrange(len(lines[at]) + 1)], lines[at] + "|", "`" + lines[at]]
        )
    document = read_document(_FUZZED / "01_write_log.md", "page.md", "\n".join(lines))
    form = read_form(document)
    assert len(form.metrics()) >= 0 and all(failure.symptom is not None for failure in form.failures())
    assert isinstance(_CHECKER.check([document]), list)


_FUZZED = REPOSITORY / FOLDER
_CHECKER = Checker.of(REPOSITORY)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
