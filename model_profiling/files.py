# SPDX-License-Identifier: Apache-2.0
"""Reading and writing files so that nothing is ever half written, and a full disk is one line."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_profiling.errors import UserError

_CHUNK = 1 << 20


def cache_folder() -> Path:
    """Return the kit's folder in the user's cache (XDG Base Directory Specification)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if Path(root).is_absolute() else Path.home() / ".cache") / "sme-executorch-profiling"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` while writing `path` into the `UserError` its user can act on."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write ({error.strerror or error})",
            f"to {path}",
            "free space there, correct its permissions or choose another folder",
        ) from error


def make_folder(path: Path) -> Path:
    """Create `path` with its parents, or raise the `UserError` that says why not."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write_bytes(path: Path, data: bytes) -> Path:
    """Write `path` whole or not at all: a temporary neighbor, flushed, then renamed over it."""
    if path.exists() and not path.is_file():
        # Renaming over a device such as /dev/null would replace it for everybody.
        raise UserError("it is there and not a regular file", f"at {path}", "name another file")
    make_folder(path.parent)
    with writing(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~current_umask())
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)  # gone already when the rename went well
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 `text` to `path`, whole or not at all."""
    return write_bytes(path, text.encode("utf-8"))


def json_bytes(value: object) -> bytes:
    """Return `value` as indented JSON in UTF-8; NaN and infinity are refused."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def write_json(path: Path, value: object) -> Path:
    """Write `value` as indented JSON, whole or not at all; NaN and infinity are refused."""
    return write_bytes(path, json_bytes(value))


def append_json_line(path: Path, value: object) -> None:
    """Append `value` as one line of JSON and flush it to the disk."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
    with writing(path), open(path, "ab") as file:
        file.write(line.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file that is appended to, without a last one that a kill tore; none where it is missing."""
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


def drop_torn_line(path: Path) -> None:
    """Cut a last line torn by a kill off the file, so that appending begins on a new one."""
    if path.is_file():
        whole = sum(len(line) + 1 for line in whole_lines(path))
        if whole < path.stat().st_size:
            with writing(path):
                os.truncate(path, whole)


def read_json(path: Path, what: str) -> object:
    """Read JSON from `path`; `what` names the file in messages ("config", "manifest").

    Raises
    ------
    UserError : the file is missing, a folder, unreadable, not UTF-8 or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"the {what} does not exist", f"at {path}", "correct the path") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"the {what} cannot be read ({reason})", f"at {path}", "name a readable JSON file") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"the {what} is not JSON ({error.msg})", f"at {path}:{error.lineno}:{error.colno}", "correct it there"
        ) from error
    except RecursionError as error:
        raise UserError(f"the {what} is nested too deeply", f"at {path}", "name a real one") from error


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def current_umask() -> int:
    """Return the process's file mode mask; it can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
