# SPDX-License-Identifier: Apache-2.0
"""A new model package from the template beside this module: checked first, then put in place whole."""

from __future__ import annotations

import keyword
import os
import shutil
import sys
import tempfile
from pathlib import Path
from string import Template

from model_profiling.errors import UserError
from model_profiling.files import current_umask, make_folder, write_text, writing
from model_profiling.models import registry

TEMPLATE = Path(__file__).with_name("template")
_FILES = {"init.py.txt": "__init__.py", "model.py.txt": "model.py", "test.py.txt": "test_{name}.py"}
# Packages that the new one is used together with; a folder of that name would be imported in their place.
_TAKEN = {"torch", "torchao", "numpy", "executorch", "model_profiling", "pytest", "test", "model"}


def write_package(name: str, folder: Path) -> Path:
    """Write the package `name` into `folder` and return its path.

    Raises
    ------
    UserError : the name cannot be used, or there is something at that place already.
    """
    check_name(name)
    target = folder / name
    if target.exists() or target.is_symlink():
        raise UserError(
            "there is something with that name already", f"at {target}", "choose another --name or --dest, or remove it"
        )
    values = {"name": name, "class_name": class_name(name), "title": name.replace("_", " ")}
    make_folder(folder)
    with writing(target):
        staging = Path(tempfile.mkdtemp(dir=folder, prefix=".new_model."))
    try:
        for source, made in _FILES.items():
            text = (TEMPLATE / source).read_text(encoding="utf-8")
            write_text(staging / made.format(name=name), Template(text).substitute(values))
        with writing(target):
            os.chmod(staging, 0o777 & ~current_umask())
            os.rename(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # gone already when the rename went well
    return target


def check_name(name: str) -> None:
    """Raise a `UserError` unless `name` can be a package's, a model's and part of a file's name."""
    fix = "use lower-case letters, digits and _, as in my_model"
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UserError(f"{name!r} cannot be the name of a Python package", "in --name", fix)
    if name in sys.stdlib_module_names or name in _TAKEN:
        raise UserError(f"{name!r} is the name of a package that Python or the kit uses", "in --name", "choose another")
    taken = next((entry for entry in registry.entries() if entry.name == name and entry.source != "file"), None)
    if taken:
        raise UserError(f"there is a model {name!r} already ({taken.source}'s)", "in --name", "choose another")


def class_name(name: str) -> str:
    """Return "MyModel" for "my_model"."""
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return f"{camel}Model" if camel in ("Network", "") else camel
