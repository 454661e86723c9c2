# SPDX-License-Identifier: Apache-2.0
"""Expressions of dimensions that vary, and the order of dimensions in which a delegate has them."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.errors import UserError
from model_profiling.pipeline.program.dimensions import evaluate, read_dimensions
from model_profiling.pipeline.program.varying_shapes import _in_order_of
from model_profiling.pipeline.program.workload import parse_shape

SIZES = {"rows": 24, "n0": 7}


@pytest.mark.parametrize(
    ("extent", "value"),
    [
        (5, 5),
        ("rows", 24),
        ("rows*n0", 168),
        ("4*rows + 1", 97),
        ("(rows//5)", 4),
        ("((rows + 3)//2) - 1", 12),
        ("Max(1, rows)", 24),
        ("Min(rows, n0)", 7),
        ("Mod(rows, 5)", 4),
        ("-n0 + rows", 17),
    ],
)
def test_an_extent_is_evaluated(extent: int | str, value: int) -> None:
    assert evaluate(extent, SIZES) == value


@pytest.mark.parametrize(
    "extent",
    [
        "",
        "length",
        "rows // 0",
        "rows ** 9",
        "rows.real",
        "__import__('os')",
        "[rows]",
        "rows if n0 else 1",
        "1.5",
        "(" * 300,
    ],
)
def test_what_is_no_extent_is_refused(extent: str) -> None:
    with pytest.raises(ValueError):
        evaluate(extent, SIZES)


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        assert isinstance(evaluate(text, SIZES), int)
    except ValueError:
        pass


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    )
)
def test_any_record_is_read_or_refused_in_one_line(value: object) -> None:
    for record in (
        {"dimensions": value, "inputs": value},
        {"dimensions": {"rows": value}, "inputs": [{"extents": value}]},
    ):
        try:
            read_dimensions(record)
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("target", "before", "now", "expected"),
    [
        ((1, 128, 64), (1, 128, 64), (1, 5, 64), (1, 5, 64)),
        ((1, 32, 48, 16), (1, 16, 32, 48), (1, 16, 8, 9), (1, 8, 9, 16)),  # channels last
        ((1, 1, 128, 64), (128, 64), (5, 64), (1, 1, 5, 64)),  # a dimension of 1 was added
        ((128, 64), (1, 128, 64), (1, 5, 64), (5, 64)),
        ((64, 128), (128, 64), (5, 64), (64, 5)),  # transposed
        ((128, 128), (128, 128), (5, 128), (5, 128)),  # of equal ones PyTorch's order counts
        ((128, 65), (128, 64), (5, 64), None),
        ((128, 64, 2), (128, 64), (5, 64), None),
    ],
)
def test_shapes_are_in_the_delegate_s_order(
    target: tuple[int, ...], before: tuple[int, ...], now: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    assert _in_order_of(target, before, now) == expected


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4, unique=True), st.data())
def test_any_order_of_different_extents_is_found(before: list[int], data: st.DataObject) -> None:
    order = data.draw(st.sampled_from(list(permutations(range(len(before))))))
    now = [extent * 10 for extent in before]
    target = tuple(before[axis] for axis in order)
    assert _in_order_of(target, before, now) == tuple(now[axis] for axis in order)


@given(st.lists(st.integers(0, 10**6), max_size=5))
def test_a_shape_on_the_command_line(shape: list[int]) -> None:
    word = "x".join(map(str, shape)) or "scalar"
    assert parse_shape(word) == tuple(shape) and math.prod(parse_shape(word)) == math.prod(shape)


@pytest.mark.parametrize("word", ["", "x", "1x", "1 x2", "1x-2", "1X2", "1x12345678901", "٣"])
def test_a_word_that_is_no_shape(word: str) -> None:
    with pytest.raises(ValueError, match="a shape such as 1x16 is needed"):
        parse_shape(word)
