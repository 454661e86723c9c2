# SPDX-License-Identifier: Apache-2.0
"""Blocks of JSON, YAML and Python: they parse, configurations fit their schema, imports resolve."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from pyflakes import checker, messages

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.config_schema import CONFIG_SCHEMA, SWEEP_SCHEMA, check_schema, schema_file
from tools.pages.checks.page import CheckedPage
from tools.pages.reader.state import absolute
from tools.pages.reading.document import Block
from tools.pages.reading.problems import Position, Problem

_UNDEFINED = (messages.UndefinedName, messages.UndefinedLocal)


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check every block that is data or Python."""
    defined: set[str] = set()
    for block in page.every(Block):
        if block.language == "json":
            yield from _json(page, block)
        elif block.language in ("yaml", "yml"):
            yield from _yaml(page, block)
        elif block.language in ("python", "py"):
            yield from _python(page, block, defined)


# ---------------------------------------------------------------- JSON


def _json(page: CheckedPage, block: Block) -> Iterator[Problem]:
    try:
        value = json.loads(block.text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        place = Position(block.place.line + error.lineno - 1, block.place.column + error.colno - 1)
        yield page.problem(place, "json", f"this is not JSON: {error.msg}")
        return
    except _Duplicate as error:
        yield page.problem(_key_place(block, str(error)), "json", f"the key {error} stands twice in one object")
        return
    schema = _schema()
    if not isinstance(value, dict):
        return
    if {"models", "output_root"} <= value.keys():
        try:
            check_schema(value, Path("the sweep"), SWEEP_SCHEMA)
        except UserError as refused:
            yield page.problem(_blamed(block, refused.what), "config", str(refused))
        return
    for properties, kind in (
        (schema["properties"], "config"),
        (schema["$defs"]["experiment"]["properties"], "experiment"),
    ):
        if _looks_like(value, properties):
            yield from _config(page, block, value, kind)
            return


class _Duplicate(ValueError):
    pass


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise _Duplicate(key)
    return dict(pairs)


@functools.cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_file(CONFIG_SCHEMA).read_text(encoding="utf-8"))
    return schema


def _looks_like(value: dict[str, Any], properties: dict[str, Any]) -> bool:
    """Return whether an object is meant as a configuration: at least half of its keys are a configuration's."""
    known = sum(key in properties for key in value)
    return bool(known) and known * 2 >= len(value)


def _config(page: CheckedPage, block: Block, value: dict[str, Any], kind: str) -> Iterator[Problem]:
    """Check a configuration, or a part of one, with the kit's own code and words."""
    if kind == "config" and len(value.keys() & {"model", *_schema()["required"]}) >= 2:
        refused = _refused_config(json.dumps(value))
        if refused:
            yield page.problem(_blamed(block, refused), "config", refused)
        else:
            yield from _config_paths(page, block, value)
        return
    part = _schema() if kind == "config" else _schema()["$defs"]["experiment"]
    schema = {**part, "$defs": _schema()["$defs"], "required": []}
    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        yield page.problem(
            _blamed(block, error.message), "config", f"no valid part of a configuration: {error.message}"
        )


@functools.cache
def _refused_config(text: str) -> str | None:
    """Return what the kit says of a configuration's own words, or None. Its models need not be there."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.pte"
        model.touch()
        value = json.loads(text)
        for owner in _owners_of_models(value):
            owner["model"] = str(model)
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        try:
            load_config(path)
        except UserError as error:
            told = re.sub(rf" ?(of|in) {re.escape(str(path))}", "", f"{error.what}, {error.where}: {error.fix}")
            return told.replace(", :", ":").replace(str(folder), "")
    return None


def _config_paths(page: CheckedPage, block: Block, value: dict[str, Any]) -> Iterator[Problem]:
    """A configuration names files of a folder that the page makes: then they are files that it makes."""
    reader = page.walk.reader
    for named in dict.fromkeys(owner["model"] for owner in _owners_of_models(value)):
        model = absolute(named, reader.folder)
        top = absolute(Path(named).parts[0], reader.folder)
        if "<" in named or not named.endswith(".pte"):
            yield page.problem(_blamed(block, named), "config", f'"model" names no .pte file: {named}')
        elif reader.files.exists(top) and top in reader.files.made and not reader.files.exists(model):
            near = [Path(p).name for p in reader.files.matching(str(Path(model).parent / "*"))]
            told = f'"model": {named} is not made on this page{nearest(Path(model).name, near)}'
            yield page.problem(_blamed(block, named), "config", told)


def _owners_of_models(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the configuration and its experiments, those that name a model."""
    experiments = value.get("experiments")
    for owner in (value, *(experiments if isinstance(experiments, list) else ())):
        if isinstance(owner, dict) and isinstance(owner.get("model"), str) and owner["model"]:
            yield owner


