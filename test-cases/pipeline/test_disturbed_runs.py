# SPDX-License-Identifier: Apache-2.0
"""Runs on a disturbed machine: void pairs are made again, adaptive runs stop, A/A runs calibrate.

The launches are real. Only the CPU probe's time is scripted, because a test cannot make a
shared machine slow at the right moment; the machine's state files are made up for the same reason.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kit import kit, write_config

from model_profiling.analysis.run import analyze
from model_profiling.errors import UserError
from model_profiling.pipeline import host_state, orchestrator
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.cpu import affinity
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.run_directory import RunDirectory, newest_attempts
from model_profiling.pipeline.schedule import MAX_REDOS
from model_profiling.report.words.notes import run_notes

CALM, BUSY = 1000, 1200  # ns; the second is 1.2 times the first, over the limit of 1.1


class ScriptedProbe(LocalDevice):
    """This host, with a probe that takes the times of a script and then stays calm."""

    def __init__(self, times: Iterator[int]) -> None:
        self._times = times

    def probe_ns(self) -> int:
        return next(self._times, CALM)


def run(toy: Path, folder: Path, times: list[int], **options: object) -> RunDirectory:
    folder.mkdir(exist_ok=True)
    path = write_config(folder, toy, pairs=2, order="launches")
    return orchestrator.run(load_config(path), ScriptedProbe(iter(times)), RunOptions(path, "test", **options))


def test_a_calm_machine_voids_nothing(toy: Path, tmp_path: Path) -> None:
    launches = run(toy, tmp_path, []).read_launches()
    assert len(launches) == 4 and not any(x.void for x in launches)


def test_a_disturbed_pair_is_made_again_and_both_attempts_are_kept(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline, first_launch = [CALM] * 5, [CALM, BUSY]
    directory = run(toy, tmp_path, baseline + first_launch)
    launches = directory.read_launches()
    assert [(x.pair, x.attempt, bool(x.void)) for x in launches] == [
        (0, 0, True),
        (0, 0, False),
        (0, 1, False),
        (0, 1, False),
        (1, 0, False),
        (1, 0, False),
    ]
    assert launches[0].void == "CPU probe took 1.20 times its baseline"
    assert "pair 1 is void (CPU probe took 1.20 times its baseline): made again, 1 of 3" in capsys.readouterr().out
    assert {x.attempt for x in newest_attempts(launches)[1, 0]} == {1}
    assert (directory.root / launches[0].etdump).is_file() and launches[2].etdump.endswith("_p0_redo1.etdump")
    analysis = analyze(directory)
    assert analysis.summary.comparisons[0].pairs == 2
    assert any("did not count" in note for note in run_notes(analysis))


def test_after_three_redos_the_pair_is_given_up_and_does_not_count(toy: Path, tmp_path: Path) -> None:
    disturbed_pair = [CALM, BUSY, CALM, CALM] * (1 + MAX_REDOS)
    directory = run(toy, tmp_path, [CALM] * 5 + disturbed_pair)
    launches = directory.read_launches()
    assert [x.attempt for x in launches if x.pair == 0] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert analyze(directory).summary.comparisons[0].pairs == 1


def test_more_pairs_are_added_until_the_precision_is_reached_or_20(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loose = run(toy, tmp_path / "loose", [], precision_percent=90.0)
    comparison = analyze(loose).summary.comparisons[0]
    low, high = comparison.interval.to_json()
    assert comparison.pairs == 20 or 100 * (math.sqrt(high / low) - 1) <= 90
    tight = run(toy, tmp_path / "tight", [], precision_percent=0.0001)
    assert max(x.pair for x in tight.read_launches()) == 19
    assert tight.read_manifest().precision_percent == 0.0001
    assert "the precision of 0.0001 % was not reached with 20 pairs" in capsys.readouterr().out


def test_an_aa_run_compares_an_arm_with_itself(toy: Path, tmp_path: Path) -> None:
    done = kit("scripts/mac_pipeline.py", "--config", write_config(tmp_path, toy, pairs=6), "--aa")
    floor = json.loads((tmp_path / "run_aa/noise_floor.json").read_text())
    assert floor["noise_floor_percent"]["1"] > 0
    # On a noisy machine one calibration in twenty fails; it must then say so.
    assert done.status == (0 if floor["calibrated"]["1"] else 1)
    if done.status:
        assert "calibration failed" in done.error_line(1)
    assert {x.experiment for x in RunDirectory(tmp_path / "run_aa").read_launches()} == {"on_a", "on_b"}


def test_flags_that_contradict_each_other(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy)
    assert (
        "contradict" in kit("scripts/mac_pipeline.py", "--config", config, "--quick", "--precision", "2").error_line()
    )
    assert "not a percentage" in kit("scripts/mac_pipeline.py", "--config", config, "--precision", "200").error_line()


# What is read around each launch.


def test_linux_state_of_a_phone_like_machine(tmp_path: Path) -> None:
    """Made-up sysfs files: 43.5 degrees, two cores at different clocks."""
    for path, content in {
        "class/thermal/thermal_zone0/temp": "43500",
        "class/thermal/thermal_zone1/temp": "-",
        "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1200000",
        "devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3000000",
        "devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil",
        "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2000000",
        "devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq": "3500000",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    assert host_state._linux_state(tmp_path) == {
        "temperature_c": 43.5,
        "frequency_khz": [1200000, 3000000],
        "governor": "schedutil",
    }
    assert host_state.max_frequency_khz(tmp_path) == {0: 2000000, 1: 3500000}


def test_the_real_state_and_probe_of_this_machine() -> None:
    assert host_state.read_state()["load1"] >= 0
    assert host_state.probe_ns() > 0


@pytest.mark.parametrize(
    ("wanted", "cores"),
    [(None, None), ((3, 1), (3, 1)), ("f0", (4, 5, 6, 7)), ("1", (0,)), ("prime", (7,)), ("big", (4, 5, 6, 7))],
)
def test_affinity_by_frequency_mask_and_number(wanted: object, cores: object) -> None:
    frequencies = {**dict.fromkeys(range(4), 2_000_000), **dict.fromkeys(range(4, 7), 2_800_000), 7: 3_300_000}
    assert affinity.resolve(wanted, frequencies) == cores


def test_affinity_that_cannot_be_resolved() -> None:
    with pytest.raises(UserError, match="maximum frequencies"):
        affinity.resolve("prime", {})
    assert affinity.resolve("big", {0: 5, 1: 5}) == (0, 1)  # all cores are alike


@pytest.mark.skipif(not hasattr(__import__("os"), "sched_getaffinity"), reason="this system cannot pin processes")
def test_a_launch_is_pinned_and_the_pipeline_itself_is_not(toy: Path, tmp_path: Path) -> None:
    import os

    before = os.sched_getaffinity(0)
    done = LocalDevice().run(
        [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"],
        env={},
        timeout_s=60,
        log=tmp_path / "log",
        affinity=(min(before),),
    )
    assert done.ok and (tmp_path / "log").read_text().strip() == str([min(before)])
    assert os.sched_getaffinity(0) == before


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
