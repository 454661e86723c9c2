# SPDX-License-Identifier: Apache-2.0
"""The Android pipeline over a real adb and a real adbd, with this machine as the device."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.adb import ADDRESS, SECOND_ADDRESS, TestDevice, running_device
from support.adb_hardware import arm_board
from support.android import with_machine
from support.android_runs import HOSTILE, pipeline, plain
from support.emulation import emulated
from support.kit import kit, write_config

from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.posix import launching
from model_profiling.pipeline.lockstep.turn_plan import LEAST_ROUNDS
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.device


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
    assert manifest.order == "lockstep" and all(len(x.turns) >= LEAST_ROUNDS for x in launches)
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


def test_two_programs_take_turns_and_each_is_pushed_once(device: TestDevice, exported, tmp_path: Path) -> None:
    device.adb("connect", ADDRESS)
    fp32, int8 = (exported("toy_cnn", dtype) for dtype in ("fp32", "int8"))
    config = write_config(
        tmp_path,
        fp32,
        experiments=[plain("before"), plain("after", model=str(int8))],
        analysis={"compare_pairs": [["before", "after"]]},
    )
    pipeline(device, "--config", config, "--serial", ADDRESS, "--keep-on-device").ok()
    (kept,) = device.kept()
    there = device.shell(f"cd /data/local/tmp/{kept} && find . -name '*.pte' -exec sha256sum {{}} +").split()
    directory = RunDirectory(tmp_path / "run")
    manifest, launches = directory.read_manifest(), directory.read_launches()
    assert sorted(there[::2]) == sorted(program.model.sha256 for program in manifest.programs)
    assert {(x.experiment, Path(x.argv[2]).name) for x in launches} == {("before", fp32.name), ("after", int8.name)}
    assert all(x.turns for x in launches) and len({x.argv[2] for x in launches}) == 2
    kit("scripts/validate_results.py", "--results", directory.root).ok()


def test_a_device_whose_shell_may_make_no_fifo(device: TestDevice, toy: Path, tmp_path: Path) -> None:
    """Androids differ in that: it is found out on the device, said, and launches come one after the other."""
    refused = "mkfifo: Operation not permitted"
    program = "/usr/local/bin/mkfifo"
    device.shell(f"printf '#!/bin/sh\\necho {refused}; exit 1\\n' > {program}; chmod +x {program}")
    try:
        words = ("--remote-device", ADDRESS)
        done = pipeline(device, "--config", write_config(tmp_path, toy, pairs=1), *words).ok()
        asked = write_config(tmp_path, toy, order="lockstep", output_root=str(tmp_path / "asked"))
        line = pipeline(device, "--config", asked, *words).error_line()
    finally:
        device.shell(f"rm {program}")
    because = f"the device's shell has no FIFO to give turns through: {refused}"
    assert f"1 pair of processes one after the other ({because})" in done.stdout
    manifest, launches = (directory := RunDirectory(tmp_path / "run")).read_manifest(), directory.read_launches()
    assert manifest.order == "launches" and [launch.counts for launch in launches] == [True, True]
    assert because in line and 'in "order" of the config' in line
    assert not (tmp_path / "asked").exists() and device.kept() == []


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


# Another CPU than this machine's.


@pytest.fixture(scope="module")
def arm_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDevice]:
    with running_device(tmp_path_factory.mktemp("arm"), arm_board(emulated())) as device:
        yield device


@pytest.mark.nightly  # kernels of an emulated CPU without adb: test_preview_sme2.py, test_kernels.py
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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
