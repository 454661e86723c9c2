# SPDX-License-Identifier: Apache-2.0
"""Android devices that overheat, fill up, restart, go away: settings are put back and nothing on record is lost."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.adb import ADDRESS, TestDevice, running_device
from support.adb_hardware import Hardware
from support.android import Breaker, wait_for_launches
from support.android_runs import QUICK, pipeline, plain, started
from support.kit import write_config

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.adb.cooling import Cooling
from model_profiling.pipeline.devices.adb.device import Waits
from model_profiling.pipeline.devices.adb.restoring import Journal
from model_profiling.pipeline.devices.posix.shell import Lost
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.device


@pytest.mark.parametrize(
    ("mode", "changed"),
    [
        (
            "fixed",
            {
                "settings/global.low_power": "0",
                "settings/global.stay_on_while_plugged_in": "15",
                "fixed_performance": "true",
            },
        ),
        (
            "boost",
            {
                "settings/global.low_power": "0",
                "settings/global.stay_on_while_plugged_in": "15",
                "cpu/cpufreq/policy0/scaling_governor": "performance",
            },
        ),
        ("app", {}),
    ],
)
def test_a_mode_sets_what_it_says_and_ctrl_c_puts_it_back(
    device: TestDevice, toy: Path, tmp_path: Path, mode: str, changed: dict
) -> None:
    before = device.settings()
    config = write_config(tmp_path, toy, pairs=50, device_mode=mode)
    with started(device, config) as child:
        wait_for_launches(tmp_path / "run", 1)
        assert {**before, "fixed_performance": None, **changed} == {"fixed_performance": None, **device.settings()}
        assert bool(Journal(RunDirectory(tmp_path / "run").device_settings).read()) == bool(changed)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
    assert device.settings() == before | ({"fixed_performance": "false"} if mode == "fixed" else {})
    assert device.kept() == [] and device.running("sme_runner") == []


def test_what_a_killed_run_left_is_put_back_by_the_next(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    before = device.settings()
    config = write_config(tmp_path, toy, pairs=2)
    with started(device, config) as child:
        wait_for_launches(tmp_path / "run", 1)
        child.kill()
        child.wait()
    assert device.settings() != before
    recorded = (tmp_path / "run/launches.jsonl").read_bytes()
    device.write("refuses_fixed_performance", "")  # what is refused is said and does not stop anything
    done = pipeline(device, "--config", config, "--remote-device", ADDRESS, "--resume").ok()
    assert "put back what an earlier run left changed" in done.stdout
    assert "the device refuses fixed_performance_mode (This is likely because Power HAL" in done.stdout
    assert (tmp_path / "run/launches.jsonl").read_bytes().startswith(recorded)
    assert device.settings() == before | {"fixed_performance": "true"}  # the stand-in refused
    assert not RunDirectory(tmp_path / "run").device_settings.exists() and device.kept() == []


def test_a_device_that_goes_away_is_put_right_when_it_is_back(
    device: TestDevice, inside, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, short = device.settings(), Waits(patience_s=0.5)
    config, journal = write_config(tmp_path, toy, pairs=50), Journal(RunDirectory(tmp_path / "run").device_settings)

    def go_away() -> None:
        wait_for_launches(tmp_path / "run", 1)
        device.tell("off")

    leaving = threading.Thread(target=go_away)
    leaving.start()
    with pytest.raises(MeasurementError, match="was lost .*again with --resume"):
        inside(config, short)
    leaving.join()
    assert "to be put back there is" in capsys.readouterr().out
    assert {c.name for c in journal.read()} == {
        "global.low_power",
        "global.stay_on_while_plugged_in",
        "fixed_performance_mode",
    }
    assert device.settings() != before
    device.tell("on")
    inside(write_config(tmp_path, toy, pairs=1), short)
    said = capsys.readouterr().out
    assert "put back what an earlier run left changed" in said and "set aside" in said
    assert device.settings() == before | {"fixed_performance": "false"} and not journal.path.exists()


def test_a_hot_pair_is_void_and_made_again_when_the_device_is_cool(
    device: TestDevice, inside, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Read: as the session begins, as the pair settles, before each launch, hot at the second, and after each.
    device.write("thermal_status", "0\n0\n0\n3\n0\n0\n2\n0")
    launches = inside(write_config(tmp_path, toy, pairs=1), Waits(cooling=Cooling(poll_s=0.01))).read_launches()
    said = capsys.readouterr().out
    assert "pair 1 is void (thermal status 3, severe): made again, 1 of 3" in said
    assert (
        "waiting for the device to cool (thermal status 2, moderate; CPU 43.2 °C, battery 31.2 °C): at most 15:00 min"
        in said
        and "cool again after" in said
    )
    assert [(x.attempt, bool(x.void)) for x in launches] == [(0, False), (0, True), (1, False), (1, False)]


def test_a_side_that_is_killed_during_its_turns_is_named_and_the_run_goes_on(
    device: TestDevice, toy: Path, tmp_path: Path
) -> None:
    config, run = write_config(tmp_path, toy, pairs=4), RunDirectory(tmp_path / "run")
    with started(device, config) as child:
        wait_for_launches(run.root, 2)
        while not (alive := takers(device)):
            time.sleep(0.01)
        device.shell(f"kill -9 {alive[-1]}")
        assert child.wait(timeout=120) == 1
        said = child.stdout.read()
    assert "was ended by SIGKILL" in said and "--resume" in said and "Traceback" not in said
    assert device.running("sme_runner") == [] and device.kept() == []
    recorded = run.launches.read_bytes()
    pipeline(device, "--config", config, "--remote-device", ADDRESS, "--resume").ok()
    assert run.launches.read_bytes().startswith(recorded) and run.is_finished()
    assert [x.signal for x in run.read_launches() if not x.ok] == ["SIGKILL"]


def test_a_connection_that_ends_during_turns_names_the_pair_and_the_run_goes_on(
    device: TestDevice, toy: Path, tmp_path: Path
) -> None:
    config, run = write_config(tmp_path, toy, pairs=4), RunDirectory(tmp_path / "run")
    with started(device, config) as child:
        wait_for_launches(run.root, 2)
        while len(takers(device)) < 2:
            time.sleep(0.01)
        device.tell("cut")
        assert child.wait(timeout=120) == 1
        said = child.stdout.read()
    assert "(pair 2, 1 thread)" in said and "--resume" in said and "Traceback" not in said
    (failed,) = [launch for launch in run.read_launches() if not launch.ok]
    assert failed.pair == 1 and failed.void.startswith("failed: ")
    recorded = run.launches.read_bytes()
    pipeline(device, "--config", config, "--remote-device", ADDRESS, "--resume").ok()
    assert run.launches.read_bytes().startswith(recorded) and run.is_finished()
    assert device.running("sme_runner") == [] and device.kept() == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("SIGILL", "was ended by SIGILL; see"),
        ("SIGKILL", "the system ended it, as it does when memory runs out"),
        ("nothing", "left no ETDump"),
    ],
)
def test_runners_that_fail(device: TestDevice, toy: Path, tmp_path: Path, programs, how: str, said: str) -> None:
    line = failing(device, toy, tmp_path, programs.misbehaving, how)
    assert said in line and "--resume" in line
    if how == "SIGILL":
        assert (
            "built for instructions that this CPU (Test Stand-in, None) lacks; the strongest of its features is" in line
        )
    (launch,) = RunDirectory(tmp_path / "run").read_launches()
    assert launch.signal == (how if how.startswith("SIG") else None) and launch.void.startswith("failed: ")
    assert device.kept() == []


def test_a_runner_with_a_library_of_its_own(device: TestDevice, toy: Path, tmp_path: Path, programs) -> None:
    """libc++_shared.so lies beside the runner: pushed with it and found, the runner fails as told and no sooner."""
    assert "left no ETDump" in failing(device, toy, tmp_path, programs.with_library, "nothing")


def test_a_device_that_becomes_full(small_device: TestDevice, toy: Path, tmp_path: Path, programs) -> None:
    line = failing(small_device, toy, tmp_path, programs.misbehaving, "full")
    assert "Failed to write the ETDump" in line and "the device is full: 0 KiB are free at /data/local/tmp/" in line
    (launch,) = RunDirectory(tmp_path / "run").read_launches()
    assert (
        launch.exit_code == 1
        and small_device.kept() == []
        and small_device.settings()["settings/global.low_power"] == "1"
    )
    # The native runner and its libraries do not even fit; nothing is begun to be pushed.
    config = write_config(tmp_path, toy, experiments=[plain("on")], analysis={})
    line = pipeline(small_device, "--config", config, "--remote-device", ADDRESS).error_line()
    assert "the device is full (" in line and "needed), at /data/local/tmp/" in line and small_device.kept() == []


def test_a_restarted_device_is_named(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=50)
    with started(device, config) as child:
        wait_for_launches(tmp_path / "run", 1)
        device.tell("reboot")
        assert child.wait(timeout=90) == 1
        said = child.stdout.read()
    assert "the device has restarted since" in said or "has restarted since this run began" in said
    recorded = len(RunDirectory(tmp_path / "run").read_launches())
    config.write_text(config.read_text())
    with started(device, config, "--resume") as child:
        wait_for_launches(tmp_path / "run", recorded + 1)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130


def test_a_silent_connection_ends_with_the_time_limit(device: TestDevice) -> None:
    device.adb("connect", ADDRESS)
    adb = Adb(device.program, ADDRESS)
    assert adb.shell("exit 7").status == 7
    device.tell("hang")
    started_at = time.monotonic()
    with pytest.raises(Lost, match="no answer within"):
        adb.shell("true", timeout_s=1.0)
    assert time.monotonic() - started_at < 20


@pytest.mark.parametrize("cuts", [12, pytest.param(50, marks=pytest.mark.nightly)])
def test_cuts_at_random_moments_lose_nothing(cuts: int, device: TestDevice, inside, toy: Path, tmp_path: Path) -> None:
    """The network, adbd and the adb server end again and again: every run ends soon, every launch on record stays.

    In the end the run is complete, its settings are put back, and nothing of it runs or lies on the device.
    """
    before = device.settings()
    config = write_config(tmp_path, toy, pairs=10, experiments=[plain("on"), plain("off")], analysis={})
    directory, breaker, recorded = RunDirectory(tmp_path / "run"), Breaker(device, seed=5), b""
    said: Counter[str] = Counter()
    while said.total() < cuts or len(breaker.broken) < 3:
        began = time.monotonic()
        with breaker:
            try:
                inside(config, QUICK, resume=True)
            except (MeasurementError, UserError) as error:
                said[type(error).__name__] += 1
            else:  # complete before the next break: begin another
                shutil.rmtree(directory.root)
                recorded = b""
        assert time.monotonic() - began < 60
        now = directory.launches.read_bytes() if directory.launches.is_file() else b""
        assert now.startswith(recorded), "a recorded launch was lost"
        recorded = now
    assert breaker.broken.total() >= cuts and len(breaker.broken) == 3 and said["MeasurementError"] > cuts / 2
    inside(config, QUICK, resume=True)
    counted = [(x.pair, x.experiment) for x in directory.read_launches() if x.counts]
    assert sorted(counted) == [(pair, name) for pair in range(10) for name in ("off", "on")]
    assert directory.is_finished() and not directory.device_settings.exists()
    assert device.settings() == before | {"fixed_performance": "false"}
    assert device.kept() == [] and device.running("sme_runner") == []


def takers(device: TestDevice) -> list[str]:
    """Return the process numbers of the sides that take turns on the device, without the shell that tells them."""
    words = {p: device.shell(f"cat {p}/cmdline").split("\0") for p in device.running("sme_runner")}
    return [p.rpartition("/")[2] for p, argv in words.items() if "--take-turns" in argv and "sme_runner" in argv[0]]


def failing(device: TestDevice, model: Path, folder: Path, program: Path, how: str) -> str:
    config = write_config(
        folder,
        model,
        experiments=[plain("on", runner_path=str(program), extra_args=[f"--fails={how}"])],
        analysis={},
        pairs=1,
    )
    return pipeline(device, "--config", config, "--remote-device", ADDRESS).error_line(1)


@pytest.fixture(scope="module")
def small_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDevice]:
    """A device whose storage takes a small runner and a small model, and no more than that."""
    with running_device(tmp_path_factory.mktemp("small"), Hardware(data_mib=12)) as device:
        yield device


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
