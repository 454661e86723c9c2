# SPDX-License-Identifier: Apache-2.0
"""The history on disk: a SQLite file that holds each run once, by its digest. A kill at any moment loses nothing."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.history.rows import RecordedRun
from model_profiling.errors import UserError
from model_profiling.files import make_folder
from model_profiling.json_objects import JsonObject

#: "SMEH": what SQLite's header says the file is (https://www.sqlite.org/fileformat.html, offset 68).
APPLICATION_ID = 0x534D4548
SCHEMA_VERSION = 1
#: How long another process may be writing.
_WAIT_S = 30.0
_TABLE = """CREATE TABLE runs (
    digest TEXT PRIMARY KEY, started TEXT NOT NULL, content TEXT NOT NULL, content_sha256 TEXT NOT NULL
) WITHOUT ROWID"""
_RESTORE = "restore it from a copy, or remove it and name the runs again"


@dataclass(frozen=True)
class Added:
    """How many runs were new to an index, and of how many it now knows something else, such as a later preview."""

    new: int
    renewed: int


def add_runs(path: Path, runs: Sequence[RecordedRun]) -> Added:
    """Add runs to the index, all or none of them; what is there already changes nothing.

    Raises
    ------
    UserError : the file is no index or damaged, another process holds it, or it cannot be written.
    """
    if not path.exists():
        make_folder(path.parent)
    with _opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _prepare(connection, path)
        held = dict(connection.execute("SELECT digest, content FROM runs").fetchall())
        told = {run.digest: json.dumps(run.to_json(), ensure_ascii=False, allow_nan=False) for run in runs}
        new = [run for run in runs if run.digest not in held]
        changed = [run for run in runs if run.digest in held and _differs(told[run.digest], str(held[run.digest]))]
        connection.executemany(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)",
            [(run.digest, run.started, told[run.digest], _sha256(told[run.digest])) for run in (*new, *changed)],
        )
        connection.execute("COMMIT")
    return Added(len(new), len(changed))


def read_runs(path: Path) -> list[RecordedRun]:
    """Return the runs of an index; raises as `add_runs`, and where there is none."""
    if not path.is_file():
        raise UserError("there is no index", f"at {path} (--index)", "name runs to begin it with (--runs)")
    with _opened(path) as connection:
        _check(connection, path)
        rows = connection.execute("SELECT content, content_sha256 FROM runs ORDER BY digest").fetchall()
    return [RecordedRun.from_json(_parsed(str(content), str(digest), path)) for content, digest in rows]


def _differs(told: str, held: str) -> bool:
    """Return whether rows differ; where the run lies is no difference, for a copy is the same run."""
    try:
        before = json.loads(held)
        return not isinstance(before, dict) or {**json.loads(told), "folder": ""} != {**before, "folder": ""}
    except ValueError:
        return True


def _parsed(content: str, digest: str, path: Path) -> JsonObject:
    """Return a row's content, which SQLite keeps no checksum of."""
    if _sha256(content) != digest:
        raise UserError("the index is damaged (a row's digest does not match)", f"at {path}", _RESTORE)
    return JsonObject(json.loads(content), f"in {path}", _RESTORE, what="the index")


def _sha256(content: str) -> str:
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UserError("another process is writing the index", f"at {path}", "wait for it") from error
        raise UserError(
            f"the index cannot be opened or written ({error})", f"at {path}", "check its folder and the free space"
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise UserError(f"the index is damaged or no index ({error})", f"at {path}", _RESTORE) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the table in a new file; refuse what is no index of this version."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,) and _number(
        connection, "application_id"
    ) in (0, APPLICATION_ID):
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    _check(connection, path)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if _number(connection, "application_id") != APPLICATION_ID:
        raise UserError("the file is no index of history.py", f"at {path} (--index)", "name another file")
    if _number(connection, "user_version") != SCHEMA_VERSION:
        raise UserError("the index is of another version of the kit", f"at {path}", _RESTORE)
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise UserError("the index is damaged", f"at {path}", _RESTORE)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    [value] = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
