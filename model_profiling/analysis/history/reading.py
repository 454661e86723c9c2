# SPDX-License-Identifier: Apache-2.0
"""Reads a finished run directory to the rows that the history keeps of it; and finds run directories."""

from __future__ import annotations

import json
import os
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from model_profiling.analysis.advice.reaching_layers import holds_in
from model_profiling.analysis.comparing.run_differences import cpu_name
from model_profiling.analysis.comparing.sides import Blocks, counting_blocks, launch_median_ms
from model_profiling.analysis.history.rows import HistoryRow, RecordedRun, SeriesKey, Versions
from model_profiling.analysis.program_names import model_and_recipe
from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.workload import shape_word
from model_profiling.pipeline.program_records import KeptProgram, read_records
from model_profiling.pipeline.run_directory import Launch, RunDirectory
from model_profiling.unpaired_statistics import time_interval

_AGAIN = "restore it, or run the experiment again"
#: As many digits of a digest as tell files apart.
_SHA_DIGITS = 12


def find_runs(folders: Sequence[Path]) -> Iterator[RunDirectory]:
    """Yield the run directories among `folders` and anywhere below them, each once, by what they hold.

    Raises
    ------
    UserError : a folder is not there, or holds no run.
    """
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise UserError("there is no such folder", f"at {folder} (--runs)", "name run or sweep directories")
        found = False
        for root, inner, files in os.walk(folder):
            inner.sort()
            if "manifest.json" in files and _is_run(Path(root)):
                inner.clear()  # nothing below a run is another one
                found = True
                if Path(root).resolve() not in seen:
                    seen.add(Path(root).resolve())
                    yield RunDirectory(Path(root))
        if not found:
            raise UserError("no run lies there", f"at {folder} (--runs)", "name run or sweep directories")


def _is_run(folder: Path) -> bool:
    """Return whether the folder holds a run, be it a damaged one: manifests are also called so elsewhere."""
    if (folder / "launches.jsonl").is_file():
        return True
    try:
        held = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(held, dict) and {"kit_version", "executorch"} <= held.keys()


def read_recorded_run(directory: RunDirectory) -> RecordedRun:
    """Return what the history keeps of a run.

    Raises
    ------
    UserError : the run is unfinished, damaged or a calibration, or has nothing that was timed.
    """
    manifest = directory.read_manifest()
    if manifest.finished is None:
        raise UserError("the run is unfinished", f"in {directory.root}", "finish it with --resume")
    if manifest.calibration:
        raise UserError(
            "the run is an A/A calibration, which measures the machine", f"in {directory.root}", "name other runs"
        )
    launches = directory.read_launches() if directory.launches.is_file() else []
    if manifest.launches_sha256 and sha256(directory.launches) != manifest.launches_sha256:
        raise UserError("the launches are not those that were recorded", f"in {directory.launches}", _AGAIN)
    records = read_records(directory, manifest)
    blocks = counting_blocks(launches, manifest.config)
    rows = [_row(manifest, records, blocks, *key) for key in _measured(manifest, blocks)]
    if not rows:
        raise UserError("no pair of launches is complete", f"in {directory.root}", "run it again with --resume")
    digest = JsonObject.read(directory.manifest, _AGAIN).text("digest")
    return RecordedRun(digest, str(directory.root), manifest.started, manifest.finished, tuple(_told_apart(rows)))


def _measured(manifest: Manifest, blocks: Blocks) -> list[tuple[str, int]]:
    """Return the experiments and thread counts that have results."""
    timed = [(e.name, threads) for e in manifest.config.timed for threads in e.threads]
    return [
        (name, threads) for name, threads in timed if any(t == threads and name in b for (t, _), b in blocks.items())
    ]


def _row(
    manifest: Manifest, records: Sequence[KeptProgram], blocks: Blocks, name: str, threads: int
) -> tuple[str, HistoryRow]:
    own = [block[name] for (t, _), block in blocks.items() if t == threads and name in block]
    model, record = manifest.program(name).model, records[manifest.program_number(name)]
    held = record.agreement
    row = HistoryRow(
        _series(manifest, record, name, threads),
        _versions(manifest, name),
        len(own),
        size_bytes=None if model.data else model.bytes,
        coverage=_coverage(manifest, record),
        error=None if held is None else held.max_rel_error,
        agrees=None if held is None else held.passed,
    )
    return name, row if manifest.emulated else _timed(row, own)


def _timed(row: HistoryRow, launches: Sequence[Launch]) -> HistoryRow:
    times = [launch_median_ms(launch) for launch in launches]
    low, high = time_interval(times) or (None, None)
    loads = [launch.load_ms for launch in launches if launch.load_ms is not None]
    peaks = [launch.peak_rss_mib for launch in launches if launch.peak_rss_mib is not None]
    return replace(
        row,
        latency_ms=statistics.geometric_mean(times),
        low_ms=low,
        high_ms=high,
        load_ms=statistics.median(loads) if loads else None,
        memory_mib=statistics.median(peaks) if peaks else None,
        cpu_share=_cpu_share(launches),
    )


def _cpu_share(launches: Sequence[Launch]) -> float | None:
    turns = [turn for launch in launches for turn in launch.turns if not turn.traced and turn.cpu_ns is not None]
    wall = sum(turn.wall_ns for turn in turns)
    return sum(turn.cpu_ns or 0 for turn in turns) / wall if wall else None


def _series(manifest: Manifest, record: KeptProgram, name: str, threads: int) -> SeriesKey:
    program, cpu, host = manifest.program(name), manifest.cpu, manifest.host
    model, recipe = model_and_recipe(program, record)
    shapes = program.input_shapes or tuple(item.shape for item in program.inputs)
    serial = str(host.get("serial") or "")
    return SeriesKey(
        model=model,
        recipe=recipe,
        program=program.model.id,
        method=program.method or "",
        shapes=tuple(map(shape_word, shapes)),
        threads=threads,
        switched=manifest.feature.label or "",
        off=bool(manifest.disabled.get(name)) or name in manifest.feature.off,
        device=" ".join(filter(None, (manifest.device, serial))),
        cpu=f"{cpu_name(manifest)}, {cpu.cores} cores" if manifest.device == "local" else cpu_name(manifest),
        build=_system(manifest) if serial else "",
        emulated=manifest.emulated,
        runner=str((manifest.runner.get(name) or {}).get("name") or ""),
        cores=" ".join(map(str, manifest.affinity.get(name) or ())),
    )


def _versions(manifest: Manifest, name: str) -> Versions:
    executorch, runner = manifest.executorch, manifest.runner.get(name) or {}
    sha = executorch.git_sha[:_SHA_DIGITS]
    return Versions(
        manifest.kit_version,
        f"{executorch.version} ({sha})" if sha else executorch.version,
        manifest.program(name).model.sha256,
        str(runner.get("sha256") or ""),
        _system(manifest),
    )


def _system(manifest: Manifest) -> str:
    return " ".join(str(manifest.host[key]) for key in ("system", "release") if manifest.host.get(key))


def _coverage(manifest: Manifest, record: KeptProgram) -> float | None:
    for kept in (record.previewed, record.exported):
        if kept is not None and kept.share is not None and holds_in(kept, manifest.executorch.version):
            return kept.share
    return None


def _told_apart(rows: Sequence[tuple[str, HistoryRow]]) -> Iterator[HistoryRow]:
    """Yield rows; those that share their series within one run are told apart by their experiments' names."""
    shared = Counter(row.series for _, row in rows)
    for name, row in rows:
        yield row if shared[row.series] == 1 else replace(row, series=replace(row.series, variant=name))
