# SPDX-License-Identifier: Apache-2.0
"""What nothing else beats: one such option at least, none of them beaten, whatever the order, and never by noise."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.analysis.advice.dominance import Cost, Option, beats, unbeaten


def cost(low: float, value: float, high: float) -> Cost:
    return Cost(low, value, high)


FAST = Option((cost(0.9, 1.0, 1.1), Cost.exactly(2.0), Cost.exactly(0.5)))
SLOW_AND_EXACT = Option((cost(4.5, 5.0, 5.5), Cost.exactly(8.0), Cost.exactly(0.001)))
SLOW = Option((cost(4.5, 5.0, 5.5), Cost.exactly(2.0), Cost.exactly(0.5)))


def test_a_slower_one_that_has_nothing_for_it_is_beaten() -> None:
    assert unbeaten([FAST, SLOW_AND_EXACT, SLOW]) == (True, True, False)
    assert beats(FAST, SLOW) and not beats(FAST, SLOW_AND_EXACT) and not beats(SLOW_AND_EXACT, FAST)


def test_overlapping_intervals_beat_nothing() -> None:
    nearly = Option((cost(1.05, 1.2, 1.4), Cost.exactly(2.0), Cost.exactly(0.5)))
    assert unbeaten([FAST, nearly]) == (True, True)
    apart = Option((cost(1.15, 1.2, 1.4), Cost.exactly(2.0), Cost.exactly(0.5)))
    assert unbeaten([FAST, apart]) == (True, False)


def test_two_equal_ones_both_stay() -> None:
    assert unbeaten([FAST, FAST]) == (True, True)
    assert unbeaten([]) == ()


def test_of_a_coarse_cost_only_what_its_bounds_show_counts() -> None:
    """Half a percent more memory does not save a program that is slower; a fifth less does."""
    fast, slow = ((cost(0.9, 1.0, 1.1),), (cost(4.5, 5.0, 5.5),))
    assert beats(Option(fast, cost(9.8, 10.05, 10.3)), Option(slow, cost(9.75, 10.0, 10.25)))
    assert not beats(Option(fast, cost(9.8, 10.05, 10.3)), Option(slow, cost(7.8, 8.0, 8.2)))
    assert beats(Option(fast, cost(7.8, 8.0, 8.2)), Option(fast, cost(9.8, 10.05, 10.3)))


def test_what_is_known_of_one_alone_shows_nothing() -> None:
    known, unknown = (Option((cost(0.9, 1.0, 1.1), error)) for error in (Cost.exactly(0.5), None))
    slow_unknown = Option((cost(4.5, 5.0, 5.5), None))
    assert unbeaten([known, unknown]) == (True, True)
    assert unbeaten([known, unknown, slow_unknown]) == (True, True, False)
    assert not beats(Option((), None), Option((), Cost.exactly(1)))


VALUES = st.integers(1, 6).map(float)


@st.composite
def costs(draw: st.DrawFn) -> Cost:
    """Few values, so that equal and overlapping ones are common."""
    low, value, high = sorted(draw(st.tuples(VALUES, VALUES, VALUES)))
    return Cost(low, value, high)


MAYBE = st.one_of(st.none(), costs())
EXACT = VALUES.map(Cost.exactly)
OPTIONS = st.lists(st.builds(Option, st.tuples(costs(), MAYBE, EXACT), MAYBE), max_size=6)


@given(OPTIONS)
def test_one_at_least_is_marked_and_none_that_is_beaten(options: list[Option]) -> None:
    marked = unbeaten(options)
    assert any(marked) == bool(options)
    for option, mark in zip(options, marked, strict=True):
        assert mark == (not any(beats(other, option) for other in options))


@given(OPTIONS, st.randoms())
def test_the_order_changes_nothing(options: list[Option], chance) -> None:
    order = list(range(len(options)))
    chance.shuffle(order)
    marked = unbeaten(options)
    assert unbeaten([options[place] for place in order]) == tuple(marked[place] for place in order)


@given(OPTIONS, costs(), costs())
def test_nothing_beats_itself_and_no_two_beat_each_other(options: list[Option], low: Cost, high: Cost) -> None:
    assert not any(beats(option, option) for option in options)
    assert not any(beats(a, b) and beats(b, a) for a in options for b in options)
    alone, other = Option((low,)), Option((high,))
    assert beats(alone, other) == (low.high < high.low)


@given(OPTIONS)
def test_no_ring_of_options_beat_each_other(options: list[Option]) -> None:
    """From any option one comes, by what beats it, to one that nothing beats."""
    left = set(range(len(options)))
    while left:
        free = {place for place in left if not any(beats(options[other], options[place]) for other in left)}
        assert free
        left -= free


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
