# SPDX-License-Identifier: Apache-2.0
"""A table's body, and the body in several markups: Markdown, the terminal, plain columns; `html` has its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.report.quantities import Quantity
from model_profiling.report.words.markup import printed

#: What a cell holds: text, a number with where it stands, or nothing.
Cell = str | Quantity | None
NONE = "-"


@dataclass(frozen=True)
class Table:
    """A table; columns named in `numbers` are aligned to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[str] = frozenset()

    def markdown(self) -> str:
        """Return the table as Markdown under a heading."""
        return f"## {printed(self.title)}\n\n{self.markdown_body()}\n"

    def markdown_body(self) -> str:
        """Return the table as Markdown, without its title."""
        rule = ["--:" if column in self.numbers else "---" for column in self.columns]
        lines = [map(printed, self.columns), rule, *(map(printed, row) for row in self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def lines(self) -> list[str]:
        """Return the table as plain aligned columns, one line a row, without its title."""
        rows = [tuple(map(_shown, row)) for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        right = [column in self.numbers for column in self.columns]
        return ["  ".join(_aligned(row, widths, right)).rstrip() for row in rows]

    def show(self) -> None:
        """Print the table: with rules on a terminal, plain aligned columns elsewhere."""
        _show_rich(self) if sys.stdout.isatty() else _show_plain(self)


def _shown(cell: Cell) -> str:
    return NONE if cell is None else one_line(cell if isinstance(cell, str) else cell.text)


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(row, widths, right, strict=True)
    ]


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
        drawn.add_row(*(Text(_shown(cell)) for cell in row))
    Console().print(drawn)


def _show_plain(table: Table) -> None:
    say(table.title)
    for line in table.lines():
        say(f"  {line}")
    say()
