# SPDX-License-Identifier: Apache-2.0
"""The report as GitHub-flavored Markdown, with its figures beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import jinja2

from model_profiling.report.charts import Figure
from model_profiling.report.escaping import escape
from model_profiling.report.html import MOST_LAYERS, TEMPLATES
from model_profiling.report.kernel_markdown import families_table, side_cell
from model_profiling.report.rounding import Quantity
from model_profiling.report.view import Identifier, LayerRow, OperatorRow, ThreadRow, View


class Verbatim(str):
    """Markdown of our own making, which is not escaped again."""


def render_markdown(view: View, figures: Mapping[str, Figure], figure_folder: str) -> str:
    """Return the report as Markdown; `figure_folder` is where its figures lie, as seen from it."""
    return render_text(
        "report.md.j2",
        figures,
        figure_folder,
        view=view,
        most_layers=MOST_LAYERS,
        many=sum(c.breakdown is not None for c in view.comparisons) > 1,
    )


def render_text(template: str, figures: Mapping[str, Figure], figure_folder: str, **values: object) -> str:
    """Return a Markdown file of ours, every value escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )
    environment.filters["fence"] = fence
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["sentence"] = lambda parts: Verbatim("".join(map(_printed, parts)))
    environment.filters["ratio"] = _ratio
    environment.filters["families"] = lambda section: Verbatim(
        families_table(section.view, [side.side for side in section.sides])
    )
    environment.filters["kernels"] = lambda side, named: Verbatim(side_cell(side, named))
    environment.filters["figure"] = lambda name: _figure(figures, name, figure_folder)
    text = environment.get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def fence(text: str) -> Verbatim:
    """Return `text` as a code block whose fence no line of it can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return Verbatim(f"{marks}\n{text}\n{marks}")


def _ratio(row: OperatorRow | LayerRow | ThreadRow) -> str:
    """Return a row's speed-up with its interval."""
    if row.speedup is None:
        return _printed(None)
    interval = f" ({row.low.text} to {row.high.text})" if row.low else ""
    return f"{row.speedup.text}×{interval}"


def _code(text: str) -> str:
    """Return a name as code, or escaped where it holds what ends code or a table's cell."""
    return f"`{text}`" if text and not re.search(r"[`|\x00-\x1f]", text) else escape(text)


def _figure(figures: Mapping[str, Figure], name: str, folder: str) -> Verbatim:
    if name not in figures:
        return Verbatim("")
    drawn = figures[name]
    return Verbatim(f"![{escape(drawn.alt)}]({folder}/{name}.svg)\n\n*{escape(drawn.caption)}*\n")


def _printed(value: object) -> str:
    if isinstance(value, Verbatim):
        return value
    if value is None:
        return "–"
    if isinstance(value, Identifier):
        return _code(value)
    return escape(value.text if isinstance(value, Quantity) else str(value))
