# SPDX-License-Identifier: Apache-2.0
"""The table of the pages: each kind of layer against each recipe, whether it reaches SME2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.export.sme2_reach import COMMAND, ReachRow, ReachTable
from model_profiling.report.words.table import Table
from tools.marked import marks, with_part

BEGIN, END = marks(COMMAND)


def markdown(table: ReachTable) -> str:
    """Return the table as the pages show it: two columns, which fit on a phone."""
    kinds = list(dict.fromkeys(row.kind for row in table.rows))
    rows = tuple((kind, _reaching([row for row in table.rows if row.kind == kind])) for kind in kinds)
    return Table("", ("layer", "reaches SME2 in"), rows).markdown_body()


def _reaching(rows: Sequence[ReachRow]) -> str:
    """Return the recipes in which a kind of layer reaches SME2, with the rows where not all numbers do."""
    told = []
    for recipe in dict.fromkeys(row.recipe for row in rows):
        own = [row for row in rows if row.recipe == recipe]
        reaching = [row.rows for row in own if row.reaches]
        if reaching:
            some = "" if len(reaching) == len(own) else f" (with {', '.join(map(str, reaching))} rows)"
            told.append(f"{_title(recipe)}{some}")
    return "; ".join(told) or "none"


def _title(recipe: str) -> str:
    name, _, size = recipe.partition("_g")
    return f"{name} in groups of {size}" if size else name


def with_table(page: Path, table: ReachTable) -> str:
    """Return a page's text with the table between its marks; raises as `with_part`."""
    return with_part(page, COMMAND, markdown(table))
