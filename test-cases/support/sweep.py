# SPDX-License-Identifier: Apache-2.0
"""Sweeps for tests: configurations, and cells that came to something without having been measured."""

from __future__ import annotations

import json
import random
from pathlib import Path

from model_profiling.analysis.advice.dominance import Cost
from model_profiling.analysis.advice.shipping import EXPORTED, ReachShare, ShippingOption, Task
from model_profiling.analysis.comparing.comparison import Interval
from model_profiling.analysis.sweeping.cell_result import CellResult, CellSide, CellSpeedup
from model_profiling.analysis.sweeping.summary import DONE, FAILED, MISSING, SweepSummary, SweptCell
from model_profiling.recorded_agreement import RecordedAgreement


def small_experiments() -> dict[str, object]:
    """Return keys of a sweep whose cells take as little time as they can."""
    arm = {"mode": "timing", "runs": 5, "warmup": 1, "traced_runs": 3}
    return {
        "pairs": 3,
        "seed": 7,
        "ceilings": False,
        "experiments": [{"name": "on", **arm}, {"name": "off", **arm, "disable_cpu_features": "auto"}],
        "analysis": {"compare_pairs": [["off", "on"]]},
    }


def write_sweep_config(folder: Path, **keys: object) -> Path:
    """Write a sweep's configuration into `folder` and return its path; its directory is `folder`/sweep."""
    path = folder / "sweep_config.json"
    path.write_text(json.dumps({"output_root": str(folder / "sweep"), "models": ["toy_cnn"], **keys}))
    return path


def pretended_result(generator: random.Random, threads: int, dtype: str, cpu: str = "A CPU") -> CellResult:
    """Return a result as a cell of the default experiments has it."""
    on = generator.uniform(0.1, 50)
    speedup = generator.uniform(0.7, 4)
    latency = {
        "on": Cost(0.98 * on, on, 1.03 * on),
        "off": Cost(0.97 * on * speedup, on * speedup, 1.02 * on * speedup),
    }
    sides = tuple(CellSide(name, ("sme2",) * (name == "off"), latency[name], 61.25, 3.5) for name in ("on", "off"))
    agreement = RecordedAgreement(1e-3, generator.uniform(1e-7, 0.1), 0.99999, 0.25, 0.98, True)
    task = Task(("adb", "aarch64", cpu), "net", "", ("1x3x96x96",))
    reach = ReachShare(0.87, EXPORTED)
    verdict = "faster" if speedup > 1.05 else "slower" if speedup < 0.95 else "no difference shown"
    return CellResult(
        cpu,
        "R5CT",
        "0" * 64,
        "1.5.1",
        "SME2",
        False,
        sides,
        (CellSpeedup("off", "on", 8, speedup, Interval(0.97 * speedup, 1.04 * speedup), verdict),),
        (ShippingOption("on", threads, task, latency["on"], 812456, Cost(60, 61.25, 62), 3.5, agreement, reach),),
        reach,
    )


def pretended_sweep(models: int, devices: int, seed: int = 0) -> SweepSummary:
    """Return a sweep of models in 5 recipes on 5 thread counts; one cell in 50 failed, one in 50 is missing."""
    generator = random.Random(seed)
    cells = []
    for model in (f"some_model_{number}" for number in range(models)):
        for dtype in ("fp32", "fp16", "int8", "8da8w", "8da4w_g32"):
            for threads in (1, 2, 3, 4, 8):
                for device in (f"phone_{number}" for number in range(devices)):
                    name = f"{model}_{dtype}_t{threads}_{device}"
                    status = generator.choices((DONE, FAILED, MISSING), (48, 1, 1))[0]
                    result = pretended_result(generator, threads, dtype, f"CPU of {device}") if status == DONE else None
                    reason = "the device R5CT is out of reach" if status == FAILED else ""
                    report = f"cells/{name}/report.html" if status == DONE else ""
                    log = f"logs/{name}.log"
                    cells.append(
                        SweptCell(
                            name,
                            model,
                            dtype,
                            threads,
                            None,
                            device,
                            status,
                            reason,
                            f"cells/{name}",
                            report,
                            log,
                            20.0,
                            result,
                        )
                    )
    return SweepSummary("0.1.0", "2026-01-02T03:04:05.000Z", 7, False, 3, tuple(cells), ())
