# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from model_profiling.pipeline.kernel_names import FAMILY_TITLES
from model_profiling.report import palette
from model_profiling.report.charts import Figure
from model_profiling.report.figures import Drawable
from model_profiling.report.kernel_markdown import families
from model_profiling.report.operator_columns import COLUMNS
from model_profiling.report.quantities import Identifier
from model_profiling.report.section import ReportSection
from model_profiling.report.view import View
from model_profiling.report.words.table import Table
from model_profiling.wording import capitalized, count

#: Layers shown at once; the others are folded.
MOST_LAYERS = 20
#: Longer words may break at their hyphens: a phone's line holds little more.
_LONGEST_WHOLE_WORD = 16
TEMPLATES = Path(__file__).resolve().parent / "templates"


def render_html(view: View, figures: Mapping[str, Figure]) -> str:
    """Return the report as HTML."""
    return render_sections("report.html.j2", view.sections, figures, view=view)


def render_sections(
    template: str, sections: Sequence[ReportSection], figures: Mapping[str, Figure], **values: object
) -> str:
    """Return a page of ours: its sections one after the other, and links to those that are shown."""
    page = HtmlPage(figures)
    texts = [section.html(page) if section.shown else "" for section in sections]
    return (
        _rendered(
            template,
            style=_style(),
            script=own_file("report.js"),
            links=[link for section in sections if section.shown for link in section.links()],
            body=Markup("\n").join(Markup(text) for text in texts if text is not None),
            **values,
        )
        + "\n"
    )


def own_file(name: str) -> Markup:
    """Return a script or a style of ours as a page holds it."""
    return Markup(_own(name))


class HtmlPage:
    """A page of HTML, as sections write to it."""

    def __init__(self, figures: Mapping[str, Figure]) -> None:
        self._figures = figures

    def template(self, name: str, section: ReportSection) -> str:
        return _rendered(f"{name}.html.j2", section=section, figures=self._figures, most_layers=MOST_LAYERS)

    def blocks(self, section: ReportSection) -> str:
        return _rendered("section.html.j2", section=section, figures=self._figures)


def _rendered(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the environment of our templates. Every value is escaped; only our own SVG, CSS and script are not."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup  # made by `svg.py`, whose XML writer escaped all text
    environment.filters["capitalize_first"] = capitalized
    environment.filters["glue"] = _glue
    environment.filters["breakable"] = lambda name: Markup("_<wbr>").join(name.split("_"))
    environment.filters["unbroken"] = _unbroken
    environment.filters["breakable_path"] = _breakable_path
    environment.filters["count"] = count
    environment.tests["identifier"] = lambda part: isinstance(part, Identifier)
    environment.tests["table"] = lambda block: isinstance(block, Table)
    environment.tests["drawing"] = lambda block: isinstance(block, Drawable)
    environment.globals["role"] = palette.series
    environment.globals["operator_columns"] = COLUMNS
    environment.globals["family_titles"] = FAMILY_TITLES
    environment.globals["families"] = lambda kernels: families(kernels.view, [side.side for side in kernels.sides])
    return environment


def _breakable_path(path: str) -> Markup:
    """Let a module's path break before its dots and after its underscores, slashes and colons."""
    return Markup("").join(
        Markup("<wbr>.") if part == "." else escape(part) + Markup("<wbr>") if part in "_/:" and part else escape(part)
        for part in re.split(r"([._/:])", path)
    )


def _glue(text: str) -> str:
    """Keep a unit on the line of its number."""
    text = text.replace("95 %", "95\u00a0%")
    return text.replace(" ms", "\u00a0ms").replace(" %", "\u00a0%") if text.startswith((" ms", " %")) else text


def _unbroken(text: str) -> Markup:
    """Keep hyphenated words such as "AVX-512" on one line, without another character in them."""
    return Markup(" ").join(
        Markup('<span class="whole">{}</span>').format(word)
        if "-" in word and len(word) <= _LONGEST_WHOLE_WORD
        else escape(word)
        for word in text.split(" ")
    )


def _style() -> Markup:
    colors = (
        f":root{{{palette.page_variables(dark=False)}}}"
        f"@media screen and (prefers-color-scheme: dark){{:root{{{palette.page_variables(dark=True)}}}}}"
    )
    return Markup(_own("style.css") + colors + palette.page_classes())


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
