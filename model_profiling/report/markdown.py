# SPDX-License-Identifier: Apache-2.0
"""The report as GitHub-flavored Markdown, with its figures beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import jinja2

from model_profiling.report.charts import Figure
from model_profiling.report.figures import Drawable
from model_profiling.report.html import MOST_LAYERS, TEMPLATES
from model_profiling.report.kernel_markdown import families, side_cell
from model_profiling.report.operator_columns import COLUMNS
from model_profiling.report.quantities import Sentence
from model_profiling.report.scaling import ThreadRow
from model_profiling.report.section import ReportSection
from model_profiling.report.view import ComparedLayer, ComparedOperator, View
from model_profiling.report.words.markup import Verbatim, escape, printed, sentence
from model_profiling.report.words.table import Table
from model_profiling.wording import capitalized, count


def render_markdown(view: View, figures: Mapping[str, Figure], figure_folder: str) -> str:
    """Return the report as Markdown; `figure_folder` is where its figures lie, as seen from it."""
    return MarkdownPage(figures, figure_folder).sections("report.md.j2", view.sections, view=view)


class MarkdownPage:
    """A page of Markdown, as sections write to it; every value is escaped."""

    def __init__(self, figures: Mapping[str, Figure], figure_folder: str) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=False,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=printed,
        )
        environment.filters["fence"] = fence
        environment.filters["capitalize_first"] = capitalized
        environment.filters["count"] = count
        environment.filters["sentence"] = sentence
        environment.filters["ratio"] = _ratio
        environment.filters["families"] = lambda kernels: Verbatim(
            families(kernels.view, [side.side for side in kernels.sides]).markdown_body()
        )
        environment.filters["kernels"] = lambda side, named: side_cell(side, named)
        environment.filters["figure"] = lambda name: _figure(figures, name, figure_folder)
        environment.globals["operator_columns"] = COLUMNS
        self._environment, self._figures, self._folder = environment, figures, figure_folder

    def template(self, name: str, section: ReportSection) -> str:
        return self._rendered(f"{name}.md.j2", section=section, most_layers=MOST_LAYERS)

    def blocks(self, section: ReportSection) -> str:
        return "\n\n".join([f"## {printed(section.title)}", *map(self._block, section.blocks())])

    def _block(self, block: Sentence | Table | Drawable) -> str:
        if isinstance(block, Drawable):
            return _figure(self._figures, block.chart.name, self._folder).strip()
        return block.markdown_body() if isinstance(block, Table) else sentence(block)

    def sections(self, template: str, sections: Sequence[ReportSection], **values: object) -> str:
        """Return a Markdown file of ours with the sections that are shown."""
        body = "\n\n".join(section.markdown(self) for section in sections if section.shown)
        return self._rendered(template, body=Verbatim(body), **values)

    def _rendered(self, template: str, **values: object) -> str:
        """Return a Markdown file of ours, or a part of one."""
        text = self._environment.get_template(template).render(**values)
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def fence(text: str) -> Verbatim:
    """Return `text` as a code block whose fence no line of it can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return Verbatim(f"{marks}\n{text}\n{marks}")


def _ratio(row: ComparedOperator | ComparedLayer | ThreadRow) -> str:
    """Return a row's speed-up with its interval."""
    if row.speedup is None:
        return printed(None)
    interval = f" ({row.low.text} to {row.high.text})" if row.low and row.high else ""
    return f"{row.speedup.text}×{interval}"


def _figure(figures: Mapping[str, Figure], name: str, folder: str) -> Verbatim:
    if name not in figures:
        return Verbatim("")
    drawn = figures[name]
    return Verbatim(f"![{escape(drawn.alt)}]({folder}/{name}.svg)\n\n*{escape(drawn.caption)}*\n")
