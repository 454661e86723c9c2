# SPDX-License-Identifier: Apache-2.0
"""Which models can be exported and where each comes from.

In order: a user's file or folder given on the command line, the folders named by
``SME2_MODEL_PATH``, the kit's own packages beside this module, ExecuTorch's examples. The first
that has a name gets it, so a user can replace a model without editing the kit.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from model_profiling.errors import UserError, nearest
from model_profiling.models import discovery
from model_profiling.models.contract import missing_methods
from model_profiling.models.foreign_code import ForeignCode

SEARCH_PATH_VARIABLE = "SME2_MODEL_PATH"
EXECUTORCH_MODELS = "executorch.examples.models"
_KIT_FOLDER = Path(__file__).resolve().parent
_registered: dict[str, type | str] = {}


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be asked for by name.

    `source` is "kit", "executorch" or "file"; `location` its file or package folder; `target`
    the ``module:Class`` of one of ExecuTorch's; `missing` the packages it needs that are not here.
    """

    name: str
    source: str
    location: Path
    target: str = ""
    missing: tuple[str, ...] = ()


def register(name: str, model: type | str) -> None:
    """Give a model its name; called by a model package's ``__init__.py`` or a user's file.

    Parameters
    ----------
    name : what ``--model`` asks for; any characters but ``/`` and control characters.
    model : the class, or ``"package.module:Class"`` so that naming a model imports nothing.
    """
    _registered[name] = model


def entries() -> list[ModelEntry]:
    """Return every model known by name, nearest source first, without importing any of them."""
    nearest_first: dict[str, ModelEntry] = {}
    for entry in (*_path_entries(), *_kit_entries(), *_executorch_entries()):
        nearest_first.setdefault(entry.name, entry)
    return list(nearest_first.values())


def find(name: str) -> ModelEntry:
    """Return the model called `name`, or raise a `UserError` that names the nearest."""
    known = {entry.name: entry for entry in entries()}
    if name not in known:
        raise UserError(
            f"there is no model {name!r}{nearest(name, known)}",
            "in --model",
            "see export_model.py --list, or give its file with --model-file",
        )
    return known[name]


def resolve(entry: ModelEntry) -> type:
    """Import what `entry` names and return its class."""
    if entry.missing:
        fix = f"pip install {' '.join(entry.missing)}"
        if {"torch", "executorch", "torchao"} & set(entry.missing):  # pinned, and on Linux the CPU build
            fix = "run model_profiling/scripts/setup_repo.sh again, without --without-export"
        raise UserError(
            f"{entry.name} needs {', '.join(entry.missing)}, not installed here", f"at {entry.location}", fix
        )
    with ForeignCode(
        f"importing {entry.name}", "correct the model's file or install what it needs", location=entry.location
    ):
        if entry.target:
            return _class_of(entry.target)
        if entry.source == "kit":
            importlib.import_module(f"{__package__}.{entry.location.name}")
            return _class_of(_registered[entry.name])
        models = _models_in(entry.location)
        if entry.name in models:
            return models[entry.name]
        raise LookupError(f"it has no model called {entry.name}")


def entry_for_file(file: Path, name: str | None) -> tuple[ModelEntry, type]:
    """Load a user's file and return the model in it.

    Parameters
    ----------
    file : a ``.py`` file or a package's folder.
    name : which model of it to take; needed where it has several.

    Raises
    ------
    UserError : the file is missing, does not import, or has no such model.
    """
    if not discovery.source_file(file).is_file():
        raise UserError(
            "the model file does not exist", f"at {file}", "name a .py file or a package folder with an __init__.py"
        )
    with ForeignCode(f"importing {file.name}", "correct the file or install what it needs", location=file):
        models = _models_in(file)
    if not models:
        raise UserError(
            "it registers no model and defines no class with get_eager_model() and get_example_inputs(), "
            "or get_methods()",
            f"in {file}",
            f"add one, or call register(name, class){_beside_it(file)}",
        )
    if name is None and len(models) > 1:
        raise UserError(f"it has several models: {', '.join(models)}", f"in {file}", "choose one with --model")
    chosen = name if name is not None else next(iter(models))
    if chosen not in models:
        raise UserError(
            f"there is no model {chosen!r}{nearest(chosen, models)}",
            f"in {file}",
            f"use --model with one of {', '.join(models)}",
        )
    return ModelEntry(chosen, "file", file), models[chosen]


