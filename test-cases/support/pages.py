# SPDX-License-Identifier: Apache-2.0
"""What tests of the page tools share: commands to interrupt, and faults put to the checker."""

from __future__ import annotations

import argparse
import copy
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.kit import REPOSITORY
from support.page_edits import Fault
from tools.pages.checks import shellcheck
from tools.pages.checks.checker import Checker
from tools.pages.reader.scripts import Scripts
from tools.pages.reading.document import Document
from tools.pages.reading.lexer import read_document

SAMPLE_PAGES = (
    REPOSITORY
    / "test-cases/fixtures/pages/content/learning-paths/embedded-and-microcontrollers"
    / "sme-executorch-profiling"
)


def own_number(number: int) -> int:
    """Return a number that no other run of the tests on this machine uses, to know one's own processes by."""
    return 1_000 * os.getpid() + number


def start(words: Sequence[object], folder: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """Start a command that will be sent signals; a shell's background would pass on that Ctrl-C is ignored."""
    return subprocess.Popen(
        list(map(str, words)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def caught(fault: Fault, document: Document, checker: Checker) -> bool:
    """Return whether the checker finds anything in the one page that has the fault."""
    if fault.text is not None:
        changed = read_document(document.path, document.name, fault.text)
        return _finds_anything(checker, changed)
    changed = read_document(document.path, document.name, document.text)
    repository = checker.repository
    if fault.gone is not None:
        repository = repository.without(fault.gone)
        scripts = Scripts(repository, _parsers=dict(checker.scripts._parsers))
    else:
        name, flag = fault.lost_flag
        scripts = Scripts(
            repository, _parsers=dict(checker.scripts._parsers), _commands=list(checker.scripts.commands())
        )
        scripts._parsers[name] = _renamed(checker.scripts.parser(name), flag)
    return _finds_anything(Checker(repository, scripts, _documents=dict(checker._documents)), changed)


def _finds_anything(checker: Checker, document: Document) -> bool:
    """Ask the slow program only where nothing else has found a thing."""
    return next(checker.problems(document), None) is not None or bool(shellcheck.check_blocks([document]))


def _renamed(parser: argparse.ArgumentParser, flag: str) -> argparse.ArgumentParser:
    """Return a copy of a parser with one flag under another name."""
    changed = copy.deepcopy(parser)
    action = changed._option_string_actions.pop(flag)
    action.option_strings = [f"{flag}-renamed" if known == flag else known for known in action.option_strings]
    changed._option_string_actions[f"{flag}-renamed"] = action
    return changed
