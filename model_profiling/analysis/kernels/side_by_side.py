# SPDX-License-Identifier: Apache-2.0
"""Two kernel tables side by side: by family, and by layer or operator, with what differs.

Operators with and without SME2 have different names (PF32 and F32) and different
neighbors (packing), so sides are matched by layer wherever both tables know layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from model_profiling.analysis.tables.kernels import CALLED, KernelRow
from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.kernel_names import COMPUTE, FAMILIES, PACK

LAYER, OPERATOR = "layer", "operator"
_NODE = re.compile(r"(\d+)(?:\.(\d+))?(?= |\Z)")  # how a layer's name begins: instruction, node
_SHOWN_NAMES = 8


@dataclass(frozen=True)
class SideRows:
    """The rows of one side in one group: its operators, and each kernel once with its calls added up."""

    operators: tuple[str, ...]
    kernels: tuple[KernelRow, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the side does not have this layer or operator at all."""
        return not self.operators and not self.kernels

    @property
    def names(self) -> frozenset[str]:
        """The kernels' names."""
        return frozenset(row.kernel for row in self.kernels)

    @property
    def facts(self) -> tuple[frozenset[str], frozenset[tuple[str, int | None, str]]]:
        """What is said of the side, whatever the order: its operators, its kernels with calls and evidence."""
        return frozenset(self.operators), frozenset((row.kernel, row.calls, row.evidence) for row in self.kernels)


@dataclass(frozen=True)
class Group:
    """One layer or operator on both sides; `name` is "" for kernels outside all of them."""

    kind: str
    name: str
    on: SideRows
    off: SideRows

    @property
    def differs(self) -> bool:
        """Whether the two sides name different kernels, however often they call them."""
        return self.on.names != self.off.names


@dataclass(frozen=True)
class FamilyCount:
    """One family on one side: distinct kernels that compute and that pack, calls (None: unknown), layers."""

    compute: int
    pack: int
    calls: int | None
    layers: int


@dataclass(frozen=True)
class KernelView:
    """Two kernel tables compared; `by` says what groups are.

    `evidence` holds the kinds and `models` the models of both; `uncounted` says whether some
    called kernel comes without a number of calls.
    """

    by: str
    groups: tuple[Group, ...]
    families: dict[str, tuple[FamilyCount, FamilyCount]]
    evidence: frozenset[str]
    models: frozenset[str]
    uncounted: bool

    def computes(self, family: str, side: int) -> bool:
        """Return whether a side (0: on, 1: off) computes with kernels of a family."""
        return family in self.families and self.families[family][side].compute > 0

    @property
    def matched(self) -> tuple[Group, ...]:
        """The groups that are what `by` says; by layer, those outside all layers (loading) are none."""
        return tuple(group for group in self.groups if group.kind == self.by)

    @property
    def differing(self) -> int:
        """Number of layers, or operators, whose kernels differ."""
        return sum(group.differs for group in self.matched)


def compare_kernels(on: Sequence[KernelRow], off: Sequence[KernelRow], wanted: str | None = None) -> KernelView:
    """Return the view of two tables; `wanted` keeps groups of which an operator contains it, in any case.

    Raises
    ------
    UserError : neither table has a row, or none has an operator that contains `wanted`.
    """
    if not on and not off:
        raise UserError("neither table has a row", "in --on and --off", "name tables of a run that called kernels")
    by = LAYER if all(any(row.layer for row in rows) for rows in (on, off) if rows) else OPERATOR
    groups = _groups(on, off, by)
    if wanted is not None:
        groups = _filtered(groups, wanted)
    kept = {(group.kind, group.name) for group in groups}
    on, off = ([row for row in rows if _key(row, by) in kept] for rows in (on, off))
    families = {family: (_count(family, on), _count(family, off)) for family in FAMILIES}
    used = {family: counts for family, counts in families.items() if any(c.compute or c.pack for c in counts)}
    rows = (*on, *off)
    return KernelView(
        by=by,
        groups=tuple(groups),
        families=used,
        evidence=frozenset(row.evidence for row in rows),
        models=frozenset(row.model_id for row in rows),
        uncounted=any(row.evidence == CALLED and row.calls is None and bool(row.kernel) for row in rows),
    )


def _key(row: KernelRow, by: str) -> tuple[str, str]:
    return (LAYER, row.layer) if by == LAYER and row.layer else (OPERATOR, row.operator)


def _groups(on: Sequence[KernelRow], off: Sequence[KernelRow], by: str) -> list[Group]:
    rows_of: dict[tuple[str, str], tuple[list[KernelRow], list[KernelRow]]] = {}
    for side, rows in enumerate((on, off)):
        for row in rows:
            rows_of.setdefault(_key(row, by), ([], []))[side].append(row)
    groups = [Group(kind, name, _side(sides[0]), _side(sides[1])) for (kind, name), sides in rows_of.items()]
    return sorted(groups, key=_place)


def _place(group: Group) -> tuple[int, int, int]:
    """Layers by their number in the model, then the others as they came."""
    number = _NODE.match(group.name) if group.kind == LAYER else None
    if number is None:
        return (1 if group.name else 2, 0, 0)
    return (0, int(number[1]), int(number[2] or 0))


def _side(rows: Iterable[KernelRow]) -> SideRows:
    operators: dict[str, None] = {}
    kernels: dict[str, KernelRow] = {}
    for row in rows:
        if row.operator:
            operators[row.operator] = None
        if row.kernel:
            same = kernels.get(row.kernel)
            kernels[row.kernel] = replace(row, calls=_sum((same.calls, row.calls))) if same else row
    return SideRows(tuple(operators), tuple(sorted(kernels.values(), key=lambda row: row.role == PACK)))


def _sum(calls: Iterable[int | None]) -> int | None:
    known = [count for count in calls if count is not None]
    return sum(known) if known else None


def _filtered(groups: Sequence[Group], wanted: str) -> list[Group]:
    def names(group: Group) -> tuple[str, ...]:
        return (*group.on.operators, *group.off.operators)

    kept = [group for group in groups if any(wanted.casefold() in name.casefold() for name in names(group))]
    if not kept:
        every = list(dict.fromkeys(name for group in groups for name in names(group)))
        some = ", ".join(every[:_SHOWN_NAMES]) + (", ..." if len(every) > _SHOWN_NAMES else "")
        raise UserError(
            f"no operator contains {wanted!r}{nearest(wanted, every)}",
            "in --filter-op",
            f"use a part of one of these: {some}" if every else "leave it out: the tables name no operator",
        )
    return kept


def _count(family: str, rows: Sequence[KernelRow]) -> FamilyCount:
    mine = [row for row in rows if row.kernel and row.family == family]
    by_role = {role: {row.kernel for row in mine if row.role == role} for role in (COMPUTE, PACK)}
    return FamilyCount(
        len(by_role[COMPUTE]),
        len(by_role[PACK]),
        _sum(row.calls for row in mine),
        len({row.layer for row in mine if row.layer and row.role == COMPUTE}),
    )
