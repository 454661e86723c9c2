# SPDX-License-Identifier: Apache-2.0
"""Which program to ship, in sentences: what it costs in accuracy and in size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.advice.shipping import AS_EXACT, ShippingOption, fastest, most_exact
from model_profiling.analysis.advice.shipping import not_told_apart as overlapping
from model_profiling.report.quantities import Identifier, Quantity, Sentence, quantity
from model_profiling.rounding import places_for
from model_profiling.wording import count

#: A relative error is shown in percent of the largest value, a share too.
PERCENT = 0.01
#: Options named one by one; the table has all of them.
_MOST_NAMED = 2
_NOT_FINITE = "not finite (NaN or infinity)"


@dataclass(frozen=True)
class ToldOption:
    """An option with what it is called, its latency as printed, and what the paths of its numbers begin with."""

    option: ShippingOption
    name: str
    time: Quantity
    low: Quantity | None
    high: Quantity | None
    agreement_path: str
    size_path: str

    @property
    def called(self) -> Sentence:
        return Identifier(self.name), f" on {count(self.option.threads, 'thread')}"


def error_quantity(told: ToldOption) -> Quantity | None:
    """Return how far an option is from the eager model, in percent of the largest value; None where not known."""
    held = told.option.agreement
    if held is None or held.max_rel_error is None:
        return None
    return percent_quantity(held.max_rel_error, f"{told.agreement_path}/max_rel_error")


def percent_quantity(relative: float, path: str) -> Quantity:
    """Return a relative error in percent with two digits."""
    return quantity(relative, path, places_for(None, relative / PERCENT), PERCENT)


def shipping_sentences(group: Sequence[ToldOption]) -> Iterator[Sentence]:
    """Yield which of alternatives to ship where latency counts most, and what it costs."""
    by_option = {id(told.option): told for told in group}
    options = [told.option for told in group]
    best = by_option[id(fastest(options))]
    interval: Sentence = (" (95 % interval ", best.low, " to ", best.high, ")") if best.low and best.high else ()
    yield ("Where latency counts most, ship ", *best.called, ": ", best.time, " ms", *interval, ".")
    near = [by_option[id(other)] for other in overlapping(best.option, options)]
    if near and best.low:
        named = _listed(near) if len(near) <= _MOST_NAMED else (f"{len(near)} others",)
        yield ("Its interval overlaps with that of ", *named, ": which of them is faster is not shown.")
    yield from _accuracy(best, by_option, options)


def _listed(several: Sequence[ToldOption]) -> Sentence:
    """Return "a, b and c" of options as they are called."""
    parts: list[str | Quantity] = []
    for place, told in enumerate(several):
        parts += [*([" and " if place == len(several) - 1 else ", "] if place else []), *told.called]
    return tuple(parts)


def _accuracy(
    best: ToldOption, by_option: dict[int, ToldOption], options: Sequence[ShippingOption]
) -> Iterator[Sentence]:
    held = best.option.agreement
    if held is None:
        yield ("How far it is from the eager model is not known: no export record of its file lay beside it.",)
        return
    exact_option = most_exact(options)
    exact = None if exact_option is None else by_option[id(exact_option)]
    if exact is not None and _costs_accuracy(best.option, exact.option):
        yield (
            "It costs accuracy: its greatest error is ",
            *_error(best),
            " where ",
            *exact.called,
            ", the most exact here, has ",
            *_error(exact),
            *_size(best, exact),
            ".",
        )
    else:
        yield ("It costs no accuracy: nothing here is closer to the eager model (greatest error ", *_error(best), ").")
    if not held.passed:
        yield ("It does not agree with its eager model, and neither does any other: its results do not hold.",)
    elif held.loose:
        yield (
            "The limit that its export held it to (greatest error ",
            percent_quantity(held.max_rel_limit, f"{best.agreement_path}/limit/max_rel_error"),
            " %, cosine ",
            quantity(held.min_cosine, f"{best.agreement_path}/limit/min_cosine", 2),
            ") is generic and loose: check accuracy on data of your own before you ship it.",
        )


def _costs_accuracy(best: ShippingOption, exact: ShippingOption) -> bool:
    return max(best.rel_error or 0.0, AS_EXACT) > max(exact.rel_error or 0.0, AS_EXACT)


def _error(told: ToldOption) -> Sentence:
    error = error_quantity(told)
    return (_NOT_FINITE,) if error is None else (error, " % of the largest value")


def _size(best: ToldOption, exact: ToldOption) -> Sentence:
    ours, theirs = best.option.size_bytes, exact.option.size_bytes
    if ours is None or theirs is None or ours == theirs:
        return ()
    ratio = ours / theirs
    shown = quantity(ratio, f"{best.size_path},{exact.size_path}|ratio", places_for(None, ratio))
    return ", and its file is ", shown, " times as large"
