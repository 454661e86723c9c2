# SPDX-License-Identifier: Apache-2.0
"""The runners on real models: native and python must do, measure and report the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from support.launches import BOTH, PAIR, measured, output_bytes

from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.pipeline.program.inputs import make_inputs, write_inputs
from model_profiling.pipeline.program.signature import read_signature
from model_profiling.pipeline.runners import native_build
from model_profiling.pipeline.runners import result as results

pytestmark = pytest.mark.slow


# ---------------------------------------------------------------- native and python are one


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
def test_native_and_python_give_the_same_outputs(dtype: str, exported, runners, request_for, tmp_path: Path) -> None:
    model = exported("toy_cnn", dtype)
    inputs = tuple(write_inputs(make_inputs(read_signature(model), None, seed=3), tmp_path / "inputs"))
    native, python = (measured(runners[name], request_for(name, model=model, inputs=inputs)) for name in BOTH)
    assert output_bytes(native) == output_bytes(python)
    assert [(o.dtype, o.shape) for o in native.outputs] == [(o.dtype, o.shape) for o in python.outputs]


def test_results_have_one_schema(runners, request_for) -> None:
    keys = {}
    for name in BOTH:
        request = request_for(name)
        measurement = measured(runners[name], request)
        keys[name] = set(json.loads(request.result.read_text()))
        assert len(measurement.latency_ns) == 4 and len(measurement.traced_ns) == 3
        assert min(measurement.latency_ns + measurement.traced_ns + measurement.warmup_ns) > 0
        assert measurement.load_ns > 0 and measurement.peak_rss_bytes > 1 << 20
        assert measurement.traced_warmup == 0
    assert keys["native"] == keys["python"]


@pytest.mark.parametrize("name", BOTH)
def test_the_etdump_holds_the_traced_executions_and_nothing_else(name: str, runners, request_for) -> None:
    request = request_for(traced_runs=5)
    measurement = measured(runners[name], request)
    trace = read_etdump(request.etdump)
    assert trace.blocks == ("Execute",) * 5
    executed = [
        int(trace.duration_ns[i])
        for i in range(len(trace))
        if trace.name[i] >= 0 and trace.strings[trace.name[i]] == "Method::execute"
    ]
    assert len(executed) == 5
    # Both clocks span Method::execute: ours from outside, so a little longer.
    for inside, outside in zip(executed, measurement.traced_ns, strict=True):
        assert inside <= outside <= inside + 5_000_000


@pytest.mark.parametrize("name", BOTH)
def test_masked_features_are_gone_and_the_rest_stays(name: str, runners, request_for) -> None:
    plain = measured(runners[name], request_for("plain"))
    masked = measured(runners[name], request_for("masked", disable_cpu_features=PAIR.disabled))
    assert plain.masked_cpu_features == ()
    assert set(masked.masked_cpu_features) == set(PAIR.disabled)
    assert set(masked.active_cpu_features) == set(plain.active_cpu_features) - set(PAIR.disabled)


def test_masking_reaches_xnnpack(runners, request_for) -> None:
    """Other kernels add in another order: the last bits of the outputs differ, no more."""
    plain, masked = (
        measured(runners["native"], request_for(name, disable_cpu_features=features))
        for name, features in (("plain", ()), ("masked", PAIR.disabled))
    )
    a, b = (np.frombuffer(output_bytes(m)[0], dtype=np.float32) for m in (plain, masked))
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    if PAIR.label == "AVX-512":
        assert sorted(masked.latency_ns)[0] > sorted(plain.latency_ns)[0], "AVX2 kernels are slower"


def test_masked_native_and_python_still_agree_bit_for_bit(runners, request_for) -> None:
    native, python = (
        output_bytes(measured(runners[name], request_for(name, disable_cpu_features=PAIR.disabled))) for name in BOTH
    )
    assert native == python


@pytest.mark.parametrize("name", BOTH)
def test_seeded_inputs_are_those_of_inputs_py(name: str, runners, request_for, toy: Path, tmp_path: Path) -> None:
    inputs = tuple(write_inputs(make_inputs(read_signature(toy), None, seed=11), tmp_path / "inputs"))
    from_files = measured(runners[name], request_for("files", inputs=inputs))
    from_seed = measured(runners[name], request_for("seed", seed=11))
    other_seed = measured(runners[name], request_for("other", seed=12))
    assert output_bytes(from_files) == output_bytes(from_seed) != output_bytes(other_seed)


def test_two_inputs_of_two_types(runners, request_for, two_inputs: Path) -> None:
    native, python = (measured(runners[name], request_for(name, model=two_inputs, seed=5)) for name in BOTH)
    assert [o.dtype for o in native.outputs] == ["float32", "int64"]
    assert output_bytes(native) == output_bytes(python)
    ids = make_inputs(read_signature(two_inputs), None, seed=5)[0]
    assert native.outputs[1].path.read_bytes() == (ids * 2).tobytes()


def test_channels_last_models_take_and_give_c_order(runners, request_for, channels_last: Path) -> None:
    assert read_signature(channels_last).inputs[0].dim_order == (0, 2, 3, 1)
    native, python = (measured(runners[name], request_for(name, model=channels_last, seed=5)) for name in BOTH)
    image = make_inputs(read_signature(channels_last), None, seed=5)[0]
    assert output_bytes(native) == output_bytes(python) == [(image + image).tobytes()]


@pytest.fixture(scope="session")
def two_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of token ids and floats, exported without any backend."""
    import torch

    class Two(torch.nn.Module):
        def forward(self, ids, x):
            return ids.to(torch.float32).unsqueeze(-1) + x, ids * 2

    examples = (torch.zeros(1, 4, dtype=torch.int64), torch.rand(1, 4, 16))
    return portable(Two(), examples, tmp_path_factory.mktemp("two") / "two.pte")


