# SPDX-License-Identifier: Apache-2.0
"""The ratio of a signal to its error: known noise gives the known figure, whatever the scale or the parts."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.json_objects import JsonObject
from model_profiling.signal_error import EXACT, ErrorSums, Fidelity, fidelity, worst

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=30).filter(lambda v: max(map(abs, v)) > 1e-3)


@given(VALUES, st.floats(-60, 120))
def test_known_noise_has_its_ratio(values: list[float], sqnr_db: float) -> None:
    """An error that is the signal itself, times a factor, has that factor's square as its power."""
    signal = np.array(values)
    found = fidelity(signal, signal * (1 + 10 ** (-sqnr_db / 20)))
    assert found.sqnr_db == pytest.approx(sqnr_db, abs=1e-3)
    assert found.cosine == pytest.approx(1.0)


@given(VALUES, VALUES, st.floats(1e-6, 1e6))
def test_scale_does_not_matter(values: list[float], others: list[float], scale: float) -> None:
    length = min(len(values), len(others))
    first, second = np.array(values[:length]), np.array(others[:length])
    if not first.any():
        return
    one, scaled = fidelity(first, second), fidelity(first * scale, second * scale)
    assert scaled.noise == pytest.approx(one.noise, rel=1e-9)
    assert scaled.cosine == pytest.approx(one.cosine, abs=1e-9)


@given(VALUES, st.integers(1, 29))
def test_parts_come_to_the_whole(values: list[float], cut: int) -> None:
    first = np.array(values)
    second = first + np.linspace(-1, 1, len(values))
    parts = ErrorSums()
    for part in (slice(None, cut), slice(cut, None)):
        parts.add(first[part], second[part])
    assert parts.fidelity.noise == pytest.approx(fidelity(first, second).noise)


def test_eight_bits_over_a_uniform_range_have_about_48_db() -> None:
    """A step of 1/256 of the range leaves a power of step^2 / 12 (Bennett 1948): 20 log10(256) = 48.2 dB."""
    signal = np.random.default_rng(0).uniform(-1, 1, 200_000)
    step = 2 / 256
    assert fidelity(signal, np.round(signal / step) * step).sqnr_db == pytest.approx(48.16, abs=0.05)


def test_equal_values_are_exact_and_have_no_ratio() -> None:
    found = fidelity(np.array([1.0, math.inf]), np.array([1.0, math.inf]))  # an attention mask has infinities
    assert found == EXACT and found.exact and found.sqnr_db is None and found.shown == "exact"


@pytest.mark.parametrize("got", [math.nan, math.inf])
def test_what_is_not_finite_is_worst(got: float) -> None:
    found = fidelity(np.array([1.0, 2.0]), np.array([1.0, got]))
    assert found == Fidelity(None, None) and found.shown == "not finite"
    assert worst([found, Fidelity(1e9, 0.0), EXACT]) is found


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        fidelity(np.zeros(2), np.zeros(3))


@given(st.one_of(st.none(), st.floats(0, 1e6)), st.one_of(st.none(), st.floats(-1, 1)))
def test_json_holds_it(noise: float | None, cosine: float | None) -> None:
    one = Fidelity(noise, cosine)
    assert Fidelity.from_json(JsonObject(one.to_json(), "", "")) == one


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
