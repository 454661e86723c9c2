# SPDX-License-Identifier: Apache-2.0
"""Which program to ship, on how many threads: what each costs in time, size, memory and accuracy. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from model_profiling.analysis.advice.dominance import Cost, Option, unbeaten
from model_profiling.analysis.advice.reaching_layers import holds_in
from model_profiling.analysis.comparing.run_comparison import LaunchTimes
from model_profiling.analysis.comparing.run_differences import cpu_of
from model_profiling.analysis.kernels.entries import CalledKernels
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.export.recipes import label_in, recipes
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.kernel_names import SME2
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.workload import shape_word
from model_profiling.pipeline.program_records import KeptProgram
from model_profiling.pipeline.run_directory import Launch
from model_profiling.recorded_agreement import RecordedAgreement
from model_profiling.unpaired_statistics import time_interval

#: Programs this close to the eager model differ from it by the order of additions: fp32's limit, as a relative error.
AS_EXACT = recipes()["fp32"].limit.max_rel_error

#: Peaks of memory within this share of each other are no reason to choose: the runner's own pages differ as much.
MEMORY_RESOLUTION = 0.05

CALLED, EXPORTED, PREVIEWED = "called", "exported", "previewed"


@dataclass(frozen=True)
class ReachShare:
    """The share of matrix multiply-adds that reach SME2, 0 to 1, and what says so.

    `evidence` is `CALLED` (kernels of the run, recorded in `experiment` at `threads`), `EXPORTED` or `PREVIEWED`.
    """

    share: float
    evidence: str
    experiment: str = ""
    threads: int = 0

    @classmethod
    def from_json(cls, held: JsonObject) -> ReachShare:
        return cls(held.number("share"), held.text("evidence"), held.text("experiment"), held.whole("threads"))


@dataclass(frozen=True)
class Task:
    """What options have to share to be alternatives: a CPU (`cpu_of`), a model, its method, its inputs' shapes."""

    cpu: tuple[str, str, str]
    model: str
    method: str
    shapes: tuple[str, ...]

    @classmethod
    def from_json(cls, held: JsonObject) -> Task:
        cpu = held.texts("cpu")
        if len(cpu) != 3:
            raise held.refused('"cpu" has not three parts')
        return cls((cpu[0], cpu[1], cpu[2]), held.text("model"), held.text("method"), held.texts("shapes"))


@dataclass(frozen=True)
class ShippingOption:
    """A program on a number of threads, as it was measured: one experiment of a run, with no feature switched off.

    `latency_ms` has the 95 % interval over launches, `memory_mib` the range of the launches' peaks. `size_bytes` is
    None of a program whose weights lie in a file of their own.
    """

    experiment: str
    threads: int
    task: Task
    latency_ms: Cost
    size_bytes: int | None
    memory_mib: Cost | None
    load_ms: float | None
    agreement: RecordedAgreement | None
    reach: ReachShare | None

    @classmethod
    def from_json(cls, held: JsonObject) -> ShippingOption:
        memory, agreement, reach = map(held.maybe_within, ("memory_mib", "agreement", "reach"))
        return cls(
            held.text("experiment"),
            held.whole("threads"),
            Task.from_json(held.within("task")),
            Cost.from_json(held.within("latency_ms")),
            held.maybe_whole("size_bytes"),
            None if memory is None else Cost.from_json(memory),
            held.maybe_number("load_ms"),
            None if agreement is None else RecordedAgreement.from_json(agreement),
            None if reach is None else ReachShare.from_json(reach),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "experiment": self.experiment,
            "threads": self.threads,
            "task": asdict(self.task),
            "latency_ms": self.latency_ms.to_json(),
            "size_bytes": self.size_bytes,
            "memory_mib": self.memory_mib and self.memory_mib.to_json(),
            "load_ms": self.load_ms,
            "agreement": self.agreement and self.agreement.to_json(),
            "reach": self.reach and asdict(self.reach),
        }

    @property
    def rel_error(self) -> float | None:
        """The greatest difference from the eager model over the largest value, infinite where that is not finite.

        None where it is not known.
        """
        if self.agreement is None:
            return None
        return math.inf if self.agreement.max_rel_error is None else self.agreement.max_rel_error

    @property
    def as_option(self) -> Option:
        """Latency, size and error, and coarsely the memory; the last two count from where they say something."""
        size = None if self.size_bytes is None else Cost.exactly(self.size_bytes)
        error = None if self.rel_error is None else Cost.exactly(max(self.rel_error, AS_EXACT))
        memory = self.memory_mib
        if memory is not None:
            reach = MEMORY_RESOLUTION / 2 * memory.value
            memory = Cost(min(memory.low, memory.value - reach), memory.value, max(memory.high, memory.value + reach))
        return Option((self.latency_ms, size, error), memory)