@pytest.fixture(scope="session")
def channels_last(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    class Double(torch.nn.Module):
        def forward(self, x):
            return x + x

    example = torch.rand(1, 3, 4, 5).to(memory_format=torch.channels_last)
    return portable(Double(), (example,), tmp_path_factory.mktemp("last") / "last.pte")


def portable(module, examples: tuple, path: Path) -> Path:
    from executorch.exir import to_edge
    from torch.export import export

    path.write_bytes(to_edge(export(module.eval(), examples)).to_executorch().buffer)
    return path


# ---------------------------------------------------------------- phases


@pytest.mark.parametrize("name", BOTH)
def test_warmup_is_adaptive_and_capped(name: str, runners, request_for) -> None:
    block = results.WARMUP_BLOCK * results.WARMUP_BLOCKS_COMPARED
    few = measured(runners[name], request_for("few", warmup=0)).warmup_ns
    assert block <= len(few) <= results.DEFAULT_MAX_WARMUP
    many = measured(runners[name], request_for("many", warmup=40)).warmup_ns
    assert len(many) == 40, "the least number counts even above the cap"
    none = measured(runners[name], request_for("none", warmup=0, extra_args=("--max-warmup", "0")))
    assert none.warmup_ns == ()


def test_both_runners_warm_up_by_one_rule() -> None:
    from model_profiling.pipeline.runners.python_session import warm_up

    source = (native_build.SOURCES / "warmup.cpp").read_text()
    assert f"kBlock = {results.WARMUP_BLOCK};" in source
    assert f"kBlocksCompared = {results.WARMUP_BLOCKS_COMPARED};" in source
    assert f"kAgreement = {results.WARMUP_AGREEMENT};" in source

    def times(values: list[int]) -> int:
        supply = iter(values)
        return len(warm_up(3, 30, lambda: next(supply)))

    assert times([100] * 30) == 9
    assert times([200] * 3 + [100] * 30) == 12, "a slow first block is waited out"
    assert times([100, 100, 1000] * 12) == 9, "medians shrug off single outliers"
    assert times([100 + 10 * i for i in range(30)]) == 30, "times that keep drifting end at the cap"


@pytest.mark.parametrize("name", BOTH)
def test_no_traced_runs_write_no_trace(name: str, runners, request_for) -> None:
    request = request_for(traced_runs=0)
    assert measured(runners[name], request).traced_ns == ()
    assert not request.etdump.exists()


@pytest.mark.parametrize("name", BOTH)
def test_no_runs_at_all_still_give_outputs(name: str, runners, request_for) -> None:
    request = request_for(runs=0, traced_runs=0, warmup=0, extra_args=("--max-warmup", "0"))
    assert len(output_bytes(measured(runners[name], request))) == 1


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_as_asked(name: str, threads: int, runners, request_for) -> None:
    assert measured(runners[name], request_for(threads=threads)).threads == threads


def test_a_launch_does_not_inherit_our_memory(runners, request_for) -> None:
    """ru_maxrss of a forked process starts at its parent's: ours is far above the runner's."""
    ballast = np.ones(1 << 26, dtype=np.uint8)
    assert measured(runners["native"], request_for()).peak_rss_bytes < ballast.nbytes


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
