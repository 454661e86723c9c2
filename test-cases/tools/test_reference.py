# SPDX-License-Identifier: Apache-2.0
"""The generated reference: fresh, complete, and following every change of a command."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.kit import KIT, REPOSITORY, Finished
from support.pages import Checker

from model_profiling.errors import UserError
from tools import make_reference
from tools.command_reference.commands import DATA, read_commands
from tools.command_reference.flags import flags_of, read_shell_help
from tools.command_reference.text import reference, synopsis
from tools.pages.reader.scripts import Scripts, shell_parser

ENTRIES = yaml.safe_load(DATA.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


def write_data(folder: Path, entries: dict) -> Path:
    path = folder / "commands.yaml"
    path.write_text(yaml.safe_dump(entries, sort_keys=False), encoding="utf-8")
    return path


def parser_with(*arguments: tuple, **options: object) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="x.py")
    for flags, settings in arguments:
        parser.add_argument(*flags, **settings)
    return parser


# ---------------------------------------------------------------- fresh


def test_the_committed_reference_is_what_the_commands_say() -> None:
    argv = [sys.executable, str(REPOSITORY / "tools" / "make_reference.py"), "--check"]
    done = Finished(subprocess.run(argv, capture_output=True, text=True, timeout=120)).ok()
    assert done.stdout == "2 documents say what the commands do\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda action: setattr(action, "option_strings", ["--silent"]),
        lambda action: setattr(action, "default", "x"),
        lambda action: setattr(action, "help", "print little"),
        lambda action: setattr(action, "choices", ("a", "b")),
    ],
)
def test_a_changed_flag_makes_the_reference_stale(change, checker: Checker) -> None:
    scripts = Scripts(checker.repository)
    parser = scripts.parser("model_profiling/scripts/analyze_results.py")
    change(next(action for action in parser._actions if "--quiet" in action.option_strings))
    with pytest.raises(UserError, match=r"^model_profiling/pipeline_commands\.md differs from what the commands say"):
        make_reference.check(make_reference.made(scripts))


def test_both_documents_are_in_order_and_their_examples_follow_each_other(checker: Checker) -> None:
    assert checker.check([checker.read(make_reference.REFERENCE), checker.read(make_reference.CATALOGUE)]) == []


# ---------------------------------------------------------------- complete


def test_every_command_that_people_type_is_in_it() -> None:
    text = make_reference.REFERENCE.read_text(encoding="utf-8")
    files = [
        *KIT.glob("scripts/*.sh"),
        *KIT.glob("scripts/*.py"),
        *KIT.glob("tools/*.py"),
        *KIT.glob("export/*.py"),
        *(REPOSITORY / "tools").glob("*.py"),
        *(REPOSITORY / "tools").glob("*.sh"),
    ]
    commands = [
        path.name
        for path in files
        if not path.stem.endswith("_child")  # what a command starts, and nobody types
        and (path.suffix == ".sh" or "\nif __name__ ==" in path.read_text(encoding="utf-8"))
    ]
    assert len(commands) >= 30
    assert [name for name in commands if f"\n### {name}\n" not in text] == []


@pytest.mark.parametrize("name", ["mac_pipeline.py", "export_model.py", "build_runners.sh", "setup_repo.sh"])
def test_a_command_s_section_has_every_flag_of_its_help(name: str, checker: Checker) -> None:
    section = make_reference.REFERENCE.read_text(encoding="utf-8").partition(f"\n### {name}\n")[2].partition("\n##")[0]
    flags = {
        flag
        for action in checker.scripts.parser(checker.scripts.named(name))._actions
        for flag in action.option_strings
    }
    assert {flag for flag in flags if flag.startswith("--") and f"| `{flag}" not in section} <= {"--help"}


def test_the_catalogue_names_every_script_of_its_folder() -> None:
    text = make_reference.CATALOGUE.read_text(encoding="utf-8")
    scripts = [
        path.name
        for path in (KIT / "scripts").iterdir()
        if path.suffix == ".sh" or path.suffix == ".py" and "run_command(main)" in path.read_text(encoding="utf-8")
    ]
    assert [name for name in scripts if f"| [{name}](" not in text] == []


MAC, EXPORT = "model_profiling/scripts/mac_pipeline.py", "model_profiling/export/export_model.py"


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({k: v for k, v in ENTRIES.items() if k != MAC}, f"{MAC} has no entry"),
        (
            ENTRIES | {"model_profiling/scripts/max_pipeline.py": ENTRIES[MAC]},
            r"is no command of the repository \(did you mean .*mac_pipeline",
        ),
        (ENTRIES | {EXPORT: {k: v for k, v in ENTRIES[EXPORT].items() if k != "example"}}, "the entry lacks example"),
        (ENTRIES | {EXPORT: ENTRIES[EXPORT] | {"stage": "exprt"}}, r"exprt is no stage \(did you mean export\?\)"),
        (
            ENTRIES | {EXPORT: ENTRIES[EXPORT] | {"reeds": "x"}},
            r"reeds is no key of a command's entry \(did you mean reads\?\)",
        ),
    ],
)
def test_an_incomplete_data_file_is_refused(entries: dict, told: str, checker: Checker, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        read_commands(checker.scripts, write_data(tmp_path, entries))


# ---------------------------------------------------------------- how a flag is shown


@pytest.mark.parametrize(
    ("flags", "settings", "shown"),
    [
        (
            ["--dtype"],
            {"choices": ("fp32", "fp16"), "default": "fp16", "help": "element type"},
            ("[--dtype {fp32,fp16}]", "fp16", "element type"),
        ),
        (
            ["--out"],
            {"metavar": "DIR", "help": "where to write (default: beside it)"},
            ("[--out DIR]", "beside it", "where to write"),
        ),
        (["-v", "--verbose"], {"action": "store_true", "help": "say more"}, ("[--verbose]", "", "say more")),
        (
            ["--only"],
            {"nargs": "+", "metavar": "NAME", "required": True, "help": "these"},
            ("--only NAME ...", "", "these"),
        ),
        (
            ["--limit"],
            {"type": float, "default": 2.5, "help": "at most %(default)s %%"},
            ("[--limit LIMIT]", "2.5", "at most 2.5 %"),
        ),
        (
            ["--dest"],
            {"type": Path, "default": REPOSITORY / "images", "help": "where to"},
            ("[--dest DEST]", "images", "where to"),
        ),
        (["paths"], {"nargs": "*", "metavar": "PATH", "help": "files"}, ("[PATH ...]", "", "files")),
    ],
)
def test_a_flag_is_shown_with_its_value_default_and_help(flags: list, settings: dict, shown: tuple) -> None:
    (flag,) = flags_of(parser_with((flags, settings)), REPOSITORY)
    assert (flag.typed, flag.default, flag.help) == shown


def test_a_synopsis_is_broken_into_lines_that_fit(checker: Checker) -> None:
    command = next(c for c in read_commands(checker.scripts) if c.name == EXPORT)
    lines = synopsis(command).split(" \\\n")
    assert len(lines) > 1 and all(len(line) <= 100 for line in lines) and lines[1].startswith("    [--")


def test_a_model_s_name_in_angle_brackets_is_no_html(checker: Checker) -> None:
    text = reference(read_commands(checker.scripts))
    assert "\\<model>" in text and "`out_<model>/artifacts`" in text


SHELL = (
    "while [ $# -gt 0 ]; do\n  case $1 in\n    --fast) fast=yes ;;\n"
    "    --jobs) jobs=$2; shift ;;\n  esac\n  shift\ndone\n"
)


def test_a_shell_script_s_flags_come_from_its_help(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text(SHELL)
    told = read_shell_help(
        "usage: x.sh [--fast] [--jobs N]\n\nDo it.\n\n  --fast    leave the checks\n            out\n"
        "  --jobs N  at once (default: 2)\n\nenvironment:\n  CC  the compiler\n",
        shell_parser(script),
        "x.sh",
    )
    assert [(flag.typed, flag.default, flag.help) for flag in told.flags] == [
        ("[--fast]", "", "leave the checks out"),
        ("[--jobs N]", "2", "at once"),
    ]
    assert told.environment == {"CC": "the compiler"}


def test_a_help_that_promises_another_flag_than_the_code_has_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text(SHELL)
    with pytest.raises(UserError, match="--job, --jobs: the help and the code of x.sh name different flags"):
        read_shell_help("  --fast   leave the checks out\n  --job N  at once\n", shell_parser(script), "x.sh")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
