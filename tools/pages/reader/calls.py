# SPDX-License-Identifier: Apache-2.0
"""Which program a command line calls, and what that means for the reader."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Sequence

from model_profiling.errors import nearest
from tools.pages.reader import programs
from tools.pages.reader.arguments import asks_for_help, parse_arguments
from tools.pages.reader.effects.commands import EFFECTS
from tools.pages.reader.kit_call import Call
from tools.pages.reader.scripts import Scripts, pytest_parser
from tools.pages.reader.state import Argument, Reader, absolute
from tools.pages.reading import known_programs
from tools.pages.reading.problems import Position

_PYTHONS = frozenset({"python", "python3"})
_SHELLS = frozenset({"bash", "sh"})
#: Programs whose arguments are a command line again.
_WRAPPERS = frozenset({"time", "sudo", "nohup", "env"})


def call(words: Sequence[Argument], reader: Reader, scripts: Scripts, stdin: str | None = None) -> None:
    """Take one command: name, arguments, and the here-document that it reads, if any."""
    program, rest = words[0], words[1:]
    name = program.text
    if name is None:
        reader.trivial = False
        return
    base = posixpath.basename(name)
    if "/" in name:
        reader.read_file(program)
    if name in _WRAPPERS and rest:
        if name == "sudo":
            reader.stand_in = reader.stand_in or known_programs.known()["sudo"].needs
        call(rest, reader, scripts, stdin)
    elif base in _PYTHONS:
        _python(program, rest, reader, scripts, stdin)
    elif base in _SHELLS:
        _shell(rest, reader, scripts, program.place)
    elif name == "uv" and rest and rest[0].text == "run":
        _uv_run(rest[1:], reader, scripts, program.place)
    elif "/" in name:
        _script(program, rest, reader, scripts)
    elif name in known_programs.known():
        programs.run_program(name, rest, reader, program.place)
    else:
        reader.trivial = False
        choices = [*known_programs.known(), *_PYTHONS, *_SHELLS]
        own = scripts.named(name)
        told = (
            f": type {own}"
            if own
            else nearest(name, choices) or ": where it is right, add it to tools/pages/data/known_programs.yaml"
        )
        reader.problem(program.place, "program", f"{name} is not a program that pages call{told}")


def _python(program: Argument, words: Sequence[Argument], reader: Reader, scripts: Scripts, stdin: str | None) -> None:
    reader.trivial = False
    words = [w for w in words if w.text not in ("-I", "-u", "-B")]
    first = words[0].text if words else None
    place = program.place
    if first in ("--version", "-V"):
        reader.trivial = True
    elif first == "-c" and len(words) > 1:
        _compile(words[1].text, reader, words[1].place)
    elif first == "-m" and len(words) > 1:
        _module(words[1], words[2:], reader, scripts)
    elif first is None or first == "-":
        _compile(stdin, reader, place)
    elif first.startswith("-"):
        reader.problem(words[0].place, "flag", f"{first} is not a flag of python that pages use")
    else:
        reader.read_file(words[0])
        _require_kit(program, words[0], reader, scripts)
        _script(words[0], words[1:], reader, scripts)


def _require_kit(program: Argument, script: Argument, reader: Reader, scripts: Scripts) -> None:
    """A command of the kit needs the environment that set-up made: activated, or named."""
    path = script.path(reader.folder)
    name = reader.files.repository_file(path) if path else None
    if name is None or "/" in (program.text or "") or not scripts.needs_kit(name):
        return
    if "VIRTUAL_ENV" not in reader.variables:
        reader.problem(
            program.place,
            "program",
            f"this {program.text} lacks the kit: "
            "activate the environment first (source .venv/bin/activate), or call .venv/bin/python",
        )


def _compile(code: str | None, reader: Reader, place: Position) -> None:
    if code is None:
        return
    try:
        ast.parse(code)
    except SyntaxError as error:
        reader.problem(place, "python", f"the Python code does not compile: {error.msg}")


def _module(module: Argument, words: Sequence[Argument], reader: Reader, scripts: Scripts) -> None:
    name = module.text or ""
    if name == "venv":
        for folder in (w for w in words if w.text and not w.text.startswith("-")):
            for program in ("activate", "python", "python3", "pip"):
                reader.make(absolute(f"{folder.text}/bin/{program}", reader.folder))
    elif name == "pip":
        programs.run_program("pip", words, reader, module.place)
    elif name == "pytest":
        parse_arguments(pytest_parser(), words, reader, module.place)
    elif script := scripts.of_module(name):
        _own(script, module, words, reader, scripts)
    elif name.partition(".")[0] == "model_profiling":
        near = nearest(name, (s.removesuffix(".py").replace("/", ".") for s in scripts.names()))
        reader.problem(module.place, "program", f"{name} is not a module of the kit{near}")
    elif name not in ("http.server", "json.tool", "compileall"):
        reader.problem(module.place, "program", f"{name} is not a module that pages start")


def _shell(words: Sequence[Argument], reader: Reader, scripts: Scripts, place: Position) -> None:
    reader.trivial = False
    words = [w for w in words if w.text not in ("-e", "-x", "-u")]
    if not words:
        reader.problem(place, "argument", "bash needs a script")
    elif words[0].text and words[0].text.startswith("-"):
        if words[0].text not in ("-c", "--version"):
            reader.problem(words[0].place, "flag", f"{words[0].text} is not a flag of bash that pages use")
    else:
        reader.read_file(words[0])
        _script(words[0], words[1:], reader, scripts)


def _uv_run(words: Sequence[Argument], reader: Reader, scripts: Scripts, place: Position) -> None:
    reader.trivial = False
    words = [w for w in words if w.text != "--script"]
    if not words:
        reader.problem(place, "argument", "uv run needs a script")
        return
    reader.read_file(words[0])
    _script(words[0], words[1:], reader, scripts)


def _script(program: Argument, words: Sequence[Argument], reader: Reader, scripts: Scripts) -> None:
    """A file is run: one of the repository's, a copy of one, or one that the page made."""
    reader.trivial = False
    path = program.path(reader.folder)
    name = reader.files.repository_file(path) if path else None
    if name is not None:
        _own(name, program, words, reader, scripts)


def _own(name: str, program: Argument, words: Sequence[Argument], reader: Reader, scripts: Scripts) -> None:
    """One of the repository's own scripts is run."""
    reader.trivial = False
    if not name.endswith((".py", ".sh")):
        reader.problem(program.place, "program", f"{posixpath.basename(name)} is no script")
        return
    parser = scripts.parser(name)
    if parser is None:
        for word in words:
            reader.problem(word.place, "argument", f"{posixpath.basename(name)} takes no arguments")
        return
    args = parse_arguments(parser, words, reader, program.place)
    effect = EFFECTS.get(posixpath.basename(name))
    if args is not None and effect and not asks_for_help(words):
        effect(Call(args, words, reader, program.place))
