# SPDX-License-Identifier: Apache-2.0
"""sweep.py on real models: what it leaves, that it goes on where it was killed, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from support.export import write_model
from support.kit import KIT, REPOSITORY, kit
from support.sweep import small_experiments, write_sweep_config

from model_profiling.analysis.sweeping.summary import SweepSummary
from model_profiling.fleet.directory import BEGUN, JobNote, SweepDirectory
from model_profiling.pipeline.run_directory import RunDirectory

SWEEP = "scripts/sweep.py"
#: A model that exports in no time.
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Linear(64, 64)
    def forward(self, x):
        return self.layer(x)
class Model:
    def get_eager_model(self): return Net().eval()
    def get_example_inputs(self): return (torch.rand(1, 16, 16, 64),)
"""


def killed_after(launches: int, config: Path, cell: Path) -> None:
    """Start the sweep, and kill it at once where a cell's list of launches has this many lines."""
    journal = cell / "launches.jsonl"
    process = subprocess.Popen(
        [sys.executable, str(KIT / SWEEP), "--config", str(config)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.poll() is None and (not journal.is_file() or journal.read_bytes().count(b"\n") < launches):
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it was killed"
    finally:
        process.kill()  # it alone: what it has started has to notice
        process.wait()


def measured(cell: Path) -> Counter[tuple[str, int, int, int]]:
    """Return how often each launch of a cell was made."""
    return Counter((x.experiment, x.threads, x.pair, x.attempt) for x in RunDirectory(cell).read_launches())


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_measures_nothing_twice(tmp_path: Path, toy: Path) -> None:
    net, sweep = write_model(tmp_path, NET, "net.py"), tmp_path / "sweep"
    config = write_sweep_config(tmp_path, models=[str(net), str(toy)], dtypes=["fp32"], **small_experiments())
    first, second = (sweep / "cells" / name for name in ("net_fp32_t1_local", "toy_cnn_fp32_t1_local"))
    killed_after(1, config, second)
    (pte,) = (sweep / "artifacts").glob("net_fp32/*.pte")
    exported, finished, begun = (
        pte.stat().st_mtime_ns,
        first.stat().st_mtime_ns,
        (second / "launches.jsonl").read_bytes(),
    )
    assert "the folder holds a sweep" in kit(SWEEP, "--config", config).error_line()
    assert "this sweep is no quick one" in kit(SWEEP, "--config", config, "--resume", "--quick").error_line()
    plan = kit(SWEEP, "--config", config, "--dry-run").ok().stdout
    assert plan.splitlines()[0].split() == ["measure", second.name] and "1 cell finished" in plan

    said = kit(SWEEP, "--config", config, "--resume").ok().stdout
    assert f"[1/1] {second.name}: " in said and "All 2 cells are done." in said
    assert (pte.stat().st_mtime_ns, first.stat().st_mtime_ns) == (exported, finished)
    assert (second / "launches.jsonl").read_bytes().startswith(begun)
    assert set(measured(first).values()) | set(measured(second).values()) == {1}
    assert [path.name for path in (sweep / "cells").iterdir() if path not in (first, second)] == []
    for cell in (first, second):
        kit("scripts/validate_results.py", "--results", cell).ok()

    summary = SweepSummary.read(sweep / "sweep_summary.json")
    assert [cell.status for cell in summary.cells] == ["done", "done"] and summary.seed == 7
    rows = list(csv.DictReader((sweep / "sweep.csv").open()))
    assert [row["cell"] for row in rows] == [first.name, second.name] and float(rows[1]["speedup"]) > 0
    page = (sweep / "sweep.html").read_text()
    assert f'href="cells/{first.name}/report.html"' in page and "Which to ship" not in page

    # Killed after a cell's run and before its note: it is noted, and not measured again.
    SweepDirectory(sweep).keep(JobNote(first.name, BEGUN))
    launches = (first / "launches.jsonl").read_bytes()
    assert "All 2 cells are done." in kit(SWEEP, "--config", config, "--resume").ok().stdout
    assert (first / "launches.jsonl").read_bytes() == launches

    # Another seed is another measurement; the former one is set aside, and nothing is exported again.
    changed = write_sweep_config(
        tmp_path, models=[str(net), str(toy)], dtypes=["fp32"], **small_experiments(), threads=[2]
    )
    again = kit(SWEEP, "--config", changed, "--resume", "--only", "net_fp32_t2_local").ok().stdout
    assert "[1/1] net_fp32_t2_local: " in again and "1 of 2 cells is done, 1 is missing." in again
    assert pte.stat().st_mtime_ns == exported


@pytest.mark.slow
def test_what_fails_is_told_and_the_rest_goes_on(tmp_path: Path, toy: Path) -> None:
    junk = tmp_path / "junk_xnnpack_fp32.pte"
    junk.write_bytes(b"no program")
    broken = write_model(tmp_path, NET.replace("self.layer(x)", "self.layer(x) if x.sum() > 0 else x"), "broken.py")
    models = [str(junk), str(broken), str(toy)]
    config = write_sweep_config(tmp_path, models=models, dtypes=["fp32"], **small_experiments())
    kit("scripts/validate_pipeline.py", "--config", config).ok()
    done = kit(SWEEP, "--config", config)
    line = done.error_line(status=1)
    assert line.startswith("error: 2 of 3 cells failed (junk_fp32_t1_local: ") and "sweep.html" in line
    assert "broken_fp32: failed: " in done.stdout and "its program broken_fp32 could not be exported" in done.stdout
    summary = SweepSummary.read(tmp_path / "sweep" / "sweep_summary.json")
    assert [cell.status for cell in summary.cells] == ["failed", "failed", "done"]
    assert str(junk) in summary.cells[0].reason and summary.failed_exports[0].name == "broken_fp32"
    assert "Failures" in (tmp_path / "sweep" / "sweep.html").read_text()

    shutil.copy(toy, junk)
    config = write_sweep_config(tmp_path, models=[str(junk), str(toy)], **small_experiments())  # without the broken one
    said = kit(SWEEP, "--config", config, "--resume").ok().stdout
    assert "[1/1] junk_fp32_t1_local: " in said and "All 2 cells are done." in said


@pytest.mark.slow
def test_a_full_disk_is_a_reason(tmp_path: Path, toy: Path) -> None:
    config = write_sweep_config(tmp_path, models=[str(toy)], **small_experiments())
    words = f"ulimit -f 40; exec '{sys.executable}' '{KIT / SWEEP}' --config '{config}'"
    done = subprocess.run(["bash", "-c", words], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "cannot write (File too large)" in done.stderr
    kit(SWEEP, "--config", config, "--resume").ok()


@pytest.mark.emulator
def test_an_emulated_cell_shows_coverage_alone(tmp_path: Path, toy: Path) -> None:
    config = write_sweep_config(tmp_path, models=[str(toy)], devices=["emulated"])
    said = kit(SWEEP, "--config", config).ok().stdout
    assert "toy_cnn_fp32_emulated: " in said and "% of the multiply-adds reach SME2 kernels" in said
    (cell,) = SweepSummary.read(tmp_path / "sweep" / "sweep_summary.json").cells
    assert cell.result.reach.evidence == "previewed" and cell.result.reach.share > 0.9 and cell.result.sides == ()
    assert (tmp_path / "sweep" / cell.report).is_file() and cell.threads is None
    assert "All" not in kit(SWEEP, "--config", config, "--resume").ok().stdout, "one cell, which is there"


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    assert "not of a sweep" in kit(SWEEP, "--config", KIT / "configs/templates/mac_template.json").error_line()
    config = write_sweep_config(tmp_path)
    assert "there is no cell toy" in kit(SWEEP, "--config", config, "--only", "toy", "--dry-run").error_line()
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "diary.txt").touch()
    assert "files that are not of a sweep (diary.txt)" in kit(SWEEP, "--config", config).error_line()
    assert kit("scripts/validate_pipeline.py", "--config", config).status == 2
    assert "this is the configuration of a sweep" in kit("scripts/mac_pipeline.py", "--config", config).error_line()


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    config = write_sweep_config(tmp_path, dtypes=["fp32", "int8"], leave_out=[{"dtype": "int8"}])
    plan = kit(SWEEP, "--config", config, "--dry-run").ok().stdout.splitlines()
    assert plan[:2] == ["export   toy_cnn_fp32", "measure  toy_cnn_fp32_t1_local"]
    assert plan[2].startswith("1 export and 1 cell to do, 1 cell left out. About ")
    assert [path.name for path in tmp_path.iterdir()] == [config.name]


def test_a_configuration_is_written_and_valid(tmp_path: Path) -> None:
    said = kit("scripts/generate_config.py", "--sweep", "toy_cnn", "toy_transformer", "--output", tmp_path).ok().stdout
    assert "8 cells" in said and "sweep.py --config" in said
    config = tmp_path / "config.json"
    assert json.loads(config.read_text())["output_root"] == str(tmp_path / "sweep")
    assert "4 programs and 8 cells" in kit("scripts/validate_pipeline.py", "--config", config).ok().stdout
    line = kit("scripts/generate_config.py", "--sweep", "toy_cmn", "--output", tmp_path / "b").error_line()
    assert "did you mean toy_cnn?" in line and not (tmp_path / "b").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
