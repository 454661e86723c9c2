# SPDX-License-Identifier: Apache-2.0
"""Are verdicts right on a busy machine? A model against itself and against one that is known to take longer.

Each experiment has three sides that take turns: the model, the model again, and a larger one
(`--larger`, the same with a layer more). A verdict on the first two is false by construction;
of the first and the third the first has to be found faster. In a third of the experiments a
fourth side has the CPU's feature off: the model with it on must never be called slower. All of
it is counted under each kind of load. Takes about 12 s an experiment.

    python test-cases/benchmarks/bench_verdicts.py --model x.pte --larger y.pte
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from load import loaded
from measuring import LOADS, SIDE

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.run import analyze
from model_profiling.paired_statistics import FASTER, SLOWER
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import Config, Experiment
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.preparation import RunOptions


def one_experiment(args: argparse.Namespace, folder: Path, seed: int, with_off: bool) -> Sequence[Comparison]:
    """Measure in this process, without a report; the comparisons with "same", "larger" and perhaps "off"."""
    sides = [
        Experiment("model", **SIDE),
        Experiment("same", **SIDE),
        Experiment("larger", model=str(args.larger), **SIDE),
    ]
    if with_off:
        sides.append(Experiment("off", disable_cpu_features="auto", **SIDE))
    config = Config(
        args.model,
        folder,
        tuple(sides),
        pairs=args.pairs,
        compare_pairs=tuple((side.name, "model") for side in sides[1:]),
    )
    with contextlib.redirect_stdout(io.StringIO()):
        directory = orchestrator.run(config, LocalDevice(), RunOptions(Path("-"), "bench", seed=seed))
    return analyze(directory).summary.comparisons


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--larger", type=Path, required=True)
    parser.add_argument("--experiments", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=LOADS, default=list(LOADS), metavar="LOAD")
    args = parser.parse_args()
    print("| beside it | false verdicts | larger found slower | feature on called faster, slower | larger (median) |")
    print("|---|--:|--:|--:|--:|")
    failed = False
    for load in args.only:
        programs, nice = LOADS[load]
        seeds = random.Random(args.seed)
        with loaded(programs), tempfile.TemporaryDirectory() as name:
            os.nice(nice)  # for good: the loads that ask for it come last
            results = [
                compared
                for number in range(args.experiments)
                for compared in one_experiment(args, Path(name) / str(number), seeds.randrange(2**31), number % 3 == 0)
            ]
        same, larger, off = ([one for one in results if one.baseline == name] for name in ("same", "larger", "off"))
        false = sum(one.verdict in (FASTER, SLOWER) for one in same)
        found = sum(one.verdict == FASTER for one in larger)
        calls = Counter(one.verdict for one in off)
        effect = statistics.median(one.speedup for one in larger)
        of = args.experiments
        print(
            f"| {load} | {false} of {of} | {found} of {of} | {calls[FASTER]}, {calls[SLOWER]} | {effect:.3f}x |",
            flush=True,
        )
        failed |= false > 0.1 * of or found < 0.9 * of or calls[SLOWER] > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
