# SPDX-License-Identifier: Apache-2.0
"""The house style that several rules ask for: how an output is led in, and how titles begin."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

#: What each kind of page's front matter has to hold, as JSON schemas, and the verbs that titles begin with.
FRONT_MATTER = Path(__file__).parents[1] / "data" / "front_matter.yaml"
LEAD_IN = "The output is similar to:"


@functools.cache
def front_matter_schemas() -> dict[str, Any]:
    """Return what `FRONT_MATTER` holds: a JSON schema by the kind of a document, and "verbs"."""
    held: dict[str, Any] = yaml.safe_load(FRONT_MATTER.read_text(encoding="utf-8"))
    return held


def begins_with_verb(text: str) -> bool:
    """Return whether a title tells to do something."""
    return text.split()[:1] != [] and text.split()[0] in front_matter_schemas()["verbs"]
