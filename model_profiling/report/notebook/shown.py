# SPDX-License-Identifier: Apache-2.0
"""A comparison, an opportunity and a report as a notebook shows them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from markupsafe import Markup

from model_profiling.analysis.advice.opportunity import EXECUTION, Opportunity
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.errors import UserError
from model_profiling.report.words.advice import command, told
from model_profiling.report.words.digits import milliseconds
from model_profiling.wording import capitalized

#: Height of a report in a notebook, in CSS pixels: a screen's.
REPORT_HEIGHT = 800
#: A frame takes links as the notebook's, and would open that where the report leads to a section of its own.
_OWN_LINKS = '<head><base href="about:srcdoc">'


def filled(html: str, *values: object) -> str:
    """Return HTML with values in its places, escaped; plain text, for `Markup` escapes what others append to it."""
    return str.__str__(Markup(html).format(*values))


@dataclass(frozen=True, repr=False)
class ShownComparison:
    """A comparison: its values, and the sentence that says what it came to. A `quick` run gives no verdict."""

    value: Comparison
    quick: bool

    def __str__(self) -> str:
        from model_profiling.report.words.verdict import speedup_sentence  # it takes what draws figures

        return speedup_sentence(self.value, self.quick)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return filled("<p>{}</p>", str(self))


@dataclass(frozen=True, repr=False)
class ShownOpportunity:
    """An opportunity: its values, and what it is, what it would save at most, and what to do in words."""

    value: Opportunity

    @property
    def saving(self) -> str:
        """What a change saves at most, of what."""
        of = "an execution" if self.value.per == EXECUTION else "each start"
        return f"Saves at most {milliseconds(self.value.saves_ms)} ms of {of}"

    def __str__(self) -> str:
        return f"{capitalized(told(self.value).what)}. {self.saving}. {told(self.value).do}."

    __repr__ = __str__

    def _repr_html_(self) -> str:
        words, typed = told(self.value), command(self.value)
        typed_words = [Markup("<br><code>{}</code>").format(text) for text in (words.place, typed) if text]
        return filled(
            "<p><b>{}</b>. {}. {}.<br>{}.{}</p>",
            capitalized(words.what),
            self.saving,
            capitalized(words.why),
            words.do,
            Markup("").join(typed_words),
        )


@dataclass(frozen=True)
class ShownReport:
    """A report as one HTML page; in a notebook it is shown in a frame, where its styles stay its own."""

    html: str = field(repr=False)
    title: str
    height: int = REPORT_HEIGHT

    def _repr_html_(self) -> str:
        # Without the notebook's origin: a report needs nothing of it.
        return filled(
            '<iframe title="{}" srcdoc="{}" sandbox="allow-scripts allow-popups" '
            'style="width: 100%; height: {}px; border: 0"></iframe>',
            self.title,
            self.html.replace("<head>", _OWN_LINKS, 1),
            self.height,
        )

    def show(self) -> None:
        """Show the report from the middle of a cell; the value of a cell's last line is shown by itself.

        Raises
        ------
        UserError : this Python runs no notebook.
        """
        display = sys.modules.get("IPython.display")  # a notebook has imported it, and nothing else needs it
        if display is None:
            raise UserError("no notebook is running", "in show()", "open report.html in the run directory instead")
        display.display(self)
