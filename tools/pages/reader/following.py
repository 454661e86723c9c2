# SPDX-License-Identifier: Apache-2.0
"""Follow a page from its first command to its last, as a reader would, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tools.pages.reader.calls import call
from tools.pages.reader.scripts import Scripts
from tools.pages.reader.state import Argument, Reader, absolute
from tools.pages.reader.virtual_files import HOME, Files
from tools.pages.reading.document import Block, Document, Options
from tools.pages.reading.problems import Problem
from tools.pages.reading.repository import Repository
from tools.pages.reading.shell import Command, Loop, Redirect, Shape, Statement, Subshell
from tools.pages.reading.shell_parser import parse

_KNOWN_ITERATIONS = 4


@dataclass(frozen=True)
class CommandLine:
    """One command line of a page and what is known of it before it runs.

    `needs` is why it cannot run here, `stand_in` what it would need but for a stand-in; both
    None where it simply runs. `trivial` lines look or move and do nothing that a run must prove.
    """

    block: Block
    statement: Statement
    options: Options
    needs: str | None = None
    stand_in: str | None = None
    trivial: bool = False
    last: bool = False


@dataclass(frozen=True)
class Walk:
    """What following a page gave: its command lines, its problems, and what is there at its end."""

    document: Document
    steps: tuple[CommandLine, ...]
    problems: tuple[Problem, ...]
    reader: Reader


def follow(document: Document, repository: Repository, scripts: Scripts, files: Files | None = None) -> Walk:
    """Follow a page; `files` is what earlier pages left, where the page says that it comes after them."""
    reader = Reader.start(repository, document.name, document.settings.start_in)
    if files is not None:
        reader.files = files.copy()
    if not reader.files.is_folder(reader.folder):
        start = document.settings.start_in
        reader.problem(document.elements[0].place, "path", f"the shell cannot start in {start}: it is not there")
    steps: list[CommandLine] = []
    for block in document.typed:
        if block.options.skip:
            continue
        if block.options.save_as:
            path = absolute(block.options.save_as, reader.folder)
            reader.files.make(path)
            reader.make(path, content=block.text)
        elif block.is_shell:
            steps += _follow_block(block, reader, scripts)
    for fix in document.fixes:
        _try_fix(fix, reader, scripts)
    return Walk(document, tuple(steps), tuple(reader.problems), reader)


def _try_fix(fix: Sequence[Block], reader: Reader, scripts: Scripts) -> None:
    """Follow what a row of a failure table says to type: from the page's end, and leaving nothing for the next."""
    before = reader.files.copy(), reader.folder, dict(reader.variables)
    for block in fix:
        _follow_block(block, reader, scripts)
    reader.files, reader.folder, reader.variables = before


def _follow_block(block: Block, reader: Reader, scripts: Scripts) -> list[CommandLine]:
    script = parse(block.text, block.place, block.values)
    for place, rule, message in script.faults:
        reader.problem(place, rule, message)
    known = list(reader.problems)
    steps = []
    for number, statement in enumerate(script.statements):
        last = number == len(script.statements) - 1
        reader.needs, reader.stand_in, reader.piped, reader.trivial = _needs_of(block), None, None, True
        if last and block.options.exits:
            _take_failing(statement, reader, scripts)
        else:
            for shape in statement.shapes:
                _take(shape, reader, scripts)
        steps.append(CommandLine(block, statement, block.options, reader.needs, reader.stand_in, reader.trivial, last))
    reader.needs = None
    if any(rule == "placeholder" for _, rule, _ in script.faults):
        reader.problems = known  # what follows from a name without a value helps nobody
    return steps


def _take_failing(statement: Statement, reader: Reader, scripts: Scripts) -> None:
    """Take a command that is meant to fail: it is wrong on purpose, and leaves nothing."""
    files, problems = reader.files.copy(), list(reader.problems)
    for shape in statement.shapes:
        _take(shape, reader, scripts)
    reader.files, reader.problems = files, problems


def _needs_of(block: Block) -> str | None:
    """Return why nothing in a block can run here: its comment, or a tab for another system."""
    if block.options.no_run:
        return block.options.no_run
    return next((system for system in ("macOS", "Windows") if block.tab and system in block.tab), None)


def _take(shape: Shape, reader: Reader, scripts: Scripts) -> None:
    if isinstance(shape, Subshell):
        folder, variables = reader.folder, dict(reader.variables)
        for inner in shape.body:
            _take(inner, reader, scripts)
        reader.folder, reader.variables = folder, variables
    elif isinstance(shape, Loop):
        values = [argument for word in shape.words for argument in reader.expand(word)]
        for value in [argument.text for argument in values[:_KNOWN_ITERATIONS]] or [None]:
            reader.variables[shape.variable] = value
            for inner in shape.body:
                _take(inner, reader, scripts)
    else:
        _command(shape, reader, scripts)


def _command(command: Command, reader: Reader, scripts: Scripts) -> None:
    for inner in command.inner:
        _take(replace(inner, piped=False) if isinstance(inner, Command) else inner, reader, scripts)
    before = dict(reader.variables)
    for name, word in command.assignments:
        value = reader.expand(word)[0].text if word else reader.variables.get(name, "")
        reader.variables[name] = value
    if command.keyword == "[" or command.keyword.startswith("[["):
        return
    if command.keyword in ("export", "declare", "readonly", "local", "typeset"):
        for word in command.words:
            reader.problem(word.place, "bash", f"{command.keyword} takes no {word.raw}")
    elif command.keyword == "unset":
        for name, _ in command.assignments:
            reader.variables.pop(name, None)
    elif command.words:
        words = [argument for word in command.words for argument in reader.expand(word)]
        heredoc = next((r.heredoc for r in command.redirects if r.heredoc is not None), None)
        if not _is_test(words):
            call(words, reader, scripts, heredoc)
        reader.variables = before if command.assignments else reader.variables
    for redirect in command.redirects:
        _redirect(redirect, command, reader)


def _is_test(words: list[Argument]) -> bool:
    return words[0].text in ("[", "[[", "test")


def _redirect(redirect: Redirect, command: Command, reader: Reader) -> None:
    if redirect.target is None:
        return
    argument = reader.expand(redirect.target)[0]
    if redirect.operator in ("<",):
        reader.read_file(argument)
    elif redirect.operator in (">", ">>", "&>", ">|", "&>>") and argument.text is not None:
        heredoc = next((r.heredoc for r in command.redirects if r.heredoc is not None), None)
        path = absolute(argument.text, reader.folder)
        folder = path.rpartition("/")[0] or "/"
        if path.startswith(HOME) and not reader.files.is_folder(folder):
            reader.problem(argument.place, "path", f"the folder of {argument.text} is not there")
        content = heredoc if command.words and command.words[0].raw == "cat" and redirect.operator == ">" else None
        reader.make(path, content=content, archive=reader.piped)
