# SPDX-License-Identifier: Apache-2.0
"""Does a sweep over a fleet survive everything? Faults at random moments, until there were enough and all is done.

Three hosts in networks of their own, two with a phone (a real adbd), TLS, leases as users have them. What is broken:
workers, one device's process, the scheduler and the sweep are killed, a network is cut, a phone is unplugged, a host's
disk is full, a worker comes back with another version of the kit. The sweep is started again with --resume, as a user
would, whenever it has ended before it is done. At the end the records are read: every cell is there and valid, no
launch was made twice into one cell, and no two cells were measured on one device at once. As root, on Linux:

    PYTHONPATH=test-cases python test-cases/benchmarks/bench_fleet_faults.py --faults 30
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from support.adb import ADDRESS, TestDevice, running_device
from support.adb_hardware import PLAIN, PROPERTIES
from support.fleet import Command, Fleet, running_fleet
from support.kit import KIT, REPOSITORY, kit
from support.sweep import small_experiments, write_sweep_config

from model_profiling.analysis.sweeping.summary import DONE, SweepSummary
from model_profiling.pipeline.leases import SHARE_VARIABLE
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.scripts.ceilings.measuring import OFF_VARIABLE

HOSTS = ("lab-1", "lab-2", "lab-3")
#: Beyond this nothing is expected to end any more.
_LIMIT_S = 3600.0


class Lab:
    """The fleet with its phones, and what can be done to it."""

    def __init__(self, fleet: Fleet, phones: list[TestDevice], generator: random.Random, other_kit: Path) -> None:
        self.fleet, self._phones, self._generator, self._other_kit = fleet, phones, generator, other_kit
        self.scheduler = fleet.start_scheduler()
        self.workers: dict[str, Command] = {}
        self.sweep: Command | None = None
        self.starts = 0
        for name in HOSTS:
            kept = fleet.folder / f"{name}_kept"
            kept.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(kept)], check=True)
            self.start_worker(name)

    def start_worker(self, name: str, **env: str) -> None:
        number = HOSTS.index(name)
        phone = self._phones[number].environment if number < len(self._phones) else {}
        self.workers[name] = self.fleet.start_worker(name, "adb" if phone else "local", env={**phone, **env})

    def phone_of(self, device: object) -> dict[str, str]:
        """Return the environment in which a device of the sweep is found, of "local" none."""
        return self._phones[int(device["serial"][-1]) - 1].environment if isinstance(device, dict) else {}

    def close(self) -> None:
        for name in HOSTS:
            self.workers[name].end()
        for name in HOSTS:
            subprocess.run(["umount", "--lazy", str(self.fleet.folder / f"{name}_kept")], check=False)

    def _pause(self, low: float, high: float) -> None:
        time.sleep(self._generator.uniform(low, high))

    def _host(self) -> str:
        return self._generator.choice(HOSTS)

    def worker_killed(self) -> None:
        name = self._host()
        self.workers[name].kill()
        self._pause(0, 4)
        self.start_worker(name)

    def device_process_killed(self) -> None:
        serving = [pid for pid in _children(self.workers[self._host()].pid) if "hosts.serving" in _words(pid)]
        if serving:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._generator.choice(serving), signal.SIGKILL)

    def scheduler_killed(self) -> None:
        self.scheduler.kill()
        self._pause(0, 10)
        self.scheduler = self.fleet.start_scheduler()

    def sweep_killed(self) -> None:
        self.sweep.kill()

    def network_cut(self) -> None:
        host = self.fleet.hosts[self._host()]
        host.cut()
        self._pause(1, 40)
        host.cut(False)

    def phone_unplugged(self) -> None:
        phone = self._generator.choice(self._phones)
        phone.adb("disconnect", check=False)
        self._pause(1, 10)
        phone.adb("connect", ADDRESS, check=False)

    def disk_full(self) -> None:
        ballast = self.fleet.folder / f"{self._host()}_kept" / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb") as file:
            while True:
                file.write(bytes(1 << 20))
        self._pause(2, 10)
        ballast.unlink()

    def other_version(self) -> None:
        name = self._host()
        self.workers[name].kill()
        self.start_worker(name, PYTHONPATH=str(self._other_kit))
        self._pause(8, 15)
        self.workers[name].kill()
        self.start_worker(name)

    @property
    def faults(self) -> list[Callable[[], None]]:
        return [
            self.worker_killed,
            self.device_process_killed,
            self.scheduler_killed,
            self.sweep_killed,
            self.network_cut,
            self.phone_unplugged,
            self.disk_full,
            self.other_version,
        ]


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")
    return ""


def another_version(folder: Path) -> Path:
    """Return a folder with the kit as it is, but for its version."""
    shutil.copytree(KIT, folder / "model_profiling", ignore=shutil.ignore_patterns("__pycache__", "build*"))
    file = folder / "model_profiling" / "__init__.py"
    changed, times = re.subn(r'__version__ = "[^"]+"', '__version__ = "0.0.1"', file.read_text())
    assert times == 1
    file.write_text(changed)
    return folder


@contextlib.contextmanager
def lab(folder: Path, generator: random.Random) -> Iterator[Lab]:
    with contextlib.ExitStack() as stack:
        phones = []
        for number in (1, 2):
            (folder / f"phone_{number}").mkdir()
            hardware = replace(PLAIN, properties={**PROPERTIES, "ro.serialno": f"TEST000{number}"})
            phones.append(stack.enter_context(running_device(folder / f"phone_{number}", hardware)))
            phones[-1].adb("connect", ADDRESS)
        (folder / "fleet").mkdir()
        fleet = stack.enter_context(running_fleet(folder / "fleet", *HOSTS, "desk"))
        made = Lab(fleet, phones, generator, another_version(folder / "other_kit"))
        stack.callback(made.close)
        yield made


def sweep_under_faults(made: Lab, config: Path, wanted: int, generator: random.Random) -> Counter[str]:
    """Carry a sweep out while things break, and return how often what did; start it again whenever it has ended."""
    faults: list[Callable[[], None]] = []
    broken: Counter[str] = Counter()
    deadline, begun = time.monotonic() + _LIMIT_S, False
    while time.monotonic() < deadline:
        resume = ["--resume"] if (config.parent / "sweep" / "sweep.json").is_file() else []
        words = made.fleet.sweep_words(config, "--wait", 120, *resume)
        made.sweep, made.starts = made.fleet.start(made.fleet.hosts["desk"], *words), made.starts + 1
        while made.sweep.running() and time.monotonic() < deadline:
            time.sleep(generator.uniform(1, 12))
            if sum(broken.values()) < wanted and made.sweep.running():
                if not faults:
                    faults = generator.sample(made.faults, len(made.faults))
                fault = faults.pop()
                print(f"{time.strftime('%H:%M:%S')} {fault.__name__}", flush=True)
                fault()
                broken[fault.__name__] += 1
        status = made.sweep.wait(60)
        lines = made.sweep.said().splitlines()
        print(f"{time.strftime('%H:%M:%S')} the sweep ended with {status}: {lines[-1] if lines else ''}", flush=True)
        assert "Traceback" not in made.sweep.said(), made.sweep.said()
        if status == 0:
            return broken
        assert status in (1, 2, -signal.SIGKILL), made.sweep.said()
        time.sleep(2 if begun else 0)
        begun = True
    raise AssertionError("it did not end")


def compare_with_alone(made: Lab, desk: Path, alone: Path, keys: dict[str, object]) -> str:
    """Measure the sweep again on each device by itself, without a fleet; say how the two compare."""
    for worker in made.workers.values():
        worker.end()
    over_fleet = {cell.name: cell for cell in SweepSummary.read(desk / "sweep" / "sweep_summary.json").cells}
    same = agreeing = verdicts = 0
    for number, device in enumerate(keys["devices"]):
        folder = alone / str(number)
        folder.mkdir(parents=True)
        here = {"name": device["serial"], "serial": ADDRESS} if isinstance(device, dict) else device
        config = write_sweep_config(folder, **{**keys, "devices": [here]}, **small_experiments())
        kit("scripts/sweep.py", "--config", config, env=made.phone_of(device)).ok()
        for cell in SweepSummary.read(folder / "sweep" / "sweep_summary.json").cells:
            one, other = over_fleet.pop(cell.name).result.speedups[0], cell.result.speedups[0]
            mine, theirs = (RunDirectory(root / "sweep" / "cells" / cell.name) for root in (folder, desk))
            facts = [
                (held.model.sha256, [given.sha256 for given in held.inputs])
                for held in (mine.read_manifest(), theirs.read_manifest())
            ]
            same += facts[0] == facts[1]
            agreeing += one.interval.low <= other.interval.high and other.interval.low <= one.interval.high
            verdicts += one.verdict == other.verdict
    assert not over_fleet, f"cells that are not in the sweep alone: {list(over_fleet)}"
    return f"as without a fleet: programs and inputs of {same} cells, intervals of {agreeing}, verdicts of {verdicts}"


def check_records(sweep: Path) -> dict[str, int]:
    """Read what a sweep left, and return how much there is of it; raise where something is lost or was done twice."""
    summary = SweepSummary.read(sweep / "sweep_summary.json")
    assert all(cell.status == DONE for cell in summary.cells), [cell.name for cell in summary.cells]
    spans: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
    launches = 0
    for cell in summary.cells:
        run = RunDirectory(sweep / "cells" / cell.name)
        kit("scripts/validate_results.py", "--results", run.root).ok()
        good = Counter()
        for launch in run.read_launches():
            begin = datetime.fromisoformat(launch.started.replace("Z", "+00:00")).timestamp()
            spans[cell.device].append((begin, begin + launch.duration_s, cell.name))
            good[launch.experiment, launch.threads, launch.pair, launch.attempt] += launch.ok
            launches += 1
        assert max(good.values()) == 1, f"{cell.name}: a launch was made twice: {good}"
    overlaps = 0
    for measured in spans.values():
        measured.sort()
        for (_, end, name), (begin, _, other) in zip(measured, measured[1:], strict=False):
            overlaps += name != other and begin < end
    assert overlaps == 0, f"{overlaps} launches overlap on one device"
    aside = len([path for path in (sweep / "cells").iterdir() if path.name not in {c.name for c in summary.cells}])
    return {"cells": len(summary.cells), "launches": launches, "overlaps": overlaps, "set aside": aside}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=["toy_cnn", "toy_transformer"])
    parser.add_argument("--dtypes", nargs="+", default=["fp32", "fp16", "int8"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--alone", action="store_true", help="compare with the same sweep without a fleet")
    args = parser.parse_args()
    generator = random.Random(args.seed)
    os.environ.pop(SHARE_VARIABLE, None)
    os.environ[OFF_VARIABLE] = "1"
    os.environ.setdefault("PYTHONPATH", str(REPOSITORY))
    with tempfile.TemporaryDirectory(prefix="fleet_faults_") as name:
        folder = Path(name)
        for part in ("tmp", "desk"):
            (folder / part).mkdir()
        os.environ["TMPDIR"] = str(folder / "tmp")  # leases of this lab alone
        devices = ["local", {"serial": "TEST0001"}, {"serial": "TEST0002"}]
        keys = {"models": args.models, "dtypes": args.dtypes, "threads": args.threads, "devices": devices}
        config = write_sweep_config(folder / "desk", **keys, **small_experiments())
        began = time.monotonic()
        with lab(folder, generator) as made:
            broken = sweep_under_faults(made, config, args.faults, generator)
            took, starts = time.monotonic() - began, made.starts
            if args.alone:
                print(compare_with_alone(made, folder / "desk", folder / "alone", keys), flush=True)
        found = check_records(folder / "desk" / "sweep")
    print(f"\n{sum(broken.values())} faults in {took:.0f} s: {dict(broken)}; the sweep was started {starts} times")
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
