# SPDX-License-Identifier: Apache-2.0
"""Operators outside the delegates: what the export recorded of each, and which layers they are. Pure.

The export knows why the partitioner left an operator out; the run knows what it costs.
They share the operator's name, its module and its line in the model's source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_profiling.analysis.traces.layers import Layer


@dataclass(frozen=True)
class OperatorsOutside:
    """One kind of operator that ran in portable kernels.

    `reason` and `hint` are "" where the export left no record, `rewrite` too where none takes them in.
    `layers` are positions in the layer table; empty where none of its rows fits the record.
    """

    operator: str
    count: int
    module: str
    source: str
    reason: str
    hint: str
    layers: tuple[int, ...]
    rewrite: str = ""


def outside_operators(recorded: Sequence[Mapping[str, Any]], layers: Sequence[Layer]) -> list[OperatorsOutside]:
    """Join `not_delegated` of an export's record with the rows of a layer table.

    An entry stands for `count` operators whose modules may differ in their numbers
    ("blocks.*.norm"); each row is given to one entry. Rows that no entry fits follow at
    the end, by kernel and module, so that no cost is lost.
    """
    free = [number for number, layer in enumerate(layers) if not layer.delegated]
    outside = []
    for entry in recorded:
        mine = [number for number in free if _fits(entry, layers[number])][: int(entry["count"])]
        free = [number for number in free if number not in mine]
        texts = {key: entry.get(key) or "" for key in ("module", "source", "reason", "hint", "rewrite")}
        outside.append(OperatorsOutside(entry["operator"], int(entry["count"]), **texts, layers=tuple(mine)))
    groups: dict[tuple[str, str, str], list[int]] = {}
    for number in free:
        row = layers[number]
        groups.setdefault((row.kind, row.module, row.source), []).append(number)
    return outside + [
        OperatorsOutside(kind, len(rows), module, source, "", "", tuple(rows))
        for (kind, module, source), rows in groups.items()
    ]


def _fits(entry: Mapping[str, Any], row: Layer) -> bool:
    pattern = re.escape(entry.get("module") or "").replace(r"\*", "[^.]*")
    return (
        _edge_name(entry["operator"]) == row.kind.partition(".")[0]
        and re.fullmatch(pattern, row.module) is not None
        and (entry.get("source") or "") == row.source
    )


def _edge_name(operator: str) -> str:
    """Return "mean" for "aten.mean.dim": what the kernel "mean.out" is called, without overloads."""
    parts = operator.split(".")
    return parts[1] if len(parts) > 1 else operator
