# SPDX-License-Identifier: Apache-2.0
"""The table of models as Markdown: whole in a file of its own, and in short on a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.models.contract import FORWARD
from model_profiling.report.words.markup import Verbatim
from model_profiling.report.words.table import Table
from model_profiling.wording import listed, percent
from tools.model_table.rows import COMMAND, ModelRow, ModelTable

WHOLE = Path(__file__).with_name("MODELS.md")
_REWRITTEN = Verbatim("with `--rewrite all`")
_ABOUT = (
    "Made by `{}` with ExecuTorch {} and transformers {}, in small configurations with random weights. A cell has the "
    "number of XNNPACK delegates and of operators outside of them. The last two columns are of the program with "
    "rewrites: its agreement with the eager model, and the share of multiply-adds in layers that can reach an SME2 "
    "kernel."
)


def whole_markdown(table: ModelTable) -> str:
    """Return the file with every row."""
    columns = ("model", "recipe", "as it stands", _REWRITTEN, "cosine", "reaches SME2")
    rows = tuple(_whole_row(*pair) for pair in _pairs(table.rows))
    body = Table("", columns, rows).markdown_body()
    return (
        "\n\n".join(["# Models and recipes", _ABOUT.format(COMMAND, table.executorch, table.transformers), body]) + "\n"
    )


def page_markdown(table: ModelTable) -> str:
    """Return the page's table: fp32 and the recipe in which most of the work reaches SME2."""
    rows = []
    for before, after in _pairs(table.rows):
        if before.recipe == "fp32":
            rows.append((_name(before), divided(before), divided(after), _most(table.rows, before)))
    columns = ("model", "fp32: delegates, operators outside", _REWRITTEN, "reaches SME2 most in")
    return Table("", columns, tuple(rows)).markdown_body()


def _pairs(rows: Sequence[ModelRow]) -> list[tuple[ModelRow, ModelRow]]:
    """Return each export as it stands with the one that is rewritten; one that failed stands for all its methods."""
    methods: dict[str, dict[str, None]] = {}
    for row in rows:
        methods.setdefault(row.model, {}).update({row.method: None} if row.method else {})
    pairs = []
    for model, recipe in dict.fromkeys((row.model, row.recipe) for row in rows):
        own = [row for row in rows if (row.model, row.recipe) == (model, recipe)]
        for method in methods[model] or {"": None}:
            fitting = [
                next(row for row in own if row.rewritten == rewritten and row.method in (method, ""))
                for rewritten in (False, True)
            ]
            pairs.append((fitting[0], fitting[1]))
    return pairs


def _whole_row(before: ModelRow, after: ModelRow) -> tuple[str, ...]:
    cosine = "" if after.failed else "not finite" if after.cosine is None else f"{after.cosine:.4f}"
    share = "" if after.failed or after.reaches_sme2 is None else percent(after.reaches_sme2)
    return _name(before if before.method else after), before.recipe, divided(before), divided(after), cosine, share


def _name(row: ModelRow) -> str:
    return row.model if row.method in (FORWARD, "") else f"{row.model}, {row.method}"


def divided(row: ModelRow) -> str:
    """Return how an export is divided: delegates, and operators outside of them; of one that failed its reason."""
    return row.failed or f"{row.delegates}, {row.outside}"


def _most(rows: Sequence[ModelRow], like: ModelRow) -> str:
    """Return the recipes in which the largest share of a method's work can reach SME2, with that share."""
    own = [
        row
        for row in rows
        if (row.model, row.method) == (like.model, like.method) and row.rewritten and row.reaches_sme2 is not None
    ]
    most = max((row.reaches_sme2 or 0.0 for row in own), default=0.0)
    if not most:
        return "none"
    names = [row.recipe for row in own if row.reaches_sme2 == most]
    every = {row.recipe for row in rows}
    return f"{'any recipe' if set(names) == every else listed(names)}: {percent(most)}"
