# SPDX-License-Identifier: Apache-2.0
"""How steady the machine was while it was measured, and what to do where it was not."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from model_profiling.pipeline.run_directory import Launch
from model_profiling.report.load import RunData
from model_profiling.report.note import Note
from model_profiling.report.quantities import Sentence
from model_profiling.wording import count, listed

#: Disturbed rounds above this share, or a 95 % interval wider than this half-width, ask for a quieter machine.
_BUSY_SHARE, _WIDE_PERCENT = 0.1, 5.0


def steadiness_notes(run: RunData) -> Iterator[Note]:
    """Yield the note on the machine: disturbed rounds, its load, the priority, cores and clock rule of the runs."""
    launches = [launch for launch in run.launches if launch.counts]
    if not launches or run.manifest.emulated:
        return
    rounds, disturbed = rounds_of(launches)
    sentences: list[Sentence] = []
    if rounds:
        were = "were" if disturbed > 1 else "was"
        rest = ": only the fastest execution of each turn counts there" if disturbed else ""
        sentences.append((f"{disturbed or 'None'} of {count(rounds, 'round')} {were} disturbed{rest}.",))
    machine = (_load(launches), _priority(run), _cores(run), _governor(launches))
    sentences += [(sentence,) for sentence in machine if sentence]
    unsteady = rounds and disturbed / rounds > _BUSY_SHARE or _widest_percent(run) > _WIDE_PERCENT
    if unsteady:
        sentences.append((_advice(run),))
    yield Note("warn" if unsteady else "good", "How steady the machine was", tuple(sentences))


def rounds_of(launches: Sequence[Launch]) -> tuple[int, int]:
    """Return how many rounds these launches had, and how many of them were disturbed; a pair's count once."""
    rounds: dict[tuple[int, int, int, int], bool] = {}
    for launch in launches:
        for turn in launch.turns:
            if not turn.traced:
                rounds[launch.threads, launch.pair, launch.attempt, turn.round] = bool(turn.set_aside)
    return len(rounds), sum(rounds.values())


def _widest_percent(run: RunData) -> float:
    """Return the largest half-width of a comparison's interval, on the log scale, in percent."""
    intervals = [compared.interval for compared in run.summary.comparisons]
    return max((100 * ((i.high / i.low) ** 0.5 - 1) for i in intervals if i and i.low > 0), default=0.0)


def _load(launches: Sequence[Launch]) -> str:
    loads = [load for launch in launches if isinstance(load := launch.before.get("load1"), (int, float))]
    if not loads:
        return ""
    low, middle, high = (round(load) for load in (min(loads), statistics.median(loads), max(loads)))
    span = f"{low} to {count(high, 'task')} (median {middle})" if low < high else count(low, "task")
    return f"Ready to run before launches, over a minute: {span}."


def _priority(run: RunData) -> str:
    priority = run.manifest.host.get("priority")
    return f"Priority: {priority}." if isinstance(priority, str) else ""


def _cores(run: RunData) -> str:
    pinned = sorted({tuple(cores) for cores in run.manifest.affinity.values() if cores})
    if pinned:
        return f"Pinned to cores {listed([', '.join(map(str, cores)) for cores in pinned])}."
    return "Not pinned to cores."


def _governor(launches: Sequence[Launch]) -> str:
    governors = sorted({str(launch.before["governor"]) for launch in launches if launch.before.get("governor")})
    return f"Frequency governor: {', '.join(governors)}." if governors else ""


def _advice(run: RunData) -> str:
    steps = ["close other programs"]
    if run.manifest.host.get("system") == "Linux" and run.manifest.device == "local":
        steps.append("measure at real-time priority (chrt -f 1 before the command)")
    if not any(run.manifest.affinity.values()):
        steps.append('pin launches with "cpu_affinity"')
    cores = run.manifest.cpu.cores
    if max((t for e in run.manifest.config.timed for t in e.threads), default=1) >= cores > 1:
        steps.append(f"use fewer threads than the {cores} cores")
    steps.append("plug a laptop in")
    return f"For a narrower interval, {listed(steps)}."
