# SPDX-License-Identifier: Apache-2.0
"""How often does this machine get a verdict where nothing differs? A/A experiments under load.

Each experiment runs one arm against itself in randomized pairs with the native runner, while
another process keeps a core busy in random bursts. A verdict of "faster" or "slower" is
false by construction; over many experiments at most 5 % may be, within the binomial's own
scatter. Takes about 10 s an experiment.

    python test-cases/benchmarks/bench_false_verdicts.py --model out_x/artifacts/x.pte
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import sys
import tempfile
from pathlib import Path

from load import BURSTS, loaded
from scipy.stats import binom

from model_profiling.analysis.run import analyze
from model_profiling.paired_statistics import ALPHA, NO_DIFFERENCE
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import Config, Experiment
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.preparation import RunOptions


def one_experiment(model: Path, folder: Path, seed: int, pairs: int) -> dict:
    """Run one A/A experiment and return its comparison."""
    arm = {"runs": 20, "warmup": 3, "traced_runs": 0, "runner": "native"}
    config = Config(
        model,
        folder / f"aa_{seed}",
        (Experiment("first", **arm), Experiment("second", **arm)),
        pairs=pairs,
        compare_pairs=(("first", "second"),),
    )
    with contextlib.redirect_stdout(io.StringIO()):
        directory = orchestrator.run(config, LocalDevice(), RunOptions(Path("-"), "bench", seed=seed))
    comparison = analyze(directory).summary.comparisons[0]
    return comparison.to_json() | {"void": sum(launch.void is not None for launch in directory.read_launches())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--experiments", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    results = []
    with loaded([(BURSTS, None)]), tempfile.TemporaryDirectory() as folder:
        seeds = random.Random(args.seed)
        for number in range(args.experiments):
            result = one_experiment(args.model, Path(folder), seeds.randrange(2**31), args.pairs)
            results.append(result)
            low, high = result["ci95"]
            print(
                f"{number + 1:3}/{args.experiments}  {result['speedup']:.3f} [{low:.3f}, {high:.3f}]  "
                f"{result['pairs']} pairs, {result['void']} void launches  {result['verdict']}",
                flush=True,
            )
    judged = [r for r in results if r["verdict"] != "no verdict"]
    false = sum(r["verdict"] != NO_DIFFERENCE for r in judged)
    excluded = sum(not r["ci95"][0] <= 1 <= r["ci95"][1] for r in judged)
    bound = int(binom.ppf(0.975, len(judged), ALPHA))
    print(
        json.dumps(
            {
                "experiments": len(results),
                "judged": len(judged),
                "false_verdicts": false,
                "intervals_excluding_1": excluded,
                "binomial_bound_97.5_percent": bound,
            }
        )
    )
    return 0 if false <= bound else 1


if __name__ == "__main__":
    sys.exit(main())
