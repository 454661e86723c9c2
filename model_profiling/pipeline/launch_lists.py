# SPDX-License-Identifier: Apache-2.0
"""Lists of launches: one launch a line of JSON, appended when all that it left lies in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from model_profiling.errors import UserError
from model_profiling.files import whole_lines

_Launch = TypeVar("_Launch")


def read_launch_list(path: Path, of: Callable[[object], _Launch]) -> list[_Launch]:
    """Return the launches of a file in the order they were made; none where it is missing.

    A last line torn by a kill is left out. `of` makes a launch of a line's JSON, and raises
    ValueError or TypeError where it is none.

    Raises
    ------
    UserError : a whole line that is not a launch.
    """
    launches = []
    for number, line in enumerate(whole_lines(path), 1):
        try:
            launches.append(of(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"a line is not a launch ({error})",
                f"at {path}:{number}",
                "restore the file or run the experiment again",
            ) from error
    return launches


def tuples(plain: dict[str, object]) -> dict[str, object]:
    """Return a line's values with lists as the tuples that they were written from."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
