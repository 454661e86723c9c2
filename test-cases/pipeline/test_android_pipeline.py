# SPDX-License-Identifier: Apache-2.0
"""The Android pipeline over a real adb and a real adbd, with this machine as the device."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.adb import ADDRESS, SECOND_ADDRESS, Hardware, TestDevice, arm_board, running_device
from support.android import Breaker, Programs, wait_for_launches, with_machine
from support.emulation import emulated
from support.kit import KIT, Finished, kit, write_config

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.adb.cooling import Cooling
from model_profiling.pipeline.devices.adb.device import Waits, open_adb
from model_profiling.pipeline.devices.adb.restoring import Journal
from model_profiling.pipeline.devices.posix import launching
from model_profiling.pipeline.devices.posix.shell import Lost
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.device

PIPELINE = "scripts/android_pipeline.py"
#: For cuts whose device is back at once.
QUICK = Waits(patience_s=5.0)
UNHURRIED = Waits()
HOSTILE = """it's a "$(touch x)" `model`; & *"""


@pytest.fixture(scope="module")
def shared_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDevice]:
    with running_device(tmp_path_factory.mktemp("device")) as device:
        yield device


@pytest.fixture
def device(shared_device: TestDevice) -> TestDevice:
    """The module's device, as at its first start."""
    shared_device.reset()
    return shared_device


@pytest.fixture
def inside(device: TestDevice, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunDirectory]:
    """Return a function that makes a run in this process, without the analysis: a configuration's launches alone."""
    monkeypatch.setenv("PATH", device.environment["PATH"])

    def run(path: Path, waits: Waits = UNHURRIED, resume: bool = False) -> RunDirectory:
        config = load_config(path)
        with open_adb(config, address=ADDRESS, waits=waits) as opened:
            return orchestrator.run(config, opened, RunOptions(path, "test", resume=resume))

    return run


def pipeline(device: TestDevice, *arguments: object, **options: object) -> Finished:
    return kit(PIPELINE, *arguments, env=device.environment, timeout=120, **options)


def plain(name: str, **changes: object) -> dict[str, object]:
    return {"name": name, "runs": 3, "warmup": 1, "traced_runs": 2, "threads": [1], **changes}


# The whole pipeline.