def _beside_it(file: Path) -> str:
    """Return where the model may be instead, as the end of an advice."""
    candidate = file / "model.py"
    return f"; or name {candidate}" if candidate.is_file() else ""


def import_path(location: Path) -> ModuleType:
    """Run a file or a package folder from anywhere, under a name that cannot clash.

    A file inside a package is imported as part of it, so that its relative imports work; its
    folder goes to the end of the module search path, so that plain ones do and nothing is shadowed.
    """
    path = location.resolve()
    if path.is_file() and (path.parent / "__init__.py").is_file():
        package = import_path(path.parent)
        return package if path.name == "__init__.py" else importlib.import_module(f"{package.__name__}.{path.stem}")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    name = f"sme2_user_model_{path.stem}"
    for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[loaded]  # another file of that name, or an earlier state of this one
    search = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, discovery.source_file(path), submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise UserError("the model file is not Python", f"at {location}", "name a file that ends in .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _models_in(location: Path) -> dict[str, type]:
    """Run a user's file and return its models: those it registers, else the classes it defines.

    A file that builds on a model of the kit imports it, and with that the kit's own registration: not the file's.
    """
    before = dict(_registered)
    _registered.clear()
    try:
        module = import_path(location)
        own = {name: model for name, model in _registered.items() if not _is_the_kits(name, model)}
        return {name: _class_of(model) for name, model in own.items()} or _classes_in(module, location)
    finally:  # a user's model that has the name of one of the kit's stands beside it, not in its place
        of_kit = {name: model for name, model in _registered.items() if _is_the_kits(name, model)}
        _registered.clear()
        _registered.update(before | of_kit)


def _is_the_kits(name: str, model: type | str) -> bool:
    module = model.partition(":")[0] if isinstance(model, str) else getattr(model, "__module__", "")
    return module.startswith(f"{__package__}.") and name in {entry.name for entry in _kit_entries()}


def _class_of(model: type | str) -> type:
    if isinstance(model, str):
        module, _, attribute = model.partition(":")
        model = getattr(importlib.import_module(module), attribute)
    if not isinstance(model, type):
        raise TypeError(f"{model!r} is registered as a model but is not a class")
    lacking = missing_methods(model)
    if lacking:
        raise TypeError(f"class {model.__name__} lacks {', '.join(lacking)}")
    return model


def _classes_in(module: ModuleType, file: Path) -> dict[str, type]:
    """Return the model classes that `module` itself defines, by name; one alone takes the file's."""
    classes = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not missing_methods(value)
    }
    if len(classes) != 1:
        return classes
    stem = file.name if file.is_dir() else file.stem
    plain = file.resolve().parent.name if stem in ("model", "__init__") else stem
    return {plain: next(iter(classes.values()))}


def _path_entries() -> Iterable[ModelEntry]:
    folders = [Path(part) for part in os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep) if part]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder", f"in {SEARCH_PATH_VARIABLE}", "correct or unset it")
        packages = (
            [folder]
            if (folder / "__init__.py").is_file()
            else sorted(
                path
                for path in folder.iterdir()
                if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.name != "__init__.py")
            )
        )
        for path in packages:
            missing = discovery.missing_packages(path, f"sme2_user_model_{path.stem}")
            missing = tuple(top for top in missing if not _beside(path, top))
            yield from (ModelEntry(name, "file", path, missing=missing) for name in discovery.declared_names(path))


def _beside(path: Path, top: str) -> bool:
    return (path.parent / f"{top}.py").is_file() or (path.parent / top).is_dir()


def _kit_entries() -> Iterable[ModelEntry]:
    for package in sorted(path.parent for path in _KIT_FOLDER.glob("*/__init__.py")):
        missing = discovery.missing_packages(package, f"{__package__}.{package.name}")
        yield from (ModelEntry(name, "kit", package, missing=missing) for name in discovery.declared_names(package))


def _executorch_entries() -> Iterable[ModelEntry]:
    if importlib.util.find_spec("executorch") is None:
        return
    try:
        models = importlib.import_module(EXECUTORCH_MODELS)
    except ImportError:
        return  # a build of ExecuTorch without its examples
    for name, (module, class_name) in sorted(models.MODEL_NAME_TO_MODEL.items()):
        package = f"{EXECUTORCH_MODELS}.{module}"
        location = Path(models.__path__[0], *module.split("."))
        yield ModelEntry(
            name, "executorch", location, f"{package}:{class_name}", discovery.missing_packages(location, package)
        )
