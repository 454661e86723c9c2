# SPDX-License-Identifier: Apache-2.0
"""Runs on record, changed as if they had been measured otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_profiling.files import sha256
from model_profiling.pipeline.run_directory import RunDirectory

Line = dict[str, Any]


def scaled(line: Line, factor: float) -> Line:
    """Return a launch's line as if its untraced executions had taken `factor` times as long."""

    def times(values: list[int]) -> list[int]:
        return [round(value * factor) for value in values]

    paired = line.get("paired_ns")
    turns = [turn if turn["traced"] else turn | {"ns": times(turn["ns"])} for turn in line.get("turns", [])]
    return line | {"latency_ns": times(line["latency_ns"]), "turns": turns, "paired_ns": paired and paired * factor}


def edit_launches(run: Path, change: Callable[[Line], Line]) -> Path:
    """Change every line of a run's launches.jsonl."""
    file = run / "launches.jsonl"
    lines = [change(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return run


def edited_run(
    source: Path, folder: Path, started: str, change: Callable[[Line], Line] = lambda line: line, **manifest: object
) -> Path:
    """Copy what a history reads of a run, as if made at another time, with other launches, under another manifest.

    The copy is an edited one: its manifest has digests of its own.
    """
    folder.mkdir(parents=True)
    for name in ("manifest.json", "launches.jsonl", "program_records.json"):
        if (source / name).is_file():
            shutil.copy(source / name, folder)
    edit_launches(folder, change)
    directory = RunDirectory(folder)
    held = directory.read_manifest()
    times = {"started": started, "finished": started}
    directory.write_manifest(replace(held, **{**times, "launches_sha256": sha256(directory.launches), **manifest}))
    return folder
