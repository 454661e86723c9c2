# SPDX-License-Identifier: Apache-2.0
"""What a tuning tries, keeps and says: its decisions over constructed results, without an export or a launch."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_profiling.analysis.comparing.comparison import Interval, OperatorComparison, OperatorCost
from model_profiling.analysis.tuning.gains import Outside, base_name, gains_ms, operators_outside
from model_profiling.analysis.tuning.record import (
    CALIBRATION,
    FEW,
    FINAL,
    MORE,
    PLAIN,
    Rewrites,
    Trial,
    Tried,
    TriedProgram,
    Tuning,
    TuningAsked,
    TuningOutcome,
)
from model_profiling.analysis.tuning.strategy import Export, Measure, Step, most_left, next_step
from model_profiling.errors import UserError
from model_profiling.json_objects import JsonObject
from model_profiling.paired_statistics import FASTER, NO_DIFFERENCE, NO_VERDICT, SLOWER
from model_profiling.report.words.tuning import conclusions, tuning_markdown

NAMES = ("gelu", "layer-norm", "softmax", "views")
#: Verdicts of a machine without noise: what differs by less shows no difference.
RESOLUTION = 0.005


@dataclass
class World:
    """A model whose rewrites each multiply its time; those of 1.0 change nothing of the program.

    `refused` are combinations that cannot be exported, `wrong` those that do not agree with the eager model.
    """

    factors: Mapping[str, float]
    refused: Callable[[Rewrites], bool] = lambda rewrites: False
    wrong: Callable[[Rewrites], bool] = lambda rewrites: False
    export_s: float = 10.0
    pair_s: float = 2.0
    steps: list[Step] = field(default_factory=list)

    def ms(self, rewrites: Rewrites) -> float:
        time = 100.0
        for name in rewrites:
            time *= self.factors[name]
        return time

    def export(self, rewrites: Rewrites) -> TriedProgram:
        if self.refused(rewrites):
            return TriedProgram(rewrites, self.export_s, "XNNPACK refuses it")
        applied = {name: int(self.factors[name] != 1.0) for name in rewrites}
        made_by = [name for name in rewrites if applied[name]]
        return TriedProgram(
            rewrites,
            self.export_s,
            "",
            "+".join(made_by),
            1000,
            1,
            0,
            1e-6,
            not self.wrong(rewrites),
            applied,
            {"gelu": 2, "views": 0} if rewrites == PLAIN else {},
        )

    def measure(self, step: Measure) -> Trial:
        before, after = self.ms(step.baseline), self.ms(step.candidate)
        speedup = before / after
        word = NO_DIFFERENCE if abs(speedup - 1) < RESOLUTION else FASTER if speedup > 1 else SLOWER
        interval = Interval(speedup - RESOLUTION, speedup + RESOLUTION)
        gains = {n: 100 * (1 - f) for n, f in self.factors.items()} if step.baseline == PLAIN else {}
        seconds = step.pairs * self.pair_s
        return Trial(
            step.baseline,
            step.candidate,
            step.stage,
            "runs/one",
            seconds,
            step.pairs,
            speedup,
            interval,
            0.01,
            None,
            word,
            before,
            after,
            {"CONV": before, "outside XNNPACK": before / 2},
            {"CONV": after},
            gains,
        )

    def tune(self, asked: TuningAsked) -> tuple[TuningOutcome, Tried]:
        tried = Tried()
        for _ in range(1000):
            step = next_step(asked, tried)
            self.steps.append(step)
            if isinstance(step, TuningOutcome):
                return step, tried
            if isinstance(step, Export):
                tried = replace(tried, programs=(*tried.programs, self.export(step.rewrites)))
            else:
                tried = replace(tried, trials=(*tried.trials, self.measure(step)))
        raise AssertionError("a tuning that does not end")


def asked(names: Rewrites = NAMES, pairs: int = 8, budget_s: float = 1e6) -> TuningAsked:
    return TuningAsked(names, pairs, budget_s)


FACTORS = st.fixed_dictionaries(
    {name: st.sampled_from([0.4, 0.8, 0.95, 0.997, 1.0, 1.003, 1.05, 1.5]) for name in NAMES}
)
COMBINATIONS = [c for size in range(len(NAMES) + 1) for c in itertools.combinations(NAMES, size)]
SOME = st.sets(st.sampled_from(COMBINATIONS), max_size=8)


def test_all_that_help_are_kept_at_once() -> None:
    world = World(dict.fromkeys(NAMES, 0.8))
    outcome, tried = world.tune(asked())
    assert outcome == TuningOutcome(NAMES, "everything tried", (NAMES,))
    assert world.steps[:3] == [Export(PLAIN), Export(NAMES), Measure(PLAIN, NAMES, 6, FEW)]
    assert world.steps[-2] == Measure(PLAIN, NAMES, 8, FINAL)
    assert tried.trials[-1].speedup == pytest.approx(1 / 0.8**4)


def test_one_that_hurts_is_left_out_first_where_it_promises_nothing() -> None:
    world = World({"gelu": 0.5, "layer-norm": 0.9, "softmax": 0.9, "views": 1.2})
    outcome, _ = world.tune(asked())
    without = ("gelu", "layer-norm", "softmax")
    assert outcome.chosen == without and outcome.kept == (NAMES, without)
    assert world.steps[3] == Export(without)


def test_where_all_together_are_slower_they_are_added_one_by_one_the_most_promising_first() -> None:
    world = World({"gelu": 0.9, "layer-norm": 0.7, "softmax": 2.0, "views": 1.0})
    outcome, _ = world.tune(asked())
    assert outcome.chosen == ("gelu", "layer-norm") and outcome.kept == (("layer-norm",), ("gelu", "layer-norm"))
    assert world.steps[3] == Export(("layer-norm",))


def test_where_all_together_are_refused_each_has_its_chance() -> None:
    world = World(dict.fromkeys(NAMES, 0.8), refused=lambda rewrites: "softmax" in rewrites)
    assert world.tune(asked())[0].chosen == ("gelu", "layer-norm", "views")


def test_what_does_not_apply_ends_it_after_two_exports() -> None:
    world = World(dict.fromkeys(NAMES, 1.0))
    assert world.tune(asked())[0] == TuningOutcome(PLAIN, "no rewrite applies")
    assert world.steps[:-1] == [Export(PLAIN), Export(NAMES)]


def test_plain_stays_where_nothing_helps() -> None:
    assert World(dict.fromkeys(NAMES, 1.1)).tune(asked())[0] == TuningOutcome(PLAIN, "nothing is faster")


def test_plain_that_does_not_agree_gives_way_to_a_slower_one_that_does() -> None:
    world = World(dict.fromkeys(NAMES, 1.1), wrong=lambda rewrites: not rewrites)
    outcome, _ = world.tune(asked())
    assert outcome.chosen and not world.wrong(outcome.chosen)
    assert World(dict.fromkeys(NAMES, 0.9), wrong=lambda rewrites: True).tune(asked())[0].reason == "none agrees"


def test_a_close_one_is_measured_again_and_that_alone_decides() -> None:
    world = World(dict.fromkeys(NAMES, 0.8))
    tried = Tried(tuple(map(world.export, (PLAIN, NAMES))))
    few = replace(world.measure(Measure(PLAIN, NAMES, 6, FEW)), verdict=NO_DIFFERENCE, speedup=1.2)
    few = replace(few, interval=Interval(0.9, 1.6))
    assert next_step(asked(), replace(tried, trials=(few,))) == Measure(PLAIN, NAMES, 8, MORE)
    hopeless = replace(few, speedup=1.004, interval=Interval(0.999, 1.009))
    assert isinstance(next_step(asked(), replace(tried, trials=(hopeless,))), Export), "not worth more pairs"
    more = replace(few, stage=MORE)
    assert next_step(asked(), replace(tried, trials=(few, more))) == Export(("gelu",))


def test_a_noise_floor_that_is_asked_for_comes_before_every_comparison() -> None:
    world = World(dict.fromkeys(NAMES, 0.8))
    outcome, tried = world.tune(replace(asked(), calibrate=True))
    assert world.steps[2:4] == [Measure(PLAIN, PLAIN, 8, CALIBRATION), Measure(PLAIN, NAMES, 6, FEW)]
    assert outcome == World(world.factors).tune(asked())[0]
    floor = replace(tried.trials[0], noise_floor_percent=2.5, gains_ms={})
    tuning = Tuning("net", "fp16", 1, asked(), {}, {}, replace(tried, trials=(floor, *tried.trials[1:])), outcome)
    assert "| plain | plain | 8 | 100 | 100 | 1.000 (0.995 to 1.005), noise floor 2.5 % |" in tuning_markdown(tuning)


def test_what_the_last_comparison_does_not_confirm_is_not_kept() -> None:
    world = World(dict.fromkeys(NAMES, 0.8))
    _, tried = world.tune(asked())
    doubted = replace(tried.trials[-1], verdict=NO_DIFFERENCE)
    outcome = next_step(asked(), replace(tried, trials=(*tried.trials[:-1], doubted)))
    assert outcome == TuningOutcome(PLAIN, "not confirmed", (NAMES,))


@settings(max_examples=200, deadline=None)
@given(factors=FACTORS, refused=SOME, wrong=SOME, budget=st.floats(1, 500))
def test_never_a_slower_one_and_within_the_budget(
    factors: Mapping[str, float], refused: set[Rewrites], wrong: set[Rewrites], budget: float
) -> None:
    refused, wrong = refused - {PLAIN}, wrong - {PLAIN}
    world = World(factors, lambda rewrites: rewrites in refused, lambda rewrites: rewrites in wrong)
    outcome, tried = world.tune(asked(budget_s=budget))
    chain = [world.ms(rewrites) for rewrites in (PLAIN, *outcome.kept)]
    assert all(after < before for before, after in itertools.pairwise(chain))
    assert world.ms(outcome.chosen) <= world.ms(PLAIN)
    assert outcome.chosen == (outcome.kept[-1] if outcome.kept else PLAIN)
    assert outcome.chosen not in refused | wrong
    first = next((at for at, step in enumerate(world.steps) if not isinstance(step, Export)), 0)
    assert first * world.export_s <= max(budget, 2 * world.export_s)
    # Nobody knows what a pair takes before the first comparison, which is therefore made, with the last one.
    assert tried.spent_s <= max(budget, first * world.export_s + (6 + 8) * world.pair_s)
    assert len(set(world.steps[:-1])) == len(world.steps) - 1, "nothing is tried twice"
    again = World(factors, world.refused, world.wrong)
    assert again.tune(asked(budget_s=budget)) == (outcome, tried) and again.steps == world.steps


@given(factors=FACTORS)
def test_finds_the_best_where_rewrites_do_not_depend_on_each_other(factors: Mapping[str, float]) -> None:
    world = World(factors)
    outcome, _ = world.tune(asked())
    best = min(world.ms(c) for c in COMBINATIONS)
    assert world.ms(outcome.chosen) <= best * (1 + 2 * RESOLUTION) ** len(NAMES)


@given(factors=FACTORS, steps=st.integers(0, 12))
def test_goes_on_where_it_was_ended(factors: Mapping[str, float], steps: int) -> None:
    """What is tried next depends on what was tried alone, in whatever session."""
    world = World(factors)
    outcome, tried = world.tune(asked())
    kept = replace(tried, programs=tried.programs[:steps], trials=tried.trials[: max(0, steps - 2)])
    step = next_step(asked(), kept)
    assert step == outcome or step in world.steps
    assert 0 <= most_left(asked(), kept) <= len(NAMES)


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        ("aten.native_layer_norm.default", "layer_norm"),
        ("native_call_native_layer_norm.out", "layer_norm"),
        ("aten._softmax.default", "softmax"),
        ("aten.unsqueeze_copy.default", "unsqueeze"),
        ("dim_order_ops._to_dim_order_copy.default", "to_dim_order"),
        ("gelu", "gelu"),
        ("", ""),
    ],
)
def test_operators_have_one_name_in_model_program_and_trace(operator: str, name: str) -> None:
    assert base_name(operator) == name


REPLACED = {"hard-sigmoid": ("aten.hardsigmoid.default",), "gelu": ("aten.gelu.default",), "views": ()}
OUTSIDE = [
    Outside("dim_order_ops._to_dim_order_copy.default", 3, "hardsigmoid"),
    Outside("dim_order_ops._to_dim_order_copy.default", 1, "to"),
    Outside("aten.gelu.default", 2, ""),
]


def operator(name: str, ms: float, delegated: bool = False) -> OperatorComparison:
    return OperatorComparison(
        name, "Other", delegated, OperatorCost(ms, 1.0, 1.0, 0.0), None, None, None, None, NO_VERDICT, False
    )


def test_a_rewrite_may_save_what_its_operators_outside_took() -> None:
    took = [operator("native_call__to_dim_order_copy.out", 8.0), operator("native_call_gelu.out", 5.0)]
    took.append(operator("GELU (NC, F32)", 100.0, delegated=True))
    assert gains_ms(OUTSIDE, took, REPLACED) == {"hard-sigmoid": 6.0, "gelu": 5.0, "views": 0.0}
    assert operators_outside(OUTSIDE, REPLACED) == {"hard-sigmoid": 3, "gelu": 2, "views": 0}


def test_what_is_left_without_the_outside_bounds_most_rewrites() -> None:
    parts = {"GEMM": 30.0, "Other": 20.0, "Framework overhead": 10.0, "outside XNNPACK": 20.0}
    trial = World(dict.fromkeys(NAMES, 0.8)).measure(Measure(PLAIN, NAMES, 6, FEW))
    assert replace(trial, baseline_parts_ms=parts).without_outside == pytest.approx(60 / 30)
    assert replace(trial, baseline_parts_ms={}).without_outside is None


def tuned(world: World, **changes: float) -> Tuning:
    wanted = asked(**changes)
    outcome, tried = world.tune(wanted)
    return Tuning("net", "fp16", 1, wanted, {"cpu": "A CPU"}, {"executorch": "1.5.1"}, tried, outcome)


def test_the_result_is_read_as_it_was_written() -> None:
    tuning = tuned(World({"gelu": 0.5, "layer-norm": 0.9, "softmax": 1.0, "views": 1.2}))
    plain = json.loads(json.dumps(tuning.to_json()))
    assert Tuning.from_json(JsonObject(plain, "here", "mend it")) == tuning
    plain["schema_version"] = 2
    with pytest.raises(UserError, match="another version"):
        Tuning.from_json(JsonObject(plain, "here", "mend it"))


def test_the_page_says_what_was_tried_and_what_came_of_it() -> None:
    told = tuning_markdown(tuned(World({"gelu": 0.5, "layer-norm": 0.9, "softmax": 1.0, "views": 1.2})))
    assert "Tuned net in fp16: rewrites gelu and layer-norm." in told
    assert "| **gelu, layer-norm** | 0.00 | 1 | 0 | 1e-06 | yes | 10 |" in told
    assert "| all | plain | 6 | 100 | 54 | 1.852 (1.847 to 1.857), faster |" in told
    assert "| all without views | all | 6 | 54 | 45 | 1.200 (1.195 to 1.205), faster |" in told
    assert "| all without views (last comparison) | plain | 8 | 100 | 45 |" in told
    assert "| category | plain | all without views |" in told and "| outside XNNPACK | 50.000 | 0.000 |" in told
    assert "| gelu | 2 | 50.000 |" in told
    assert "no overhead of the framework, plain would be 2.00 times as fast;" in told


def test_the_page_says_where_plain_stays_and_what_was_refused() -> None:
    slower = tuned(World(dict.fromkeys(NAMES, 1.1), refused=lambda rewrites: rewrites == NAMES))
    assert conclusions(slower) == [
        "The plain program of net in fp16 is the result. No combination was shown to be faster than the plain program."
    ]
    assert "## Exports that were refused\n\n- all rewrites: XNNPACK refuses it\n" in tuning_markdown(slower)
    assert "larger --budget" in conclusions(tuned(World(dict.fromkeys(NAMES, 0.9)), budget_s=60))[-1]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
