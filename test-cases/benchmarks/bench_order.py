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
import statistics
import sys
import tempfile
import time
from pathlib import Path

from load import loaded
from measuring import LOADS, SIDE, launches_of, measure


def measured(model: Path, folder: Path, order: str, runs: int | str, pairs: int, seed: int, nice: int) -> dict:
    """Run one A/A experiment; return its half-width in percent, its seconds, and the executions of a side."""
    sides = [{"name": name, "runs": runs, **SIDE} for name in ("first", "second")]
    config = {"model": str(model), "order": order, "pairs": pairs, "experiments": sides}
    started = time.monotonic()
    [compared] = measure(folder, config, [("first", "second")], seed, nice)
    taken = time.monotonic() - started
    executions = [
        sum(len(turn["ns"]) for turn in launch["turns"]) or len(launch["latency_ns"]) for launch in launches_of(folder)
    ]
    return {
        "half_width_percent": compared.half_width_percent,
        "seconds": taken,
        "executions": statistics.median(executions),
    }


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
        sides: dict[str, list[dict]] = {"lockstep": [], "launches": []}
        with loaded(programs), tempfile.TemporaryDirectory() as name:
            for repeat in range(args.repeats):
                runs: int | str = "auto"
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
