# SPDX-License-Identifier: Apache-2.0
"""What does a fleet of hundreds of devices cost? The real scheduler and sweep, devices and cells that only pretend.

Each device is a Dask worker that offers a phone; many share a process, as no host here holds 200. A cell takes a time
drawn around `--cell-s`, and leaves copies of the recorded reference run's files. So all that is the fleet's own is
real: placing, messages, files by their digests, notes, the page. Printed for each size: how many cells a second go
through, which is what breaks first; time that a device stands still between two cells; memory; the page.

    PYTHONPATH=.:test-cases python test-cases/benchmarks/bench_fleet_scale.py --sizes 250x50 5000x200
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from support.kit import FIXTURES, KIT, REPOSITORY
from support.sweep import pretended_result, small_experiments, write_sweep_config

from model_profiling.fleet.directory import JobNote, SweepDirectory
from model_profiling.fleet.hosts import errands
from model_profiling.fleet.hosts.dask_parts import load_distributed, security
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.sent_files import files_below, sent_files
from model_profiling.fleet.hosts.store import Store
from model_profiling.fleet.hosts.travelling import JobAnswer, Order
from model_profiling.fleet.wanted_device import ADB

#: Devices that share a process, and a Python's event loop.
_SHARED = 25
_REFERENCE = FIXTURES / "reference_run" / "mac"


def pretend_measure(words: str) -> str:
    """Stand in for `errands.measure`: take a while, and leave a run's files."""
    order = Order.read(words)
    cell = str(order.job["name"])
    generator = random.Random(cell)
    time.sleep(float(os.environ["CELL_S"]) * generator.lognormvariate(0, 0.3))
    directory = SweepDirectory(errands._serving[0].store.sweep(order.sweep))
    run = directory.cells / cell
    shutil.copytree(_REFERENCE, run, dirs_exist_ok=True, copy_function=shutil.copyfile)
    result = pretended_result(generator, 1, "fp32", f"CPU of {order.device}")
    note = JobNote(cell, "done", serial=order.device, seconds=1.0, result=result)
    return JobAnswer(note, True, tuple(sent_files(run, files_below(run)))).words()


async def _pretend(url: str, first: int, count: int, folder: Path) -> None:
    """Be some devices; what they keep they keep together."""
    distributed = load_distributed()
    workers = []
    for number in range(first, first + count):
        serial = f"P{number}"
        names = {"soc": (f"SoC{number % 4}", "Test"), "model": (f"phone {number}", "Test")}
        offer = Offer(serial, serial, f"lab-{first}", ADB, f"CPU of {serial}", ("sme2",), serial, names)
        errands.begin_serving(offer, Store(folder))
        worker = distributed.Worker(
            url,
            nthreads=1,
            name=serial,
            resources=offer.resources,
            memory_limit=0,
            security=security(None),
            local_directory=str(folder / serial),
            dashboard_address="127.0.0.1:0",
            startup_information={"offer": lambda _, offer=offer: offer.to_json()},
        )
        workers.append(await worker)
    print("ready", flush=True)
    await asyncio.gather(*(worker.finished() for worker in workers))


@contextlib.contextmanager
def pretended_fleet(devices: int, folder: Path, cell_s: float) -> Iterator[tuple[str, int]]:
    """Yield the address of a scheduler with so many devices, and the scheduler's process."""
    port, children = 8787, []
    environment = {**os.environ, "CELL_S": str(cell_s), "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'test-cases'}"}
    try:
        words = [sys.executable, str(KIT / "scripts/fleet_worker.py"), "--start-scheduler", f"127.0.0.1:{port}"]
        children.append(subprocess.Popen(words, stdout=subprocess.PIPE, env=environment))
        assert b"scheduler" in children[0].stdout.readline()
        for first in range(0, devices, _SHARED):
            given = [f"tcp://127.0.0.1:{port}", first, min(_SHARED, devices - first), folder / f"kept_{first}"]
            words = [sys.executable, __file__, "--pretend", *map(str, given)]
            children.append(subprocess.Popen(words, stdout=subprocess.PIPE, env=environment))
        for child in children[1:]:
            assert child.stdout.readline() == b"ready\n"
        yield f"127.0.0.1:{port}", children[0].pid
    finally:
        for child in reversed(children):
            child.kill()
            child.wait()
            child.stdout.close()


