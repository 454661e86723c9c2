# SPDX-License-Identifier: Apache-2.0
"""A table of text in several markups: Markdown, the terminal, plain columns."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from model_profiling.console import say
from model_profiling.errors import one_line


@dataclass(frozen=True)
class Table:
    """A titled table of text; columns named in `numbers` are aligned to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()

    def markdown(self) -> str:
        """Return the table as Markdown under a heading."""
        rule = ["--:" if column in self.numbers else "---" for column in self.columns]
        lines = [self.columns, rule, *self.rows] if self.rows else [self.columns, rule]
        drawn = "\n".join(f"| {' | '.join(map(markdown_cell, line))} |" for line in lines)
        return f"## {self.title}\n\n{drawn}\n"

    def show(self) -> None:
        """Print the table: with rules on a terminal, plain aligned columns elsewhere."""
        _show_rich(self) if sys.stdout.isatty() else _show_plain(self)


def markdown_cell(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return " ".join(escaped.split())


def _show_rich(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=Text(one_line(table.title), style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    for column in table.columns:
        drawn.add_column(
            Text(one_line(column)),
            justify="right" if column in table.numbers else "left",
            no_wrap=column in table.numbers,
        )
    for row in table.rows:
        drawn.add_row(*(Text(one_line(cell)) for cell in row))
    Console().print(drawn)


def _show_plain(table: Table) -> None:
    rows = [tuple(map(one_line, row)) for row in (table.columns, *table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    say(table.title)
    for row in rows:
        cells = (
            cell.rjust(width) if column in table.numbers else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns)
        )
        say("  " + "  ".join(cells).rstrip())
    say()
