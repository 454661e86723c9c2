# SPDX-License-Identifier: Apache-2.0
"""What calls of programs that are not the kit's own do; their flags stand in `known_programs.yaml`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

from model_profiling import KIT_ADDRESS
from model_profiling.errors import nearest
from tools.pages.reader import downloads
from tools.pages.reader.state import Argument, Reader, absolute
from tools.pages.reading.known_programs import Program, known, subcommands
from tools.pages.reading.problems import Position


def all_flags() -> frozenset[str]:
    """Return every flag of every known program."""
    programs = [*known().values(), *(p for subs in subcommands().values() for p in subs.values())]
    return frozenset(flag for program in programs for flag in (*program.flags, *program.values))


def run_program(name: str, words: Sequence[Argument], reader: Reader, place: Position) -> None:
    """Check a call of a known program and let it have its effect on the reader."""
    program = known()[name]
    reader.trivial = reader.trivial and program.trivial
    reader.stand_in = reader.stand_in or program.stand_in
    if name in subcommands():
        words, called, program = _subcommand(name, words, reader, place, program)
        if called is None:
            return
        name = f"{name} {called}"
    known_problems = len(reader.problems)
    positional = _split(name, program, words, reader)
    if len(positional) < program.least:
        reader.problem(place, "argument", f"{name} needs {'more ' if positional else ''}arguments")
        return
    understood = len(reader.problems) == known_problems
    for argument in _read(program.reads, positional):
        reader.read_file(argument)
    effect = _EFFECTS.get(name)
    if effect and understood:
        effect(reader, positional, words)


def _subcommand(
    name: str, words: Sequence[Argument], reader: Reader, place: Position, program: Program
) -> tuple[Sequence[Argument], str | None, Program]:
    words = list(words)
    while words and words[0].text in ("-C", "-c", "-s") and len(words) > 1:  # git -C DIR, adb -s SERIAL
        del words[:2]
    if words and words[0].text in ("--version", "--help", "version"):
        reader.trivial = True
        return words, None, program
    if not words or words[0].text is None:
        reader.problem(place, "argument", f"{name} needs a subcommand")
        return words, None, program
    called = words[0].text
    choices = subcommands()[name]
    if called not in choices:
        reader.problem(
            words[0].place,
            "argument",
            f"{called} is not a subcommand of {name} that pages use{nearest(called, choices)}",
        )
        return words, None, program
    reader.trivial = reader.trivial or choices[called].trivial
    return words[1:], called, choices[called]


def _split(name: str, program: Program, words: Sequence[Argument], reader: Reader) -> list[Argument]:
    """Return the positional arguments; an unknown flag is a problem."""
    positional, waiting = [], False
    letters = {flag[1] for flag in program.flags if len(flag) == 2}
    for number, word in enumerate(words):
        text = word.text
        if waiting:
            waiting = False
        elif text in ("--version", "--help"):
            reader.trivial = True
        elif text is None or not text.startswith("-") or text == "-" or name in ("echo", "printf"):
            positional.append(word)
            if program.passes:
                return [*positional, *words[number + 1 :]]
        elif text == "--":
            return [*positional, *words[number + 1 :]]
        elif text.split("=")[0] in program.values:
            waiting = "=" not in text
        elif (
            text not in program.flags
            and not set(text[1:]) <= letters
            and not any(text.startswith(v) for v in program.values if len(v) == 2)
        ):
            reader.problem(
                word.place,
                "flag",
                f"{text} is not a flag of {name} that pages use{nearest(text, (*program.flags, *program.values))}",
            )
    if waiting:
        reader.problem(words[-1].place, "flag", f"{words[-1].text} of {name} needs a value")
    return positional


def _read(which: str, positional: list[Argument]) -> list[Argument]:
    return {"all": positional, "first": positional[:1], "rest": positional[1:], "allbutlast": positional[:-1]}.get(
        which, []
    )


# ---------------------------------------------------------------- effects


def _cd(reader: Reader, positional: list[Argument], _words: Sequence[Argument]) -> None:
    target = positional[0] if positional else None
    if target is None or target.text is None or target.text == "-":
        return
    path = reader.read_file(target)
    if path and reader.files.exists(path):
        if reader.files.is_known_file(path):
            reader.problem(target.place, "path", f"{target.text} is a file, no folder to go to")
        reader.folder = path


def _mkdir(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    for argument in positional:
        path = argument.path(reader.folder)
        if path and not any(w.text == "-p" for w in words) and not reader.files.exists(posixpath.dirname(path)):
            reader.problem(
                argument.place, "path", f"the folder above {argument.text} is not there: make it first, or use mkdir -p"
            )
        if path:
            reader.make(path, folder=True)


def _touch(reader: Reader, positional: list[Argument], _words: Sequence[Argument]) -> None:
    for argument in positional:
        path = argument.path(reader.folder)
        if path is not None:
            reader.make(path)


def _rm(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    forced = any((text := word.text or "").startswith("-") and "f" in text for word in words)
    for argument in positional:
        path = argument.path(reader.folder) if forced else reader.read_file(argument)
        if path:
            reader.files.remove(path)


def _copy(keep: bool) -> Callable[..., None]:
    def effect(reader: Reader, positional: list[Argument], _words: Sequence[Argument]) -> None:
        *sources, target = positional
        goal = target.path(reader.folder)
        if target.text is None or goal is None:
            return
        into = reader.files.is_folder(goal)
        if not into and (target.text.endswith("/") or not reader.files.exists(posixpath.dirname(goal))):
            reader.problem(target.place, "path", f"the folder of {target.text} is not there")
        for source in sources:
            path = source.path(reader.folder)
            if path and reader.files.exists(path):
                reader.files.move(path, posixpath.join(goal, posixpath.basename(path)) if into else goal, keep=keep)

    return effect


def _clone(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    address = positional[0].text
    if address is None:
        return
    folder = positional[1].text if len(positional) > 1 else posixpath.basename(address).removesuffix(".git")
    path = absolute(folder or "clone", reader.folder)
    if reader.files.repository.path_of_address(address) == "":
        reader.files.clone(path, sparse=any(w.text == "--sparse" for w in words))
        return
    if KIT_ADDRESS.rpartition("/")[0] in address or not re.match(r"https://[\w.-]+/[\w./-]+$", address):
        reader.problem(
            positional[0].place,
            "address",
            f"{address} is not the address of this kit{nearest(address, [KIT_ADDRESS + '.git'])}",
        )
    reader.needs = reader.needs or f"the network, for {address}"
    reader.make(path, folder=True, open=True)


def _sparse_checkout(reader: Reader, positional: list[Argument], _words: Sequence[Argument]) -> None:
    doing, *folders = positional
    if doing.text not in ("set", "add", "init", "list", "disable"):
        reader.problem(
            doing.place,
            "argument",
            f"{doing.text} is not a subcommand of git sparse-checkout"
            f"{nearest(str(doing.text), ['set', 'add', 'list', 'disable'])}",
        )
        return
    root = next(
        (
            r
            for r in sorted(reader.files.clones, key=len, reverse=True)
            if reader.folder == r or reader.folder.startswith(r + "/")
        ),
        None,
    )
    if root is None:
        reader.problem(doing.place, "path", "there is no clone here: cd into it first")
        return
    for folder in folders:
        if folder.text is not None and not reader.files.repository.is_folder(folder.text):
            near = nearest(folder.text, reader.files.repository.folders)
            reader.problem(folder.place, "path", f"{folder.text} is not a folder of the repository{near}")
    held = reader.files.clones[root] or () if doing.text == "add" else ()
    if doing.text in ("set", "add"):
        reader.files.clones[root] = (*held, *(f.text.rstrip("/") for f in folders if f.text))
    elif doing.text == "disable":
        reader.files.clones[root] = None


def _source(reader: Reader, positional: list[Argument], _words: Sequence[Argument]) -> None:
    path = positional[0].path(reader.folder)
    if path and path.endswith("/bin/activate"):
        reader.variables["VIRTUAL_ENV"] = posixpath.dirname(posixpath.dirname(path))


_EFFECTS: Mapping[str, Callable[..., None]] = {
    "cd": _cd,
    "mkdir": _mkdir,
    "touch": _touch,
    "rm": _rm,
    "cp": _copy(True),
    "mv": _copy(False),
    "tee": _touch,
    "git clone": _clone,
    "git sparse-checkout": _sparse_checkout,
    "curl": downloads.curl,
    "wget": downloads.wget,
    "source": _source,
    ".": _source,
    "tar": downloads.tar,
    "unzip": downloads.unzip,
}
