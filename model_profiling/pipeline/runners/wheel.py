# SPDX-License-Identifier: Apache-2.0
"""Where ExecuTorch's wheel lies and which one it is, found without importing torch."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError


@dataclass(frozen=True)
class Wheel:
    """The installed ExecuTorch: `root` holds ``lib`` and ``include``; `git_sha` may be empty."""

    root: Path
    version: str
    git_sha: str

    @property
    def release(self) -> str:
        """The version without what says how it was built ("1.5.1" of "1.5.1+cpu"), as the sources have it."""
        return self.version.partition("+")[0]

    @property
    def library_dir(self) -> Path:
        return self.root / "lib"


def installed_wheel() -> Wheel:
    """Return the ExecuTorch that this Python would import.

    Raises
    ------
    UserError : none is installed, or one without its C++ libraries (older than 1.5).
    """
    fix = "run model_profiling/scripts/setup_repo.sh"
    spec = importlib.util.find_spec("executorch")
    roots = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    # A clone of ExecuTorch's sources in the current folder is found under the same name.
    for root in roots:
        if any((root / "lib").glob("libexecutorch_threadpool.*")):
            return wheel_at(root)
    what = (
        "the installed ExecuTorch has no C++ libraries (1.5 or newer is needed)"
        if roots
        else "ExecuTorch is not installed"
    )
    raise UserError(what, f"in {sys.executable}", fix)


def wheel_at(root: Path) -> Wheel:
    """Return the wheel whose package lies at `root`, of any platform."""
    version, git_sha = _version_of(root)
    return Wheel(root, version, git_sha)


def _version_of(root: Path) -> tuple[str, str]:
    spec = importlib.util.spec_from_file_location("_executorch_version", root / "version.py")
    if spec is None or spec.loader is None:  # importlib gives both for a name that ends in .py
        return "unknown", ""
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError:
        return "unknown", ""
    return str(module.__version__), str(module.git_version or "")
