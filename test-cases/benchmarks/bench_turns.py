# SPDX-License-Identifier: Apache-2.0
"""What remains of the other side in the caches: the ratio and the times by the number of executions in a turn.

To be run on a quiet machine. For turns of 2, 6, 20 and 60 executions, the first of which does not
count, it prints the ratio of feature off to on with its interval, and how much longer the 1st, 2nd,
3rd and 6th execution of a turn takes than the second half of the longest turns, in percent.

    python test-cases/benchmarks/bench_turns.py --model out_x/artifacts/x.pte
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from model_profiling.analysis.run import analyze
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import Config, Experiment
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.lockstep import turn_plan
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.run_directory import Launch

#: Executions of a turn; and the places in a turn whose executions are shown.
LENGTHS, PLACES = (2, 6, 20, 60), (1, 2, 3, 6)


def launches_with_turns_of(executions: int, model: Path, folder: Path, pairs: int) -> tuple[str, list[Launch]]:
    """Run an on/off experiment whose turns have so many executions; return what it came to, and its launches."""
    config = Config(
        model,
        folder / str(executions),
        (
            Experiment("on", warmup=3, traced_runs=0, runner="native"),
            Experiment("off", warmup=3, traced_runs=0, runner="native", disable_cpu_features="auto"),
        ),
        pairs=pairs,
        compare_pairs=(("off", "on"),),
    )
    planned = turn_plan._executions  # no flag of the kit sets it: it follows from the model
    turn_plan._executions = lambda execution_ns: executions
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            directory = orchestrator.run(config, LocalDevice(), RunOptions(Path("-"), "bench", seed=executions))
    finally:
        turn_plan._executions = planned
    compared = analyze(directory).summary.comparisons[0]
    low, high = (compared.interval.low, compared.interval.high) if compared.interval else (0.0, 0.0)
    return f"{compared.speedup:.3f} ({low:.3f} to {high:.3f})", directory.read_launches()


def typical(launches: Iterable[Launch], side: str, first: int, last: int) -> float:
    """Return the median ns of the executions from one place of a turn to another, counted from 1."""
    turns = [turn for launch in launches if launch.experiment == side for turn in launch.turns]
    return statistics.median(ns for turn in turns for ns in turn.ns[first - 1 : last])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = {n: launches_with_turns_of(n, args.model, Path(name), args.pairs) for n in LENGTHS}
    longest = LENGTHS[-1]
    settled = {side: typical(runs[longest][1], side, longest // 2, longest) for side in ("on", "off")}
    print(f"| executions of a turn | off / on | longer than settled, on (%): {', '.join(map(str, PLACES))} | off (%) |")
    print("|--:|---|---|---|")
    for length, (ratio, launches) in runs.items():
        excess = [
            ", ".join(
                f"{100 * (typical(launches, side, place, place) / settled[side] - 1):+.1f}"
                for place in PLACES
                if place <= length
            )
            for side in ("on", "off")
        ]
        print(f"| {length} | {ratio} | {excess[0]} | {excess[1]} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
