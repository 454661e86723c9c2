# SPDX-License-Identifier: Apache-2.0
"""What the history keeps of a run: a row for each experiment and thread count, typed, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class SeriesKey:
    """What rows must share to be comparable: a model as it was exported, how it ran, and on what.

    `program` is the name of the .pte without suffix. `switched` is the CPU feature that the run switched and `off`
    says that this side ran without it; `switched` is "" where nothing was switched. `device` names its kind and, of
    a phone, its serial number; `build` is that of an Android device, "" elsewhere. `cores` are those that launches
    were pinned to, "" where they were not. `variant` is the experiment's name where two of a run are otherwise alike.
    """

    model: str
    recipe: str
    program: str
    method: str
    shapes: tuple[str, ...]
    threads: int
    switched: str
    off: bool
    device: str
    cpu: str
    build: str
    emulated: bool
    runner: str
    cores: str = ""
    variant: str = ""

    @classmethod
    def from_json(cls, held: JsonObject) -> SeriesKey:
        texts = ("model", "recipe", "program", "method", "switched", "device", "cpu", "build", "runner", "cores")
        return cls(
            **{name: held.text(name) for name in (*texts, "variant")},
            shapes=held.texts("shapes"),
            threads=held.whole("threads"),
            off=held.flag("off"),
            emulated=held.flag("emulated"),
        )


@dataclass(frozen=True)
class Versions:
    """What a row was measured with; `model` is the .pte's SHA-256, `system` the device's system and its release."""

    kit: str
    executorch: str
    model: str
    runner: str
    system: str

    @classmethod
    def from_json(cls, held: JsonObject) -> Versions:
        return cls(*(held.text(name) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class HistoryRow:
    """The results of one experiment at one thread count.

    `latency_ms` is the geometric mean over launches with its 95 % interval (None of a single launch); it, `load_ms`
    and `memory_mib` (medians over launches) are None of an emulated CPU. `size_bytes` is None of a program whose
    weights lie in a file of their own. `coverage` is the share, 0 to 1, of matrix multiply-adds that reach SME2;
    `error` is the greatest difference from the eager model over the largest value. Both are None where not known.
    `cpu_share` is the processor time of the untraced turns over their wall time: about the number of threads on an idle
    machine, less where others ran; None of launches without turns.
    """

    series: SeriesKey
    versions: Versions
    launches: int
    latency_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    load_ms: float | None = None
    memory_mib: float | None = None
    size_bytes: int | None = None
    coverage: float | None = None
    error: float | None = None
    agrees: bool | None = None
    cpu_share: float | None = None

    @classmethod
    def from_json(cls, held: JsonObject) -> HistoryRow:
        numbers = ("latency_ms", "low_ms", "high_ms", "load_ms", "memory_mib", "coverage", "error", "cpu_share")
        return cls(
            series=SeriesKey.from_json(held.within("series")),
            versions=Versions.from_json(held.within("versions")),
            launches=held.whole("launches"),
            size_bytes=held.maybe_whole("size_bytes"),
            agrees=held.flag("agrees") if "agrees" in held else None,
            **{name: held.maybe_number(name) for name in numbers},
        )


@dataclass(frozen=True)
class RecordedRun:
    """A run in the history: `digest` is its manifest's, which covers what was run and every launch.

    `folder` is where it lay when it was read; times are ISO 8601 in UTC, as the run's own clock had them.
    """

    digest: str
    folder: str
    started: str
    finished: str
    rows: tuple[HistoryRow, ...]

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, held: JsonObject) -> RecordedRun:
        """Read it.

        Raises
        ------
        UserError : a key lacks or is of another shape.
        """
        return cls(
            held.text("digest"),
            held.text("folder"),
            held.text("started"),
            held.text("finished"),
            tuple(map(HistoryRow.from_json, held.each("rows"))),
        )


#: What tells two versions apart in words, by the field that holds it.
VERSION_FIELDS: Mapping[str, str] = {
    "kit": "kit",
    "executorch": "ExecuTorch",
    "model": "model",
    "runner": "runner",
    "system": "system",
}