def test_a_run_over_the_network_from_push_to_report(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    """With names that any unquoted word of a shell would fall over."""
    before = device.settings()
    model = tmp_path / f"{HOSTILE}.pte"
    for suffix in (".pte", ".json"):
        shutil.copy(toy.with_suffix(suffix), model.with_suffix(suffix))
    folder = tmp_path / HOSTILE
    folder.mkdir()
    done = pipeline(device, "--config", write_config(folder, model), "--remote-device", ADDRESS, "--verbose").ok()
    directory = RunDirectory(folder / "run")
    manifest, launches = directory.read_manifest(), directory.read_launches()
    assert manifest.device == "adb" and manifest.finished and not manifest.emulated
    assert manifest.host == {
        "system": "Android 15 (API 35)",
        "release": os.uname().release,
        "machine": os.uname().machine,
        "model": "Test Stand-in",
        "serial": "TEST0001",
        "device_mode": "fixed",
    }
    assert manifest.cpu.names == cpu_features.detect().names
    assert sum(x.counts for x in launches) == 4 and all(a["cosine"] > 0.9999 for x in launches for a in x.agreement)
    for launch in launches:
        assert launch.argv[0].startswith("/data/local/tmp/sme2-kit-") and launch.argv[2].endswith(f"/{HOSTILE}.pte")
        assert (directory.root / launch.etdump).stat().st_size > 0
        assert set(launch.masked_cpu_features) == (
            set(manifest.feature.disabled) if launch.experiment == "off" else set()
        )
        for state in (launch.before, launch.after):
            assert (state["thermal_status"], state["temperature_c"], state["battery_temperature_c"]) == (0, 43.2, 31.2)
            assert state["frequency_khz"] == [1_800_000, 3_300_000] and state["governor"] == "schedutil"
            assert state["settings"] == {
                "global.low_power": "0",
                "global.stay_on_while_plugged_in": "15",
                "fixed_performance_mode": "true",
            }
    assert directory.report_html.is_file() and "Android 15" in directory.report_md.read_text()
    assert "Test Stand-in" in done.stdout and "kit-" not in (directory.root / launches[0].log).read_text()
    assert device.settings() == before | {"fixed_performance": "false"}
    assert device.listed() == [] and device.kept() == [] and not directory.device_settings.exists()


def test_the_same_by_serial_kept_on_the_device_and_resumed(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    device.adb("connect", ADDRESS)
    config = write_config(tmp_path, toy, pairs=1)
    pipeline(device, "--config", config, "--serial", ADDRESS, "--keep-on-device").ok()
    assert device.listed() == [f"{ADDRESS} device"], "it was connected before"
    (kept,) = device.kept()
    pushed = device.shell(
        f"cd /data/local/tmp/{kept} && find . -type f -exec sha256sum {{}} + -exec stat -c '%n %Y' {{}} +"
    )
    assert toy.name in pushed and "libexecutorch_backend_xnnpack.so" in pushed and "sme_runner" in pushed
    config = write_config(tmp_path, toy, pairs=2)
    done = pipeline(device, "--config", config, "--serial", ADDRESS).ok()  # set aside, and run again from what is there
    assert "set aside" in done.stdout and device.kept() == []
    device.adb("disconnect")
    assert pipeline(device, "--config", config, "--analysis-only").ok().stdout.count("report.html") == 1


def test_mobilenet_on_the_fastest_core(device: TestDevice, exported, tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        exported("mobilenet_v3_small", "fp32"),
        experiments=[
            plain("on", cpu_affinity="prime"),
            plain("off", cpu_affinity="prime", disable_cpu_features="auto"),
        ],
    )
    pipeline(device, "--config", config, "--remote-device", ADDRESS).ok()
    directory = RunDirectory(tmp_path / "run")
    manifest = directory.read_manifest()
    assert manifest.affinity == {"on": (1,), "off": (1,)} and manifest.affinity_mask == {"on": "2", "off": "2"}
    summary = json.loads(directory.analysis_summary.read_text())
    assert summary["comparisons"][0]["pairs"] == 2 and summary["comparisons"][0]["speedup"] > 0
    assert {x.outputs[0]["shape"][1] for x in directory.read_launches()} == {1000}


def test_a_launch_runs_on_its_cores_alone(device: TestDevice, tmp_path: Path) -> None:
    device.adb("connect", ADDRESS)
    adb = Adb(device.program, ADDRESS)
    for cores in ((0,), (1,), (0, 1)):
        log = tmp_path / f"{cores}.log"
        done = launching.launch(
            adb,
            Path("/data/local/tmp"),
            ["grep", "Cpus_allowed_list", "/proc/self/status"],
            {},
            timeout_s=30,
            log=log,
            cores=cores,
        )
        assert done.ok and log.read_text().split()[-1] == ("0-1" if len(cores) == 2 else str(cores[0]))


def test_cores_that_are_not_there(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, experiments=[plain("on", cpu_affinity=[63])], analysis={})
    line = pipeline(device, "--config", config, "--remote-device", ADDRESS).error_line()
    assert "no cores [63] to pin to" in line and "use some of 0-" in line
    assert not (tmp_path / "run").exists()


# Which device.


def test_no_device_a_wrong_serial_and_two_at_once(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy)
    assert "no device is connected" in pipeline(device, "--config", config).error_line()
    assert "Connection refused" in pipeline(device, "--config", config, "--remote-device", "127.0.0.1:9").error_line()
    device.adb("connect", ADDRESS)
    device.adb("connect", SECOND_ADDRESS)
    line = pipeline(device, "--config", config).error_line()
    assert (
        "2 devices are connected: " in line and f"{ADDRESS} (device)" in line and f"{SECOND_ADDRESS} (device)" in line
    )
    assert "name one with --serial" in line
    line = pipeline(device, "--config", config, "--serial", "127.0.0.1:7557").error_line()
    assert "there is no device 127.0.0.1:7557 (did you mean" in line and ADDRESS in line
    assert (
        "two devices" in pipeline(device, "--config", config, "--serial", "x", "--remote-device", ADDRESS).error_line()
    )
    assert not (tmp_path / "run").exists()


def test_devices_that_are_not_ready(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    """A device that wants to be asked first, and one that accepts a connection and then says nothing."""
    config = write_config(tmp_path, toy)
    with device.impostor("unauthorized") as address:
        line = pipeline(device, "--config", config, "--remote-device", address).error_line()
        assert f'the device {address} is in the state "unauthorized"' in line and "Allow USB debugging" in line
    with device.impostor("offline") as address:
        connecting = subprocess.Popen([device.program, "connect", address], stdout=subprocess.DEVNULL)
        device.wait_until_listed(f"{address} offline")
        line = pipeline(device, "--config", config, "--serial", address).error_line()
        assert 'in the state "offline"' in line and "adb kill-server" in line
    connecting.wait(timeout=30)
    assert not (tmp_path / "run").exists()


def test_a_runner_for_another_cpu_or_system_is_refused(device: TestDevice, toy: Path, tmp_path: Path, programs) -> None:
    device.adb("connect", ADDRESS)

    def refused(**changes: object) -> str:
        config = write_config(tmp_path, toy, experiments=[plain("on", **changes)], analysis={})
        return pipeline(device, "--config", config).error_line()

    assert "the python runner does not run on a device" in refused(runner="python")
    assert "the device has no /system/bin/linker64" in refused(runner_path=str(programs.for_android))
    assert "the runner needs libc++_shared.so" in refused(runner_path=str(programs.without_library))
    foreign = tmp_path / "foreign"
    foreign.write_bytes(with_machine(programs.misbehaving.read_bytes(), 243))
    foreign.chmod(0o755)
    assert "the runner is built for riscv64" in refused(runner_path=str(foreign))


# Settings.


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


# Heat.


def test_a_hot_pair_is_void_and_made_again_when_the_device_is_cool(
    device: TestDevice, inside, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Read: as the session begins, as the pair settles, before and after the first launch, hot then.
    device.write("thermal_status", "0\n0\n0\n3\n0\n0\n2\n0")
    launches = inside(write_config(tmp_path, toy, pairs=1), Waits(cooling=Cooling(poll_s=0.01))).read_launches()
    said = capsys.readouterr().out
    assert "pair 1 is void (thermal status 3, severe): made again, 1 of 3" in said
    assert (
        "waiting for the device to cool (thermal status 2, moderate; CPU 43.2 °C, battery 31.2 °C): at most 15:00 min"
        in said
        and "cool again after" in said
    )
    assert [(x.attempt, bool(x.void)) for x in launches] == [(0, True), (0, False), (1, False), (1, False)]


# Launches that fail.


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


# Another CPU than this machine's.


@pytest.fixture(scope="module")
def arm_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDevice]:
    with running_device(tmp_path_factory.mktemp("arm"), arm_board(emulated())) as device:
        yield device


def test_sme2_kernels_on_an_emulated_board_and_no_time_called_sme2(
    arm_device: TestDevice, toy: Path, tmp_path: Path
) -> None:
    """Which kernels are called holds on an emulated CPU too; a pair that times SME2 there is refused."""
    recorded = [
        {"name": "kernels", "mode": "kernels"},
        {"name": "kernels_off", "mode": "kernels", "disable_cpu_features": ["SME2"]},
    ]
    timed = plain("timed", runs=1, traced_runs=1, extra_args=["--max-warmup", "1"])
    config = write_config(tmp_path, toy, pairs=1, experiments=[timed, *recorded], analysis={})
    pipeline(arm_device, "--config", config, "--remote-device", ADDRESS).ok()
    directory = RunDirectory(tmp_path / "run")
    manifest = directory.read_manifest()
    assert manifest.device == "adb, emulator" and manifest.host["emulator"] == "ro.kernel.qemu=1"
    assert manifest.emulated
    assert manifest.cpu.architecture == "aarch64" and "sme2" in manifest.cpu.names
    assert "its times say nothing about a device" in directory.report_md.read_text()
    families = {
        name: {row["family"] for row in csv.DictReader(directory.table(toy.stem, name, 1, "kernels").open())}
        for name in ("kernels", "kernels_off")
    }
    assert "sme2" in families["kernels"] and not families["kernels_off"] & {"sme", "sme2"}
    claiming = write_config(tmp_path, toy, output_root=str(tmp_path / "other"))
    line = pipeline(arm_device, "--config", claiming, "--remote-device", ADDRESS).error_line()
    assert "the device is an emulator (ro.kernel.qemu=1), whose times say nothing about SME2" in line
    assert not (tmp_path / "other").exists() and arm_device.kept() == []


def test_mobilenet_reaches_sme2_on_the_board(arm_device: TestDevice, exported, tmp_path: Path) -> None:
    """The layers are those that a preview of the same model counts, without a device (test_preview_sme2.py)."""
    model = exported("mobilenet_v3_small", "fp32")
    config = write_config(
        tmp_path,
        model,
        experiments=[
            {"name": "kernels", "mode": "kernels"},
            {"name": "kernels_off", "mode": "kernels", "disable_cpu_features": ["SME2"]},
        ],
        analysis={},
    )
    pipeline(arm_device, "--config", config, "--remote-device", ADDRESS).ok()
    found = json.loads((tmp_path / "run" / "analysis_summary.json").read_text())["kernels"]
    assert found["kernels"]["1"]["sentence"].startswith(
        "43 of 54 matrix layers, 87 % of multiply-adds, reach SME2 kernels"
    )
    assert found["kernels_off"]["1"]["sme2_coverage"]["layers"] == 0


# Connections that break.


def test_fifty_cuts_at_random_moments_lose_nothing(device: TestDevice, inside, toy: Path, tmp_path: Path) -> None:
    """The network, adbd and the adb server end again and again: every run ends soon, every launch on record stays.

    In the end the run is complete, its settings are put back, and nothing of it runs or lies on the device.
    """
    before = device.settings()
    config = write_config(tmp_path, toy, pairs=10, experiments=[plain("on"), plain("off")], analysis={})
    directory, breaker, recorded = RunDirectory(tmp_path / "run"), Breaker(device, seed=5), b""
    said: Counter[str] = Counter()
    while said.total() < 50:
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
    assert breaker.broken.total() >= 50 and len(breaker.broken) == 3 and said["MeasurementError"] > 25
    inside(config, QUICK, resume=True)
    counted = [(x.pair, x.experiment) for x in directory.read_launches() if x.counts]
    assert sorted(counted) == [(pair, name) for pair in range(10) for name in ("off", "on")]
    assert directory.is_finished() and not directory.device_settings.exists()
    assert device.settings() == before | {"fixed_performance": "false"}
    assert device.kept() == [] and device.running("sme_runner") == []


# Helpers.


def failing(device: TestDevice, model: Path, folder: Path, program: Path, how: str) -> str:
    config = write_config(
        folder,
        model,
        experiments=[plain("on", runner_path=str(program), extra_args=[f"--fails={how}"])],
        analysis={},
        pairs=1,
    )
    return pipeline(device, "--config", config, "--remote-device", ADDRESS).error_line(1)


@contextlib.contextmanager
def started(device: TestDevice, config: Path, *flags: str) -> Iterator[subprocess.Popen]:
    """Run the pipeline beside the test, its output and errors together; end it at the latest with the context."""
    child = subprocess.Popen(
        [sys.executable, str(KIT / PIPELINE), "--config", str(config), "--remote-device", ADDRESS, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **device.environment},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def small_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDevice]:
    """A device whose storage takes a small runner and a small model, and no more than that."""
    with running_device(tmp_path_factory.mktemp("small"), Hardware(data_mib=12)) as device:
        yield device


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
