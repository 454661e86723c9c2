# SPDX-License-Identifier: Apache-2.0
"""One process of each side before the first pair: how long an execution takes, how much memory it needs.

From that follows how the run is measured (`run_plan`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

from model_profiling.errors import MeasurementError
from model_profiling.pipeline.config import LAUNCHES, LOCKSTEP, Config
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.kernel_recording import LAUNCH_LIMIT_S
from model_profiling.pipeline.launching import Executions, Launcher, PreparedExperiment
from model_profiling.pipeline.lockstep.conductor import LaunchCommand
from model_profiling.pipeline.lockstep.script import END, START, Cue
from model_profiling.pipeline.lockstep.turn import Ready, Turn
from model_profiling.pipeline.lockstep.turn_plan import LONG_NS, PAIR_NS
from model_profiling.pipeline.run_plan import RunPlan, SideSize
from model_profiling.pipeline.runners.executor_runner import ExecutorRunner

#: Executions of the launch that sizes a side which takes no turns.
_EXECUTIONS = 3
#: A side that cannot be sized fails in its first pair too, which then says why.
_UNKNOWN = SideSize(execution_ns=1_000_000, ready_ns=0, peak_rss_bytes=None)
#: An emulated CPU's times mean nothing: one execution is a turn.
_EMULATED = SideSize(execution_ns=LONG_NS, ready_ns=0, peak_rss_bytes=None)
#: Part of the free memory that the sides of a pair may fill: what else the machine does needs some as well.
_FILLED = 0.9


def plan_run(config: Config, prepared: Mapping[str, PreparedExperiment], launcher: Launcher, device: Device) -> RunPlan:
    """Size every timed experiment at each of its thread counts; return how the run is measured."""
    sizes = {
        threads: {
            e.name: _size(prepared[e.name], threads, launcher, device) for e in config.timed if threads in e.threads
        }
        for threads in sorted({count for e in config.timed for count in e.threads})
    }
    order, reason = _order(config, prepared, sizes, device)
    # An emulated CPU's times mean nothing: its turns are only taken.
    return RunPlan(order, reason, 0 if device.emulated else PAIR_NS, sizes)


def no_turns(prepared: Sequence[PreparedExperiment], device: Device) -> str:
    """Say why these launches cannot take turns; "" where they can."""
    if device.without_turns:
        return device.without_turns
    if len(prepared) > device.most_sides:
        return f"on {device.name} at most {device.most_sides} take turns"
    for one in prepared:
        if isinstance(one.runner, ExecutorRunner):
            return f"{one.experiment.name} has an executor_runner, which takes no turns"
    return ""


def _order(
    config: Config,
    prepared: Mapping[str, PreparedExperiment],
    sizes: Mapping[int, Mapping[str, SideSize]],
    device: Device,
) -> tuple[str, str]:
    if config.order == LAUNCHES:
        return LAUNCHES, ""
    if reason := no_turns([prepared[e.name] for e in config.timed], device):
        return LAUNCHES, reason
    reason = _no_room(sizes, device.free_memory_bytes())
    return (LAUNCHES, reason) if reason else (LOCKSTEP, "")


def _no_room(sizes: Mapping[int, Mapping[str, SideSize]], free_bytes: int | None) -> str:
    """Say why the sides of a pair cannot be alive together; "" where they fit or nobody knows."""
    needed = max(sum(size.peak_rss_bytes or 0 for size in by_name.values()) for by_name in sizes.values())
    if free_bytes is None or needed <= _FILLED * free_bytes:
        return ""
    return f"the processes of a pair need {needed / 2**20:.0f} MiB together, and {free_bytes / 2**20:.0f} MiB are free"


def _size(prepared: PreparedExperiment, threads: int, launcher: Launcher, device: Device) -> SideSize:
    if device.emulated:
        return _EMULATED
    try:
        if no_turns([prepared], device):
            return _size_by_launch(prepared, threads, launcher, device)
        return _size_by_turns(prepared, threads, launcher, device)
    except MeasurementError:
        return _UNKNOWN
    finally:
        launcher.drop_work()


def _size_by_turns(prepared: PreparedExperiment, threads: int, launcher: Launcher, device: Device) -> SideSize:
    request = launcher.sizing_request(prepared, threads, None)
    argv, env = prepared.runner.command(request)
    began = time.monotonic_ns()
    command = LaunchCommand(argv, env, request.log, request.log.parent, prepared.affinity)
    played = device.conduct([Cue(0, START), Cue(0, "turn 1"), Cue(0, END)], [command], LAUNCH_LIMIT_S)
    took_ns = time.monotonic_ns() - began
    told, turn = played.answers[:2]
    assert told is not None and turn is not None  # all but END have one
    ready = Ready.from_json(told)
    # Without a warm-up nothing was executed before the turn.
    return SideSize(ready.execution_ns or Turn.from_json(turn).ns[0], took_ns, ready.peak_rss_bytes)


def _size_by_launch(prepared: PreparedExperiment, threads: int, launcher: Launcher, device: Device) -> SideSize:
    request = launcher.sizing_request(prepared, threads, Executions(_EXECUTIONS, 0))
    argv, env = prepared.runner.command(request)
    began = time.monotonic_ns()
    child = device.run(argv, env=env, timeout_s=LAUNCH_LIMIT_S, log=request.log, affinity=prepared.affinity)
    took_ns = time.monotonic_ns() - began
    measured = launcher.read(prepared, request, child)
    execution_ns = round(statistics.median(measured.latency_ns))
    return SideSize(execution_ns, max(0, took_ns - sum(measured.latency_ns)), measured.peak_rss_bytes)
