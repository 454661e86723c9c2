# SPDX-License-Identifier: Apache-2.0
"""Code inside sentences: a file, a flag or a command that is named there has to be real too."""

from __future__ import annotations

import difflib
import posixpath
import re
import shlex
from collections.abc import Iterator

from model_profiling.errors import nearest
from tools.pages.checks.page import CheckedPage
from tools.pages.reader import programs
from tools.pages.reader.scripts import Scripts
from tools.pages.reader.state import absolute
from tools.pages.reading.document import SKILL, Block, Passage, Span
from tools.pages.reading.problems import Problem
from tools.pages.reading.skill_form import symptoms

_FLAG = re.compile(r"--[a-zA-Z][\w-]*")
_SCRIPT = re.compile(r"[\w./-]+\.(py|sh)")
#: A stand-in for a value: X.pte, DIR, FILE.py, <model>, HOST:PORT.
_STANDS_FOR = re.compile(r"^<.*>$|^[A-Z][A-Z_]*(\.\w+|:[A-Z]+)?(\.\.\.)?$|^\.\.\.$")
#: A part of a path; FILE.md in a folder of the repository is a name.
_PART_STANDS_FOR = re.compile(r"^<.*>$|^[A-Z][A-Z_]*$|^\.\.\.$")
_NEAR = 0.85
_STARTERS = ("python", "python3", ".venv/bin/python", "bash", "sh", "uv", "run", "source", "sudo", "$")


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check every code span of the page's text."""
    printed = [id(cell) for cell in symptoms(page.document)] if page.document.kind == SKILL else []
    for passage in page.every(Passage):
        if id(passage) in printed:
            continue
        script = None
        for span in passage.spans:
            words = _words(span.text)
            named = _script_in(words)
            if named:
                yield from _command(page, span, words, named)
                script = named
            elif words and words[0].startswith("--"):
                yield from _flags(page, span, words, script)
            elif len(words) == 1:
                yield from _path(page, span, words[0])


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _script_in(words: list[str]) -> str | None:
    """Return the script that a span starts, where it begins with one."""
    if words and words[0].startswith("-"):
        return None
    for word in words:
        if _SCRIPT.fullmatch(word):
            return word
        if word not in _STARTERS and not word.startswith("-"):
            return None
    return None


def _command(page: CheckedPage, span: Span, words: list[str], named: str) -> Iterator[Problem]:
    base = posixpath.basename(named)
    path = page.scripts.named(base)
    if "/" in named:
        yield from _path(page, span, named)
    elif path is None and not _made(page, base):
        near = difflib.get_close_matches(base, [posixpath.basename(n) for n in page.scripts.commands()], 1, _NEAR)
        if near:
            yield page.problem(span.place, "path", f"{base} is not there (did you mean {near[0]}?)")
    if path is None:
        return
    parser = page.scripts.parser(path)
    flags = {flag: action for action in getattr(parser, "_actions", ()) for flag in action.option_strings}
    for flag, value in zip(words, (*words[1:], ""), strict=False):
        name = flag.split("=")[0]
        if not _FLAG.fullmatch(name) or name == "--help":
            continue
        if name not in flags:
            yield page.problem(span.place, "flag", f"{name} is not a flag of {base}{nearest(name, flags)}")
        elif (
            flags[name].choices
            and value
            and not _STANDS_FOR.match(value)
            and value not in map(str, flags[name].choices)
        ):
            yield page.problem(
                span.place, "value", f"{value} is not a value of {name} of {base}{nearest(value, flags[name].choices)}"
            )


def _flags(page: CheckedPage, span: Span, words: list[str], script: str | None) -> Iterator[Problem]:
    """A flag without its command has to be a flag of some command."""
    known = _all_flags(page.scripts)
    for word in words:
        flag = word.split("=")[0]
        if _FLAG.fullmatch(flag) and flag not in known:
            yield page.problem(span.place, "flag", f"{flag} is not a flag of any command{nearest(flag, known)}")


def _all_flags(scripts: Scripts) -> frozenset[str]:
    return scripts.flags() | programs.all_flags() | {"--help", "--version"}


def _made(page: CheckedPage, name: str) -> bool:
    """Return whether a bare file name is one of the repository's, of a block's, or made on the page."""
    files = page.repository.files
    return (
        any(f.endswith("/" + name) or f == name for f in files)
        or any(b.options.save_as and posixpath.basename(b.options.save_as) == name for b in page.document.every(Block))
        or any(posixpath.basename(path) == name for path in page.walk.reader.files.made)
    )


def _path(page: CheckedPage, span: Span, text: str) -> Iterator[Problem]:
    """A path whose first folder is the repository's, or was made on the page, leads to something."""
    text = text.rstrip("/")
    top = text.partition("/")[0]
    if "/" not in text or any(mark in text for mark in "$ ") or "://" in text or not top:
        return
    text = _filled(page, text)
    reader = page.walk.reader
    if any(mark in text for mark in "<>{}") or any(_PART_STANDS_FOR.match(part) for part in text.split("/")):
        return
    if any(mark in text for mark in "*?"):
        if page.repository.is_folder(top) and not any(page.repository.matching(text)):
            yield page.problem(span.place, "path", f"{span.text} matches nothing in the repository")
        return
    if page.repository.is_folder(top):
        made = reader.files.exists(absolute(text, reader.folder))
        if not page.repository.exists(text) and not made:
            near = [
                f
                for f in page.repository.files | page.repository.folders
                if posixpath.dirname(f) == posixpath.dirname(text)
            ]
            yield page.problem(span.place, "path", f"{text} is not in the repository{nearest(text, near)}")
        return
    path = absolute(text, reader.folder)
    if absolute(top, reader.folder) in reader.files.made and not reader.files.exists(path):
        near = [posixpath.basename(p) for p in reader.files.matching(posixpath.dirname(path) + "/*")]
        yield page.problem(
            span.place, "path", f"{text} is not made on this page{nearest(posixpath.basename(path), near)}"
        )
    elif _near_top(page, top):
        yield page.problem(
            span.place, "path", f"{top} is not a folder of the repository (did you mean {_near_top(page, top)}?)"
        )


def _near_top(page: CheckedPage, top: str) -> str:
    folders = [f for f in page.repository.folders if "/" not in f]
    return (difflib.get_close_matches(top, folders, 1, _NEAR) or [""])[0]


def _filled(page: CheckedPage, text: str) -> str:
    values: dict[str, str] = {}
    for block in page.document.every(Block):
        values |= block.values
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text
