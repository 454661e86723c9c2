# SPDX-License-Identifier: Apache-2.0
"""Taking turns with another process, as runner/turns.h: executions when they are asked for, idle in between."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from pathlib import Path

from model_profiling.errors import MeasurementError
from model_profiling.pipeline.runners.python_session import Session, peak_rss_bytes

_TURN = re.compile(r"turn ([1-9]\d{0,6})")
_NS_PER_S = 1_000_000_000


def take_turns(session: Session) -> None:
    """Load and warm up, then obey the lines of standard input; each is answered by a line of JSON when it is done.

    Raises
    ------
    MeasurementError : a line is no command, or the input ends before "end".
    """
    session.begin_timed()
    _answer_ready(session)
    for line in map(str.strip, sys.stdin):
        if turn := _TURN.fullmatch(line):
            _answer(_turn(session, int(turn[1])))
        elif line == "trace":
            session.begin_traced()
            _answer_ready(session)
        elif line == "end":
            return
        else:
            raise MeasurementError(f'"{line}" is no command of a process that takes turns')
    raise MeasurementError("the program that gave the turns has ended")


def _answer(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


def _answer_ready(session: Session) -> None:
    _answer({"execution_ns": session.warm_ns(), "peak_rss_bytes": peak_rss_bytes() or 0})


def _turn(session: Session, count: int) -> dict[str, object]:
    before, steal, start = resource.getrusage(resource.RUSAGE_SELF), _steal_ns(), time.perf_counter_ns()
    times = session.execute(count)
    wall, after, stolen = time.perf_counter_ns() - start, resource.getrusage(resource.RUSAGE_SELF), _steal_ns()
    return {
        "ns": times,
        "wall_ns": wall,
        "cpu_ns": round((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * _NS_PER_S),
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
        "steal_ns": None if steal is None or stolen is None else stolen - steal,
        "frequency_khz": _frequency_khz(),
    }


def _steal_ns() -> int | None:
    """Return the time that the hypervisor has taken from all cores; None where the system does not tell."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=9)
    except OSError:
        return None
    return int(words[8]) * (_NS_PER_S // os.sysconf("SC_CLK_TCK"))


def _frequency_khz() -> int | None:
    """Return the frequency of the core that this thread is on; None where the system does not tell."""
    try:
        core = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[36]
        file = Path(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError, IndexError):
        return None
