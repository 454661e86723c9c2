# SPDX-License-Identifier: Apache-2.0
"""Recorded kernels as tables of text, for the terminal and the Markdown summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model_profiling.analysis.kernels.uses import percent
from model_profiling.pipeline.kernel_names import COMPUTE, SME2
from model_profiling.report.words.table import Table

_UNKNOWN = "-"


def kernel_table(summary: Mapping) -> Table | None:
    """Return one row for each launch that recorded kernels; None where none did."""
    rows = []
    for name, threads, entry in _entries(summary):
        held, calls = entry.get("sme2_coverage"), entry.get("kernel_calls")
        rows.append(
            (
                name,
                threads,
                entry["evidence"],
                str(entry["families"].get(SME2, {}).get(COMPUTE, 0)),
                f"{held['layers']} of {held['all_layers']}" if held else _UNKNOWN,
                percent(held["share"]) if held else _UNKNOWN,
                _UNKNOWN if calls is None else f"{calls:,}",
            )
        )
    columns = (
        "experiment",
        "threads",
        "evidence",
        "SME2 kernels",
        "matrix layers on them",
        "multiply-adds on them",
        "calls of all kernels",
    )
    return Table("Kernels", columns, tuple(rows), frozenset(columns[3:])) if rows else None


def missing_tables(summary: Mapping) -> Iterator[Table]:
    """Yield, of each launch that called SME2 kernels, the matrix layers that reach none, the largest first."""
    columns = ("layer", "multiply-adds", "ran as")
    for name, threads, entry in _entries(summary):
        held = sorted(
            (layer for layer in entry.get("matrix_layers", ()) if not layer["reached"]),
            key=lambda layer: -layer["multiply_adds"],
        )
        if held and len(held) < len(entry["matrix_layers"]):
            rows = tuple(
                (layer["layer"], f"{layer['multiply_adds']:,}", " + ".join(layer["operators"]) or "not run")
                for layer in held
            )
            yield Table(
                f"Matrix layers that do not reach SME2: {name}, {threads} thread{'' if threads == '1' else 's'}",
                columns,
                rows,
                frozenset(("multiply-adds",)),
            )


def _entries(summary: Mapping) -> Iterator[tuple[str, str, Mapping]]:
    for name, by_threads in (summary.get("kernels") or {}).items():
        for threads, entry in by_threads.items():
            yield name, threads, entry
