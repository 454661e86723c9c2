# SPDX-License-Identifier: Apache-2.0
"""Real runs of unusual shape, made with the real commands."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.kit import kit, write_config

#: A file name that is markup; a slash, and with it an end tag, no file name can hold.
HOSTILE_NAME = "<img src=x onerror=alert(1)> & `b` _u_ | [l](x)"


def arm(name: str, threads: list[int], **changes: object) -> dict[str, object]:
    """Return a small experiment of a configuration."""
    return {"name": name, "mode": "timing", "runs": 4, "warmup": 1, "traced_runs": 2, "threads": threads, **changes}


def make_run(folder: Path, model: Path, *flags: str, **changes: object) -> Path:
    """Run the pipeline in `folder` and return its run directory."""
    folder.mkdir(parents=True, exist_ok=True)
    kit("scripts/mac_pipeline.py", "--config", write_config(folder, model, **changes), *flags).ok()
    return folder / "run"


def renamed(model: Path, folder: Path, stem: str) -> Path:
    """Copy an exported model with what lies beside it under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".pte", ".json"):
        shutil.copy(model.with_suffix(suffix), folder / f"{stem}{suffix}")
    return folder / f"{stem}.pte"


def rich_run(folder: Path, model: Path) -> Path:
    """Return a quick run of three experiments at two thread counts, compared twice."""
    return make_run(
        folder,
        model,
        "--quick",
        experiments=[arm("with", [1, 2]), arm("without", [1, 2], disable_cpu_features="auto"), arm("again", [1, 2])],
        analysis={"compare_pairs": [["without", "with"], ["without", "again"]]},
    )


def deep_run(folder: Path, model: Path) -> Path:
    """Return a run of a model with more layers than a report shows at once."""
    return make_run(folder, model, pairs=6, experiments=[arm("on", [1]), arm("off", [1], disable_cpu_features="auto")])


def bare_run(folder: Path, model: Path) -> Path:
    """Return a run of one pair without traces, of a model whose name is markup."""
    return make_run(
        folder,
        renamed(model, folder / "model", HOSTILE_NAME),
        pairs=1,
        experiments=[arm("on", [1], traced_runs=0), arm("off", [1], traced_runs=0, disable_cpu_features="auto")],
    )


def lone_run(folder: Path, model: Path) -> Path:
    """Return a run of one experiment that nothing is compared with."""
    return make_run(folder, model, pairs=2, experiments=[arm("alone", [1])], analysis={"compare_pairs": []})


def two_program_run(folder: Path, before: Path, after: Path) -> Path:
    """Return a run of two programs that are compared."""
    return make_run(
        folder,
        before,
        pairs=6,
        experiments=[arm("before", [1]), arm("after", [1], model=str(after))],
        analysis={"compare_pairs": [["before", "after"]]},
    )
