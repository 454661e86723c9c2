# SPDX-License-Identifier: Apache-2.0
"""What a sweep came to: read from real runs, kept as JSON and CSV, shown on a page of thousands of cells."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

import html5lib
import pytest
from support.kit import FIXTURES
from support.sweep import pretended_result, pretended_sweep

from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.analysis.sweeping.cell_result import CellResult, result_of_run
from model_profiling.analysis.sweeping.summary import FailedExport, SweepSummary
from model_profiling.analysis.tables.sweep import SWEEP_COLUMNS, sweep_csv
from model_profiling.errors import UserError
from model_profiling.fleet.directory import JobNote, SweepDirectory
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.sweep_files import sweep_page
from model_profiling.report.sweep_shipping import shipped_rows

REFERENCE = FIXTURES / "reference_run" / "mac"


def as_read(plain: object) -> JsonObject:
    """Return JSON values as they are read back from a file."""
    return JsonObject(json.loads(json.dumps(plain, allow_nan=False)), "in a test", "mend it")


@pytest.fixture(scope="module")
def recorded() -> CellResult:
    """What the recorded reference run came to as a cell."""
    return result_of_run(RunDirectory(REFERENCE))


def test_a_cell_says_what_its_run_says(recorded: CellResult) -> None:
    summary = AnalysisSummary.read(RunDirectory(REFERENCE))
    (compared,), (cell,) = summary.comparisons, recorded.speedups
    assert (cell.speedup, cell.interval, cell.verdict) == (compared.speedup, compared.interval, compared.verdict)
    assert recorded.feature == "AVX-512" and recorded.serial == "" and not recorded.quick
    for side in recorded.sides:
        held = summary.experiments[side.experiment][compared.threads]
        assert side.latency_ms.value == held.time_ms and side.memory_mib == held.peak_rss_mib
        assert side.latency_ms.low < held.time_ms < side.latency_ms.high
    assert [option.experiment for option in recorded.options] == [compared.candidate]


def test_results_and_notes_come_back_as_they_were_kept(recorded: CellResult, tmp_path: Path) -> None:
    assert CellResult.from_json(as_read(recorded.to_json())) == recorded
    note = JobNote("cell", "done", "", "R5CT", 12.5, "ab", {"versions": {"torch": "2"}}, recorded)
    directory = SweepDirectory(tmp_path)
    assert directory.keep(note) == directory.note("cell") == note and directory.note("another") is None
    summary = replace(
        pretended_sweep(1, 2), failed_exports=(FailedExport("a_fp16", "it does not agree", "logs/a.log"),)
    )
    assert SweepSummary.from_json(as_read(summary.to_json())) == summary


@pytest.mark.parametrize("key", ["schema_version", "seed", "cells", "quick"])
def test_a_damaged_summary_is_one_line(key: str) -> None:
    plain = json.loads(json.dumps(pretended_sweep(1, 1).to_json()))
    for wrong in (None, [1], "x"):
        with pytest.raises(UserError):
            SweepSummary.from_json(as_read({**plain, key: wrong}))


def test_the_table_has_a_row_a_cell() -> None:
    summary = pretended_sweep(1, 3)
    rows = list(csv.DictReader(io.StringIO(sweep_csv(summary.cells).decode())))
    assert [row["cell"] for row in rows] == [cell.name for cell in summary.cells] and tuple(rows[0]) == SWEEP_COLUMNS
    for row, cell in zip(rows, summary.cells, strict=True):
        assert (row["status"], row["reason"], row["device"]) == (cell.status, cell.reason, cell.device)
        if cell.result is None:
            assert row["speedup"] == row["candidate_ms"] == row["size_bytes"] == ""
        else:
            assert row["speedup"] == f"{cell.result.speedups[0].speedup:.6g}" and row["candidate"] == "on"
            assert float(row["candidate_low_ms"]) < float(row["candidate_ms"]) < float(row["candidate_high_ms"])


def test_what_to_ship_is_the_fastest_of_each_device() -> None:
    generator = random.Random(1)
    (first, *_) = pretended_sweep(1, 1).cells
    cells = [
        replace(
            first, name=f"{dtype}_{cpu}", dtype=dtype, status="done", result=pretended_result(generator, 1, dtype, cpu)
        )
        for cpu in ("A", "B")
        for dtype in ("fp32", "int8")
    ]
    for place, row in enumerate(shipped_rows(cells)):
        both = cells[2 * place : 2 * place + 2]
        times = [cell.result.options[0].latency_ms.value for cell in both]
        assert row.cell == 2 * place + times.index(min(times)) and row.latency_raw == f"{min(times):.6g}"
    assert place == 1


def test_a_page_of_5000_cells_stays_small_and_sound() -> None:
    summary = pretended_sweep(8, 25)
    assert len(summary.cells) == 5000
    page = sweep_page(summary)
    assert len(page.encode()) < 5_000_000
    assert page.count('<th scope="row"') > 5000 and '<details class="cells">' in page, "folded"
    targets = set(re.findall(r' id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= targets, "links within the page lead somewhere"


def test_a_small_page_is_valid_and_says_what_failed() -> None:
    summary = pretended_sweep(1, 2, seed=3)
    named = replace(summary.cells[0], status="failed", reason="a <b> & c", result=None)
    page = sweep_page(replace(summary, cells=(named, *summary.cells[1:])))
    html5lib.HTMLParser(strict=True).parse(page)
    assert "a &lt;b&gt; &amp; c" in page and '<details class="cells" open>' in page
    assert re.search(r"\d+ of 50 cells are done, \d+ failed", page)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
