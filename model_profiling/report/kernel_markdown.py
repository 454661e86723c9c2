# SPDX-License-Identifier: Apache-2.0
"""The kernel view as GitHub-flavored Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from model_profiling.analysis.kernels.side_by_side import LAYER, FamilyCount, Group, KernelView, SideRows
from model_profiling.analysis.tables.kernels import CALLED, REGISTERED, KernelRow
from model_profiling.pipeline.kernel_names import FAMILY_TITLES, PACK
from model_profiling.report.words.kernels import view_notes
from model_profiling.report.words.markup import Verbatim, escape
from model_profiling.report.words.table import Table
from model_profiling.wording import count

#: What each kind of evidence shows, and what it does not.
MEANING = {
    CALLED: "the kernel ran, and each of its calls was counted. Only KleidiAI's kernels (kai_...) can be seen this "
    "way: an operator without one ran something else, which is not listed.",
    REGISTERED: "XNNPACK wrote the kernel into a table that it initialized while loading the model, once for the whole "
    "process. It is a candidate, not a call: tables also hold variants for other shapes and element types "
    "and variants that a better one replaced, and a few tables are not logged. Whether, where and how often "
    "the kernel ran is not known.",
}
_NOTHING = "–"
_SIDES = ("on", "off")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:+-]+")


def render_kernel_view(
    view: KernelView, title: str, sources: Sequence[tuple[str, str]], wanted: str | None = None
) -> str:
    """Return the view as Markdown; `sources` pairs each side with what its table is, in words."""
    parts = [f"# Kernels: {escape(title)}", _list(f"{side}: {escape(text)}" for side, text in sources)]
    if wanted is not None:
        parts.append(f"Only operators whose name contains “{escape(wanted)}”.")
    parts += [
        "## What the evidence says",
        _list(f"**{kind}**: {escape(text)}" for kind, text in MEANING.items() if kind in view.evidence),
    ]
    notes = [f"Note: {escape(note)}" for note in view_notes(view)]
    if notes:
        parts.append(_list(notes))
    parts += [
        "## By family",
        family_sentence(view),
        families(view).markdown_body(),
        f"## By {noun(view)}",
        f"Kernels differ in {view.differing} of {count(len(view.matched), noun(view))}.",
        _groups(view).markdown_body(),
    ]
    return "\n\n".join(parts) + "\n"


def family_sentence(view: KernelView) -> str:
    """Say in one sentence how far SME2 is reached on both sides."""
    on, off = view.families.get("sme2", (FamilyCount(0, 0, None, 0),) * 2)
    if view.by == LAYER:
        verb = "are called in" if view.evidence == {CALLED} else "stand in"
        return (
            f"SME2 kernels {verb} {on.layers} of the tables' {count(len(view.matched), 'layer')} with SME2 on, "
            f"{off.layers} with it off."
        )
    word = "registered" if view.evidence == {REGISTERED} else "seen"
    return f"SME2 kernels {word}: {on.compute} that compute with SME2 on, {off.compute} with it off."


def noun(view: KernelView) -> str:
    """Return what a group of the view is."""
    if view.by == LAYER:
        return "layer"
    return "kind of kernel" if view.evidence == {REGISTERED} else "operator"


def _family_columns(view: KernelView, sides: Sequence[str] = _SIDES) -> tuple[str, ...]:
    """Return the columns of the table by family; calls and layers only where they are known.

    `sides` names one side or both: the columns of a side that is not there are left out.
    """
    known = ["compute", "pack"]
    counts = [side for sides in view.families.values() for side in sides]
    known += ["calls"] if any(side.calls is not None for side in counts) else []
    known += ["layers"] if view.by == LAYER else []
    return ("family", *(f"{side}: {column}" for side in sides for column in known))


def _family_rows(view: KernelView, sides: Sequence[str] = _SIDES) -> list[tuple[str, ...]]:
    """Return the rows of the table by family: distinct kernels, calls and layers that compute with them."""
    fields = [column.rpartition(": ")[2] for column in _family_columns(view, _SIDES[:1])[1:]]
    rows = []
    for family, counts in view.families.items():
        values = [getattr(side, field) for side in counts[: len(sides)] for field in fields]
        rows.append((FAMILY_TITLES[family], *(_NOTHING if value is None else str(value) for value in values)))
    return rows


def families(view: KernelView, sides: Sequence[str] = _SIDES) -> Table:
    """Return the table by family."""
    columns = _family_columns(view, sides)
    return Table("Distinct kernels by family", columns, tuple(_family_rows(view, sides)), frozenset(columns[1:]))


def _groups(view: KernelView) -> Table:
    named = view.by == LAYER  # else the first column is the operator already
    rows = (
        (
            Verbatim(_name(group)),
            side_cell(group.on, named),
            "same as on" if group.on.facts == group.off.facts else side_cell(group.off, named),
            "yes" if group.differs else "no",
        )
        for group in view.groups
    )
    return Table("", (noun(view), "SME2 on", "SME2 off", "differs"), tuple(rows))


def _name(group: Group) -> str:
    return escape(group.name) if group.name else "*outside of operators*"


def side_cell(side: SideRows, named: bool) -> Verbatim:
    """Return one side of a group as a table's cell: with its operators where it is `named` by its layer."""
    if side.is_empty:
        return Verbatim(_NOTHING)
    kernels = [_kernel(row) for row in side.kernels] or ["*no kernel seen*"]
    return Verbatim("<br>".join([*(map(escape, side.operators) if named else ()), *kernels]))


def _kernel(row: KernelRow) -> str:
    name = f"`{row.kernel}`" if _PLAIN_NAME.fullmatch(row.kernel) else escape(row.kernel)
    facts = [
        FAMILY_TITLES[row.family],
        *(["packing"] if row.role == PACK else []),
        *([] if row.calls is None else [count(row.calls, "call")]),
    ]
    return f"{name} ({', '.join(facts)})"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