def _blamed(block: Block, message: str) -> Position:
    """Return where the first word that a message quotes stands in a block."""
    words = re.findall(r"\"([^\"]+)\"|'([^']+)'|([\w./-]{3,})", message)
    for word in (next(filter(None, groups)) for groups in words):
        at = block.text.find(f'"{word}"')
        if at >= 0:
            return _place(block, at)
    return block.place


def _key_place(block: Block, key: str) -> Position:
    return _place(block, max(0, block.text.rfind(f'"{key}"')))


def _place(block: Block, at: int) -> Position:
    before = block.text[:at]
    return Position(block.place.line + before.count("\n"), block.place.column + at - (before.rfind("\n") + 1))


def _yaml(page: CheckedPage, block: Block) -> Iterator[Problem]:
    try:
        yaml.safe_load(block.text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield page.problem(Position(block.place.line + (mark.line if mark else 0)), "yaml", "this is not YAML")


# ---------------------------------------------------------------- Python


def _python(page: CheckedPage, block: Block, defined: set[str]) -> Iterator[Problem]:
    """Check one block; `defined` are names from the page's earlier blocks, which a reader has run."""
    try:
        tree = ast.parse(block.text)
    except SyntaxError as error:
        place = Position(
            block.place.line + (error.lineno or 1) - 1, block.place.column + max(0, (error.offset or 1) - 1)
        )
        yield page.problem(place, "python", f"the Python code does not compile: {error.msg}")
        return
    for message in checker.Checker(tree, filename=page.document.name).messages:
        if isinstance(message, _UNDEFINED) and message.message_args[0] not in defined:
            place = Position(block.place.line + message.lineno - 1, block.place.column + message.col)
            name = message.message_args[0]
            near = nearest(name, (defined | _names(tree)) - {name}) or nearest(name, dir(builtins))
            yield page.problem(place, "python", f"{name} is not defined{near}")
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imports(page, block, node)
    defined |= _names(tree)


def _names(tree: ast.Module) -> set[str]:
    """Return the names that a block's code gives a meaning."""
    return (
        {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        | {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        | {
            (a.asname or a.name).partition(".")[0]
            for n in ast.walk(tree)
            if isinstance(n, (ast.Import, ast.ImportFrom))
            for a in n.names
        }
    )


def _imports(page: CheckedPage, block: Block, node: ast.Import | ast.ImportFrom) -> Iterator[Problem]:
    place = Position(block.place.line + node.lineno - 1, block.place.column + node.col_offset)
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for module in modules:
        saved = {Path(b.options.save_as).stem for b in page.document.every(Block) if b.options.save_as}
        if module.partition(".")[0] in saved or isinstance(node, ast.ImportFrom) and node.level:
            return
        if not _module_is_there(module):
            yield page.problem(place, "python", f"the module {module} cannot be imported")
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name != "*" and not _has(module, alias.name):
                    yield page.problem(place, "python", f"{module} has no {alias.name}")


@functools.cache
def _module_is_there(name: str) -> bool:
    """Return whether a module can be found; packages of others are looked at, not run."""
    parent, _, last = name.rpartition(".")
    if not parent:
        return importlib.util.find_spec(name) is not None
    if parent.partition(".")[0] == "model_profiling":
        return _module_is_there(parent) and importlib.util.find_spec(name) is not None
    if not _module_is_there(parent):
        return False
    return (
        any(
            (Path(folder) / f"{last}{ending}").exists()
            for folder in _folders(parent)
            for ending in (".py", "/__init__.py", ".pyi", "")
        )
        or bool(_folders(parent) and _has(parent, last))
        or (not _folders(parent) and parent in sys.stdlib_module_names and _has(parent, last))
    )


def _folders(module: str) -> list[str]:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for part in rest:
        folders = [str(Path(folder) / part) for folder in folders if (Path(folder) / part).is_dir()]
    return folders


@functools.cache
def _has(module: str, name: str) -> bool:
    """Return whether `module` offers `name`. Big packages of others are read and not imported."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "model_profiling":
        imported = importlib.import_module(module)
        return (
            hasattr(imported, name) or _module_is_there(f"{module}.{name}")
            if hasattr(imported, "__path__")
            else hasattr(imported, name)
        )
    for folder in _folders(module):
        if any((Path(folder) / f"{name}{ending}").exists() for ending in (".py", "/__init__.py", ".pyi", ".so", "")):
            return True
    return any(
        re.search(rf"\b{re.escape(name)}\b", path.read_text(encoding="utf-8", errors="replace"))
        for path in _sources(module)
    )


def _sources(module: str) -> list[Path]:
    parent, _, last = module.rpartition(".")
    single = [Path(folder) / f"{last}.py" for folder in _folders(parent)] if parent else []
    spec = importlib.util.find_spec(module) if not parent else None
    if spec and spec.origin and spec.origin.endswith(".py"):
        single.append(Path(spec.origin))
    return [
        path
        for path in (*single, *(Path(f) / n for f in _folders(module) for n in ("__init__.py", "__init__.pyi")))
        if path.is_file()
    ]
