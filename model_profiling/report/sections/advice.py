# SPDX-License-Identifier: Apache-2.0
"""What to change first: opportunities in the order of what they would save of an execution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.advice.opportunity import AMDAHL, CEILING, EXECUTION, MEASURED, Opportunity
from model_profiling.report.latencies import latency_places
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Quantity, Sentence, quantity
from model_profiling.report.section import ReportSection
from model_profiling.report.view import View
from model_profiling.report.words.advice import command, told
from model_profiling.report.words.rates import rate_unit
from model_profiling.rounding import places_for
from model_profiling.wording import capitalized, count, listed

_PERCENT = 0.01
_THEN = {MEASURED: "was measured", CEILING: "at the ceiling of this machine", AMDAHL: "is left"}
#: More than these are in opportunities.csv alone; so are more layers of one.
_MOST, _MOST_LAYERS = 8, 4
#: Operators that layers of one kind ran as: more than these say nothing.
_MOST_NAMES = 3


@dataclass(frozen=True)
class AdviceItem:
    """One opportunity as it is told: `saving` says what it would save, `layers` where."""

    what: str
    place: Identifier
    saving: Sentence
    why: str
    do: str
    command: str
    layers: tuple[Identifier, ...]
    more_layers: int


@dataclass(frozen=True)
class AdviceOf:
    """What is advised on one program; `lead` says of which side, and what all of it would save."""

    lead: Sentence
    items: tuple[AdviceItem, ...]
    more: int


@dataclass(frozen=True)
class AdviceSection(ReportSection):
    """Opportunities of each program, the largest first."""

    anchor: ClassVar[str] = "advice"
    title: ClassVar[str] = "What to change first"
    template: ClassVar[str] = "advice"
    programs: tuple[AdviceOf, ...]

    @property
    def shown(self) -> bool:
        return bool(self.programs)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> AdviceSection:
        sides: dict[tuple[str, int], list[int]] = {}
        for number, one in enumerate(run.summary.opportunities):
            sides.setdefault((one.experiment, one.threads), []).append(number)
        return cls(tuple(_of_side(run, naming, *side, numbers) for side, numbers in sides.items()))


def _of_side(run: RunData, naming: Naming, experiment: str, threads: int, numbers: Sequence[int]) -> AdviceOf:
    items = [_item(run, number) for number in numbers[:_MOST]]
    return AdviceOf(tuple(_lead(run, naming, experiment, threads, numbers)), tuple(items), len(numbers) - len(items))


def _lead(
    run: RunData, naming: Naming, experiment: str, threads: int, numbers: Sequence[int]
) -> Iterator[str | Quantity]:
    time = run.summary.experiments[experiment][threads].time_ms
    of_executions = [n for n in numbers if run.summary.opportunities[n].per == EXECUTION]
    on = f"{naming.under(experiment)} and {count(threads, 'thread')}"
    places = latency_places(run, experiment, threads)
    if time is not None:
        yield from (f"An execution {on} takes ", _whole(run, experiment, threads, time, places), " ms. ")
    yield from _largest(run, experiment, threads)
    if not of_executions:
        yield "Nothing that is known here would save much of it."
        return
    saved = [run.summary.opportunities[n].saves_ms for n in of_executions]
    paths = ",".join(run.in_summary("opportunities", n, "saves_ms") for n in of_executions)
    yield from ("What follows could save at most ", quantity(sum(saved), f"{paths}|sum", places), " ms of it together.")


def _largest(run: RunData, experiment: str, threads: int) -> Iterator[str | Quantity]:
    """Say which kind of layer takes the most time, whatever it is, and how fast it computes."""
    for number, one in enumerate(run.summary.largest):
        if (one.experiment, one.threads) == (experiment, threads):
            share = quantity(one.percent, run.in_summary("largest", number, "percent"), 0)
            yield from ("The largest part of it, ", share, f" %, goes to {count(one.layers, 'layer')} of the kind ")
            yield from (Identifier(one.kind), f", which ran as {listed(one.ran_as[:_MOST_NAMES])}")
            if one.gflops is not None:
                rate = rate_unit([run.recipe_of(experiment)])
                path = run.in_summary("largest", number, "gflops")
                yield from (" at ", quantity(one.gflops, path, min(places_for(None, one.gflops), 1)), f" {rate}")
            yield ". "


def _whole(run: RunData, experiment: str, threads: int, time: float, places: int) -> Quantity:
    return quantity(time, run.in_summary("experiments", experiment, threads, "time_ms"), places)


def _item(run: RunData, number: int) -> AdviceItem:
    one = run.summary.opportunities[number]
    words = told(one)
    return AdviceItem(
        capitalized(words.what),
        Identifier(words.place),
        tuple(_saving(run, number, one)),
        capitalized(words.why),
        words.do,
        command(one),
        tuple(map(Identifier, one.where[:_MOST_LAYERS])),
        max(len(one.where) - _MOST_LAYERS, 0),
    )


def _saving(run: RunData, number: int, one: Opportunity) -> Iterator[str | Quantity]:
    """Say what a change saves at most, of how much, and how that is known."""
    of = "an execution" if one.per == EXECUTION else "each start"
    places = places_for(None, one.saves_ms)

    def value(key: str) -> Quantity:
        return quantity(getattr(one, key), run.in_summary("opportunities", number, key), places)

    if one.saves_low_ms is None or one.saves_high_ms is None:
        yield from ("Saves at most ", value("saves_ms"), f" ms of {of}")
    else:
        yield from ("Saves ", value("saves_ms"), " ms (", value("saves_low_ms"), " to ", value("saves_high_ms"))
        yield f") of {of}"
    time = run.summary.experiments[one.experiment][one.threads].time_ms
    if one.per == EXECUTION and time:
        whole = run.in_summary("experiments", one.experiment, one.threads, "time_ms")
        path = f"{run.in_summary('opportunities', number, 'saves_ms')},{whole}|ratio"
        yield from (", ", quantity(one.saves_ms / time, path, 0, _PERCENT), " %")
    if one.bound_ms > 0:
        yield from (": it takes ", value("now_ms"), " ms, and ", value("bound_ms"), f" ms {_THEN[one.basis]}")
    else:
        yield ": all that it takes"
