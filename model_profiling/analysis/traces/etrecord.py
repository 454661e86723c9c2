# SPDX-License-Identifier: Apache-2.0
"""Reads from an ETRecord which backend each delegate belongs to, without torch or ExecuTorch.

An ETRecord is a ZIP archive (executorch/devtools/etrecord); its exported programs need
torch to be read, its maps are plain JSON. The trace itself does not name backends.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from model_profiling.errors import UserError

_DELEGATE_MAP, _IDENTIFIER = "delegate_map", "ETRECORD_V0"
_DEFAULT_METHOD = "forward"
_LARGEST_MAP = 64 << 20  # bytes; real ones take kilobytes, and a ZIP can promise any size
#: How backends call themselves, and how tables call them.
_SHORT_NAMES = {"XnnpackBackend": "XNNPACK"}


def read_delegates(path: Path) -> dict[int, str]:
    """Return the backend of each delegate call, by instruction of the program's method.

    Raises
    ------
    UserError : the file is missing, unreadable, no ETRecord, or its map is broken.
    """
    fix = "name the .etrecord that was exported with the model"
    try:
        with zipfile.ZipFile(path) as archive:
            if _IDENTIFIER not in archive.namelist() or _DELEGATE_MAP not in archive.namelist():
                raise UserError("this is no ETRecord with a delegate map", f"at {path}", fix)
            if archive.getinfo(_DELEGATE_MAP).file_size > _LARGEST_MAP:
                raise UserError("the ETRecord is damaged (its delegate map is too large)", f"at {path}", fix)
            methods = json.loads(archive.read(_DELEGATE_MAP))
    except FileNotFoundError as error:
        raise UserError("the ETRecord does not exist", f"at {path}", "correct the path") from error
    except OSError as error:
        raise UserError(f"the ETRecord cannot be read ({error.strerror})", f"at {path}", fix) from error
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        RecursionError,
    ) as error:
        raise UserError("this is no ETRecord, or it is damaged", f"at {path}", fix) from error
    return _names(methods, path)


def _names(methods: object, path: Path) -> dict[int, str]:
    try:
        if not isinstance(methods, dict):
            raise TypeError("no methods by name")
        chosen = methods[_DEFAULT_METHOD] if _DEFAULT_METHOD in methods else next(iter(methods.values()), {})
        return {int(instruction): _short(entry) for instruction, entry in chosen.items()}
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise UserError(
            "the ETRecord's delegate map is not understood",
            f"at {path}",
            "name the .etrecord that was exported with the model",
        ) from error


def _short(entry: Mapping[str, object]) -> str:
    name = str(entry["name"])
    return _SHORT_NAMES.get(name, name)
