# SPDX-License-Identifier: Apache-2.0
"""The parts of the adb device that need no device: what adb and Android print, read and written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.config import RESERVED_NAMES, load_config
from model_profiling.pipeline.cpu import affinity, claims
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.devices.adb import cooling, identity, modes, state
from model_profiling.pipeline.devices.adb.client import Adb, find_adb
from model_profiling.pipeline.devices.adb.device import REMOTE_ROOT
from model_profiling.pipeline.devices.adb.restoring import Change, Journal
from model_profiling.pipeline.devices.adb.selection import Listed, choose, network_serial, parse_devices
from model_profiling.pipeline.devices.posix import sections
from model_profiling.pipeline.devices.posix.files import run_folder
from model_profiling.pipeline.devices.posix.shell import marked, quote, split_mark

SHELL_TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30)


# The connection.


@settings(deadline=None)  # each example starts a program or writes files
@given(SHELL_TEXT, st.integers(0, 255))
def test_every_word_and_status_survives_the_shell(word: str, status: int) -> None:
    script = f"printf %s {quote(word)}; exit {status}"
    done = subprocess.run(["sh", "-c", marked(script, "kit-1")], capture_output=True, check=True)
    answer = split_mark(done.stdout.decode("utf-8", "replace"), "kit-1")
    assert answer.status == status and answer.text == word


def test_the_status_comes_after_errors_and_crashes_too() -> None:
    script = "echo out; echo err >&2; sh -c 'kill -ILL $$'"
    done = subprocess.run(["sh", "-c", marked(script, "kit-1")], capture_output=True, text=True, check=True)
    answer = split_mark(done.stdout, "kit-1")
    assert answer.status == 128 + 4 and answer.text.startswith("out\nerr\n") and done.stderr == ""


@pytest.mark.parametrize("text", ["", "kit-1:0", "x\nkit-1:", "\nkit-2:0\n", "\nkit-1:0\nand more"])
def test_an_answer_without_its_last_line_is_none(text: str) -> None:
    assert split_mark(text, "kit-1") is None


def test_the_devices_that_adb_lists() -> None:
    """In the form of adb 29 to 35; the line with "no permissions" is from its source."""
    assert parse_devices("""\
* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
9B071FFAZ003YL         device usb:1-1 product:tokay model:Pixel_9 device:tokay transport_id:3
192.168.1.20:5555      offline transport_id:4
R5CT10                 unauthorized usb:1-2 transport_id:5
0123456789ABCDEF       no permissions (user in plugdev group; are your udev rules wrong?); \
see [http://developer.android.com/tools/device.html] usb:2-1 transport_id:1
emulator-5554          authorizing transport_id:6

""") == [
        Listed("9B071FFAZ003YL", "device", "Pixel 9"),
        Listed("192.168.1.20:5555", "offline"),
        Listed("R5CT10", "unauthorized"),
        Listed("0123456789ABCDEF", "no permissions"),
        Listed("emulator-5554", "authorizing"),
    ]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("R5CT10  unauthorized usb:1-2 transport_id:5", "Allow USB debugging"),
        ("R5CT10  offline transport_id:4", "adb kill-server"),
        (
            "R5CT10  no permissions (missing udev rules? user is in the plugdev group); see [http://developer.android.com/tools/"
            "device.html] usb:2-1",
            "plugdev",
        ),
        ("R5CT10  bootloader usb:1-1", "fastboot reboot"),
    ],
)
def test_a_state_that_is_not_ready_comes_with_its_fix(tmp_path: Path, line: str, fix: str) -> None:
    """The program stands in for adb, and prints what adb prints for USB devices, which no test machine has."""
    program = tmp_path / "adb"
    program.write_text(f"#!/bin/sh\ncat <<'END'\nList of devices attached\n{line}\n\nEND\n")
    program.chmod(0o755)
    with pytest.raises(UserError) as refused:
        choose(Adb(program), None)
    assert "the device R5CT10 is in the state" in refused.value.what and fix in refused.value.fix


@given(st.text())
def test_any_list_of_devices_is_read(text: str) -> None:
    assert all(d.serial and d.state for d in parse_devices(text))


@pytest.mark.parametrize(
    ("given_", "serial"),
    [
        ("10.0.0.2", "10.0.0.2:5555"),
        ("phone.local:37015", "phone.local:37015"),
        ("[fe80::1%eth0]:5555", "[fe80::1%eth0]:5555"),
    ],
)
def test_addresses(given_: str, serial: str) -> None:
    assert network_serial(given_) == serial


@pytest.mark.parametrize("wrong", ["", "a b", "host:", "host:0", "host:70000", "-s", "fe80::1", "host:1:2"])
def test_what_is_no_address(wrong: str) -> None:
    with pytest.raises(UserError, match="HOST:PORT"):
        network_serial(wrong)


def test_adb_is_looked_for_on_the_path_and_in_the_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="adb is not installed.*apt install adb"):
        find_adb()
    tool = tmp_path / "sdk" / "platform-tools" / "adb"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    assert find_adb() == tool


def test_only_one_device_is_spoken_to() -> None:
    assert Adb(Path("adb"), "x y").argv("shell", "true") == ["adb", "-s", "x y", "shell", "true"]
    assert Adb(Path("adb")).argv("devices") == ["adb", "devices"]


# What a device says of itself.


def test_sections_are_told_apart() -> None:
    assert sections.parse("x\nkit-section:a\n1\n2\n\nkit-section:b\n\n", {"a": "", "b": "", "c": ""}) == {
        "a": "1\n2",
        "b": "",
        "c": "",
    }


@given(st.text())
def test_any_answer_is_read(text: str) -> None:
    sections.parse(text, {"a": ""})
    sections.numbers_by_core(text)
    identity.parse_properties(text)
    found = {**state.parse_thermal(text), **state.parse_battery(text)}
    state.throttling(found, None)


def test_properties() -> None:
    assert identity.parse_properties("[a.b]: [c]\n[empty]: []\n[two.lines]: [1\n2]\n[x]: [a]: [b]\n") == {
        "a.b": "c",
        "empty": "",
        "two.lines": "1\n2",
        "x": "a]: [b",
    }


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"ro.kernel.qemu": "1"}, "ro.kernel.qemu=1"),
        ({"ro.boot.qemu": "1"}, "ro.boot.qemu=1"),
        ({"ro.hardware": "ranchu"}, "ro.hardware=ranchu"),
        ({"ro.hardware": "goldfish_arm64"}, "ro.hardware=goldfish_arm64"),
        ({"ro.product.board": "cutf_cvm"}, "ro.product.board=cutf_cvm"),
        ({"ro.kernel.qemu": "0", "ro.hardware": "zuma"}, ""),
    ],
)
def test_emulators_are_recognized(properties: dict, said: str) -> None:
    assert identity.virtual_hardware(properties) == said


def test_heat_and_battery_as_android_prints_them() -> None:
    thermal = """\
IsStatusOverride: false
Thermal Status: 2
Cached temperatures:
\tTemperature{mValue=90.1, mType=0, mName=CPU0, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=61.75, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=58.0, mType=0, mName=LITTLE, mStatus=0}
\tTemperature{mValue=39.6, mType=3, mName=VIRTUAL-SKIN, mStatus=2}
Current cooling devices from HAL:
\tCoolingDevice{mValue=3, mType=0, mName=thermal-cpufreq-2}
"""
    assert state.parse_thermal(thermal) == {"thermal_status": 2, "temperature_c": 61.75}
    assert state.parse_thermal("Can't find service: thermalservice") == {}
    assert state.parse_battery("  level: 64\n  temperature: -5\n") == {
        "battery_temperature_c": -0.5,
        "battery_percent": 64,
    }


def test_throttling_is_the_status_or_else_a_lowered_limit() -> None:
    start = [2_000_000, 3_000_000]
    assert state.throttling({"thermal_status": 0, "frequency_limit_khz": [1, 1]}, start) is None
    assert state.throttling({"thermal_status": 3}, start) == "thermal status 3, severe"
    assert (
        state.throttling({"frequency_limit_khz": [2_000_000, 1_500_000]}, start)
        == "core 1 is limited to 1.50 GHz, 3.00 GHz at the start"
    )
    assert state.throttling({"frequency_limit_khz": start}, start) is None and state.throttling({}, None) is None


def test_cooling_is_counted_down_and_has_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    hot, cool = {"thermal_status": 2, "battery_temperature_c": 41.0}, {"thermal_status": 0, "temperature_c": 40.0}
    states = iter([hot, hot, cool])
    wait = cooling.Cooling(limit_s=60, poll_s=0.01, say_s=0.0)
    wait.wait(lambda: next(states), lambda now: state.throttling(now, None))
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "waiting for the device to cool (thermal status 2, moderate; battery 41.0 °C): at most 1:00 min"
    assert lines == ["  still thermal status 2, moderate; battery 41.0 °C; 1:00 min left"] * 2
    assert last == "  cool again after 0:00 min (CPU 40.0 °C)"
    with pytest.raises(
        MeasurementError, match="did not cool down in 0:00 min .thermal status 2, moderate; battery 41.0"
    ):
        cooling.Cooling(limit_s=0.05, poll_s=0.01).wait(lambda: hot, lambda now: state.throttling(now, None))


# Settings, and what is still to be put back.


def test_every_mode_of_the_schema_is_there() -> None:
    from model_profiling.pipeline.config_schema import CONFIG_SCHEMA, schema_file

    assert set(json.loads(schema_file(CONFIG_SCHEMA).read_text())["properties"]["device_mode"]["enum"]) == set(
        modes.MODES
    )
    assert ".device_settings.json" not in RESERVED_NAMES  # no experiment can have this name anyway


@settings(deadline=None)  # each example starts a program or writes files
@given(st.lists(st.builds(Change, SHELL_TEXT, st.sampled_from(sorted(modes.KNOWN_SETTINGS)), SHELL_TEXT), max_size=4))
def test_the_journal_reads_what_it_wrote(tmp_path_factory: pytest.TempPathFactory, changes: list[Change]) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "j.json")
    journal.write(changes)
    assert journal.read() == changes and journal.path.exists() == bool(changes)


@settings(deadline=None)  # each example starts a program or writes files
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda x: (
                st.lists(x)
                | st.dictionaries(st.sampled_from(["schema_version", "changes", "device", "name", "before"]), x)
            ),
        ).map(lambda x: json.dumps(x).encode()),
    )
)
def test_a_damaged_journal_is_one_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "j.json")
    journal.path.write_bytes(data)
    try:
        assert all(change.name in modes.KNOWN_SETTINGS for change in journal.read())
    except UserError as error:
        assert str(journal.path) in str(error)


# Cores, folders, claims.


@given(st.lists(st.integers(0, 200), min_size=1))
def test_a_mask_means_its_cores(cores: list[int]) -> None:
    assert affinity.resolve(affinity.mask(cores), {}) == tuple(sorted(set(cores)))


def test_each_run_has_a_folder_of_its_own_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_folder(REMOTE_ROOT, Path("runs/a")) == run_folder(REMOTE_ROOT, tmp_path / "runs" / "a")
    assert run_folder(REMOTE_ROOT, Path("runs/a")) != run_folder(REMOTE_ROOT, Path("runs/b"))
    assert run_folder(REMOTE_ROOT, Path('it\'s "a" run')).as_posix().startswith("/data/local/tmp/sme2-kit-")


def test_claims_are_held_against_the_cpu() -> None:
    plain = cpu_features.CpuFeatures("aarch64", "Old phone", frozenset({"dot"}), 8)
    new = cpu_features.CpuFeatures("aarch64", "New phone", frozenset({"dot", "sme", "sme2"}), 8)
    claims.check_claim(["sme", "sme2"], new, "")
    claims.check_claim(["dot"], plain, "ro.kernel.qemu=1")
    claims.check_claim([], plain, "ro.kernel.qemu=1")
    with pytest.raises(UserError, match="SME2 on and off, and this CPU .Old phone. has none"):
        claims.check_claim(["sme2"], plain, "")
    with pytest.raises(UserError, match="emulator .ro.kernel.qemu=1., whose times say nothing about SME2"):
        claims.check_claim(["dot", "sme2"], new, "ro.kernel.qemu=1")
    with pytest.raises(UserError, match="whose times say nothing about SME,"):
        claims.check_claim(["sme"], new, "ro.kernel.qemu=1")


def test_a_device_mode_is_for_devices(toy: Path, tmp_path: Path) -> None:
    from support.kit import kit, write_config

    config = write_config(tmp_path, toy, device_mode="boost")
    assert load_config(config).device_mode == "boost"
    assert "this host has no device modes" in kit("scripts/mac_pipeline.py", "--config", config).error_line()
    wrong = write_config(tmp_path, toy, device_mode="turbo")
    assert "use one of fixed, boost, app" in kit("scripts/android_pipeline.py", "--config", wrong).error_line()
    assert not (tmp_path / "run").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
