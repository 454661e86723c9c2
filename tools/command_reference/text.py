# SPDX-License-Identifier: Apache-2.0
"""The two reference documents as Markdown: every command in the order of work, and the catalogue of scripts/."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from model_profiling import KIT_ADDRESS
from tools.command_reference.commands import STAGES, CommandReference
from tools.command_reference.flags import Flag

_WIDTH = 100
_HEAD = (
    "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
    "<!-- Made by tools/make_reference.py from the commands themselves: change those, then make it again. -->\n"
)
_RAW = KIT_ADDRESS.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main"
_MARKED = re.compile(r"(`[^`]*`)")
_FLAG_IN_TEXT = re.compile(r"(?<![\w`-])(--[a-z][\w-]*)")
_SCRIPTS = "model_profiling/scripts/"


def reference(commands: Sequence[CommandReference]) -> str:
    """Return pipeline_commands.md: every command with its flags, files, statuses and an example."""
    lines = [
        _HEAD,
        "# Commands\n",
        "Every command of the kit, in the order of work: from set-up to a validated report, then the tools beside it. "
        "The examples work as they stand, one after the other, from the repository's root.\n",
        "Exit statuses mean the same everywhere; an entry says what is particular to its command.\n",
        "| status | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | the measured program failed, or a check did |",
        "| 2 | something that you can fix: one line says what, where and how |",
        "| 130 | interrupted |\n",
        "Every command also takes `--help`.\n",
        *_contents(commands),
    ]
    for stage, title in STAGES.items():
        lines.append(f"## {title}\n")
        for command in (c for c in commands if c.entry.stage == stage):
            lines += _section(command)
    return "\n".join(lines).rstrip() + "\n"


def _contents(commands: Sequence[CommandReference]) -> Iterator[str]:
    yield "| you want to | command |"
    yield "|---|---|"
    for command in commands:
        name = PurePosixPath(command.name).name
        yield f"| {command.entry.task} | [{name}](#{_anchor(name)}) |"
    yield ""


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _section(command: CommandReference) -> Iterator[str]:
    entry = command.entry
    yield f"### {PurePosixPath(command.name).name}\n"
    yield " ".join(filter(None, map(_prose, (command.purpose, command.details)))) + "\n"
    yield f"```text\n{synopsis(command)}\n```\n"
    if entry.arguments:
        yield f"{entry.arguments}\n"
    yield from _flag_table(command.flags)
    if command.environment:
        yield "| variable | what |\n|---|---|"
        yield from (f"| `{name}` | {_cell(told)} |" for name, told in command.environment.items())
        yield ""
    yield f"- **Reads**: {entry.reads}."
    yield f"- **Writes**: {entry.writes}."
    yield "- **Exit status**: " + "; ".join(f"`{status}` {meaning}" for status, meaning in entry.exits.items()) + "."
    if command.note and not command.note.startswith(
        ("Exit status", "Writes")
    ):  # the data file says that in its own lines
        yield f"- **Note**: {_prose(command.note)}"
    yield ""
    if entry.no_run:
        yield f"<!-- check: no-run {entry.no_run} -->"
    yield f"```bash\n{entry.example}\n```\n"


def synopsis(command: CommandReference) -> str:
    """Return how a command is typed, with every flag, broken into lines that fit a page."""
    pieces = [flag.typed for flag in command.flags] or (["[ARGUMENT ...]"] if command.entry.arguments else [])
    lines = [command.typed]
    for piece in pieces:
        if len(lines[-1]) + 1 + len(piece) > _WIDTH:
            lines.append("   ")
        lines[-1] += f" {piece}"
    return " \\\n".join(lines)


def _flag_table(flags: Sequence[Flag]) -> Iterator[str]:
    if not flags:
        return
    yield "| flag | default | what it does |"
    yield "|---|---|---|"
    for flag in flags:
        default = "required" if flag.required else _default(flag.default)
        choices = (
            f"one of {', '.join(f'`{choice}`' for choice in flag.choices)}"
            if flag.choices and "{" not in flag.value
            else ""
        )
        told = "; ".join(filter(None, (_cell(flag.help), choices)))
        yield f"| `{f'{flag.name} {flag.value}'.strip()}` | {default} | {told} |"
    yield ""


def _default(text: str) -> str:
    return f"`{text}`" if text and " " not in text and text not in ("all", "both") else _cell(text)


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def _prose(text: str) -> str:
    """Mark flags in a parser's plain words as code, and keep <model> from being taken for HTML."""
    pieces = _MARKED.split(text)
    plain = [
        piece if piece.startswith("`") else _FLAG_IN_TEXT.sub(r"`\1`", piece.replace("``", "`")).replace("<", "\\<")
        for piece in pieces
    ]
    return "".join(plain)


# ---------------------------------------------------------------- scripts/readme.md


def catalogue(commands: Sequence[CommandReference]) -> str:
    """Return scripts/readme.md: which script serves what, and how to use one without the rest."""
    own = [command for command in commands if command.name.startswith(_SCRIPTS)]
    lines = [
        _HEAD,
        "# Scripts\n",
        "The commands of the everyday workflow, in the order of work. All flags are in "
        "[pipeline_commands.md](../pipeline_commands.md); every script has `--help`.\n",
        "## Which script for what\n",
        "| you want to | script | what it leaves |",
        "|---|---|---|",
    ]
    for command in own:
        name = PurePosixPath(command.name).name
        lines.append(
            f"| {command.entry.task} | [{name}](../pipeline_commands.md#{_anchor(name)}) | {command.entry.writes} |"
        )
    lines += ["", *_one_alone()]
    return "\n".join(lines).rstrip() + "\n"


def _one_alone() -> Iterator[str]:
    yield (
        "The other commands are `model_profiling/export/export_model.py`, which turns a PyTorch model into a `.pte`, "
        "and `model_profiling/tools/`, for one file at a time.\n"
    )
    yield "## One script alone\n"
    yield (
        "`setup_repo.sh`, `build_runners.sh`, `export_model.py`, `mac_pipeline.py`, `android_pipeline.py` and "
        "`analyze_results.py` each work as the only file that you download.\n"
    )
    yield (
        "`setup_repo.sh` makes `.venv` in the current directory with the kit installed; "
        "any single script then runs with its Python:\n"
    )
    yield (
        "```bash\nmkdir ../one_script && cd ../one_script\n"
        f"curl -fsSLO {_RAW}/{_SCRIPTS}setup_repo.sh\nbash setup_repo.sh\n"
        f"curl -fsSLO {_RAW}/model_profiling/export/export_model.py\n"
        ".venv/bin/python export_model.py --model toy_cnn --dtype fp16\n```\n"
    )
    yield (
        "With [uv](https://github.com/astral-sh/uv) nothing has to be set up: "
        "each Python script names what it needs, the kit included.\n"
    )
    yield "```bash\nuv run export_model.py --list\n```\n"
    yield (
        "On x86-64 Linux, uv takes PyTorch from PyPI, whose build brings gigabytes of CUDA. "
        "`UV_FIND_LINKS=https://download.pytorch.org/whl/cpu/torch/` makes it take the CPU build.\n"
    )
    yield "What has no file of its own starts as a module of the installed kit:\n"
    yield "```bash\n.venv/bin/python -m model_profiling.scripts.validate_setup\n```\n"
    yield "`KIT_SOURCE` names another address, folder or wheel for `setup_repo.sh` to install the kit from.\n"
