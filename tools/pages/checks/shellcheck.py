# SPDX-License-Identifier: Apache-2.0
"""shellcheck over every bash block, all in one process; each text is asked about once."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.processes import run_child
from tools.pages.reading.document import Block, Document
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.shell_parser import fill

_SECONDS = 60
#: What shellcheck asks of scripts and not of lines that somebody types: a first line with the
#: shell's name (2148), sourced files that it cannot follow (1090, 1091), `cd` without `|| exit`
#: (2103, 2164), variables set for later blocks or by earlier ones (2034, 2154), `ls` and `cat`
#: as people use them (2012, 2002), and a `#` or `$` of text to be shown (2016).
_EXCLUDED = "1090,1091,2002,2012,2016,2034,2103,2148,2154,2164"

_answers: dict[str, list[dict[str, Any]]] = {}


def check_blocks(documents: Iterable[Document]) -> list[Problem]:
    """Check the bash blocks of all documents at once.

    Raises
    ------
    UserError : shellcheck is not installed, and this is continuous integration.
    """
    blocks = [
        (document, block, fill(block.text, block.values))
        for document in documents
        for block in (*document.typed, *(b for fix in document.fixes for b in fix))
        if block.is_shell and not block.options.skip
    ]
    _ask(sorted({text for _, _, text in blocks} - _answers.keys()))
    return [
        problem for document, block, text in blocks for problem in _problems(document, block, _answers.get(text, ()))
    ]


def installed() -> bool:
    """Return whether shellcheck is there; in continuous integration it has to be."""
    if shutil.which("shellcheck"):
        return True
    if os.environ.get("CI"):
        raise UserError("shellcheck is not installed", "on this machine", "install the package shellcheck")
    return False


def _ask(texts: list[str]) -> None:
    if not texts or not installed():
        return
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, text in enumerate(texts):
            path = Path(folder) / f"{number:04}.bash"
            path.write_text(text, encoding="utf-8")
            names.append(path.name)
        done = run_child(
            ["shellcheck", "--shell=bash", "--norc", "--format=json1", f"--exclude={_EXCLUDED}", *names],
            timeout_s=_SECONDS,
            cwd=Path(folder),
        )
    comments = json.loads(done.output)["comments"]
    for name, text in zip(names, texts, strict=True):
        _answers[text] = [comment for comment in comments if comment["file"] == name]


def _problems(document: Document, block: Block, comments: Iterable[dict[str, Any]]) -> Iterable[Problem]:
    for comment in comments:
        if comment["level"] in ("error", "warning", "info"):
            place = Position(block.place.line + comment["line"] - 1, block.place.column + comment["column"] - 1)
            yield Problem(document.name, place, "shellcheck", f"{comment['message']} (SC{comment['code']})")
