# SPDX-License-Identifier: Apache-2.0
"""What a process that takes turns says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class Ready:
    """What a process says before its first turn: ns of an execution, bytes of memory at most so far."""

    execution_ns: int
    peak_rss_bytes: int

    @classmethod
    def from_json(cls, held: JsonObject) -> Ready:
        return cls(held.whole("execution_ns"), held.whole("peak_rss_bytes"))


@dataclass(frozen=True)
class Turn:
    """One turn as the process tells of it: each execution's ns, then the whole turn's.

    `wall_ns` and `cpu_ns` (of all threads), the times that a thread was put off its core though it
    could have gone on, the time the hypervisor took from the machine's cores and the frequency at
    the end; None where the system does not tell.
    """

    ns: tuple[int, ...]
    wall_ns: int
    cpu_ns: int
    involuntary_switches: int
    steal_ns: int | None
    frequency_khz: int | None

    @classmethod
    def from_json(cls, held: JsonObject) -> Turn:
        return cls(
            held.wholes("ns"),
            held.whole("wall_ns"),
            held.whole("cpu_ns"),
            held.whole("involuntary_switches"),
            held.maybe_whole("steal_ns"),
            held.maybe_whole("frequency_khz"),
        )
