# SPDX-License-Identifier: Apache-2.0
"""The YAML between two lines of three hyphens at a page's head."""

from __future__ import annotations

import yaml

from tools.pages.reading.document import FrontMatter
from tools.pages.reading.problems import Position

_FENCE = "---"
#: libyaml's where PyYAML was built with it: the same, faster.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def split(lines: list[str]) -> tuple[FrontMatter | None, int]:
    """Return the front matter of a page's lines and the index of the first line after it."""
    if not lines or lines[0].rstrip() != _FENCE:
        return None, 0
    for end in range(1, len(lines)):
        if lines[end].rstrip() == _FENCE:
            return _read("\n".join(lines[1:end])), end + 1
    return FrontMatter(None, {}, (Position(1), "the front matter has no closing ---")), len(lines)


def _read(text: str) -> FrontMatter:
    try:
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)  # a safe loader too
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Position(mark.line + 2, mark.column + 1) if mark else Position(2)
        return FrontMatter(None, {}, (place, f"the front matter is not YAML ({getattr(error, 'problem', error)})"))
    if not isinstance(node, yaml.MappingNode):
        return FrontMatter(None, {}, (Position(2), "the front matter holds no keys"))
    places: dict[str, Position] = {}
    for key, _ in node.value:
        place = Position(key.start_mark.line + 2, key.start_mark.column + 1)
        if key.value in places:
            return FrontMatter(None, places, (place, f"the key {key.value} stands twice"))
        places[key.value] = place
    return FrontMatter(values, places)
