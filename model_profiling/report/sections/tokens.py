# SPDX-License-Identifier: Apache-2.0
"""Tokens: of language models, how long until the first one and how many a second from then on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.summary import TokenRate
from model_profiling.report.latencies import latency_places
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Quantity, Sentence, quantity
from model_profiling.report.section import BlocksSection
from model_profiling.report.view import View
from model_profiling.report.words.table import Cell, Table
from model_profiling.rounding import places_for
from model_profiling.wording import capitalized, count

_TIME, _RATE = "Time (ms)", "Tokens per second"
_FROM, _TO = "95 % from", "95 % to"


@dataclass(frozen=True)
class TokensSection(BlocksSection):
    """A table of every experiment of a language model, and sentences of what its user waits for."""

    anchor: ClassVar[str] = "tokens"
    title: ClassVar[str] = "Tokens"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> TokensSection:
        rated = [_Rated(run, naming, *entry) for entry in _entries(run)]
        if not rated:
            return cls(())
        several = len({one.threads for one in rated}) > 1
        columns = (
            "Measured",
            *(["Threads"] if several else []),
            "Tokens",
            _TIME,
            _FROM,
            _TO,
            _RATE,
            f"{_FROM} ",
            f"{_TO} ",
        )
        rows = tuple(one.row(several) for one in rated)
        table = Table("Tokens of each experiment", columns, rows, frozenset(columns[1:]))
        return cls((*_sentences(rated), table))


def _entries(run: RunData) -> Iterator[tuple[str, int, TokenRate]]:
    for name, threads, summary in run.summary.experiments.entries():
        if summary.token_rate is not None:
            yield name, threads, summary.token_rate


class _Rated:
    """One experiment at one thread count, as it is told."""

    def __init__(self, run: RunData, naming: Naming, name: str, threads: int, rate: TokenRate) -> None:
        self.side, self.under, self.threads, self.rate = naming.side(name), naming.under(name), threads, rate
        here = run.in_summary("experiments", name, threads, "token_rate")
        places = latency_places(run, name, threads)
        self.method = run.manifest.program(name).method
        self.tokens = quantity(rate.tokens, f"{here}/tokens", 0)
        self.time = _three(
            here, places, time_ms=rate.time_ms, time_low_ms=rate.time_low_ms, time_high_ms=rate.time_high_ms
        )
        reach = None if rate.low is None or rate.high is None else (rate.high - rate.low) / 2
        digits = min(places_for(reach, rate.per_second), 2)
        self.per_second = _three(here, digits, per_second=rate.per_second, low=rate.low, high=rate.high)

    def row(self, with_threads: bool) -> tuple[Cell, ...]:
        threads = [str(self.threads)] if with_threads else []
        return (Identifier(self.side), *threads, self.tokens, *self.time, *self.per_second)

    def where(self, others: Sequence[_Rated]) -> str:
        several = len({one.threads for one in others}) > 1
        return self.under + (f" on {count(self.threads, 'thread')}" if several else "")


def _three(here: str, places: int, **values: float | None) -> tuple[Quantity | None, ...]:
    return tuple(None if value is None else quantity(value, f"{here}/{key}", places) for key, value in values.items())


def _sentences(rated: Sequence[_Rated]) -> Iterator[Sentence]:
    """Say how long a prompt takes, the longest that was measured, and how many tokens a second come after it."""
    most = max(one.rate.tokens for one in rated)
    if most > 1:
        prompts = [one for one in rated if one.rate.tokens == most]
        yield (f"The first token after a prompt of {most} takes ", *_listed(prompts, rated, " ms"), ".")
    prompt = {one.method for one in rated if one.rate.tokens == most > 1}
    single = [one for one in rated if one.rate.tokens == 1 and one.method not in prompt]
    if single:
        yield (
            f"{capitalized('each')} further token is one execution: ",
            *_listed(single, rated, " tokens per second"),
            ".",
        )


def _listed(chosen: Sequence[_Rated], rated: Sequence[_Rated], unit: str) -> Iterator[str | Quantity]:
    for number, one in enumerate(chosen):
        value, low, high = one.time if unit == " ms" else one.per_second
        assert value is not None
        yield from [", " if 0 < number < len(chosen) - 1 else " and "] if number else []
        yield from (value, f"{unit} {one.where(rated)}")
        if low is not None and high is not None:
            yield from (" (", low, " to ", high, ")")
