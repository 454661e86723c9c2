# SPDX-License-Identifier: Apache-2.0
"""What the machine was doing around a launch: temperature, frequency, governor, load, a CPU probe.

Read from Linux's sysfs and macOS's `pmset`; whatever a machine does not offer is left
out rather than guessed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import time
from pathlib import Path

import psutil

from model_profiling.processes import run_child

_SYSFS = Path("/sys")
#: The limits of this process's container, as a container sees its own (cgroup v2).
_CGROUP = Path("/sys/fs/cgroup")
#: The probe hashes this much, long enough (several ms) to outlast timer resolution.
_PROBE_BYTES = 4 << 20
_PROBE_REPEATS = 5
_PROBE_DATA = bytes(_PROBE_BYTES)


def read_state() -> dict[str, object]:
    """Return the machine's state now: `load1` (runnable tasks), and where known
    `temperature_c`, `frequency_khz` (per core), `governor`, `thermal` (macOS, words)."""
    state: dict[str, object] = {"load1": round(os.getloadavg()[0], 2)}
    if platform.system() == "Darwin":
        state.update(_macos_thermal())
    else:
        state.update(_linux_state(_SYSFS))
    return state


def probe_ns() -> int:
    """Return the fastest of a few repeats of fixed CPU work, in ns.

    The same work takes longer when the clock frequency has dropped or another process
    shares the core; the minimum ignores a single interruption.
    """
    taken = []
    for _ in range(_PROBE_REPEATS):
        started = time.perf_counter_ns()
        hashlib.sha256(_PROBE_DATA).digest()
        taken.append(time.perf_counter_ns() - started)
    return min(taken)


def priority() -> str:
    """Return in words how the system ranks this process and its children against others."""
    nice = f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"
    if not hasattr(os, "sched_getscheduler"):
        return nice
    known = ("SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_IDLE")
    names = {getattr(os, name): name for name in known if hasattr(os, name)}
    policy = names.get(os.sched_getscheduler(0))
    if policy in ("SCHED_FIFO", "SCHED_RR"):
        return f"real-time ({policy}, {os.sched_getparam(0).sched_priority})"
    return f"{nice} ({policy})" if policy else nice


def free_memory_bytes() -> int:
    """Return how much memory new processes can have: what the system has available, within a container's limit."""
    free = psutil.virtual_memory().available
    limit, used = (_number(_CGROUP / name) for name in ("memory.max", "memory.current"))  # "max" where there is none
    return free if limit is None or used is None else min(free, max(0, limit - used))


def max_frequency_khz(sysfs: Path = _SYSFS) -> dict[int, int]:
    """Return each core's maximum frequency in kHz; empty where the system does not say."""
    by_core = {}
    for file in sysfs.glob("devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq"):
        value = _number(file)
        if value is not None:
            by_core[int(file.parent.parent.name[3:])] = value
    return by_core


def _linux_state(sysfs: Path) -> dict[str, object]:
    state: dict[str, object] = {}
    temperatures = [_number(p) for p in sorted(sysfs.glob("class/thermal/thermal_zone*/temp"))]
    known = [t / 1000 for t in temperatures if t is not None]  # sysfs counts millidegrees
    if known:
        state["temperature_c"] = max(known)
    policies = sorted(sysfs.glob("devices/system/cpu/cpu[0-9]*/cpufreq"))
    frequencies = [f for f in (_number(p / "scaling_cur_freq") for p in policies) if f is not None]
    if frequencies:
        state["frequency_khz"] = frequencies
    governors = sorted({g for g in (_text(p / "scaling_governor") for p in policies) if g})
    if governors:
        state["governor"] = "+".join(governors)
    return state


def _macos_thermal() -> dict[str, object]:
    told = run_child(["pmset", "-g", "therm"], timeout_s=10).output
    limits = dict(re.findall(r"(CPU_\w+)\s*=\s*(\d+)", told))
    return {"thermal": {name: int(value) for name, value in limits.items()}} if limits else {}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None  # absent, or the driver refuses to be read just now


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and re.fullmatch(r"-?\d+", text) else None
