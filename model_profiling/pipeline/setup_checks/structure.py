# SPDX-License-Identifier: Apache-2.0
"""Whether every file of the kit is there, and is what its name says.

No list of files is kept here: git knows those of a checkout, the wheel's RECORD those of
an installed kit. In a checkout contents may differ from the commit (people edit), so there
they are only read; an installed kit must match its RECORD's digests.
"""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from model_profiling import PACKAGE_DIR
from model_profiling.findings import Finding, error, ok, warning
from model_profiling.pipeline.setup_checks.packages import KIT
from model_profiling.processes import run_child

_GIT_LIMIT_S = 30.0
_BASH_LIMIT_S = 10.0
_SKIPPED_BY_SPARSE_CHECKOUT = "S"


@dataclass(frozen=True)
class Expected:
    """A file that the kit must have: its mode in git, or its digest in RECORD."""

    path: Path
    executable: bool = False
    sha256: str = ""


def check_structure(package: Path = PACKAGE_DIR) -> list[Finding]:
    """Return a finding for each file of the kit that is missing or unusable."""
    expected, source = expected_files(package)
    if not expected:
        files = (path for path in sorted(package.rglob("*")) if path.is_file() and path.suffix != ".pyc")
        restore, expected = "get the kit again", [Expected(path) for path in files]
        findings = [warning("structure", "neither git nor a wheel's record says which files belong to the kit")]
    else:
        findings = []
        restore = f"git -C {package.parent} checkout -- FILE" if source == "git" else "install the kit again"
    for entry in expected:
        why = _objection(entry)
        if why:
            name = os.path.relpath(entry.path, package.parent)
            findings.append(error(f"file {name}", why, restore.replace("FILE", name)))
    return findings or [ok("structure", f"{len(expected)} files are there and readable")]


def expected_files(package: Path) -> tuple[list[Expected], str]:
    """Return the kit's files and who told them: "git", "wheel", or "" when nobody does."""
    if (package.parent / ".git").exists() and shutil.which("git"):
        return list(_from_git(package)), "git"
    try:
        record = distribution(KIT).read_text("RECORD") or ""
    except PackageNotFoundError:
        record = ""
    return list(_from_record(record, package)), "wheel"


def _from_git(package: Path) -> Iterator[Expected]:
    root = package.parent
    listing = run_child(
        ["git", "-C", root, "ls-files", "-z", "-t", "--stage", "--", package.name, "pyproject.toml"],
        timeout_s=_GIT_LIMIT_S,
    )
    for entry in listing.output.split("\0") if listing.ok else ():
        if "\t" not in entry:
            continue
        details, name = entry.split("\t", 1)
        tag, mode = details.split()[:2]
        if tag != _SKIPPED_BY_SPARSE_CHECKOUT:
            yield Expected(root / name, executable=mode == "100755")


def _from_record(record: str, package: Path) -> Iterator[Expected]:
    for row in csv.reader(record.splitlines()):
        if len(row) == 3 and row[0].startswith(f"{package.name}/") and not row[0].endswith(".pyc"):
            yield Expected(package.parent / row[0], sha256=row[1].removeprefix("sha256="))


def _objection(entry: Expected) -> str:
    """Say why a file will not do, or return ""."""
    try:
        data = entry.path.read_bytes()
    except OSError as problem:
        return f"it cannot be read ({problem.strerror})"
    if entry.executable and not os.access(entry.path, os.X_OK):
        return "it is not executable"
    if entry.sha256 and entry.sha256 != _record_digest(data):
        return "it is not as it was installed"
    try:
        return _content_objection(entry.path, data.decode("utf-8"))
    except UnicodeDecodeError:
        return "it is not UTF-8 text"


def _content_objection(path: Path, text: str) -> str:
    if path.suffix == ".py":
        return _syntax_objection(path, text)
    if path.suffix == ".json":
        return _json_objection(path, text)
    if path.suffix == ".j2":
        return _template_objection(text)
    if path.suffix == ".sh":
        checked = run_child(["bash", "-n", path], timeout_s=_BASH_LIMIT_S)
        return "" if checked.ok else f"bash does not read it ({checked.output.strip()})"
    return ""


def _syntax_objection(path: Path, text: str) -> str:
    try:
        ast.parse(text, filename=path.name)
    except (SyntaxError, ValueError) as problem:  # ValueError: a null byte
        return f"it is no Python ({problem})"
    return ""


def _json_objection(path: Path, text: str) -> str:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        return f"it is no JSON ({problem})"
    return _schema_objection(value) if path.name.endswith(".schema.json") else ""


def _schema_objection(value: Any) -> str:
    try:
        import jsonschema
    except ImportError:
        return ""  # a finding of the packages' check, which must not end this one
    try:
        jsonschema.validators.validator_for(value).check_schema(value)
    except jsonschema.SchemaError as problem:
        return f"it is no JSON Schema ({problem.message})"
    return ""


def _template_objection(text: str) -> str:
    try:
        import jinja2
    except ImportError:
        return ""  # as above
    try:
        jinja2.Environment(autoescape=True).parse(text)
    except jinja2.TemplateSyntaxError as problem:
        return f"its template does not parse (line {problem.lineno}: {problem.message})"
    return ""


def _record_digest(data: bytes) -> str:
    """Return SHA-256 as RECORD writes it: URL-safe base64 without padding (PEP 376)."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
