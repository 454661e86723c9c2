# SPDX-License-Identifier: Apache-2.0
"""Running code that is not the kit's: a user's model, and the compilers that trace it.

Such code may raise anything. This is the one place where anything is caught: it becomes one line
that names the module and the source line, and a log with the whole trace.
"""

from __future__ import annotations

import errno
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from model_profiling.errors import KitError, UserError, one_line
from model_profiling.files import write_text
from model_profiling.models.graph_places import is_model_code, module_of, operator_of, short_path, source_of

if TYPE_CHECKING:
    import torch

# A full disk, a full quota, a file over the process's limit: compilers write temporary files too.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
MESSAGE_LIMIT = 300  # characters of a foreign message that one line can carry
EXPLAINED_LIMIT = 90  # where the kit says itself what the message means
#: What says only where a compiler was when something else failed.
_WRAPPER = re.compile(r"An error occurred when running the|While executing ")


@dataclass(frozen=True)
class Advice:
    """What a failure means, "" where only the exception itself says it, and what to do about it."""

    meaning: str
    fix: str


class ForeignCode:
    """Context that turns whatever its body raises into a `KitError` with a place in it.

    Parameters
    ----------
    doing : what failed, for the message ("capturing the graph of toy_cnn").
    fix : what the user can do about it; or a function that makes an `Advice` of the exception
        and its `Place`.
    module : the module being run, so that the submodule that failed can be named.
    location : the model's file, named where no line of it is on the stack.
    log : file for the whole trace; None writes none.
    error : `UserError` or `MeasurementError`.
    """

    def __init__(
        self,
        doing: str,
        fix: str | Callable[[BaseException, Place], Advice],
        *,
        module: torch.nn.Module | None = None,
        location: Path | None = None,
        log: Path | None = None,
        error: type[KitError] = UserError,
    ) -> None:
        self.doing, self.fix, self.module = doing, fix, module
        self.location, self.log, self.error = location, log, error

    def __enter__(self) -> ForeignCode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        # SystemExit too: a model file that calls sys.exit(0) must not end the export as a success.
        if (
            kind is None
            or raised is None
            or issubclass(kind, KitError)
            or not issubclass(kind, (Exception, SystemExit))
        ):
            return
        if isinstance(raised, OSError) and raised.errno in _NO_SPACE:
            raise UserError(
                f"no space was left while {self.doing} ({raised.strerror})",
                f"at {raised.filename or tempfile.gettempdir()}",
                "free space there, or set TMPDIR to another folder",
            ) from raised
        place = blame(raised, self.module, self.location)
        advice = Advice("", self.fix) if isinstance(self.fix, str) else self.fix(raised, place)
        told = (
            f": {advice.meaning} ({describe(_telling(raised), EXPLAINED_LIMIT)})"
            if advice.meaning
            else f" ({describe(_telling(raised))})"
        )
        what = f"{self.doing} failed{told}"
        where = f"in {place}" if place else "in code outside the kit"
        fix = advice.fix + self._write_log(raised)
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
    """Where something happened: a submodule's path, a "file:line", an operator; each may be ""."""

    module: str
    source: str
    operator: str = ""

    def __str__(self) -> str:
        named = self.operator and f"operator {self.operator}", self.module and f"module {self.module}"
        return " at ".join(part for part in (" of ".join(filter(None, named)), self.source) if part)

    def __bool__(self) -> bool:
        return bool(self.module or self.source)


def describe(raised: BaseException, limit: int = MESSAGE_LIMIT) -> str:
    """Return an exception's type and the first sentence of its message, on one line of about `limit` characters."""
    lines = [line.strip() for line in str(raised).splitlines() if line.strip()]
    message = one_line(lines[0] if lines else "")
    message = message if len(message) <= limit else f"{message[:limit].rstrip()}..."
    return f"{type(raised).__name__}: {message}" if message else type(raised).__name__


def causes_of(raised: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it was raised from, outermost first."""
    seen: list[BaseException] = []
    one: BaseException | None = raised
    while one is not None and one not in seen:
        yield one
        seen.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _telling(raised: BaseException) -> BaseException:
    """Return the outermost of an exception's causes that says more than which pass of a compiler failed."""
    return next((one for one in causes_of(raised) if str(one) and not _WRAPPER.match(str(one))), raised)


def blame(raised: BaseException, root: torch.nn.Module | None = None, location: Path | None = None) -> Place:
    """Return the innermost line of the user's own code that `raised` came through, and its submodule.

    Where a compiler failed at a node of the graph, the node knows both. Without a line of the
    user's, it is the model's file `location`, or else the line of the library that raised.
    """
    paths = {} if root is None else {id(module): name for name, module in root.named_modules()}
    module = source = last = ""
    node = None
    for frame, line in traceback.walk_tb(raised.__traceback__):
        file = frame.f_code.co_filename
        module = paths.get(id(frame.f_locals.get("self")), module)
        candidate = frame.f_locals.get("node")
        node = candidate if "stack_trace" in getattr(candidate, "meta", ()) else node
        if file.startswith("<"):
            continue
        last = f"{short_path(file)}:{line}"
        if is_model_code(file):
            source = last
    if node is not None and not source:
        return Place(module_of(node), source_of(node), operator_of(node))
    if isinstance(raised, SyntaxError) and raised.filename:
        return Place("", f"{short_path(raised.filename)}:{raised.lineno}")
    return Place(module, source or (str(location) if location else last))
