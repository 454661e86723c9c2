# SPDX-License-Identifier: Apache-2.0
"""The repository's own commands and their parsers: the ones that run, not a list of them."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from model_profiling.command import CommandParser
from tools.pages.reading.repository import Repository

_BASH = Parser(Language(tree_sitter_bash.language()))
#: Shell scripts that hand their arguments to a Python command.
FORWARDS = {"model_profiling/scripts/build_runners.sh": "model_profiling/pipeline/runners/build_command.py"}
_BUILDS_PARSER = re.compile(r"^def build_parser\(", re.MULTILINE)
_IS_COMMAND = re.compile(r"^if __name__ == ", re.MULTILINE)
#: How a command that any Python may start goes on with the right one.
_FINDS_ITS_PYTHON = re.compile(r"^(require_packages\(|def enter_venv\()", re.MULTILINE)
_TESTS = "test-cases/run_tests.sh"
_FOLDERS = ("model_profiling", "test-cases", "tools", "content")


@dataclass
class Scripts:
    """Finds the parser of a script by its path in the repository; each is made once."""

    repository: Repository
    _parsers: dict[str, argparse.ArgumentParser | None] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)
    _commands: list[str] = field(default_factory=list)
    _flags: set[str] = field(default_factory=set)

    def names(self) -> list[str]:
        """Return the paths of every script that a page could name."""
        return sorted(
            name
            for name in self.repository.files
            if name.endswith((".py", ".sh")) and name.startswith(_FOLDERS) and "/fixtures/" not in name
        )

    def commands(self) -> list[str]:
        """Return the paths of the commands that readers type."""
        if not self._commands:
            self._commands += (name for name in self.names() if name.endswith(".sh") or self._is_command(name))
        return self._commands

    def named(self, base: str) -> str | None:
        """Return the path of the command called `base`, such as mac_pipeline.py, if there is one."""
        return next((name for name in self.commands() if PurePosixPath(name).name == base), None)

    def of_module(self, module: str) -> str | None:
        """Return the path of a script that is started with ``python -m``."""
        name = module.replace(".", "/") + ".py"
        return name if self.repository.is_file(name) else None

    def parser(self, name: str) -> argparse.ArgumentParser | None:
        """Return a script's parser, or None for a file that takes no arguments of its own."""
        if name not in self._parsers:
            self._parsers[name] = self._make(name)
        return self._parsers[name]

    def flags(self) -> frozenset[str]:
        """Return every flag that any command of the repository has."""
        if not self._flags:
            self._flags.update(
                flag
                for name in self.commands()
                for action in getattr(self.parser(name), "_actions", ())
                for flag in action.option_strings
            )
        return frozenset(self._flags)

    def needs_kit(self, name: str) -> bool:
        """Return whether a Python file imports the kit, and does not see to its environment itself."""
        code = self._code(name)
        return "model_profiling" in code and not _FINDS_ITS_PYTHON.search(code)

    def _is_command(self, name: str) -> bool:
        code = self._code(name)
        return bool(_BUILDS_PARSER.search(code) and _IS_COMMAND.search(code))

    def _code(self, name: str) -> str:
        if name not in self._codes:
            path = self.repository.root / name
            self._codes[name] = path.read_text(encoding="utf-8") if path.is_file() else ""
        return self._codes[name]

    def _make(self, name: str) -> argparse.ArgumentParser | None:
        name = FORWARDS.get(name, name)
        if name == _TESTS:
            return pytest_parser()
        if name.endswith(".sh"):
            return shell_parser(self.repository.root / name)
        if self._is_command(name):
            parser: argparse.ArgumentParser = _import(self.repository.root, name).build_parser()
            return parser
        return _read_parser(self.repository.root / name)


def _import(root: Path, name: str) -> ModuleType:
    if name.startswith("model_profiling/"):
        return importlib.import_module(name.removesuffix(".py").replace("/", "."))
    spec = importlib.util.spec_from_file_location(f"_command_{Path(name).stem}", root / name)
    assert spec is not None and spec.loader is not None  # it names a file of Python
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def shell_parser(script: Path) -> argparse.ArgumentParser:
    """Return a parser with the flags that a bash script compares its arguments with.

    Taken from the script's code and not from its help, which could promise more: the patterns
    of ``case`` and the words compared with ``$1``. A flag takes a value where its branch uses ``$2``.
    """
    parser = CommandParser(prog=script.name, add_help=False)
    code = script.read_bytes()
    flags: dict[str, bool] = {}
    _collect_flags(_BASH.parse(code).root_node, code, flags)
    for flag, takes_value in flags.items():
        parser.add_argument(flag, action="store" if takes_value else "store_true")
    return parser


def _collect_flags(node: Node, code: bytes, flags: dict[str, bool]) -> None:
    text = code[node.start_byte : node.end_byte].decode()
    if node.type == "case_item":
        for value in node.children_by_field_name("value"):
            flag = code[value.start_byte : value.end_byte].decode()
            if re.fullmatch(r"--?[A-Za-z][\w-]*", flag):
                flags.setdefault(flag, "$2" in text)
    elif node.type == "binary_expression" and re.search(r'"\$\{?1', text):
        for flag in re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", text):
            flags.setdefault(flag, False)
    for child in node.named_children:
        _collect_flags(child, code, flags)


def _read_parser(script: Path) -> argparse.ArgumentParser | None:
    """Return a parser read from the ``add_argument`` calls of a script that offers none."""
    calls = [
        node
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
    ]
    if not calls:
        return None
    parser = CommandParser(prog=script.name)
    for call in calls:
        names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        options: dict[str, Any] = {
            k.arg: k.value.value
            for k in call.keywords
            if k.arg in ("nargs", "action", "required", "default") and isinstance(k.value, ast.Constant)
        }
        parser.add_argument(*names, **options)
    return parser


def pytest_parser() -> argparse.ArgumentParser:
    """Return pytest's flags that pages name, and the suite's own; run_tests.sh hands its arguments on."""
    parser = CommandParser(prog="run_tests.sh", add_help=False)
    for flag in ("-k", "-m", "--durations"):
        parser.add_argument(flag)
    for flag in ("-x", "-q", "-v", "-s", "--quiet", "--collect-only", "--fast", "--nightly"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("tests", nargs="*")
    return parser
