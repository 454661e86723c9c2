# SPDX-License-Identifier: Apache-2.0
"""A fleet of three hosts in networks of their own, two with a phone: what a sweep over it leaves, and what it survives.

Real scheduler, workers, TLS and adbd; see benchmarks/bench_fleet_faults.py for more faults, and more cells.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.adb import ADDRESS, TestDevice, running_device
from support.adb_hardware import PLAIN, PROPERTIES
from support.fleet import SWEEP, WORKER, Command, Fleet, running_fleet
from support.kit import REPOSITORY, kit
from support.sweep import small_experiments, write_sweep_config

from model_profiling.analysis.sweeping.summary import SweepSummary
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = [pytest.mark.device, pytest.mark.slow]
SERIALS = ("TEST0001", "TEST0002")


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TestDevice]]:
    found = []
    with running_device(tmp_path_factory.mktemp("a"), hardware(SERIALS[0])) as first:
        with running_device(tmp_path_factory.mktemp("b"), hardware(SERIALS[1])) as second:
            for phone in (first, second):
                phone.adb("connect", ADDRESS)
                found.append(phone)
            yield found


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet"), "lab-1", "lab-2", "lab-3", "desk") as fleet:
        fleet.start_scheduler()
        yield fleet


@pytest.fixture(scope="module")
def workers(fleet: Fleet, phones: list[TestDevice]) -> list[Command]:
    """Return the workers of the three hosts, all of whose devices are there."""
    started = [
        fleet.start_worker("lab-1", "adb", env=phones[0].environment),
        fleet.start_worker("lab-2", "adb", env=phones[1].environment),
        fleet.start_worker("lab-3", "local", env={"PYTHONPATH": f"{an_hour_ahead(fleet.folder)}:{REPOSITORY}"}),
    ]
    for worker, times in zip(started, (2, 2, 1), strict=True):
        worker.wait_until_said(": joined", times)
    return started


def wait_for_launches(fleet: Fleet, cell: str, count: int) -> None:
    """Wait until so many launches of a cell were made on whatever host."""
    for _ in range(3000):
        journals = fleet.folder.glob(f"*_kept/sweeps/*/cells/{cell}/launches.jsonl")
        if any(journal.read_bytes().count(b"\n") >= count for journal in journals):
            return
        time.sleep(0.02)
    raise AssertionError(f"{count} launches of {cell} were not made")


def an_hour_ahead(folder: Path) -> Path:
    """Return a folder that makes a Python's clock wrong."""
    made = folder / "clock"
    made.mkdir()
    (made / "sitecustomize.py").write_text("import time\nright = time.time\ntime.time = lambda: right() + 3600\n")
    return made


def hardware(serial: str) -> object:
    return replace(PLAIN, properties={**PROPERTIES, "ro.serialno": serial})


def facts(sweep: Path) -> dict[str, object]:
    """Return what has to be the same wherever cells are measured."""
    found = {}
    for cell in sorted((sweep / "cells").iterdir()):
        manifest = RunDirectory(cell).read_manifest()
        found[cell.name] = (manifest.model.sha256, [given.sha256 for given in manifest.inputs])
    return found


def measured(cell: Path) -> Counter[tuple[str, int, int, int]]:
    """Return how often each launch of a cell was made."""
    return Counter((x.experiment, x.threads, x.pair, x.attempt) for x in RunDirectory(cell).read_launches())


def test_a_sweep_over_a_fleet_is_the_sweep_of_one_host(fleet: Fleet, workers: list[Command], tmp_path: Path) -> None:
    keys = {"dtypes": ["fp32"], **small_experiments()}
    config = write_sweep_config(tmp_path, devices=["local", *({"serial": serial} for serial in SERIALS)], **keys)
    said = fleet.run(fleet.hosts["desk"], *fleet.sweep_words(config, "--quick")).ok().stdout
    assert "toy_cnn_fp32: exported" in said and "All 3 cells are done." in said
    assert "the clock of lab-3 is 60 min ahead of this one's: so are the times in its runs" in said
    over_fleet = facts(tmp_path / "sweep")
    assert len(over_fleet) == 3 and len({str(fact) for fact in over_fleet.values()}) == 1
    (tmp_path / "alone").mkdir()
    kit("scripts/sweep.py", "--config", write_sweep_config(tmp_path / "alone", **keys), "--quick").ok()
    alone = facts(tmp_path / "alone" / "sweep")
    assert alone == {name: over_fleet[name] for name in alone}
    cells = {cell.device: cell for cell in SweepSummary.read(tmp_path / "sweep" / "sweep_summary.json").cells}
    assert [cells[serial].result.serial for serial in SERIALS] == list(SERIALS)
    for cell in (tmp_path / "sweep" / "cells").iterdir():
        kit("scripts/validate_results.py", "--results", cell).ok()
        assert set(measured(cell).values()) == {1}
    assert not list(fleet.folder.glob("*_kept/sweeps/*/cells/*")), "nothing is left where it was measured"


def test_a_cell_goes_on_where_its_worker_was_killed(
    fleet: Fleet, workers: list[Command], phones: list[TestDevice], toy: Path, tmp_path: Path
) -> None:
    devices = [{"name": "phone", "model": "Stand-in"}]  # either would do
    config = write_sweep_config(tmp_path, models=[str(toy)], devices=devices, **{**small_experiments(), "pairs": 5})
    sweep, cell = fleet.start(fleet.hosts["desk"], *fleet.sweep_words(config)), "toy_cnn_fp32_t1_phone"
    wait_for_launches(fleet, cell, 2)
    note = json.loads((tmp_path / "sweep" / "states" / f"{cell}.json").read_text())
    number = SERIALS.index(note["place"])
    begun = next(fleet.folder.glob(f"*_kept/sweeps/*/cells/{cell}/launches.jsonl")).read_bytes()
    workers[number].kill()
    sweep.wait_until_said("it goes on there as soon as it is back")
    phones[1 - number].adb("disconnect")  # the other is not asked, though it would do, and leaves
    workers[1 - number].wait_until_said(f"{SERIALS[1 - number]} at lab-{2 - number}: left")
    phones[1 - number].adb("connect", ADDRESS)
    name = f"lab-{number + 1}"
    workers[number] = fleet.start_worker(name, "adb", env=phones[number].environment)
    assert sweep.wait() == 0, sweep.said()
    run = tmp_path / "sweep" / "cells" / cell
    assert RunDirectory(run).launches.read_bytes().startswith(begun) and set(measured(run).values()) == {1}
    (done,) = SweepSummary.read(tmp_path / "sweep" / "sweep_summary.json").cells
    assert done.result.serial == note["place"]
    workers[1 - number].wait_until_said(f"{SERIALS[1 - number]} at lab-{2 - number}: joined", 2)


def test_other_certificates_are_refused(fleet: Fleet, tmp_path: Path) -> None:
    kit(WORKER, "--make-certificates", tmp_path / "others").ok()
    assert "there are certificates already" in kit(WORKER, "--make-certificates", tmp_path / "others").error_line()
    words = ("--scheduler", fleet.scheduler, "--certificates", tmp_path / "others")
    line = fleet.run(fleet.hosts["desk"], WORKER, *words).error_line()
    assert "the scheduler does not take this connection (TLS: " in line and "the same --certificates" in line
    config = write_sweep_config(tmp_path)
    line = fleet.run(fleet.hosts["desk"], SWEEP, "--config", config, *words).error_line()
    assert "the scheduler does not take this connection (TLS: " in line and not (tmp_path / "sweep").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
