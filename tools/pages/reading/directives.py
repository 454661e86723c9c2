# SPDX-License-Identifier: Apache-2.0
"""The comments that tell the checker about a page. Readers never see them.

Right in front of a code block, a paragraph or a heading:

``<!-- check: skip REASON -->``      look at nothing in it, and do not run it (counted, printed)
``<!-- check: no-run REASON -->``    check it, and do not run it (counted, printed)
``<!-- check: save-as PATH -->``     the reader saves this block as PATH, which the text before it names
``<!-- check: exits N -->``          the block's last command is meant to end with status N

Anywhere, from there to the page's end:

``<!-- check: set model=toy_cnn -->``  ``<model>`` in commands stands for ``toy_cnn``

For the whole page:

``<!-- check: start-in PATH -->``    where the reader's shell starts (`HOME` for a home without the kit)
``<!-- check: after PAGE -->``       the reader has done that page before: its files are there
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from tools.pages.reading.document import Options, PageSettings
from tools.pages.reading.problems import Position

_COMMENT = re.compile(r"<!--\s*check:\s*(.*?)\s*-->", re.DOTALL)
_NAMES = ("skip", "no-run", "save-as", "exits", "set", "start-in", "after")
_LEAST_REASON_WORDS = 2


@dataclass
class DirectiveReader:
    """Gathers comments while a page is read: for the next element, from here on, for the page."""

    pending: Options = Options()
    values: dict[str, str] = field(default_factory=dict)
    settings: PageSettings = PageSettings()
    faults: list[tuple[Position, str, str]] = field(default_factory=list)

    def read(self, html: str, line: int) -> None:
        """Take every directive in one piece of HTML that begins at `line`."""
        for comment in _COMMENT.finditer(html):
            before = html[: comment.start()]
            place = Position(line + before.count("\n"), comment.start() - before.rfind("\n"))
            name, _, rest = " ".join(comment[1].split()).partition(" ")
            wrong = self._take(name, rest.strip(), place)
            if wrong:
                self.faults.append((place, "directive", wrong))

    def take(self) -> Options:
        """Return what was said about the element that now comes, and forget it."""
        options, self.pending = self.pending, Options()
        return options

    def _take(self, name: str, rest: str, place: Position) -> str | None:
        if name in ("skip", "no-run"):
            if len(rest.split()) < _LEAST_REASON_WORDS:
                return f'"check: {name}" gives no reason: say why in a few words'
            self._say(place, **{name.replace("-", "_"): rest})
        elif name == "save-as" and rest:
            self._say(place, save_as=rest)
        elif name == "exits" and rest.isdecimal() and int(rest) < 256:
            self._say(place, exits=int(rest))
        elif name == "set" and (pair := re.fullmatch(r"([\w.-]+)=(\S+)", rest)):
            self.values[pair[1]] = pair[2]
        elif name == "start-in" and rest:
            self.settings = replace(self.settings, start_in=rest)
        elif name == "after" and re.fullmatch(r"\S+", rest):
            self.settings = replace(self.settings, after=(*self.settings.after, rest))
        else:
            return f'"check: {name} {rest}" is not understood: use one of {", ".join(_NAMES)} (tools/pages/README.md)'
        return None

    def _say(self, place: Position, **what: Any) -> None:
        self.pending = replace(self.pending, place=place, **what)
