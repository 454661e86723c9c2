# SPDX-License-Identifier: Apache-2.0
"""Do the two orders of measuring say the same? Each program with the feature on and off, in both, by turns.

To be run on a quiet machine: prints both ratios with their 95 % intervals, and whether these have
a value in common. Takes about 25 s a program and thread count.

    python test-cases/benchmarks/bench_agreement.py --threads 1 2 -- out_*/artifacts/*.pte
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measuring import SIDE, Compared, measure

PAIR = ("off", "on")


def measured(model: Path, folder: Path, order: str, threads: int, pairs: int, seed: int) -> Compared:
    side = {**SIDE, "threads": [threads]}
    sides = [{"name": "on", **side}, {"name": "off", "disable_cpu_features": "auto", **side}]
    config = {"model": str(model), "order": order, "pairs": pairs, "experiments": sides}
    return measure(folder, config, [PAIR], seed)[0]


def told(compared: Compared) -> str:
    return f"{compared.speedup:.3f} ({compared.low or 0:.3f} to {compared.high or 0:.3f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pairs", type=int, default=8)
    args = parser.parse_args()
    print("| program | threads | lockstep | launches | agree |")
    print("|---|--:|---|---|---|")
    apart = 0
    with tempfile.TemporaryDirectory() as name:
        for number, model in enumerate(args.models):
            for threads in args.threads:
                folder = Path(name) / f"{number}_{threads}"
                both = [
                    measured(model, folder / order, order, threads, args.pairs, number)
                    for order in ("lockstep", "launches")
                ]
                agree = both[0].overlaps(both[1])
                apart += not agree
                shown = " | ".join(map(told, both))
                print(f"| {model.stem} | {threads} | {shown} | {'yes' if agree else 'no'} |", flush=True)
    print(f"{apart} apart")
    return 0


if __name__ == "__main__":
    sys.exit(main())
