# SPDX-License-Identifier: Apache-2.0
"""Values as Markdown: text of others is shown as it is, never taken for markup."""

from __future__ import annotations

import re

from model_profiling.report.quantities import Identifier, Quantity, Sentence

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: Characters that may begin markup inside a line; an underscore only at the edge of a word.
_SPECIAL = re.compile(r"([\\`*\[\]<>|~$&])|(?<![A-Za-z0-9])(_)|(_)(?![A-Za-z0-9])")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in a paragraph and in a table's cell."""
    return _SPECIAL.sub(lambda m: "\\" + m[0], _BREAKS.sub(" ", text))


class Verbatim(str):
    """Markdown of our own making, which is not escaped again."""


def printed(value: object) -> str:
    """Return a value as Markdown: a number as rounded, a name as code, None as a dash, other text escaped."""
    if isinstance(value, Verbatim):
        return value
    if value is None:
        return "–"
    if isinstance(value, Identifier):
        return _code(value)
    return escape(value.text if isinstance(value, Quantity) else str(value))


def sentence(parts: Sentence) -> Verbatim:
    """Return a sentence as Markdown."""
    return Verbatim("".join(map(printed, parts)))


def _code(text: str) -> str:
    """Return a name as code, or escaped where it holds what ends code or a table's cell."""
    return f"`{text}`" if text and not re.search(r"[`|\x00-\x1f]", text) else escape(text)
