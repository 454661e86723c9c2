# SPDX-License-Identifier: Apache-2.0
"""What the page of a sweep shows: a matrix, which to ship, every cell, coverage, failures.

It may have thousands of cells, so values are texts already; unrounded they stand in sweep_summary.json.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from model_profiling.analysis.advice.dominance import Cost
from model_profiling.analysis.sweeping.cell_result import CellResult, CellSpeedup
from model_profiling.analysis.sweeping.summary import DONE, MISSING, SweepSummary, SweptCell
from model_profiling.analysis.tables.sweep import candidate_of
from model_profiling.paired_statistics import FASTER, SLOWER
from model_profiling.report.sweep_shipping import ShippedRow, shipped_rows
from model_profiling.report.words.shipping import PERCENT
from model_profiling.report.words.sweep import EVIDENCE, standing, tally, verdict_word
from model_profiling.rounding import fixed, places_for, ratio_places
from model_profiling.wording import count, listed

_MB = 1e6
#: More cells than this are folded by device.
MOST_OPEN = 60


@dataclass(frozen=True)
class Shown:
    """A number as printed, what it is sorted by, and its interval as printed, "" where it has none."""

    text: str
    raw: str
    low: str = ""
    high: str = ""

    @classmethod
    def of(cls, value: float, places: int | None = None) -> Shown:
        return cls(fixed(value, places_for(None, value) if places is None else places), f"{value:.6g}")

    @classmethod
    def within(cls, cost: Cost) -> Shown:
        """Return a time with its interval, whose half-width says how many digits it has."""
        if not cost.bounded:
            return cls.of(cost.value)
        places = places_for((cost.high - cost.low) / 2, cost.value)
        return cls(fixed(cost.value, places), f"{cost.value:.6g}", fixed(cost.low, places), fixed(cost.high, places))


@dataclass(frozen=True)
class SpeedupShown:
    """A speed-up as printed; `tone` is that of its verdict: "faster", "slower" or ""."""

    value: Shown
    verdict: str
    tone: str


@dataclass(frozen=True)
class CellRow:
    """One cell: `anchor` leads to it within the page, `report` to its own report, "" where it has none."""

    anchor: str
    cell: SweptCell
    report: str
    log: str
    candidate: Shown | None
    baseline: Shown | None
    speedup: SpeedupShown | None
    size: Shown | None
    memory: Shown | None
    load: Shown | None
    error: Shown | None
    disagrees: bool
    reach: Shown | None
    evidence: str


@dataclass(frozen=True)
class DeviceGroup:
    """The cells of a device, with what was switched there and the names of both sides."""

    device: str
    about: str
    candidate: str
    baseline: str
    rows: tuple[CellRow, ...]


@dataclass(frozen=True)
class MatrixRow:
    """A program's method; `cells` are those of the matrix's columns, None where there is none."""

    model: str
    dtype: str
    method: str
    cells: tuple[CellRow | None, ...]


@dataclass(frozen=True)
class Matrix:
    """Speed-ups at a glance; `devices` have their label and number of columns, `threads` one entry a column."""

    devices: tuple[tuple[str, int], ...]
    threads: tuple[int | None, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def begins(self) -> frozenset[int]:
        """The columns that begin a device."""
        return frozenset(itertools.accumulate((columns for _, columns in self.devices), initial=0))


@dataclass(frozen=True)
class FailureGroup:
    """All that failed for one reason: each by its name, with its log; `noun` is what they are."""

    reason: str
    noun: str
    jobs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SweepView:
    """The whole page."""

    title: str
    byline: tuple[str, ...]
    standing: str
    tally: str
    tone: str
    matrix: Matrix
    shipped: tuple[ShippedRow, ...]
    groups: tuple[DeviceGroup, ...]
    coverage: tuple[CellRow, ...]
    failures: tuple[FailureGroup, ...]
    missing: int
    folded: bool


def build_sweep_view(summary: SweepSummary) -> SweepView:
    """Return what the page of a sweep shows."""
    rows = [_row(number, cell) for number, cell in enumerate(summary.cells)]
    results = [cell.result for cell in summary.cells if cell.result is not None]
    compared = [verdict_word(one.speedups[0], one.quick) for one in results if one.speedups]
    devices = dict.fromkeys(cell.device for cell in summary.cells)
    return SweepView(
        title=_title(summary),
        byline=tuple(
            filter(
                None,
                (
                    listed(list(dict.fromkeys(f"ExecuTorch {one.executorch}" for one in results))),
                    f"begun {summary.started[:10]}",
                    f"seed {summary.seed}",
                    "quick" if summary.quick else "",
                ),
            )
        ),
        standing=standing(summary),
        tally=tally(Counter(compared)),
        tone="bad" if summary.failed else "good" if summary.counts[DONE] == len(rows) else "open",
        matrix=_matrix([row for row in rows if row.cell.threads is not None]),
        shipped=tuple(shipped_rows(summary.cells)),
        groups=tuple(_group(device, [row for row in rows if row.cell.device == device]) for device in devices),
        coverage=tuple(_coverage(rows)),
        failures=tuple(_failures(summary)),
        missing=summary.counts[MISSING],
        folded=len(rows) > MOST_OPEN,
    )


def _title(summary: SweepSummary) -> str:
    parts = {"model": "model", "dtype": "recipe", "device": "device"}
    counts = [count(len({getattr(cell, key) for cell in summary.cells}), noun) for key, noun in parts.items()]
    return f"{count(len(summary.cells), 'cell')} of {listed(counts)}"


def _row(number: int, cell: SweptCell) -> CellRow:
    result = cell.result
    side = None if result is None else candidate_of(result)
    first = result.speedups[0] if result is not None and result.speedups else None
    option = result.options[0] if result is not None and result.options else None
    agreement = option.agreement if option else None
    error = agreement.max_rel_error if agreement else None
    reach = result.reach if result else None
    return CellRow(
        anchor=f"c{number}",
        cell=cell,
        report=quote(cell.report),
        log=quote(cell.log),
        candidate=Shown.within(side.latency_ms) if side else None,
        baseline=Shown.within(result.side(first.baseline).latency_ms) if result and first else None,
        speedup=_speedup(first, result) if result and first else None,
        size=None if option is None or option.size_bytes is None else Shown.of(option.size_bytes / _MB),
        memory=None if side is None or side.memory_mib is None else Shown.of(side.memory_mib, 1),
        load=None if side is None or side.load_ms is None else Shown.of(side.load_ms),
        error=None if error is None else Shown.of(error / PERCENT),
        disagrees=agreement is not None and not agreement.passed,
        reach=None if reach is None else Shown.of(reach.share / PERCENT, 0 if reach.share in (0, 1) else 1),
        evidence=EVIDENCE[reach.evidence] if reach else "",
    )


def _speedup(compared: CellSpeedup, result: CellResult) -> SpeedupShown:
    verdict = verdict_word(compared, result.quick)
    tone = compared.verdict if compared.verdict in (FASTER, SLOWER) else ""
    interval, value = compared.interval, compared.speedup
    if interval is None:
        return SpeedupShown(Shown.of(value), verdict, tone)
    places = ratio_places(interval.low, value, interval.high)
    shown = Shown(fixed(value, places), f"{value:.6g}", fixed(interval.low, places), fixed(interval.high, places))
    return SpeedupShown(shown, verdict, tone)


def _group(device: str, rows: Sequence[CellRow]) -> DeviceGroup:
    results = [row.cell.result for row in rows if row.cell.result is not None]
    features = {result.feature for result in results if result.sides}
    names = {(one.speedups[0].candidate, one.speedups[0].baseline) for one in results if one.speedups}
    feature = next(iter(features)) if len(features) == 1 else None
    candidate, baseline = "Candidate", "Baseline"
    if feature:
        candidate, baseline = f"{feature} on", f"{feature} off"
    elif len(names) == 1:
        candidate, baseline = next(iter(names))
    about = listed(list(dict.fromkeys(result.cpu for result in results)))
    return DeviceGroup(device, about, candidate, baseline, tuple(rows))


def _matrix(rows: Sequence[CellRow]) -> Matrix:
    columns = list(dict.fromkeys((row.cell.device, row.cell.threads) for row in rows))
    devices = Counter(device for device, _ in columns)
    columns.sort(key=lambda column: list(devices).index(column[0]))
    held: dict[tuple[str, str, str], dict[tuple[str, int | None], CellRow]] = {}
    for row in rows:
        cell = row.cell
        held.setdefault((cell.model, cell.dtype, cell.method or ""), {})[cell.device, cell.threads] = row
    return Matrix(
        tuple(devices.items()),
        tuple(threads for _, threads in columns),
        tuple(MatrixRow(*key, tuple(own.get(column) for column in columns)) for key, own in held.items()),
    )


def _failures(summary: SweepSummary) -> Iterator[FailureGroup]:
    """Yield what failed by its reason: exports first, for cells fail with them."""
    exports = [(one.reason, one.name, one.log) for one in summary.failed_exports]
    cells = [(cell.reason, cell.name, cell.log) for cell in summary.failed]
    for noun, failed in (("export", exports), ("cell", cells)):
        by_reason: dict[str, list[tuple[str, str]]] = {}
        for reason, name, log in failed:
            by_reason.setdefault(reason, []).append((name, quote(log)))
        for reason, jobs in by_reason.items():
            yield FailureGroup(reason, noun, tuple(jobs))


def _coverage(rows: Sequence[CellRow]) -> Iterator[CellRow]:
    """Yield one row for each program, method and evidence: the share is not of a thread count, nor of a device."""
    seen = set()
    for row in rows:
        key = (row.cell.model, row.cell.dtype, row.cell.method, row.evidence, row.reach and row.reach.text)
        if row.reach is not None and key not in seen:
            seen.add(key)
            yield row
