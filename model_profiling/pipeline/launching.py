# SPDX-License-Identifier: Apache-2.0
"""One launch: start the runner on the device, bring back what it wrote, record all of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model_profiling.errors import MeasurementError
from model_profiling.files import make_folder, sha256, writing
from model_profiling.pipeline.config import Experiment
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.kernel_recording import LAUNCH_LIMIT_S
from model_profiling.pipeline.lockstep.rounds import TurnRecord, counted_executions
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.output_agreement import described, fit, outputs_compared
from model_profiling.pipeline.run_directory import FAILED, Launch, OutputsCompared, RunDirectory, utc_now
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, Runner
from model_profiling.pipeline.runners.tensors import read_tensors
from model_profiling.processes import ChildResult
from model_profiling.wording import count

#: A launch whose probe is this much over the run's baseline shared its core or ran at a
#: lower clock; 10 % is well above the probe's own scatter on an idle machine (about 2 %).
PROBE_LIMIT = 1.10


@dataclass(frozen=True)
class PreparedExperiment:
    """One experiment made ready to launch: its runner, what to switch off, where to pin."""

    experiment: Experiment
    runner: Runner
    disabled: tuple[str, ...]
    affinity: tuple[int, ...] | None


@dataclass(frozen=True)
class Place:
    """Which launch of the plan this is."""

    pair: int
    threads: int
    attempt: int
    order: int
    index: int


@dataclass(frozen=True)
class Executions:
    """How many executions a launch makes without the tracer and with it."""

    timed: int
    traced: int


@dataclass(frozen=True)
class Begun:
    """A launch that is about to be made, or that runs: its line so far, and what starts it."""

    launch: Launch
    request: LaunchRequest
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    work: Path

    def ended(self, child: ChildResult, after: Mapping[str, object], probe_ns: int | None) -> Launch:
        """Return its line with how the process ended."""
        return replace(
            self.launch,
            argv=child.argv,
            exit_code=child.exit_code,
            signal=child.signal,
            duration_s=round(child.duration_s, 6),
            probe_ns=probe_ns,
            after=after,
        )


@dataclass(frozen=True)
class TurnsTaken:
    """The turns of one launch of a pair, and the time that they give it (`lockstep.rounds.side_times_ns`)."""

    turns: tuple[TurnRecord, ...]
    paired_ns: float


@dataclass(frozen=True)
class Outcome:
    """A recorded launch and, while its pair lasts, its output tensors."""

    launch: Launch
    tensors: tuple[np.ndarray, ...]


class Launcher:
    """Makes launches on one device into one run directory.

    Parameters
    ----------
    programs : what each experiment runs, and on which inputs.
    probe_baseline_ns : time of the fixed CPU work on the machine as the run began; None
        where the device cannot run the probe.
    """

    def __init__(
        self,
        directory: RunDirectory,
        device: Device,
        programs: Mapping[str, ProgramFiles],
        seed: int,
        probe_baseline_ns: int | None,
    ) -> None:
        self._directory, self._device = directory, device
        self._programs, self._seed, self._baseline = programs, seed, probe_baseline_ns

    def launch(
        self, prepared: PreparedExperiment, place: Place, executions: Executions, partners: Sequence[Outcome]
    ) -> Outcome:
        """Make one launch of so many executions, compare its outputs and append it to launches.jsonl.

        Raises
        ------
        MeasurementError : the runner failed; the failed launch is recorded first.
        """
        begun = self.begin(prepared, place, self.fresh_work_folder(), executions)
        child = None
        try:
            child, probe_ns = self._run(begun, prepared)
            begun = replace(begun, launch=begun.ended(child, self._device.state(), probe_ns))
            return self.finish(begun, prepared, child, partners)
        except MeasurementError as error:
            raise self.failed(begun, error, child) from error
        finally:
            shutil.rmtree(begun.work, ignore_errors=True)

    def begin(
        self, prepared: PreparedExperiment, place: Place, work: Path, executions: Executions | None = None
    ) -> Begun:
        """Return a launch that is about to be made, with its files in the empty folder `work`.

        `executions` is None for one that takes turns: it executes as often as it is told to.
        """
        name = prepared.experiment.name
        log = self._new_log(name, place)
        request = self._request(prepared, place.threads, work, log, executions)
        argv, env = prepared.runner.command(request)
        launch = Launch(
            experiment=name,
            threads=place.threads,
            pair=place.pair,
            attempt=place.attempt,
            order=place.order,
            index=place.index,
            started=utc_now(),
            runner=prepared.runner.name,
            argv=tuple(argv),
            exit_code=None,
            signal=None,
            duration_s=0.0,
            log=self._relative(log),
            before=self._device.state(),
        )
        return Begun(launch, request, argv, env, log, work)

    def failed(self, begun: Begun, error: MeasurementError, child: ChildResult | None) -> MeasurementError:
        """Record a launch that failed; return the error that says which one and why."""
        cause = self._device.diagnose(child) if child else ""
        told = f"{error}; {cause}" if cause else str(error)
        launch = begun.launch
        self._directory.append_launch(replace(launch, void=f"{FAILED}{told}"))
        where = f"{launch.experiment} (pair {launch.pair + 1}, {count(launch.threads, 'thread')})"
        return MeasurementError(f"{where}: {told}")

    def _new_log(self, name: str, place: Place) -> Path:
        """Return where the launch's output goes; what a failed one left there is kept under another name."""
        raw = (name, place.threads, place.pair, place.attempt)
        log = self._directory.raw(*raw, ".log")
        make_folder(log.parent)
        if log.is_file():
            with writing(log):
                log.rename(self._directory.raw(*raw, f"_failed{place.index}.log"))
        return log

    def _run(self, begun: Begun, prepared: PreparedExperiment) -> tuple[ChildResult, int | None]:
        """Run the program between two probes; return how it ended and the slower probe's time in ns."""
        probes = [self._device.probe_ns()]
        child = self._device.run(
            begun.argv, env=begun.env, timeout_s=LAUNCH_LIMIT_S, log=begun.log, affinity=prepared.affinity
        )
        probes.append(self._device.probe_ns())
        return child, max((p for p in probes if p is not None), default=None)

    def fresh_work_folder(self) -> Path:
        """Return an empty folder for what launches write before it is kept."""
        self.drop_work()
        return make_folder(self._directory.work)

    def sizing_request(
        self, prepared: PreparedExperiment, threads: int, executions: Executions | None
    ) -> LaunchRequest:
        """Return the request of a launch that is not recorded; its files lie in a fresh work folder."""
        work = self.fresh_work_folder()
        return replace(self._request(prepared, threads, work, work / "log", executions), traced_runs=0)

    def read(self, prepared: PreparedExperiment, request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
        """Return what a launch that is not recorded measured; MeasurementError where it failed."""
        self._device.collect(request.log.parent)
        home = request.at_home(self._programs[prepared.experiment.name], request.log.parent.resolve())
        return prepared.runner.read(home, child)

    def drop_work(self) -> None:
        """Remove what launches have left unfinished."""
        shutil.rmtree(self._directory.work, ignore_errors=True)

    def _request(
        self, prepared: PreparedExperiment, threads: int, work: Path, log: Path, executions: Executions | None
    ) -> LaunchRequest:
        there = self._device.workspace(work)
        experiment = prepared.experiment
        program = self._programs[experiment.name].pushed(self._device.push)
        return LaunchRequest(
            model=program.model,
            inputs=program.inputs,
            method=program.method,
            input_shapes=program.input_shapes,
            data=program.data,
            warmup=experiment.warmup,
            runs=executions.timed if executions else 0,
            traced_runs=executions.traced if executions else experiment.traced_runs,
            threads=threads,
            disable_cpu_features=prepared.disabled,
            etdump=there / "trace.etdump",
            result=there / "result.json",
            outputs_dir=there / "outputs",
            log=log,
            timeout_s=LAUNCH_LIMIT_S,
            extra_args=experiment.extra_args,
            seed=self._seed,
            take_turns=executions is None,
        )

    def finish(
        self,
        begun: Begun,
        prepared: PreparedExperiment,
        child: ChildResult,
        partners: Sequence[Outcome],
        taken: TurnsTaken | None = None,
    ) -> Outcome:
        """Keep what a launch left and append it to launches.jsonl; `taken` are the turns of one that took any.

        Raises
        ------
        MeasurementError : it left nothing that can be used.
        """
        launch, request = begun.launch, begun.request
        self._device.collect(begun.work)
        home = request.at_home(self._programs[launch.experiment], begun.work.resolve())
        measured = prepared.runner.read(home, child)
        tensors = read_tensors(measured)
        launch = replace(
            _with_measurement(launch, measured),
            outputs=tuple(described(t) for t in tensors),
            agreement=tuple(self._agreements(launch.experiment, partners, tensors)),
            void=self._void_reason(launch.probe_ns) or self._device.void_reason(launch.before, launch.after),
        )
        if taken is not None:
            counted = counted_executions(taken.turns)
            launch = replace(launch, latency_ns=counted, turns=taken.turns, paired_ns=taken.paired_ns)
        if trace := self._keep_trace(begun, measured):
            launch = replace(launch, etdump=self._relative(trace), etdump_sha256=sha256(trace))
        self._directory.append_launch(launch)
        return Outcome(launch, tensors)

    def _agreements(
        self, experiment: str, partners: Sequence[Outcome], tensors: tuple[np.ndarray, ...]
    ) -> Iterator[OutputsCompared]:
        """Yield how the outputs compare with those of each partner.

        Another program may give other outputs: where they do not fit, nothing is compared.
        """
        for partner in partners:
            name = partner.launch.experiment
            other_program = self._programs[name] != self._programs[experiment]
            if not other_program or fit(partner.tensors, tensors):
                yield outputs_compared(name, partner.tensors, tensors)

    def _keep_trace(self, begun: Begun, measured: LaunchMeasurement) -> Path | None:
        launch, request = begun.launch, begun.request
        written = begun.work / request.etdump.name
        if not written.is_file():
            if measured.traced_ns:
                raise MeasurementError(
                    f"the runner traced {len(measured.traced_ns)} executions and left no ETDump (built from "
                    f"source it takes -DEXECUTORCH_ENABLE_EVENT_TRACER=ON); see {request.log}"
                )
            return None
        kept = self._directory.raw(launch.experiment, launch.threads, launch.pair, launch.attempt, ".etdump")
        with writing(kept):
            os.replace(written, kept)
        return kept

    def _void_reason(self, probe_ns: int | None) -> str | None:
        if probe_ns is None or self._baseline is None or probe_ns <= PROBE_LIMIT * self._baseline:
            return None
        return f"CPU probe took {probe_ns / self._baseline:.2f} times its baseline"

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._directory.root).as_posix()


def _with_measurement(launch: Launch, measured: LaunchMeasurement) -> Launch:
    mib = measured.peak_rss_bytes / 2**20 if measured.peak_rss_bytes else None
    return replace(
        launch,
        threads_resolved=measured.threads,
        load_ms=None if measured.load_ns is None else measured.load_ns / 1e6,
        warmup_ns=measured.warmup_ns,
        latency_ns=measured.latency_ns,
        traced_ns=measured.traced_ns,
        traced_warmup=measured.traced_warmup,
        peak_rss_mib=None if mib is None else round(mib, 3),
        masked_cpu_features=measured.masked_cpu_features,
        active_cpu_features=measured.active_cpu_features,
    )
