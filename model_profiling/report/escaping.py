# SPDX-License-Identifier: Apache-2.0
"""Text of others in Markdown: shown as it is, never taken for markup."""

from __future__ import annotations

import re

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: Characters that may begin markup inside a line; an underscore only at the edge of a word.
_SPECIAL = re.compile(r"([\\`*\[\]<>|~$&])|(?<![A-Za-z0-9])(_)|(_)(?![A-Za-z0-9])")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in a paragraph and in a table's cell."""
    return _SPECIAL.sub(lambda m: "\\" + m[0], _BREAKS.sub(" ", text))
