# SPDX-License-Identifier: Apache-2.0
"""The run directory: every file's name, and how its manifest and launches are read and written.

Files are appended to or renamed into place, so a run killed at any moment leaves a
directory that `--resume` takes up, losing at most the launch in flight.
"""

from __future__ import annotations

import fcntl
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypedDict

from model_profiling.errors import UserError
from model_profiling.files import append_json_line, drop_torn_line, make_folder, read_json, write_json, writing
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.launch_lists import read_launch_list, tuples
from model_profiling.pipeline.lockstep.rounds import TurnRecord
from model_profiling.pipeline.manifest import SCHEMA_VERSION, Manifest, manifest_digest

#: What a report points into, by its names in the run directory: results, and what is recorded of machine and programs.
SUMMARY_FILE, METRICS_FILE, CEILINGS_FILE = "analysis_summary.json", "metrics.json", "ceilings.json"
PROGRAM_RECORDS_FILE = "program_records.json"
TABLE_KINDS = ("all_runs_timeline", "run0_timeline", "ops_stats", "layers", "kernels")


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class OutputTensor(TypedDict):
    """An output of a launch, as its line describes it."""

    dtype: str
    shape: list[int]
    sha256: str


#: How a launch's outputs compare with those of another experiment of its pair; see `agreement.Agreement`.
OutputsCompared = TypedDict(
    "OutputsCompared",
    {
        "with": str,
        "identical": bool,
        "max_abs_error": "float | None",
        "max_rel_error": "float | None",
        "cosine": "float | None",
    },
)


#: How `void` begins of a launch that failed: the program's own fault, not a disturbance.
FAILED = "failed: "


