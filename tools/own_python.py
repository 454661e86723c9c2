# SPDX-License-Identifier: Apache-2.0
"""What the repository's tools need beside Python: found in this one, else in the checkout's `.venv`.

Only the standard library is used here, so that any Python can say what it lacks.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from tools import REPOSITORY

_VENV = REPOSITORY / ".venv"
_NEEDED = ("model_profiling", "tree_sitter_bash", "markdown_it", "yaml", "pyflakes")


def require_packages(doing: str) -> None:
    """Start the command again with the checkout's Python where this one lacks a package, else end with the remedy."""
    if all(importlib.util.find_spec(name) is not None for name in _NEEDED):
        return
    own = _VENV / "bin" / "python"
    if own.is_file() and Path(sys.prefix).resolve() != _VENV.resolve():
        os.execv(own, [str(own), *sys.argv])
    print(
        f"error: this Python lacks what {doing}, at {sys.executable}: "
        "run bash model_profiling/scripts/setup_repo.sh, then this again",
        file=sys.stderr,
    )
    sys.exit(2)
