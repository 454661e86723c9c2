# SPDX-License-Identifier: Apache-2.0
"""A run directory made of recorded traces, for tests that need no launches of their own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from model_profiling.pipeline.config import Config, Experiment
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.manifest import ExecuTorchVersion, Manifest, SwitchedFeature
from model_profiling.pipeline.measured_programs import ModelFile
from model_profiling.pipeline.run_directory import Launch, RunDirectory

MODEL = 'mv3 <script>"x", 1'
#: Baseline over candidate latency of the launches below.
SPEEDUP = 2.0


def make_run(
    root: Path, traces: dict[str, Path], pairs: int = 6, threads: tuple[int, ...] = (1,), **manifest: object
) -> RunDirectory:
    """Write a run directory whose experiments (baseline first) recorded `traces`; return it."""
    directory = RunDirectory(root)
    root.mkdir(parents=True)
    experiments = tuple(Experiment(name, threads=threads, runs=4) for name in traces)
    config = Config(Path(f"{MODEL}.pte"), root, experiments, pairs, 7, (tuple(traces),) if len(traces) == 2 else ())
    directory.write_manifest(
        replace(
            Manifest(
                kit_version="0",
                config_json=config.to_json(),
                config_path="c.json",
                command_lines=(),
                model=ModelFile(MODEL, f"{MODEL}.pte", "0", 1),
                executorch=ExecuTorchVersion("1.5.1", "0"),
                runner={},
                disabled=dict.fromkeys(traces, ()),
                cpu=CpuFeatures("x86_64", "CPU", frozenset(), 2),
                feature=SwitchedFeature("AVX-512", (), "auto", "AVX-512 on and off"),
                seed=7,
                quick=False,
                calibration=False,
                pairs=pairs,
                started="2026-01-01T00:00:00.000Z",
                finished="2026-01-01T00:01:00.000Z",
            ),
            **manifest,
        )
    )
    for count in threads:
        for pair in range(pairs):
            for order, name in enumerate(traces):
                add_launch(
                    directory, launch(directory, name, traces[name], pair, count, order, list(traces).index(name))
                )
    return directory


def launch(directory: RunDirectory, name: str, trace: Path, pair: int, threads: int, order: int, side: int) -> Launch:
    """Return a launch whose latencies give `SPEEDUP`, its trace copied into the directory."""
    raw = directory.raw(name, threads, pair, 0, ".etdump")
    raw.parent.mkdir(exist_ok=True)
    shutil.copyfile(trace, raw)
    base = (2_000_000 + 1_000 * pair) / SPEEDUP**side
    times = tuple(round(base * (1 + 0.001 * i)) for i in (-1, 0, 1, 2))
    return Launch(
        experiment=name,
        threads=threads,
        pair=pair,
        attempt=0,
        order=order,
        index=len(directory.read_launches()),
        started="2026-01-01T00:00:00.000Z",
        runner="native",
        argv=("runner",),
        exit_code=0,
        signal=None,
        duration_s=1.0,
        log="x.log",
        load_ms=1.5,
        latency_ns=times,
        traced_ns=tuple(t + 20_000 for t in times),
        traced_warmup=1,
        peak_rss_mib=10.0,
        etdump=raw.relative_to(directory.root).as_posix(),
    )


def add_launch(directory: RunDirectory, item: Launch, **changes: object) -> None:
    """Append a launch, with `changes` to it."""
    directory.append_launch(replace(item, **changes))
