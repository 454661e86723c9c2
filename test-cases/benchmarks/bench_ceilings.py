# SPDX-License-Identifier: Apache-2.0
"""The kit's ceilings beside an independent measurement: OpenBLAS's sgemm (numpy) and a plain STREAM copy in C.

For each thread count the three take turns, a few rounds, and the best of each counts. To be run on a quiet machine:
the rate of memory is shared with whatever else runs.

    python test-cases/benchmarks/bench_ceilings.py --threads 1 2
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from model_profiling.pipeline import preparation
from model_profiling.pipeline.ceilings import SideCeilings
from model_profiling.pipeline.config import Config, Experiment
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.scripts.ceilings.measuring import measured_rates
from model_profiling.scripts.ceilings.program import ceilings_program

ARRAY_BYTES = 64 << 20
SIZES = (256, 512, 1024)
#: Prints the best GFLOP/s of a product of so many rows, of any of the sizes.
SGEMM = f"""
import time, numpy
best = 0.0
for size in {SIZES}:
    a, b = (numpy.random.default_rng(0).random((size, size), numpy.float32) for _ in range(2))
    out = numpy.empty_like(a)
    for _ in range(12):
        began = time.perf_counter()
        numpy.matmul(a, b, out=out)
        best = max(best, 2e-9 * size**3 / (time.perf_counter() - began))
print(best)
"""


def sgemm(threads: int) -> float:
    """Return OpenBLAS's best GFLOP/s."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    return float(subprocess.run([sys.executable, "-c", SGEMM], env=env, capture_output=True, check=True).stdout)


def built_copy(folder: Path) -> Path:
    """Build the copy; the compiler may not make a memcpy of it."""
    program, source = folder / "stream_copy", Path(__file__).with_name("stream_copy.c")
    flags = ["-O3", "-march=native", "-fno-tree-loop-distribute-patterns", "-pthread"]
    subprocess.run(["cc", *flags, "-o", program, source], check=True)
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    program, device = ceilings_program("fp32"), LocalDevice()
    [prepared], _ = preparation.prepare_experiments(Config(program, Path("-"), (Experiment("on"),)), device)
    with tempfile.TemporaryDirectory() as folder:
        copy = built_copy(Path(folder))
        for threads in args.threads:
            peaks, rates, products, copies = [], [], [], []
            for _ in range(args.rounds):
                peak, moved = measured_rates(program, prepared, threads, device)
                peaks.append(peak)
                rates.append(SideCeilings((), threads, True, {}, moved).bandwidth_gb_s() or 0.0)
                products.append(sgemm(threads))
                copies.append(float(subprocess.check_output([copy, str(threads), str(ARRAY_BYTES)])))
            print(f"{threads} threads: kit {max(peaks):.1f} GFLOP/s, OpenBLAS {max(products):.1f}, "
                  f"ratio {max(peaks) / max(products):.2f}; kit {max(rates):.1f} GB/s, C {max(copies):.1f}, "
                  f"ratio {max(rates) / max(copies):.2f}")  # fmt: skip
            print("  each round:", *(f"{a:.0f}/{b:.0f} GFLOP/s {c:.1f}/{d:.1f} GB/s;" for a, b, c, d in
                                     zip(peaks, products, rates, copies, strict=True)))  # fmt: skip


if __name__ == "__main__":
    main()
