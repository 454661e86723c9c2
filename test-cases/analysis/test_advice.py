# SPDX-License-Identifier: Apache-2.0
"""Advice: which changes are proposed, in which order, and that no time is counted twice."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import CALL, LAYER, Costs
from model_profiling.analysis.advice.opportunity import AMDAHL, BASES, MEASURED, Opportunity
from model_profiling.analysis.advice.ranking import SMALLEST_SHARE, rank
from model_profiling.analysis.advice.roofline import LayerCeiling
from model_profiling.analysis.advice.rules.below_ceiling import below_ceiling, reason_of
from model_profiling.analysis.advice.rules.large_depthwise import large_depthwise
from model_profiling.analysis.advice.rules.layout import layout
from model_profiling.analysis.advice.rules.memory_bound import memory_bound
from model_profiling.analysis.advice.rules.outside import outside_xnnpack
from model_profiling.analysis.advice.rules.recipe import slower_numbers, without_sme2_kernel
from model_profiling.analysis.advice.rules.start import constants, first_execution, loading
from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.program_layers import ProgramLayers
from model_profiling.analysis.traces.layers import Layer
from model_profiling.errors import UserError
from model_profiling.export.rewrites import rewrites
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.program.exported import Exported, StoredConstant
from model_profiling.pipeline.program.layers import GraphInstruction, Node
from model_profiling.pipeline.program_records import ExportedReach
from model_profiling.pipeline.run_directory import Launch
from model_profiling.report.words.advice import command, opportunity_json, told

NORM = {
    "operator": "aten.native_layer_norm.default",
    "count": 1,
    "module": "norm",
    "source": "mine.py:9",
    "reason": "XNNPACK's partitioner does not know this operator",
    "hint": "--rewrite layer-norm, or by hand: take mean and variance over a 4-D view",
    "rewrite": "layer-norm",
}


def conv(module: str = "conv", detail: str = "3x3 conv, 8->8, 24x24", kind: str = "Conv2d") -> Node:
    return Node(kind, module, "aten.convolution.default", "mine.py:7", detail, ((1, 24, 24, 8),), (1, 24, 24, 8), 1000)


def transpose(operator: str = "", module: str = "") -> Node:
    return Node("StaticTranspose", module, operator, "mine.py:8" if operator else "", "transpose", (), (1, 8), 0)


def delegate(index: int, *nodes: Node) -> GraphInstruction:
    return GraphInstruction(index, "XnnpackBackend", "", "", nodes)


#: Two delegates with a layer norm between them, and the transposes that XNNPACK adds at their edges.
SPLIT = (
    delegate(0, transpose(), conv("first"), transpose()),
    GraphInstruction(1, "aten::native_layer_norm.out", "norm", "mine.py:9", ()),
    delegate(2, transpose(), conv("second"), transpose()),
)


def advised(graph: tuple[GraphInstruction, ...], ms: dict, exported: Exported | None = None, **more) -> AdvisedSide:
    side = MeasuredSide("on", 1, (), (), None, ProgramLayers(graph))
    return AdvisedSide(side, Costs(sum(ms.values()), ms), exported or Exported(dtype="fp32"), **more)


def layers_ms(*times: float) -> dict:
    return {(LAYER, number): time for number, time in enumerate(times)}


def ranked(side: AdvisedSide, *rules) -> tuple[Opportunity, ...]:
    return rank(side, [candidate for rule in rules for candidate in rule(side)])


# ---------------------------------------------------------------- rules


def test_an_operator_that_divides_a_delegate_costs_the_second_call_and_what_lies_at_the_edges_too() -> None:
    ms = layers_ms(0.1, 3, 0.2, 0.5, 0.3, 3, 0.1) | {(CALL, 0): 0.01, (CALL, 1): 0.02, (CALL, 2): 0.04}
    side = advised(SPLIT, ms, Exported(dtype="fp32", outside=(NORM,)))
    (first,) = ranked(side, outside_xnnpack)
    # The norm and its call, the second delegate's call, and the transposes on both sides of the norm; not those at
    # the program's own ends.
    assert math.isclose(first.saves_ms, 0.5 + 0.02 + 0.04 + 0.2 + 0.3)
    assert (first.id, first.kind, first.basis) == ("split-layer-norm", "split", AMDAHL)
    assert first.where == ("0.2 transpose", "1 norm (native_layer_norm.out)", "2.0 transpose")
    assert (first.facts["delegates"], first.facts["delegates_after"]) == ("2", "1")
    assert "--rewrite layer-norm" in told(first).do


def test_of_an_operator_that_costs_more_than_the_split_its_own_time_is_told() -> None:
    side = advised(SPLIT, layers_ms(0.1, 3, 0.2, 2.5, 0.3, 3, 0.1), Exported(dtype="fp32", outside=(NORM,)))
    (first,) = ranked(side, outside_xnnpack)
    assert first.kind == "outside" and told(first).what == "1 operator outside XNNPACK: native_layer_norm"


def test_delegates_stay_apart_where_something_else_stands_between_them() -> None:
    graph = (SPLIT[0], SPLIT[1], GraphInstruction(2, "aten::sort.values", "", "", ()), delegate(3, *SPLIT[2].nodes))
    side = advised(graph, layers_ms(0.1, 3, 0.2, 0.5, 0.4, 0.3, 3, 0.1), Exported(dtype="fp32", outside=(NORM,)))
    by_id = {one.id: one for one in ranked(side, outside_xnnpack)}
    assert by_id["outside-layer-norm"].saves_ms == 0.5
    assert by_id["outside-layer-norm"].facts["delegates_after"] == "2"


def test_a_conversion_of_type_in_an_fp16_program_is_an_island() -> None:
    entry = {**NORM, "operator": "dim_order_ops._to_dim_order_copy.default", "module": "", "source": ""}
    graph = (SPLIT[0], GraphInstruction(1, "dim_order_ops::_to_dim_order_copy.out", "", "", ()), SPLIT[2])
    side = advised(graph, layers_ms(0.1, 3, 0.2, 0.5, 0.3, 3, 0.1), Exported(dtype="fp16", outside=(entry,)))
    (first,) = ranked(side, outside_xnnpack)
    assert first.kind == "fp16-island" and told(first).what.startswith("float32 islands in an fp16 program")


def test_transposes_that_the_model_asks_for_go_with_those_that_xnnpack_adds_next_to_them() -> None:
    asked = transpose("aten.permute_copy.default")
    graph = (delegate(0, transpose(), conv(), transpose(), asked, conv(), asked, transpose(), conv(), transpose()),)
    side = advised(graph, layers_ms(0.1, 3, 0.2, 0.4, 3, 0.4, 0.2, 3, 0.1))
    asks, adds = ranked(side, layout)
    assert (asks.id, adds.id) == ("transpose-model", "transpose-xnnpack")
    assert math.isclose(asks.saves_ms, 1.2) and math.isclose(adds.saves_ms, 0.2)
    assert told(asks).place == "mine.py:8" and told(adds).place == ""


def test_layers_of_one_reason_are_one_opportunity_down_to_their_ceilings() -> None:
    small = conv("a", "3x3 depthwise conv, 64->64, 14x14", "DepthwiseConv2d")
    graph = (delegate(0, small, replace(small, module="b"), conv("c")),)
    ceilings = {
        "0.0 a (3x3 depthwise conv, 64->64, 14x14)": LayerCeiling(2.0, "memory", 0.1, 0.05),
        "0.1 b (3x3 depthwise conv, 64->64, 14x14)": LayerCeiling(2.0, "memory", 0.2, 0.1),
        "0.2 c (3x3 conv, 8->8, 24x24)": LayerCeiling(20.0, "compute", 2.5, 0.83),  # near enough
    }
    (first,) = ranked(advised(graph, layers_ms(2, 2, 3), ceilings=ceilings), below_ceiling)
    assert first.id == "below-ceiling-depthwise-depthwiseconv2d"
    assert (first.now_ms, round(first.bound_ms, 9), first.basis) == (4, 0.3, "ceiling")
    assert told(first).what == "2 layers like 3x3 depthwise conv, 64->64, 14x14: far below what this machine can do"


def test_a_large_depthwise_convolution_has_a_rewrite_with_a_ceiling_and_without() -> None:
    wide = conv("a", "7x7 depthwise conv, 8->8, 14x14", "DepthwiseConv2d")
    known = {"0.0 a (7x7 depthwise conv, 8->8, 14x14)": LayerCeiling(2.0, "memory", 0.5, 0.25)}
    for ceilings, bound, basis in ((known, 0.5, "ceiling"), ({}, 0, AMDAHL)):
        side = advised((delegate(0, wide),), layers_ms(2), ceilings=ceilings)
        (first,) = ranked(side, large_depthwise, below_ceiling)
        assert (first.id, first.bound_ms, first.basis) == ("large-depthwise", bound, basis)
        assert first.facts["rewrite"] in rewrites()


def test_a_layer_without_a_ceiling_gets_no_bound() -> None:
    side = advised((delegate(0, conv()),), layers_ms(3), ceilings={"0.0 conv (3x3 conv, 8->8, 24x24)": LayerCeiling(2)})
    assert ranked(side, below_ceiling, memory_bound) == ()


def test_a_layer_near_the_ceiling_of_memory_gains_from_smaller_numbers_alone() -> None:
    ceilings = {"0.0 conv (3x3 conv, 8->8, 24x24)": LayerCeiling(0.5, "memory", 2.4, 0.8)}
    side = advised((delegate(0, conv()),), layers_ms(3), ceilings=ceilings)
    (first,) = ranked(side, memory_bound)
    assert (first.kind, first.bound_ms) == ("memory-bound", 1.2) and "fp16" in told(first).do
    (first,) = ranked(replace(side, float16=False), memory_bound)
    assert math.isclose(first.bound_ms, 0.6) and "int8" in told(first).do, "this CPU would convert each float16 number"
    assert ranked(replace(side, exported=Exported(dtype="int8")), memory_bound) == ()


@pytest.mark.parametrize(
    ("kind", "detail", "output", "reason"),
    [
        ("DepthwiseConv2d", "7x7 depthwise conv, 64->64, 14x14", "1x14x14x64", "large depthwise"),
        ("DepthwiseConv2d", "5x5 depthwise conv, 64->64, 14x14", "1x14x14x64", "depthwise"),
        ("FullyConnected", "linear, 512->512, 1 row", "1x512", "few rows"),
        ("FullyConnected", "linear, 30->512, 128 rows", "128x512", "odd channels"),
        ("Conv2d", "3x3 conv, 64->64, 7x7", "1x7x7x64", "small"),
        ("Conv2d", "3x3 conv, 64->64, 56x56", "1x56x56x64", ""),
        ("StaticTranspose", "transpose, 1x8", "1x8", ""),
    ],
)
def test_the_usual_reason(kind: str, detail: str, output: str, reason: str) -> None:
    layer = Layer("", "", kind, detail, "", output, 1, int(kind != "StaticTranspose"), 1, "")
    assert reason_of(layer) == reason


def test_another_recipe_is_named_only_where_the_cpu_has_sme2() -> None:
    # Recorded for the pinned release: a 1x1 convolution in fp16 reaches no SME2 kernel, in fp32 it does.
    pointwise = ExportedReach("conv", "conv 1x1", 576, 1000, True, False, "mine.py:7", "float16")
    graph, exported = (delegate(0, conv("conv", "1x1 conv, 8->8, 24x24")),), Exported(dtype="fp16")
    side = advised(graph, layers_ms(3), exported, matrix_layers=(pointwise,))
    assert ranked(side, without_sme2_kernel) == ()
    first, *_ = ranked(replace(side, sme2=True), without_sme2_kernel)
    assert first.facts["recipe"] in ("fp32", "int8") and first.saves_ms == 3 and first.basis == AMDAHL


def test_numbers_that_the_cpu_has_no_arithmetic_for_lose_to_those_it_has() -> None:
    ceilings = {"0.0 conv (3x3 conv, 8->8, 24x24)": LayerCeiling(20.0, "compute", 2.0, 0.66, "fp32")}
    side = advised((delegate(0, conv()),), layers_ms(3), Exported(dtype="fp16"), ceilings=ceilings)
    (first,) = ranked(side, slower_numbers, below_ceiling)
    assert (first.id, first.bound_ms, first.basis) == ("slower-numbers-fp32", 2.0, "ceiling")
    assert told(first).do.startswith("Export in fp32")


# ---------------------------------------------------------------- ranking

PLACES = st.dictionaries(st.tuples(st.just(LAYER), st.integers(0, 5)), st.floats(0.01, 10), min_size=1)
TIMES = st.lists(st.floats(0.01, 10), min_size=6, max_size=6)


@given(TIMES, st.lists(PLACES, max_size=8))
def test_savings_add_up_and_the_largest_comes_first(times: list[float], bounds: list[dict]) -> None:
    side = advised((delegate(0, *[conv(str(n)) for n in range(6)]),), layers_ms(*times))
    proposals = [Candidate(f"c{n}", "outside", AMDAHL, places) for n, places in enumerate(bounds)]
    result = rank(side, proposals)
    assert sum(one.saves_ms for one in result) <= sum(times) * (1 + 1e-9)
    assert (
        sum(one.saves_ms for one in result)
        <= sum(
            max(time - min((b.get((LAYER, n), math.inf) for b in bounds), default=math.inf), 0)
            for n, time in enumerate(times)
        )
        * (1 + 1e-9)
        + 1e-12
    )
    savings = [one.saves_ms for one in result]
    assert savings == sorted(savings, reverse=True)
    for one in result:
        assert one.saves_ms >= SMALLEST_SHARE * sum(times)
        assert math.isclose(one.now_ms - one.bound_ms, one.saves_ms, abs_tol=1e-9)


def test_two_ways_to_change_one_layer_are_not_worth_both() -> None:
    side = advised((delegate(0, conv()),), layers_ms(10))
    ways = [
        Candidate("half", "recipe", AMDAHL, {(LAYER, 0): 5.0}),
        Candidate("less", "outside", AMDAHL, {(LAYER, 0): 3.0}),
    ]
    (only,) = rank(side, ways)
    assert (only.id, only.saves_ms) == ("less", 7)


def test_what_an_earlier_one_took_is_taken_from_a_measured_interval_too() -> None:
    side = advised((delegate(0, conv("a"), conv("b")),), layers_ms(10, 10))
    first = Candidate("first", "outside", AMDAHL, {(LAYER, 0): 0.0})
    measured = Candidate(
        "threads-1", "threads", MEASURED, {(LAYER, 0): 6.0, (LAYER, 1): 6.0}, {"threads": "1"}, (7.0, 9.0)
    )
    _, second = rank(side, [measured, first])
    assert (second.saves_ms, second.saves_low_ms, second.saves_high_ms) == (4, 3.5, 4.5)


def started(load_ms: float = 0.0, first_ms: float = 1.0, exported: Exported | None = None) -> AdvisedSide:
    """A program of one layer that takes 1 ms, in four launches that started like this."""
    launch = Launch("on", 1, 0, 0, 0, 0, "", "native", (), 0, None, 1.0, "log")
    launch = replace(launch, load_ms=load_ms or None, warmup_ns=(round(first_ms * 1e6),), latency_ns=(1_000_000,))
    side = advised((delegate(0, conv()),), layers_ms(1), exported)
    return replace(side, side=replace(side.side, launches=(launch,) * 4))


def test_a_start_comes_after_executions() -> None:
    side = started(load_ms=90, first_ms=3)
    outside = Candidate("x", "outside", AMDAHL, {(LAYER, 0): 0.5})
    result = rank(side, [*loading(side), *first_execution(side), outside])
    assert [(one.id, one.per, round(one.saves_ms, 6)) for one in result] == [
        ("x", "execution", 0.5),
        ("loading", "start", 90),
        ("first-execution", "start", 2),
    ]


def test_a_short_load_and_a_usual_first_execution_are_no_opportunities() -> None:
    assert not ranked(started(load_ms=9, first_ms=1.4), constants, loading, first_execution)


TABLE = StoredConstant("positions.table", "buffer", 60, 1, "positions", "mine.py:9")


def test_constants_beside_the_weights_save_their_share_of_loading_and_loading_once_the_rest() -> None:
    side = started(load_ms=50, exported=Exported(pte_bytes=100, constants=(TABLE,)))
    result = ranked(side, constants, loading, first_execution)
    assert [(one.id, round(one.now_ms, 6), round(one.saves_ms, 6)) for one in result] == [
        ("constants", 50, 30),
        ("loading", 20, 20),
    ]
    words = told(result[0])
    assert words.what.startswith("1 constant beside the weights") and words.what.endswith("positions.table")
    assert words.place == "positions, mine.py:9"


def test_of_a_weight_that_is_stored_twice_one_copy_is_too_many() -> None:
    weight = replace(TABLE, name="embedding.weight", kind="weight", bytes=40, copies=2)
    (one,) = ranked(started(load_ms=5, exported=Exported(pte_bytes=100, constants=(weight,))), constants)
    assert math.isclose(one.saves_ms, 2) and told(one).what.startswith("1 weight stored twice")


def test_what_an_export_recorded_survives_json() -> None:
    made = Exported("toy_cnn", "kit", "fp32", pte_bytes=100, constants=(TABLE,))
    assert Exported.from_json(JsonObject(made.to_json(), "in a test", "mend it")) == made


# ---------------------------------------------------------------- files


def some(**changes: object) -> Opportunity:
    facts = {"operators": "mean", "count": "1", "delegates": "2", "delegates_after": "1", "rewrite": "mean"}
    facts |= {"model": "toy_cnn", "source": "kit", "dtype": "fp32"}
    one = Opportunity("outside-mean", "outside", "on", 1, ("1 mean.out",), 0.5, 0.0, 0.5, AMDAHL, facts=facts)
    return replace(one, **changes)


def test_an_opportunity_survives_json() -> None:
    one = some(saves_low_ms=0.1, saves_high_ms=0.9)
    assert Opportunity.from_json(JsonObject(opportunity_json(one), "in a test", "mend it")) == one


def test_its_command_is_for_models_known_by_name() -> None:
    assert command(some()) == (
        "python model_profiling/scripts/tune_model.py --model toy_cnn --dtype fp32 --rewrites mean "
        "--outdir out_toy_cnn/tuned"
    )
    assert command(some(facts={**some().facts, "source": "file"})) == ""


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"rewrite": "mean"}, "Export with --rewrite mean, and measure"),
        ({"rewrite": "", "hint": "write it out"}, "Write it out"),
        ({"rewrite": "", "operators": "et_view"}, "Give the method fixed shapes: where they vary, the runtime itself "),
        ({"rewrite": ""}, "Find a form that XNNPACK takes"),
    ],
)
def test_what_to_do_about_an_operator_outside(facts: dict[str, str], said: str) -> None:
    assert told(some(facts={**some().facts, **facts})).do.startswith(said)


@pytest.mark.parametrize(("key", "value"), [("basis", "hope"), ("where", 1), ("now_ms", "1"), ("facts", {"count": 1})])
def test_a_damaged_opportunity_is_told(key: str, value: object) -> None:
    with pytest.raises(UserError):
        Opportunity.from_json(JsonObject({**opportunity_json(some()), key: value}, "in a test", "mend it"))


def test_bases_are_those_of_the_contract() -> None:
    assert BASES == ("measured", "ceiling", "amdahl")