def shipping_options(
    manifest: Manifest,
    summary: AnalysisSummary,
    launches: Sequence[Launch],
    times: LaunchTimes,
    records: Sequence[KeptProgram],
) -> Iterator[ShippingOption]:
    """Yield what a run measured that could be shipped, in the summary's order.

    An experiment whose CPU features were switched off, or left out of its build, is there to be compared with, unless
    all of them were.
    """
    timed = list(dict.fromkeys(name for name, _, _ in summary.experiments.entries()))
    whole = [name for name in timed if not (manifest.disabled.get(name) or name in manifest.feature.off)]
    for name, threads, held in summary.experiments.entries():
        if name not in (whole or timed):
            continue
        record = records[manifest.program_number(name)]
        own = times[name, threads]
        value = held.latency_ms.median if held.time_ms is None else held.time_ms
        yield ShippingOption(
            name,
            threads,
            _task(manifest, name, record),
            Cost(*around(own, value)),
            None if manifest.program(name).model.data else manifest.program(name).model.bytes,
            _memory(launches, name, threads, held.peak_rss_mib),
            held.load_ms,
            record.agreement,
            next(reach_shares(manifest, summary, record, name, threads), None),
        )


def by_task(options: Sequence[ShippingOption]) -> Mapping[Task, list[int]]:
    """Return the places of options that are alternatives of each other, in their order."""
    grouped: dict[Task, list[int]] = {}
    for place, option in enumerate(options):
        grouped.setdefault(option.task, []).append(place)
    return grouped


def unbeaten_options(options: Sequence[ShippingOption]) -> tuple[bool, ...]:
    """Return of each option whether none of its alternatives beats it."""
    marked = [False] * len(options)
    for places in by_task(options).values():
        for place, best in zip(places, unbeaten([options[place].as_option for place in places]), strict=True):
            marked[place] = best
    return tuple(marked)


def fastest(options: Sequence[ShippingOption]) -> ShippingOption:
    """Return the fastest of alternatives, of those that agree with the eager model where any does."""
    agreeing = [option for option in options if option.agreement is None or option.agreement.passed]
    return min(agreeing or options, key=lambda option: option.latency_ms.value)


def most_exact(options: Sequence[ShippingOption]) -> ShippingOption | None:
    """Return the option nearest to the eager model, the fastest of equally exact ones; None where none is known."""
    known = [(error, option) for option in options if (error := option.rel_error) is not None]
    if not known:
        return None
    return min(known, key=lambda one: (max(one[0], AS_EXACT), one[1].latency_ms.value))[1]


def not_told_apart(option: ShippingOption, options: Sequence[ShippingOption]) -> list[ShippingOption]:
    """Return the others whose latency may be the same: their intervals overlap."""
    mine = option.latency_ms
    return [
        other
        for other in options
        if other is not option and other.latency_ms.low <= mine.high and mine.low <= other.latency_ms.high
    ]


def around(times_ms: Sequence[float], value: float) -> tuple[float, float, float]:
    """Return a time within its interval; of a single launch nothing bounds it."""
    low, high = time_interval(times_ms) or (0.0, math.inf)
    return min(low, value), value, max(high, value)


def _task(manifest: Manifest, name: str, record: KeptProgram) -> Task:
    program = manifest.program(name)
    model = program.model.id
    named = model.removesuffix(f"_{label_in(model)}").removesuffix("_xnnpack")
    inputs = program.input_shapes or tuple(item.shape for item in program.inputs)
    return Task(cpu_of(manifest), record.model or named, program.method or "", tuple(map(shape_word, inputs)))


def _memory(launches: Sequence[Launch], name: str, threads: int, median: float | None) -> Cost | None:
    peaks = [
        launch.peak_rss_mib
        for launch in launches
        if launch.counts and (launch.experiment, launch.threads) == (name, threads) and launch.peak_rss_mib is not None
    ]
    return None if median is None or not peaks else Cost(min(peaks), median, max(peaks))


def reach_shares(
    manifest: Manifest, summary: AnalysisSummary, record: KeptProgram, name: str, threads: int
) -> Iterator[ReachShare]:
    """Yield what tells how much reaches SME2: kernels that the run recorded go first, the same thread count of them."""
    recorded = [
        (at != threads, other, at, entry.coverage.share)
        for other, at, entry in summary.kernels.entries()
        if isinstance(entry, CalledKernels)
        and entry.coverage is not None
        and manifest.same_program(other, name)
        and SME2 in manifest.cpu.names
        and not manifest.disabled.get(other)
    ]
    for _, other, at, share in sorted(recorded, key=lambda one: one[0]):
        yield ReachShare(share, CALLED, other, at)
    for evidence, kept in ((PREVIEWED, record.previewed), (EXPORTED, record.exported)):
        if kept is not None and kept.share is not None and holds_in(kept, manifest.executorch.version):
            yield ReachShare(kept.share, evidence)
