# SPDX-License-Identifier: Apache-2.0
"""What makes exporting and measuring fail: the failure tables of skills 03 and 04."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from model_profiling.pipeline.cpu.features import detect
from support.skill_failures import Desk, Typed, cause

EXPORT = "python model_profiling/export/export_model.py"
PTE = "out_toy_cnn/artifacts/toy_cnn_xnnpack_fp16.pte"
CONFIG = "out_toy_cnn/config.json"
GENERATE = f"python model_profiling/scripts/generate_config.py --model {PTE} --output out_toy_cnn"
CHECK = f"python model_profiling/scripts/validate_pipeline.py --config {CONFIG}"
MEASURE = f"python model_profiling/scripts/mac_pipeline.py --config {CONFIG}"
VALIDATE = "python model_profiling/scripts/validate_results.py --results out_toy_cnn/runs/mac"
FULL_DISK_KIB = 64


# ---------------------------------------------------------------- 03: export


@cause("03", "error: this Python lacks the kit")
def not_activated(desk: Desk) -> Typed:
    desk.begin = ()
    bare = desk / "bare"
    bare.mkdir()
    for name in ("python", "python3"):
        (bare / name).symlink_to(shutil.which("python3", path="/usr/bin:/usr/local/bin") or "/usr/bin/python3")
    desk.environment["PATH"] = os.pathsep.join(
        [str(bare), *(p for p in os.get_exec_path() if not (Path(p) / "uv").exists())]
    )
    return Typed(f"{EXPORT} --list")


@cause("03", "error: there is no model '...' (did you mean toy_cnn?)")
def misspelt_model(desk: Desk) -> Typed:
    (desk / PTE).unlink()
    return Typed(f"{EXPORT} --model toy_cnnn --dtype fp16 --outdir out_toy_cnn/artifacts/", then=f"test -s {PTE}")


@cause("03", "error: there is no dtype '...'")
def unknown_dtype(desk: Desk) -> Typed:
    (desk / PTE).unlink()
    return Typed(f"{EXPORT} --model toy_cnn --dtype fp61 --outdir out_toy_cnn/artifacts/", then=f"test -s {PTE}")


# ---------------------------------------------------------------- 04: the configuration and its model


@cause("04", "error: the model does not exist")
def nothing_exported(desk: Desk) -> Typed:
    (desk / PTE).unlink()
    (desk / CONFIG).unlink()
    return Typed(GENERATE)


@cause("04", "the model is damaged or no ExecuTorch program")
def broken_off_copy(desk: Desk) -> Typed:
    os.truncate(desk / PTE, (desk / PTE).stat().st_size // 2)
    (desk / CONFIG).unlink()
    return Typed(GENERATE)


@cause("04", "is not a key of the config (did you mean")
def misspelt_key(desk: Desk) -> Typed:
    edit(desk / CONFIG, '"pairs"', '"pears"')
    return Typed(CHECK)


@cause("04", "the config is not JSON")
def no_json(desk: Desk) -> Typed:
    edit(desk / CONFIG, '"pairs"', ',"pairs"')
    return Typed(CHECK)


@cause("04", "has no feature sme...")
def feature_that_is_not_there(desk: Desk) -> Typed:
    lacking = next(name for name in ("sme2", "sme2p1", "sme3") if name not in detect().names)
    edit(desk / CONFIG, '"auto"', f'["{lacking}"]')
    return Typed(CHECK)


@cause("04", "error: another configuration is there already")
def other_configuration(desk: Desk) -> Typed:
    return Typed(GENERATE)  # the desk's own is smaller than the generated one


@cause("04", "error: cannot write (No space left on device)")
def full_disk(desk: Desk) -> Typed:
    """A real file system, full: the reader's last quick test is what fills it."""
    small = shutil.copytree(desk.root, desk.root.with_name("whole"), symlinks=True)
    desk.around = (
        *private_mounts(),
        "bash",
        "-c",
        f'mount -t tmpfs -o size=8m desk "$PWD" && cp -a "{small}/." "$PWD" && cd "$PWD" && mkdir out_quick_test && '
        '{ cat /dev/zero >out_quick_test/trace.etdump; } 2>/dev/null; exec "$@"',
        "full_disk",
    )
    return Typed(f"python model_profiling/scripts/generate_config.py --model {PTE} --output out_full")


def private_mounts() -> tuple[str, ...]:
    """Return what starts a program that may mount file systems which nobody else sees."""
    for words in (
        ("unshare", "--mount"),
        ("unshare", "--mount", "--map-root-user"),
        ("sudo", "-n", "-E", "unshare", "--mount"),
    ):
        tried = [*words, "sh", "-c", "mount -t tmpfs -o size=64k probe /mnt"]
        if shutil.which(words[0]) and subprocess.run(tried, capture_output=True, timeout=60).returncode == 0:
            return words
    why = "no file system can be mounted here: neither as root, nor in a user namespace, nor with sudo"
    assert not os.environ.get("CI"), why
    pytest.skip(why)


# ---------------------------------------------------------------- 04: the run


@cause("04", "error    finished                the run is unfinished")
def killed_run(desk: Desk) -> Typed:
    edit(desk / CONFIG, '"pairs": 2', '"pairs": 4')
    shutil.rmtree(desk / "out_toy_cnn/runs/mac")
    pipeline = subprocess.Popen(
        desk.shell(f"{desk.begin[0]}; exec {MEASURE}"),
        cwd=desk.root,
        env=desk.variables(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    wait_for_launches(desk, 1, pipeline)
    os.killpg(pipeline.pid, signal.SIGKILL)
    pipeline.wait()
    return Typed(VALIDATE)


@cause("04", "was ended by SIGKILL")
def killed_program(desk: Desk) -> Typed:
    edit(desk / CONFIG, '"pairs": 2', '"pairs": 4')
    shutil.rmtree(desk / "out_toy_cnn/runs/mac")

    def kill_a_launch(shell: subprocess.Popen) -> None:
        wait_for_launches(desk, 1, shell)
        while shell.poll() is None:
            pipeline = next(iter(children(shell.pid)), shell.pid)
            for launch in children(pipeline):
                os.kill(launch, signal.SIGKILL)
                return
            time.sleep(0.002)

    return Typed(MEASURE, then=VALIDATE, meanwhile=kill_a_launch)


@cause("04", "error: the configuration has changed since this run began")
def edited_configuration(desk: Desk) -> Typed:
    edit(desk / CONFIG, '"runs": 5', '"runs": 6')
    return Typed(f"{MEASURE} --resume")


def wait_for_launches(desk: Desk, wanted: int, process: subprocess.Popen) -> None:
    """Wait until a run has recorded launches."""
    record = desk / "out_toy_cnn/runs/mac/launches.jsonl"
    while process.poll() is None and not (record.is_file() and record.read_bytes().count(b"\n") >= wanted):
        time.sleep(0.002)
    assert process.poll() is None, "the run was over too soon"


def children(process: int) -> list[int]:
    """Return the processes that another one has started."""
    listed = subprocess.run(["ps", "-Ao", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, parent in map(str.split, listed.splitlines()) if int(parent) == process]


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in a file, which has to be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} has no {old}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
