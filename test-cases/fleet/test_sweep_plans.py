# SPDX-License-Identifier: Apache-2.0
"""What a sweep's configuration means: its cells, their configurations, their names; and what it is refused for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sweep import small_experiments, write_sweep_config

from model_profiling import PACKAGE_DIR
from model_profiling.errors import UserError
from model_profiling.fleet.config import load_sweep_config, parse_sweep_config, split_label
from model_profiling.fleet.estimate import EXPORT_S, Remaining, TimeEstimate, guess_s
from model_profiling.fleet.plan import Cell, SweepPlan, SweptProgram, make_plan
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.config import load_config, parse_config

CONFIGS = PACKAGE_DIR / "configs"


def plan_of(folder: Path, **keys: object) -> SweepPlan:
    return make_plan(load_sweep_config(write_sweep_config(folder, **keys)), seed=7)


def names(plan: SweepPlan) -> list[str]:
    return [cell.name for cell in plan.cells]


def test_every_combination_is_a_cell_and_each_program_is_exported_once(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        models=["toy_cnn", {"model": "toy_decoder", "methods": ["prefill", "decode"]}],
        dtypes=["fp32", "8da4w_g32"],
        devices=["local", "emulated", {"soc": "SM 8850"}],
        leave_out=[{"dtype": "fp32", "device": ["SM-8850", "emulated"]}, {"model": "toy_cnn", "dtype": "8da4w_g32"}],
    )
    assert names(plan) == [
        "toy_cnn_fp32_t1_local",
        "toy_decoder_fp32_prefill_t1_local",
        "toy_decoder_fp32_decode_t1_local",
        "toy_decoder_8da4w_g32_prefill_t1_local",
        "toy_decoder_8da4w_g32_prefill_emulated",
        "toy_decoder_8da4w_g32_prefill_t1_SM-8850",
        "toy_decoder_8da4w_g32_decode_t1_local",
        "toy_decoder_8da4w_g32_decode_emulated",
        "toy_decoder_8da4w_g32_decode_t1_SM-8850",
    ]
    assert [program.name for program in plan.programs] == ["toy_cnn_fp32", "toy_decoder_fp32", "toy_decoder_8da4w_g32"]
    assert plan.left_out == 9
    assert split_label("8da4w_g32") == ("8da4w", 32) and split_label("fp16") == ("fp16", 0)


def test_an_emulated_cpu_has_one_cell_whatever_the_threads(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, dtypes=["fp32"], threads=[1, 2], devices=["emulated", {"emulated": "neoverse-v1"}])
    assert names(plan) == ["toy_cnn_fp32_emulated", "toy_cnn_fp32_emulated-neoverse-v1"]


def test_a_cell_is_the_platforms_run_on_its_threads(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, dtypes=["fp32"], threads=[4], devices=["local", "adb"], pairs=12, order="launches")
    local, phone = (parse_config({"model": "m", "output_root": "o", **cell.config}, tmp_path) for cell in plan.cells)
    assert [(one.name, one.threads) for one in local.experiments] == [("mac_sme2_on", (4,)), ("mac_sme2_off", (4,))]
    assert (local.pairs, local.order, local.seed, local.device_mode) == (12, "launches", 7, None)
    assert [one.cpu_affinity for one in phone.experiments] == ["prime", "prime"] and phone.device_mode == "fixed"


def test_experiments_of_its_own_go_into_every_cell(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, models=[{"model": "toy_decoder", "methods": ["decode"]}], **small_experiments())
    (config,) = (parse_config({"model": "m", "output_root": "o", **cell.config}, tmp_path) for cell in plan.cells)
    assert [(one.name, one.method, one.threads, one.runs) for one in config.experiments] == [
        ("on", "decode", (1,), 5),
        ("off", "decode", (1,), 5),
    ]
    assert config.compare_pairs == (("off", "on"),) and not config.ceilings


def test_a_pte_is_measured_as_it_is(tmp_path: Path) -> None:
    pte = tmp_path / "some_xnnpack_int8.pte"
    pte.touch()
    plan = plan_of(tmp_path, models=[str(pte), {"name": "other", "pte": str(pte)}], dtypes=["fp32", "fp16"])
    assert names(plan) == ["some_int8_t1_local", "other_int8_t1_local"]
    assert not any(program.exported for program in plan.programs)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"models": ["toy_cmn"]}, "there is no model 'toy_cmn' (did you mean toy_cnn?), in models[0]"),
        ({"models": ["gone.pte"]}, "gone.pte does not exist, in models[0]"),
        ({"models": [{"name": "x"}]}, "no model is named, in models[0]"),
        ({"models": [{"pte": "a.pte", "weights": "b"}]}, "an exported program is measured as it is, in models[0]"),
        ({"models": [{"model": "toy_cnn", "rewrites": ["gelo"]}]}, "'gelo' (did you mean gelu?), in models[0]"),
        ({"models": ["toy_cnn", "toy_cnn"]}, "two cells are called toy_cnn_fp16_t1_local"),
        ({"dtypes": ["fp61"]}, "there is no dtype 'fp61' (did you mean fp16?), in dtypes"),
        ({"dtypes": ["fp16_g32"]}, "fp16 has no groups of weights, in dtypes"),
        ({"dtypes": []}, "[] is not valid, in dtypes"),
        ({"threads": [0]}, "0 is not valid, in threads[0]"),
        ({"devices": ["lcoal"]}, "there is no device lcoal (did you mean local?), in devices[0]"),
        ({"devices": [{"serial": "a", "soc": "b"}]}, "serial and soc name several devices, in devices[0]"),
        ({"devices": [{"name": "a"}]}, "nothing tells which device is meant, in devices[0]"),
        ({"devices": [{"emulated": "max", "device_mode": "app"}]}, '"device_mode" says nothing of an emulated CPU'),
        ({"devices": ["local", {"name": "local", "serial": "a"}]}, "two cells are called toy_cnn_fp16_t1_local"),
        ({"leave_out": [{"model": "toy_cn"}]}, "no cell has the model toy_cn (did you mean toy_cnn?), in leave_out[0]"),
        ({"leave_out": [{"threads": 1}]}, "every cell is left out"),
        ({"leave_out": [{}]}, "{} is not valid, in leave_out[0]"),
        ({"experiments": [{"name": "a", "threads": [1]}]}, '"threads" of an experiment is given by each cell'),
        ({"experiments": [{"name": "a", "run": 1}]}, '"run" is not a key of the config (did you mean runs?)'),
        ({"experiments": [{"name": "a"}], "analysis": {"compare_pairs": [["a", "b"]]}}, "b is not an experiment"),
        ({"dtype": ["fp16"]}, '"dtype" is not a key of the config (did you mean dtypes?)'),
        ({"seed": -1}, "-1 is not valid, in seed"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(keys: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        plan_of(tmp_path, **keys)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_configurations_of_a_run_and_of_a_sweep_are_not_taken_for_each_other(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this is the configuration of one run, not of a sweep"):
        load_sweep_config(CONFIGS / "templates" / "mac_template.json")
    with pytest.raises(UserError, match="this is the configuration of a sweep, at .*: run it with sweep.py"):
        load_config(write_sweep_config(tmp_path))


@pytest.mark.parametrize("file", ["templates/sweep_template.json", "examples/sweep_mobilenet.json"])
def test_the_kits_own_configurations_are_valid(file: str) -> None:
    assert make_plan(load_sweep_config(CONFIGS / file), seed=0).cells


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted(json.loads((CONFIGS / "sweep.schema.json").read_text())["properties"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6))
def test_any_json_is_a_plan_or_one_line(raw: dict[str, object]) -> None:
    try:
        make_plan(parse_sweep_config({"output_root": "o", "models": ["toy_cnn"], **raw}, Path("sweep.json")), seed=0)
    except UserError as refused:
        assert "\n" not in str(refused)


def test_only_some_cells_take_their_programs_along(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, dtypes=["fp32", "int8"], threads=[1, 2])
    some = plan.only(["toy_cnn_int8_t2_local"])
    assert names(some) == ["toy_cnn_int8_t2_local"] and [one.name for one in some.programs] == ["toy_cnn_int8"]
    with pytest.raises(UserError, match=r"there is no cell toy_cnn_int8_t3_local \(did you mean"):
        plan.only(["toy_cnn_int8_t3_local"])


def test_jobs_travel_as_json(tmp_path: Path) -> None:
    models = [{"model": "toy_decoder", "rewrites": ["gelu"], "methods": ["decode"]}]
    devices = ["local", "emulated", {"name": "a", "soc": "SM8850", "device_mode": "app"}]
    plan = plan_of(tmp_path, models=models, devices=devices)

    def travelled(plain: object) -> JsonObject:
        return JsonObject(json.loads(json.dumps(plain)), "on the way", "send it again")

    for cell in plan.cells:
        assert Cell.from_json(travelled(cell.to_json())) == cell
    for program in plan.programs:
        assert SweptProgram.from_json(travelled(program.to_json())) == program


def test_an_estimate_learns_from_what_was_done(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, models=["toy_cnn", "toy_transformer"], dtypes=["fp32", "int8"])
    cells, programs = plan.cells, plan.programs
    assert TimeEstimate(False).seconds(programs[0]) == EXPORT_S and not TimeEstimate(False).measured
    learned = TimeEstimate(False, [(cells[0], 10 * guess_s(cells[0], False)), (programs[0], 5 * EXPORT_S)])
    assert learned.seconds(cells[0]) == 10 * guess_s(cells[0], False)
    assert learned.seconds(cells[1]) == pytest.approx(10 * guess_s(cells[1], False))
    assert learned.total(programs) == pytest.approx(4 * 5 * EXPORT_S) and learned.measured


def test_what_remains_grows_less_to_nothing(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, models=["toy_cnn", "toy_transformer"], threads=[1, 2])
    jobs = [*plan.programs, *plan.cells]
    remaining = Remaining(jobs, TimeEstimate(False), quick=False)
    told = [remaining.seconds, *(remaining.ended(job.name, 0.0) for job in jobs)]
    assert told == sorted(told, reverse=True) and told[0] == TimeEstimate(False).total(jobs) and told[-1] == 0


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
