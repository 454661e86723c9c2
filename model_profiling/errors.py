# SPDX-License-Identifier: Apache-2.0
"""The two ways a command fails: the user can fix it (2), or the measured program failed (1)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """Return `text` with line breaks and control characters folded to single spaces.

    Error messages quote file names and the output of other programs; neither may
    break the one-line contract or reach the terminal as an escape sequence.
    """
    return _CONTROL.sub(" ", text).strip()


class KitError(Exception):
    """A failure whose message is fit for the user; `exit_code` is the process's status."""

    exit_code = 1


class UserError(KitError):
    """Something the user can fix: reported as one line, exit status 2.

    Parameters
    ----------
    what : what is wrong, without a final full stop.
    where : the file, key, flag or option it is wrong in.
    fix : what to do about it, as an imperative.

    >>> from model_profiling import UserError
    >>> print(UserError("there is no run directory", "at out/runs", "correct the path"))
    there is no run directory, at out/runs: correct the path
    """

    exit_code = 2

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(one_line(f"{what}, {where}: {fix}"))
        self.what, self.where, self.fix = what, where, fix


class MeasurementError(KitError):
    """The measured program failed; the message names its signal or status and its log."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ``" (did you mean X?)"`` for the choice closest to `word`, or an empty string."""
    match = difflib.get_close_matches(str(word), [str(c) for c in choices], n=1, cutoff=0.5)
    return f" (did you mean {match[0]}?)" if match else ""
