# SPDX-License-Identifier: Apache-2.0
"""How much narrower is an interval in lockstep than with one launch after the other? Both, by turns, under load.

Each repeat runs the same A/A experiment in both orders, one after the other, with the same number
of pairs and as many executions of each side: first in lockstep, whose rounds say how many; its
partner gets that many `runs`. Under each kind of load the half-widths of the 95 % intervals and
the medians' ratio are printed. Takes about 30 s a repeat and load.

    python test-cases/benchmarks/bench_order.py --model out_x/artifacts/x.pte
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from load import BURSTS, BUSY, loaded

PIPELINE = Path(__file__).resolve().parents[2] / "model_profiling" / "scripts" / "mac_pipeline.py"
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
#: Kind of load -> its programs, each with the core it is pinned to, and the nice value of the kit.
LOADS: dict[str, tuple[list[tuple[str, int | None]], int]] = {
    "nothing": ([], 0),
    "one busy loop on a core": ([(BUSY, CORES[0])], 0),
    "bursts": ([(BURSTS, None)], 0),
    "a busy loop on each of two cores": ([(BUSY, core) for core in CORES[:2]], 0),
    "the same, the kit at nice 10": ([(BUSY, core) for core in CORES[:2]], 10),
}


def measured(model: Path, folder: Path, order: str, runs: int, pairs: int, seed: int, nice: int) -> dict[str, float]:
    """Run one A/A experiment; return its half-width in percent, its seconds, and the executions of a side."""
    arm = {"runs": runs, "warmup": 3, "traced_runs": 0, "runner": "native"}
    config = {
        "model": str(model),
        "output_root": str(folder / "run"),
        "order": order,
        "pairs": pairs,
        "experiments": [{"name": "first", **arm}, {"name": "second", **arm}],
        "analysis": {"compare_pairs": [["first", "second"]]},
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    argv = [sys.executable, str(PIPELINE), "--config", str(folder / "config.json"), "--seed", str(seed)]
    started = time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=lambda: os.nice(nice))
    taken = time.monotonic() - started
    launches = [json.loads(line) for line in (folder / "run/launches.jsonl").read_text().splitlines()]
    executions = [sum(len(turn["ns"]) for turn in launch["turns"]) or len(launch["latency_ns"]) for launch in launches]
    return {
        "half_width_percent": half_width_percent(folder / "run/analysis_summary.json"),
        "seconds": taken,
        "executions": statistics.median(executions),
    }


def half_width_percent(summary: Path) -> float:
    """Return the half-width of the comparison's interval; infinite where too few pairs were left for one."""
    compared = json.loads(summary.read_text())["comparisons"] if summary.is_file() else []
    if not compared or compared[0]["ci95"] is None:
        return math.inf
    low, high = compared[0]["ci95"]
    return 100 * (math.sqrt(high / low) - 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--only", nargs="+", choices=LOADS, default=list(LOADS), metavar="LOAD")
    args = parser.parse_args()
    print("| beside it | lockstep, half-width (%) | launches, half-width (%) | times narrower | seconds each |")
    print("|---|---|---|--:|---|")
    for load in args.only:
        programs, nice = LOADS[load]
        sides: dict[str, list[dict[str, float]]] = {"lockstep": [], "launches": []}
        with loaded(programs), tempfile.TemporaryDirectory() as name:
            for repeat in range(args.repeats):
                runs = 20
                for order in sides:
                    folder = Path(name) / f"{order}_{repeat}"
                    sides[order].append(measured(args.model, folder, order, runs, args.pairs, repeat, nice))
                    runs = round(sides[order][-1]["executions"])
        widths = {order: [one["half_width_percent"] for one in results] for order, results in sides.items()}
        ratio = statistics.median(widths["launches"]) / statistics.median(widths["lockstep"])
        shown = {order: ", ".join(f"{width:.2g}" for width in sorted(values)) for order, values in widths.items()}
        seconds = " and ".join(f"{statistics.median(x['seconds'] for x in results):.0f}" for results in sides.values())
        print(f"| {load} | {shown['lockstep']} | {shown['launches']} | {ratio:.1f} | {seconds} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