class Watch:
    """The most memory that processes took, in MiB."""

    def __init__(self, **processes: int) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self.most_mib = dict.fromkeys(processes, 0.0)
        self.cpu_s = dict.fromkeys(processes, 0.0)
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            for name, process in self._processes.items():
                with contextlib.suppress(psutil.Error):
                    self.most_mib[name] = max(self.most_mib[name], process.memory_info().rss / 2**20)
                    self.cpu_s[name] = sum(process.cpu_times()[:2])
            time.sleep(0.2)


def measure_size(cells: int, devices: int, cell_s: float) -> str:
    """Carry a sweep of so many cells over so many devices out, and return a row of the table."""
    with tempfile.TemporaryDirectory(prefix="fleet_scale_") as name:
        folder = Path(name)
        pte = folder / "net_xnnpack_fp32.pte"
        pte.write_bytes(random.Random(0).randbytes(1 << 20))
        keys = {
            "models": [str(pte)],
            "threads": list(range(1, cells // devices + 1)),
            "devices": [{"serial": f"P{number}"} for number in range(devices)],
        }
        config = write_sweep_config(folder, **keys, **small_experiments())
        with pretended_fleet(devices, folder, cell_s) as (address, scheduler):
            began = time.monotonic()
            words = [sys.executable, str(KIT / "scripts/sweep.py"), "--config", str(config), "--scheduler", address]
            log = folder / "sweep.log"
            with open(log, "wb") as said:
                sweep = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT)
                watch = Watch(sweep=sweep.pid, scheduler=scheduler)
                status = sweep.wait()
            took = time.monotonic() - began
        assert status == 0, log.read_text()[-3000:]
        page = (folder / "sweep" / "sweep.html").stat().st_size / 1e6
        page_s = _page_seconds(config)
    rounds = cells / devices
    ideal_s = rounds * cell_s * 1.05  # the mean of what is drawn
    return (
        f"| {cells:,} | {devices} | {took:.0f} s | {cells / took:.1f} | {1000 * took / cells:.0f} ms | "
        f"{max(0.0, took - ideal_s) / rounds:.2f} s | {1000 * watch.cpu_s['sweep'] / cells:.0f} ms | "
        f"{1000 * watch.cpu_s['scheduler'] / cells:.0f} ms | {watch.most_mib['sweep']:.0f} MiB | "
        f"{watch.most_mib['scheduler']:.0f} MiB | {page:.2f} MB | {page_s:.1f} s |"
    )


def _page_seconds(config: Path) -> float:
    """Return how long the summary and the page of a sweep take, from its files."""
    from model_profiling.fleet.config import load_sweep_config
    from model_profiling.fleet.plan import make_plan
    from model_profiling.fleet.sweep import Sweep

    loaded = load_sweep_config(config)
    directory = SweepDirectory(loaded.output_root)
    record = directory.read_record()
    assert record is not None
    sweep = Sweep(make_plan(loaded, record.seed), directory, record)
    began = time.monotonic()
    sweep.write()
    return time.monotonic() - began


def main() -> int:
    if sys.argv[1:2] == ["--pretend"]:
        errands.measure = pretend_measure  # which a sweep asks for by its name
        url, first, count, folder = sys.argv[2:]
        Path(folder).mkdir()
        asyncio.run(_pretend(url, int(first), int(count), Path(folder)))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started ends with it
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["250x50", "1000x100", "5000x200"], metavar="CELLSxDEVICES")
    parser.add_argument("--cell-s", type=float, default=2.0, help="how long a cell takes: short, so that it shows")
    args = parser.parse_args()
    columns = (
        "cells",
        "devices",
        "took",
        "cells a second",
        "a cell",
        "a device stands still between cells",
        "CPU a cell, sweep",
        "CPU a cell, scheduler",
        "memory, sweep",
        "memory, scheduler",
        "page",
        "page written in",
    )
    print(f"| {' | '.join(columns)} |\n|{'--:|' * len(columns)}", flush=True)
    for size in args.sizes:
        cells, devices = map(int, size.split("x"))
        print(measure_size(cells, devices, args.cell_s), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
