# SPDX-License-Identifier: Apache-2.0
"""What a model's source says without running it: the names it registers, the packages it needs.

Importing forty models to list them takes seconds and runs code of theirs. Their imports are read
instead; what a package does once imported stays unknown until the model is loaded.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception"}
# ExecuTorch's own folders whose imports are followed: what its example models are made of.
_FOLLOWED = ("executorch.examples.", "executorch.extension.llm.")


def source_file(location: Path) -> Path:
    """Return the file Python runs for `location`: itself, or a package's ``__init__.py``."""
    return location / "__init__.py" if location.is_dir() else location


def declared_names(location: Path) -> list[str]:
    """Return the names that the source at `location` passes to ``register``; else its own name."""
    tree = _parse(source_file(location))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree else []
    names = [
        call.args[0].value
        for call in calls
        if _called(call) == "register"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    ]
    return names or [location.name if location.is_dir() else location.stem]


def missing_packages(location: Path, package: str) -> tuple[str, ...]:
    """Return the top-level packages that importing `location` needs and this Python lacks.

    Parameters
    ----------
    location : a ``.py`` file or a package's folder.
    package : dotted name of the package that relative imports in it start from.
    """
    missing: set[str] = set()
    seen: set[Path] = set()
    pending = [(source_file(location), package)]
    if location.is_dir() and (location / "model.py").is_file():
        pending.append((location / "model.py", package))
    while pending:
        file, inside = pending.pop()
        tree = None if file in seen else _parse(file)
        seen.add(file)
        for name in _required_imports(tree.body, inside) if tree else ():
            top = name.split(".")[0]
            local = _local_file(name, package, location)
            if local is not None:
                pending.append((local, name if local.name == "__init__.py" else name.rpartition(".")[0]))
            elif name.startswith(_FOLLOWED):
                pending.extend(_followed(name))
            elif top != package.split(".")[0] and not _installed(top):
                missing.add(top)
    return tuple(sorted(missing))


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


@cache
def _parse(file: Path) -> ast.Module | None:
    """Return a file's syntax tree, or None where there is none: loading it will say why."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


@cache
def _installed(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _required_imports(body: list[ast.stmt], package: str) -> Iterator[str]:
    """Yield the dotted names imported when a module runs, but not those it can do without."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if base.startswith(_FOLLOWED))
        elif isinstance(node, ast.ClassDef):
            yield from _required_imports(node.body, package)
        elif isinstance(node, ast.Try) and not _tolerates_absence(node):
            yield from _required_imports(node.body, package)
        elif isinstance(node, ast.With):
            yield from _required_imports(node.body, package)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _tolerates_absence(node: ast.Try) -> bool:
    for handler in node.handlers:
        caught = {getattr(name, "id", "") for name in ast.walk(handler.type)} if handler.type else _IMPORT_ERRORS
        if caught & _IMPORT_ERRORS:
            return not any(isinstance(inner, ast.Raise) for inner in ast.walk(handler))
    return False


def _local_file(name: str, package: str, location: Path) -> Path | None:
    """Return the file of `name` where it lies inside the package being looked at."""
    if name != package and not name.startswith(f"{package}."):
        return None
    folder = location if location.is_dir() else location.parent
    path = folder.joinpath(*name.split(".")[len(package.split(".")) :])
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _followed(name: str) -> Iterator[tuple[Path, str]]:
    spec = importlib.util.find_spec("executorch")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root).joinpath(*name.split(".")[1:])
        if path.with_suffix(".py").is_file():
            yield path.with_suffix(".py"), name.rpartition(".")[0]
        elif (path / "__init__.py").is_file():
            yield path / "__init__.py", name
