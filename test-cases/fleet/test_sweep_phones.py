# SPDX-License-Identifier: Apache-2.0
"""A sweep over phones: found by what they are, one that is not there reported, each measured by one at a time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.adb import ADDRESS, TestDevice, running_device
from support.kit import kit, write_config
from support.sweep import small_experiments, write_sweep_config

from model_profiling.analysis.sweeping.summary import SweepSummary
from model_profiling.errors import UserError
from model_profiling.pipeline.devices.adb.finding import ConnectedPhone, find_phone
from model_profiling.pipeline.leases import SHARE_VARIABLE, lease, phone

PHONES = [
    ConnectedPhone("A1", {"SoC": ("SM8850", "QTI"), "model": ("Pixel 9", "Google")}),
    ConnectedPhone("B2", {"SoC": ("", ""), "model": ("V2405A", "vivo")}),
]


@pytest.mark.parametrize(
    ("what", "name", "serial"),
    [("SoC", "sm8850", "A1"), ("SoC", "QTI SM8850", "A1"), ("model", "Pixel 9", "A1"), ("model", "vivo v2405a", "B2")],
)
def test_a_phone_is_found_by_what_it_is_called(what: str, name: str, serial: str) -> None:
    assert find_phone(what, name, PHONES) == serial


def test_one_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError) as refused:
        find_phone("SoC", "SM8750", PHONES)
    assert "has the SoC SM8750 (did you mean SM8850?), over adb (connected: SM8850 (A1), unknown (B2))" in str(
        refused.value
    )
    with pytest.raises(UserError, match=r"connected: none"):
        find_phone("model", "Pixel 9", [])


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> TestDevice:
    with running_device(tmp_path_factory.mktemp("device")) as device:
        device.adb("connect", ADDRESS)
        yield device


@pytest.mark.device
def test_a_sweep_over_phones(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    devices = [{"name": "stand-in", "model": "Stand-in"}, {"name": "gone", "serial": "R5GONE"}]
    config = write_sweep_config(tmp_path, models=[str(toy)], devices=devices, **small_experiments())
    checked = kit("scripts/validate_pipeline.py", "--config", config, env=device.environment).ok().stdout
    assert f"stand-in: {ADDRESS}" in checked and "there is no device R5GONE" in checked
    done = kit("scripts/sweep.py", "--config", config, env=device.environment)
    assert "1 of 2 cells failed (toy_cnn_fp32_t1_gone: there is no device R5GONE" in done.error_line(status=1)
    found, gone = SweepSummary.read(tmp_path / "sweep" / "sweep_summary.json").cells
    assert found.status == "done" and found.result.serial == "TEST0001" and found.result.speedups[0].speedup > 0
    assert gone.status == "failed" and gone.folder == "cells/toy_cnn_fp32_t1_gone"


@pytest.mark.device
def test_a_phone_is_measured_by_one_at_a_time(device: TestDevice, toy: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv(SHARE_VARIABLE)
    words = ["--config", write_config(tmp_path, toy, pairs=1), "--serial", ADDRESS]
    with lease(phone("TEST0001", device.read("boot_id")), "another/run"):
        line = kit("scripts/android_pipeline.py", *words, env=device.environment).error_line()
        assert "the device TEST0001 measures already (process" in line and "another/run, since" in line
        line = kit("scripts/android_pipeline.py", *words, "--wait", 1, env=device.environment).error_line()
        assert "and did for 1 s" in line and not (tmp_path / "run").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
