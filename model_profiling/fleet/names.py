# SPDX-License-Identifier: Apache-2.0
"""Names of models and devices as parts of file names."""

from __future__ import annotations

import re


def as_name(text: str) -> str:
    """Return a text as a file's name may hold it: letters, digits, dot, underscore and hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"
