# SPDX-License-Identifier: Apache-2.0
"""Layers against the ceilings of a machine: exact values on a side made for it, and ceilings.json in any state."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ceilings import CEILINGS, measured_side

from model_profiling.analysis.advice.roofline import COMPUTE, MEMORY, LayerCeiling, layer_ceilings
from model_profiling.errors import UserError
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.ceilings import COPY, PATTERNS, Ceilings, MemoryRate, SideCeilings
from model_profiling.pipeline.program.layers import Node
from model_profiling.pipeline.program.movement import Moved
from model_profiling.pipeline.run_directory import RunDirectory


def node(kind: str, multiply_adds: int, read: int, written: int) -> Node:
    recipe = "fp32" if multiply_adds else ""
    return Node(kind, "", "", "", kind.lower(), (), (), multiply_adds, recipe, Moved(read, written))


#: A product of 100 M multiply-adds on 3 MB, one of a single row on 64 MB, a transpose and a softmax of 100 MB.
PRODUCT, SINGLE_ROW, TRANSPOSE, SOFTMAX = (
    node("FullyConnected", 100_000_000, 2_000_000, 1_000_000),
    node("FullyConnected", 16_000_000, 64_000_000, 0),
    node("StaticTranspose", 0, 50_000_000, 50_000_000),
    node("Softmax", 0, 50_000_000, 50_000_000),
)
GEMM = "Fully Connected (NC, F32) GEMM"
TIMES = ((GEMM, 4000), (GEMM, 8000), ("Transpose (ND, X32)", 40000), ("Softmax (NC, F32)", 10000))


def test_each_layer_has_its_intensity_its_bound_and_its_share() -> None:
    """With 100 GFLOP/s; copies go at 10 GB/s from memory and at 50 from caches, in place at 20, reads at 16."""
    found = layer_ceilings(measured_side("on", (PRODUCT, SINGLE_ROW, TRANSPOSE, SOFTMAX), TIMES), CEILINGS)
    assert found == {
        "0.0 fullyconnected": LayerCeiling(pytest.approx(200 / 3), COMPUTE, pytest.approx(2.0), pytest.approx(0.5)),
        "0.1 fullyconnected": LayerCeiling(0.5, MEMORY, pytest.approx(64 / 50), pytest.approx(0.16)),
        "0.2 statictranspose": LayerCeiling(0.0, MEMORY, pytest.approx(10.0), pytest.approx(0.25)),
        "0.3 softmax": LayerCeiling(0.0, MEMORY, pytest.approx(5.0), pytest.approx(0.5)),
    }


def test_what_is_read_beyond_a_copy_goes_at_the_rate_of_reads() -> None:
    """300 MB read and 100 written: a copy of 200 at 10 GB/s, then 200 at 16."""
    pooling = node("MaxPooling2d", 0, 300_000_000, 100_000_000)
    found = layer_ceilings(measured_side("on", (pooling,), (("Max Pooling (NHWC, F32)", 65_000),)), CEILINGS)
    assert found == {"0.0 maxpooling2d": LayerCeiling(0.0, MEMORY, pytest.approx(32.5), pytest.approx(0.5))}
    growing = node("StaticConstantPad", 0, 1_000, 199_999_000)
    found = layer_ceilings(measured_side("on", (growing,), (("Constant Pad (ND, X32)", 40_000),)), CEILINGS)
    assert found["0.0 staticconstantpad"].floor_ms == pytest.approx(20.0), "what is written alone, as a copy"


def test_weights_come_from_where_those_of_the_whole_program_fit() -> None:
    """Two layers of 64 MB of weights each: alone they would fit the caches (50 GB/s), together they do not (16)."""
    own = replace(SINGLE_ROW, moved=Moved(64_000_000, 0, 64_000_000))
    alone = layer_ceilings(measured_side("on", (own,), TIMES[1:2]), CEILINGS)
    both = layer_ceilings(measured_side("on", (own, own), TIMES[1:2] * 2), CEILINGS)
    assert alone["0.0 fullyconnected"].floor_ms == pytest.approx(64 / 50)
    assert [one.floor_ms for one in both.values()] == [pytest.approx(64 / 16)] * 2


def test_float16_may_be_computed_in_float32_where_that_is_faster() -> None:
    """100 M multiply-adds at 100 GFLOP/s, at 80 where that is all, at 125 where float16 is faster."""
    half = replace(PRODUCT, recipe="fp16")
    found = []
    for peaks in ({"fp16": 80.0, "fp32": 100.0}, {"fp16": 80.0}, {"fp16": 125.0, "fp32": 100.0}, {"fp32": 100.0}):
        known = replace(CEILINGS, sides=(replace(CEILINGS.sides[0], peak_gops=peaks),))
        (one,) = layer_ceilings(measured_side("on", (half,), ((GEMM, 4000),)), known).values()
        found.append((one.floor_ms, one.fastest_recipe))
    assert found == [(2.0, "fp32"), (2.5, ""), (1.6, ""), (None, "")]


def test_the_other_side_has_its_own_ceilings() -> None:
    found = layer_ceilings(measured_side("off", (PRODUCT,), TIMES[:1]), CEILINGS)
    assert found["0.0 fullyconnected"].floor_ms == pytest.approx(200e6 / 50e9 * 1e3)
    assert found["0.0 fullyconnected"].share == pytest.approx(1.0)


@pytest.mark.parametrize("ceilings", [None, replace(CEILINGS, sides=())], ids=["none", "of other sides"])
def test_without_ceilings_nothing_is_judged(ceilings: Ceilings | None) -> None:
    found = layer_ceilings(measured_side("on", (PRODUCT, SOFTMAX), (TIMES[0], TIMES[3])), ceilings)
    assert found == {
        "0.0 fullyconnected": LayerCeiling(pytest.approx(200 / 3), None, None, None),
        "0.1 softmax": LayerCeiling(0.0, None, None, None),
    }


def test_what_is_not_known_is_not_filled_in() -> None:
    nodes = (replace(PRODUCT, moved=None), replace(PRODUCT, recipe="8da4w"), PRODUCT)
    side = measured_side("on", nodes, (TIMES[0], TIMES[0], (GEMM, 0)))
    first, second, third = layer_ceilings(side, CEILINGS).values()
    assert first == LayerCeiling(None, None, None, None), "a run of before says nothing of bytes"
    assert second == LayerCeiling(pytest.approx(200 / 3), None, None, None), "no peak of this recipe was measured"
    assert (third.bound, third.floor_ms, third.share) == (COMPUTE, pytest.approx(2.0), None), "a time that rounds to 0"
    assert layer_ceilings(replace(side, recordings=()), CEILINGS) == {}, "a side without traces"


SIZES = st.integers(1, 10**9)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10**9), SIZES, SIZES, st.integers(0, 10**6)), min_size=1, max_size=6))
def test_the_floor_is_the_larger_of_both_times(layers: Sequence[tuple[int, int, int, int]]) -> None:
    nodes = [node("FullyConnected" if work else "Softmax", work, read, written) for work, read, written, _ in layers]
    names = [GEMM if work else "Softmax (NC, F32)" for work, *_ in layers]
    side = measured_side("on", nodes, [(name, us) for name, (*_, us) in zip(names, layers, strict=True)])
    for (work, read, written, us), found in zip(layers, layer_ceilings(side, CEILINGS).values(), strict=True):
        computing, moved = 2 * work / 100e6, read + written
        assert found.intensity == pytest.approx(2 * work / moved)
        assert moved / 50e6 <= found.floor_ms * (1 + 1e-9) or found.bound == COMPUTE, "no rate is above 50 GB/s"
        assert found.floor_ms <= max(computing, moved / 10e6) * (1 + 1e-9), "none is below 10"
        assert found.floor_ms >= computing * (1 - 1e-9) and (
            found.bound == MEMORY or found.floor_ms == pytest.approx(computing)
        )
        assert found.share is None if us == 0 else found.share == pytest.approx(found.floor_ms / (us / 1e3))


def test_ceilings_answer_by_recipe_threads_and_feature() -> None:
    assert [CEILINGS.peak_gops("fp32", 1, on) for on in (True, False)] == [100.0, 50.0]
    assert CEILINGS.peak_gops("int8", 1, True) is None and CEILINGS.peak_gops("fp32", 2, True) is None
    assert CEILINGS.bandwidth_gb_s(1, True) == 10.0 and CEILINGS.bandwidth_gb_s(2, True) is None
    bare = replace(CEILINGS, sides=(replace(CEILINGS.sides[0], rates=()),))
    assert bare.bandwidth_gb_s(1, True) is None, "no copies were measured"
    side = CEILINGS.side("on", 1)
    by_size = {moved: side.bandwidth_gb_s(moved) for moved in (1, 10**6, 99_999_999, 10**8, 10**12)}
    assert by_size == {1: 50.0, 10**6: 50.0, 99_999_999: 50.0, 10**8: 10.0, 10**12: 10.0}
    assert [side.bandwidth_gb_s(10**9, pattern) for pattern in PATTERNS] == [10.0, 20.0, 16.0]


def test_ceilings_survive_their_file(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert Ceilings.read(CEILINGS.write(directory.ceilings)) == CEILINGS
    assert directory.ceilings.name == "ceilings.json"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("schema_version",), 2, "the ceilings are of another version of the kit"),
        (("measured",), 3, '"measured" is not a text'),
        (("sides", 0, "peak_gops", "fp32"), 0, '"fp32" is not above 0'),
        (("sides", 0, "threads"), "1", '"sides[0].threads" is not a whole number'),
        (("sides", 0, "rates", 1, "bytes"), 1.5, '"sides[0].rates[1].bytes" is not a whole number'),
        (("sides", 0, "rates", 1, "pattern"), "triad", '"triad" is no pattern of memory'),
        (("sides", 1, "rates"), None, '"sides[1].rates" is not a list'),
    ],
)
def test_damaged_ceilings_are_one_line(place: tuple, value: object, said: str, tmp_path: Path) -> None:
    plain = copy.deepcopy(CEILINGS.to_json())
    held = plain
    for key in place[:-1]:
        held = held[key]
    held[place[-1]] = value
    (tmp_path / "ceilings.json").write_text(json.dumps(plain))
    with pytest.raises(UserError) as refused:
        Ceilings.read(tmp_path / "ceilings.json")
    assert refused.value.what == said and "ceilings.json" in refused.value.where


_KEYS = ["schema_version", "measured", "conditions", "sides", "experiments", "threads", "feature_on", "rates"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_json_is_ceilings_or_one_line(data: st.DataObject) -> None:
    """Ceilings with one value replaced by any other, wherever it stands."""
    plain = json.loads(json.dumps(CEILINGS.to_json()))
    held = plain
    while isinstance(held, (dict, list)) and held:
        key = data.draw(st.sampled_from(list(held) if isinstance(held, dict) else range(len(held))))
        inner = held[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            held[key] = data.draw(JSON)
            break
        held = inner
    try:
        Ceilings.from_json(JsonObject(plain, "in a test", "mend it"))
    except UserError as problem:
        assert "\n" not in str(problem)


def test_of_sides_that_run_alike_any_name_finds_them() -> None:
    shared = SideCeilings(("before", "after"), 1, True, {"fp32": 1.0}, (MemoryRate(COPY, 1, 1.0),))
    both = replace(CEILINGS, sides=(shared,))
    assert both.side("before", 1) is both.side("after", 1) is shared
    assert both.side("after", 2) is None and both.side("other", 1) is None


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