@dataclass(frozen=True)
class Launch:
    """One line of launches.jsonl: one process that ran the model. Times are ns where named so."""

    experiment: str
    threads: int
    pair: int
    attempt: int
    order: int
    index: int
    started: str
    runner: str
    argv: tuple[str, ...]
    exit_code: int | None
    signal: str | None
    duration_s: float
    log: str
    schema_version: int = SCHEMA_VERSION
    threads_resolved: int | None = None
    load_ms: float | None = None
    warmup_ns: tuple[int, ...] = ()
    latency_ns: tuple[int, ...] = ()
    traced_ns: tuple[int, ...] = ()
    traced_warmup: int = 0
    peak_rss_mib: float | None = None
    masked_cpu_features: tuple[str, ...] = ()
    active_cpu_features: tuple[str, ...] = ()
    outputs: tuple[OutputTensor, ...] = ()
    agreement: tuple[OutputsCompared, ...] = ()
    etdump: str | None = None
    etdump_sha256: str | None = None
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    probe_ns: int | None = None
    void: str | None = None
    #: Of a pair whose processes took turns: every turn, and the time that makes ratios those of neighboring turns.
    turns: tuple[TurnRecord, ...] = ()
    paired_ns: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the process did its work; a void launch may still be ok."""
        return self.exit_code == 0 and bool(self.latency_ns)

    @property
    def counts(self) -> bool:
        return self.ok and self.void is None

    @property
    def counted_traced_ns(self) -> tuple[int, ...]:
        """The traced executions that count: without those that begin a turn."""
        return tuple(ns for turn in self.turns if turn.traced for ns in turn.counted_ns) or self.traced_ns

    @property
    def execution_ns(self) -> float:
        """The launch as one sample: the time that its rounds give it, else the median of its executions."""
        return statistics.median(self.latency_ns) if self.paired_ns is None else self.paired_ns

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: object) -> Launch:
        """Return the launch of one line; ValueError or TypeError where it is none."""
        known = {f.name for f in fields(cls)}
        if not isinstance(plain, dict):
            raise ValueError("not an object")
        if set(plain) - known:
            raise ValueError(f"unknown keys {sorted(set(plain) - known)}")
        values: dict[str, Any] = tuples(plain)
        values["turns"] = tuple(map(TurnRecord.from_line, values.get("turns", ())))
        launch = cls(**values)
        for name in ("warmup_ns", "latency_ns", "traced_ns"):
            times = getattr(launch, name)
            if not isinstance(times, tuple) or any(type(t) is not int or t <= 0 for t in times):
                raise ValueError(f"{name} holds an impossible time")
        return launch


class RunDirectory:
    """Names, reading and writing of everything under one `output_root`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.manifest = self.root / "manifest.json"
        self.launches = self.root / "launches.jsonl"
        self.kernel_launches = self.root / "kernel_launches.jsonl"
        self.metrics = self.root / METRICS_FILE
        self.analysis_summary = self.root / SUMMARY_FILE
        self.opportunities = self.root / "opportunities.csv"
        self.noise_floor = self.root / "noise_floor.json"
        self.ceilings = self.root / CEILINGS_FILE
        self.validation_report = self.root / "validation_report.json"
        self.report_md = self.root / "report.md"
        self.report_html = self.root / "report.html"
        self.figures = self.root / "figures"
        self.timeline_json = self.root / "timeline.json"
        self.model_graph = self.root / "model_graph.json"
        self.program_records = self.root / PROGRAM_RECORDS_FILE
        self.inputs = self.root / "inputs"
        self.work = self.root / ".work"
        self.device_settings = self.root / ".device_settings.json"
        self._lock = self.root / ".lock"

    def graph(self, program: int) -> Path:
        """Return where the layers of one of the run's programs lie (`Manifest.program_number`)."""
        return self.root / f"model_graph_{program + 1}.json" if program else self.model_graph

    def pipeline_summary_json(self, model_id: str) -> Path:
        return self.root / f"{model_id}_pipeline_summary.json"

    def pipeline_summary_md(self, model_id: str) -> Path:
        return self.root / f"{model_id}_pipeline_summary.md"

    def table(self, model_id: str, experiment: str, threads: int, kind: str) -> Path:
        """Return where a table of `kind` (one of `TABLE_KINDS`) lies."""
        if kind not in TABLE_KINDS:
            raise ValueError(kind)
        return self.root / experiment / f"{model_id}_{experiment}_t{threads}_{kind}.csv"

    def raw(self, experiment: str, threads: int, pair: int, attempt: int, suffix: str) -> Path:
        """Return a launch's raw file; a redone pair keeps the files of its void attempts."""
        redo = f"_redo{attempt}" if attempt else ""
        return self.root / experiment / f"{experiment}_t{threads}_p{pair}{redo}{suffix}"

    def kernel_raw(self, experiment: str, threads: int, suffix: str) -> Path:
        """Return a raw file of the launch that recorded an experiment's kernels; it is of no pair."""
        return self.raw(experiment, threads, 0, 0, suffix)

    def exists(self) -> bool:
        return self.manifest.is_file()

    def is_finished(self) -> bool:
        """Return whether every planned launch was made; False where the manifest does not say so."""
        try:
            manifest = json.loads(self.manifest.read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(manifest, dict) and manifest.get("finished") is not None

    def read_manifest(self) -> Manifest:
        """Return the manifest, or raise the `UserError` for a folder that is not a run."""
        if not self.root.is_dir():
            raise UserError(
                "there is no run directory",
                f"at {self.root}",
                "name the output_root of a finished run, or run mac_pipeline.py first",
            )
        if not self.manifest.is_file():
            raise UserError(
                "the folder holds no run (manifest.json is missing)",
                f"at {self.root}",
                "name the output_root of a run, or run mac_pipeline.py first",
            )
        plain = read_json(self.manifest, "manifest")
        if not isinstance(plain, dict) or plain.get("schema_version") != SCHEMA_VERSION:
            raise UserError(
                "the manifest is of another version of the kit",
                f"at {self.manifest}",
                "run the experiment again with this version",
            )
        if plain.get("digest") != manifest_digest(plain):
            raise UserError(
                "the manifest was edited after it was written (its digest does not match)",
                f"at {self.manifest}",
                "restore it or run the experiment again",
            )
        again = "restore it or run the experiment again"
        return Manifest.from_json(JsonObject(plain, f"at {self.manifest}", again, what="the manifest"))

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest with its digest, atomically."""
        plain = manifest.to_json()
        write_json(self.manifest, {**plain, "digest": manifest_digest(plain)})

    def read_launches(self) -> list[Launch]:
        """Return the recorded launches; a last line torn by a kill is left out.

        Raises
        ------
        UserError : a whole line that is not a launch.
        """
        return read_launch_list(self.launches, Launch.from_json)

    def append_launch(self, launch: Launch) -> None:
        append_json_line(self.launches, launch.to_json())

    def drop_torn_lines(self) -> None:
        """Make both lists of launches ready to be appended to."""
        drop_torn_line(self.launches)
        drop_torn_line(self.kernel_launches)

    def set_aside(self) -> Path:
        """Rename the whole directory to `<root>.<UTC time>` and return the new name."""
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        target, number = self.root.with_name(f"{self.root.name}.{stamp}"), 1
        while target.exists():
            target, number = self.root.with_name(f"{self.root.name}.{stamp}-{number}"), number + 1
        with writing(target):
            self.root.rename(target)
        return target

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory against a second run into it; the lock ends with the process."""
        make_folder(self.root)
        with writing(self._lock):
            file = open(self._lock, "w")  # closed below: what runs under the lock has failures of its own
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    "another run is writing", f"to {self.root}", "wait for it, or choose another output_root"
                ) from error
            yield


def newest_attempts(launches: Sequence[Launch]) -> dict[tuple[int, int], list[Launch]]:
    """Group launches by (threads, pair), keeping each pair's newest attempt alone.

    Within it, a launch that failed and was made again by `--resume` is represented by
    its last record.
    """
    newest: dict[tuple[int, int], dict[str, Launch]] = {}
    for launch in launches:
        held = newest.setdefault((launch.threads, launch.pair), {})
        if held and next(iter(held.values())).attempt < launch.attempt:
            held.clear()
        held[launch.experiment] = launch
    return {key: list(held.values()) for key, held in newest.items()}
