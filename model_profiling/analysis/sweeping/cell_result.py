# SPDX-License-Identifier: Apache-2.0
"""What one cell of a sweep came to: read from its run directory, or from the preview of an emulated CPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from model_profiling.analysis.advice.dominance import Cost
from model_profiling.analysis.advice.shipping import (
    PREVIEWED,
    ReachShare,
    ShippingOption,
    around,
    reach_shares,
    shipping_options,
)
from model_profiling.analysis.comparing.comparison import Comparison, Interval
from model_profiling.analysis.comparing.run_comparison import launch_times
from model_profiling.analysis.comparing.run_differences import cpu_name
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.kernel_names import SME2
from model_profiling.pipeline.preview_folder import SME2_VARIANT, PreviewFolder
from model_profiling.pipeline.program_records import read_records
from model_profiling.pipeline.run_directory import RunDirectory

_AGAIN = "run the sweep again with --resume"


@dataclass(frozen=True)
class CellSide:
    """One experiment of a cell: the time of an execution with its 95 % interval over launches, peak memory, load.

    `off` names the CPU features that it had switched off.
    """

    experiment: str
    off: tuple[str, ...]
    latency_ms: Cost
    memory_mib: float | None
    load_ms: float | None

    @classmethod
    def from_json(cls, held: JsonObject) -> CellSide:
        latency = Cost.from_json(held.within("latency_ms"))
        memory, load = held.maybe_number("memory_mib"), held.maybe_number("load_ms")
        return cls(held.text("experiment"), held.texts("off"), latency, memory, load)

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "off": list(self.off), "latency_ms": self.latency_ms.to_json()}


@dataclass(frozen=True)
class CellSpeedup:
    """What comparing two experiments of a cell gave; as `Comparison` has it, without its parts."""

    baseline: str
    candidate: str
    pairs: int
    speedup: float
    interval: Interval | None
    verdict: str

    @classmethod
    def of(cls, compared: Comparison) -> CellSpeedup:
        return cls(
            compared.baseline, compared.candidate, compared.pairs, compared.speedup, compared.interval, compared.verdict
        )

    @classmethod
    def from_json(cls, held: JsonObject) -> CellSpeedup:
        return cls(
            held.text("baseline"),
            held.text("candidate"),
            held.whole("pairs"),
            held.number("speedup"),
            Interval.from_json(held),
            held.text("verdict"),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "baseline": self.baseline,
            "candidate": self.candidate,
            "pairs": self.pairs,
            "speedup": self.speedup,
            "ci95": self.interval and self.interval.to_json(),
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class CellResult:
    """A finished cell. `cpu` is as people read it, `serial` the phone's, "" of others.

    `feature` is what was switched, None where nothing was. `options` are what could be shipped of what was measured,
    `reach` how much of the program reaches SME2. Of an emulated CPU there is `reach` alone.
    """

    cpu: str
    serial: str
    model_sha256: str
    executorch: str
    feature: str | None
    quick: bool
    sides: tuple[CellSide, ...] = ()
    speedups: tuple[CellSpeedup, ...] = ()
    options: tuple[ShippingOption, ...] = ()
    reach: ReachShare | None = None

    def side(self, experiment: str) -> CellSide:
        return next(side for side in self.sides if side.experiment == experiment)

    @classmethod
    def from_json(cls, held: JsonObject) -> CellResult:
        reach = held.maybe_within("reach")
        return cls(
            held.text("cpu"),
            held.text("serial"),
            held.text("model_sha256"),
            held.text("executorch"),
            held.maybe_text("feature"),
            held.flag("quick"),
            tuple(map(CellSide.from_json, held.each("sides"))),
            tuple(map(CellSpeedup.from_json, held.each("speedups"))),
            tuple(map(ShippingOption.from_json, held.each("options"))),
            None if reach is None else ReachShare.from_json(reach),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "cpu": self.cpu,
            "serial": self.serial,
            "model_sha256": self.model_sha256,
            "executorch": self.executorch,
            "feature": self.feature,
            "quick": self.quick,
            "sides": [side.to_json() for side in self.sides],
            "speedups": [speedup.to_json() for speedup in self.speedups],
            "options": [option.to_json() for option in self.options],
            "reach": self.reach and asdict(self.reach),
        }


def result_of_run(directory: RunDirectory) -> CellResult:
    """Return what an analyzed run came to.

    Raises
    ------
    UserError : no run, no analysis of it yet, or nothing of it counts.
    """
    manifest, summary = directory.read_manifest(), AnalysisSummary.read(directory)
    records = read_records(directory, manifest)
    sides: tuple[CellSide, ...] = ()
    options: tuple[ShippingOption, ...] = ()
    if manifest.config.timed and not manifest.emulated:  # else there are no times that mean anything
        times = launch_times(directory, manifest)
        options = tuple(shipping_options(manifest, summary, directory.read_launches(), times, records))
        sides = tuple(
            CellSide(
                name,
                tuple(manifest.disabled.get(name, ())),
                Cost(*around(times[name, threads], held.latency_ms.median if held.time_ms is None else held.time_ms)),
                held.peak_rss_mib,
                held.load_ms,
            )
            for name, threads, held in summary.experiments.entries()
        )
    first = manifest.config.experiments[0]
    shares = reach_shares(manifest, summary, records[0], first.name, first.threads[0])
    return CellResult(
        cpu_name(manifest),
        str(manifest.host.get("serial", "")),
        manifest.model.sha256,
        manifest.executorch.version,
        manifest.feature.label,
        manifest.quick,
        sides,
        tuple(map(CellSpeedup.of, summary.comparisons)) if sides else (),
        options,
        next(shares, None),
    )


def result_of_preview(folder: PreviewFolder) -> CellResult:
    """Return what a preview on an emulated CPU found; the share counts the CPU with SME2, where it had that."""
    held = JsonObject.read(folder.json, _AGAIN)
    variants, executorch = held.within("variants"), held.within("executorch")
    reach, cpu = None, ""
    if SME2_VARIANT in variants:
        variant = variants.within(SME2_VARIANT)
        cpu = variant.text("cpu")
        share = variant.within("coverage").within(SME2).maybe_number("share_of_multiply_adds")
        reach = None if share is None else ReachShare(share, PREVIEWED)
    digest = held.within("model").text("sha256")
    emulator = f"{held.text('emulator')}, -cpu {cpu}" if cpu else f"{held.text('emulator')}, a CPU without SME2"
    return CellResult(emulator, "", digest, executorch.text("version"), None, False, reach=reach)
