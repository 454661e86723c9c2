# SPDX-License-Identifier: Apache-2.0
"""Running code that is not the kit's: a user's model, and the compilers that trace it.

Such code may raise anything. This is the one place where anything is caught: it becomes one line
that names the module and the source line, and a log with the whole trace.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from model_profiling.errors import KitError, UserError, one_line
from model_profiling.files import write_text

if TYPE_CHECKING:
    import torch

MESSAGE_LIMIT = 300  # characters of a foreign message that one line can carry
_KIT = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple({os.path.realpath(path) for path in (
    *site.getsitepackages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"),
    sysconfig.get_path("stdlib"))})


class ForeignCode:
    """Context that turns whatever its body raises into a `KitError` with a place in it.

    Parameters
    ----------
    doing : what failed, for the message ("capturing the graph of toy_cnn").
    fix : what the user can do about it.
    module : the module being run, so that the submodule that failed can be named.
    log : file for the whole trace; None writes none.
    error : `UserError` or `MeasurementError`.
    """

    def __init__(self, doing: str, fix: str, *, module: torch.nn.Module | None = None,
                 log: Path | None = None, error: type[KitError] = UserError) -> None:
        self.doing, self.fix, self.module, self.log, self.error = doing, fix, module, log, error

    def __enter__(self) -> ForeignCode:
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None,
                 trace: TracebackType | None) -> bool:
        # SystemExit too: a model file that calls sys.exit(0) must not end the export as a success.
        if kind is None or raised is None or issubclass(kind, KitError) or not issubclass(
                kind, (Exception, SystemExit)):
            return False
        place = blame(trace, self.module)
        what = f"{self.doing} failed ({describe(raised)})"
        where = f"in {place}" if place else "in code outside the kit"
        fix = self.fix + self._write_log(raised)
        if issubclass(self.error, UserError):
            raise self.error(what, where, fix) from raised
        raise self.error(f"{what}, {where}: {fix}") from raised

    def _write_log(self, raised: BaseException) -> str:
        if self.log is None:
            return ""
        try:
            write_text(self.log, "".join(traceback.format_exception(raised)))
        except UserError:
            return ""  # the disk is full or read-only: the reason for the failure matters more
        return f"; the whole trace is in {self.log}"


@dataclass(frozen=True)
class Place:
    """Where something happened: a submodule's path (or "") and a "file:line" (or "")."""

    module: str
    source: str

    def __str__(self) -> str:
        return " at ".join(part for part in (self.module and f"module {self.module}", self.source) if part)

    def __bool__(self) -> bool:
        return bool(self.module or self.source)


def describe(raised: BaseException) -> str:
    """Return an exception's type and the first sentence of its message, on one line."""
    lines = [line.strip() for line in str(raised).splitlines() if line.strip()]
    message = one_line(lines[0] if lines else "")[:MESSAGE_LIMIT]
    return f"{type(raised).__name__}: {message}" if message else type(raised).__name__


def blame(trace: TracebackType | None, root: torch.nn.Module | None = None) -> Place:
    """Return the innermost line of the user's own code in `trace`, and the submodule it ran in.

    Without a line of the user's, the innermost line of the library that raised.
    """
    paths = {} if root is None else {id(module): name for name, module in root.named_modules()}
    module = source = last = ""
    for frame, line in traceback.walk_tb(trace):
        file = frame.f_code.co_filename
        module = paths.get(id(frame.f_locals.get("self")), module)
        if file.startswith("<"):
            continue
        last = f"{short_path(file)}:{line}"
        if is_model_code(file):
            source = last
    return Place(module, source or last)


def is_model_code(file: str) -> bool:
    """Tell whether `file` belongs to a model: neither a library's nor the kit's own machinery."""
    path = Path(os.path.realpath(file))
    if path.is_relative_to(_KIT):
        return len(path.relative_to(_KIT).parts) > 2 and path.is_relative_to(_KIT / "models")
    return not any(path.is_relative_to(library) for library in _LIBRARIES)


def short_path(file: str) -> str:
    """Return `file` relative to the kit, a library folder or the current directory, else absolute."""
    path = Path(os.path.realpath(file))
    for base in (_KIT.parent, *map(Path, _LIBRARIES), Path.cwd(), *map(Path, sys.path[1:])):
        if base != Path(base.anchor) and path.is_relative_to(base):
            relative = path.relative_to(base)
            if base == _KIT.parent and relative.parts[0] != _KIT.name:
                continue  # a file that happens to lie beside the kit: name it from elsewhere
            return str(relative)
    return str(path)
