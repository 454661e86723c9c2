# SPDX-License-Identifier: Apache-2.0
"""One experiment of the kit as the command runs it, for benchmarks: configured, measured, its comparisons read."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import BURSTS, BUSY

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
#: What every benchmark's sides have in common: the kit's own native runner, and no traces.
SIDE = {"warmup": 3, "traced_runs": 0, "runner": "native"}


@dataclass(frozen=True)
class Compared:
    """One comparison: the ratio of times, its interval (None without one), and the verdict."""

    speedup: float
    low: float | None
    high: float | None
    verdict: str

    @property
    def half_width_percent(self) -> float:
        """Half of the interval's width on the log scale; infinite where too few pairs were left for one."""
        return math.inf if self.low is None or self.high is None else 100 * (math.sqrt(self.high / self.low) - 1)

    def overlaps(self, other: Compared) -> bool:
        """Whether the two intervals have a value in common."""
        return None not in (self.low, other.low) and self.low <= other.high and other.low <= self.high


def measure(
    folder: Path, config: Mapping[str, Any], pairs: Sequence[tuple[str, str]], seed: int, nice: int = 0
) -> list[Compared]:
    """Run an experiment in the new `folder` and return the comparisons of `pairs` (baseline, candidate)."""
    folder.mkdir(parents=True)
    whole = {
        **config,
        "output_root": str(folder / "run"),
        "analysis": {"compare_pairs": [list(pair) for pair in pairs]},
    }
    (folder / "config.json").write_text(json.dumps(whole))
    argv = [sys.executable, str(PIPELINE), "--config", str(folder / "config.json"), "--seed", str(seed)]
    done = subprocess.run(argv, capture_output=True, text=True, preexec_fn=lambda: os.nice(nice))
    summary = folder / "run/analysis_summary.json"
    if not summary.is_file():  # too many pairs of one after the other may be void under load
        print(done.stderr.strip().splitlines()[-1:] or done.stdout[-200:], file=sys.stderr)
        return [Compared(math.nan, None, None, "no verdict")] * len(pairs)
    return [
        Compared(c["speedup"], *(c["ci95"] or (None, None)), c["verdict"])
        for c in json.loads(summary.read_text())["comparisons"]
    ]


def launches_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the launches that `measure` made in a folder."""
    return [json.loads(line) for line in (folder / "run/launches.jsonl").read_text().splitlines()]
