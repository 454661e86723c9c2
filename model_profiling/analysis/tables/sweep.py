# SPDX-License-Identifier: Apache-2.0
"""The table of a sweep (`sweep.csv`): one row a cell, those that failed or are missing too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model_profiling.analysis.sweeping.cell_result import CellResult, CellSide
from model_profiling.analysis.sweeping.summary import SweptCell
from model_profiling.analysis.tables.typed_rows import cells, columns_of, csv_bytes


@dataclass(frozen=True)
class SweepRow:
    """A cell of a sweep; of its comparisons the first. Times are ms.

    Ends of intervals are empty where a single launch gives none, and all results of a cell that is not done.
    """

    cell: str
    model: str
    dtype: str
    threads: int | None
    method: str
    device: str
    status: str
    reason: str
    cpu: str
    serial: str
    feature: str
    candidate: str
    candidate_ms: float | None
    candidate_low_ms: float | None
    candidate_high_ms: float | None
    baseline: str
    baseline_ms: float | None
    baseline_low_ms: float | None
    baseline_high_ms: float | None
    speedup: float | None
    speedup_low: float | None
    speedup_high: float | None
    verdict: str
    pairs: int | None
    size_bytes: int | None
    peak_rss_mib: float | None
    load_ms: float | None
    max_rel_error: float | None
    cosine: float | None
    agrees: str
    sme2_share: float | None
    sme2_evidence: str
    executorch: str
    model_sha256: str
    seconds: float | None
    folder: str


SWEEP_COLUMNS = columns_of(SweepRow)


def sweep_row(cell: SweptCell) -> SweepRow:
    """Return the row of a cell."""
    result = cell.result
    first = result.speedups[0] if result and result.speedups else None
    on = None if result is None else candidate_of(result)
    off = result.side(first.baseline) if result and first else None
    option = result.options[0] if result and result.options else None
    agreement = option.agreement if option else None
    return SweepRow(
        cell.name,
        cell.model,
        cell.dtype,
        cell.threads,
        cell.method or "",
        cell.device,
        cell.status,
        cell.reason,
        result.cpu if result else "",
        result.serial if result else "",
        (result.feature or "") if result else "",
        *_side(on),
        *_side(off),
        first.speedup if first else None,
        first.interval.low if first and first.interval else None,
        first.interval.high if first and first.interval else None,
        first.verdict if first else "",
        first.pairs if first else None,
        option.size_bytes if option else None,
        on.memory_mib if on else None,
        on.load_ms if on else None,
        agreement.max_rel_error if agreement else None,
        agreement.cosine if agreement else None,
        "" if agreement is None else "yes" if agreement.passed else "no",
        result.reach.share if result and result.reach else None,
        result.reach.evidence if result and result.reach else "",
        result.executorch if result else "",
        result.model_sha256 if result else "",
        cell.seconds,
        cell.folder,
    )


def candidate_of(result: CellResult) -> CellSide | None:
    """Return the side that a cell is about: its first comparison's candidate, else its first experiment."""
    if result.speedups:
        return result.side(result.speedups[0].candidate)
    return result.sides[0] if result.sides else None


def sweep_csv(swept: Iterable[SweptCell]) -> bytes:
    """Return the table, as UTF-8 CSV."""
    return csv_bytes(SWEEP_COLUMNS, (cells(sweep_row(cell)) for cell in swept))


def _side(side: CellSide | None) -> tuple[str, float | None, float | None, float | None]:
    if side is None:
        return "", None, None, None
    latency = side.latency_ms
    low, high = (latency.low, latency.high) if latency.bounded else (None, None)
    return side.experiment, latency.value, low, high
