# SPDX-License-Identifier: Apache-2.0
"""The runners on real models: native and python must do, measure and report the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.kit import KIT

from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.program.inputs import make_inputs, write_inputs
from model_profiling.pipeline.program.signature import read_signature
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, Runner, choose_runner, native_build
from model_profiling.pipeline.runners import result as results
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.processes import ChildResult, run_child

pytestmark = pytest.mark.slow

BOTH = ("native", "python")
PAIR = cpu_features.resolve("auto", cpu_features.detect())


@pytest.fixture(scope="session")
def runners() -> dict[str, Runner]:
    return {name: choose_runner(name, None) for name in BOTH}


@pytest.fixture
def request_for(tmp_path: Path, toy: Path) -> Callable[..., LaunchRequest]:
    """Return a function that makes a small request, with any of its fields changed."""

    def make(folder: str = "launch", **changes: object) -> LaunchRequest:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        request = LaunchRequest(
            model=toy,
            inputs=(),
            warmup=2,
            runs=4,
            traced_runs=3,
            threads=1,
            disable_cpu_features=(),
            etdump=root / "trace.etdump",
            result=root / "result.json",
            outputs_dir=root / "outputs",
            log=root / "log",
            timeout_s=120,
        )
        return replace(request, **changes)

    return make


def launch(runner: Runner, request: LaunchRequest) -> ChildResult:
    argv, env = runner.command(request)
    return run_child(argv, timeout_s=request.timeout_s, env=env, log=request.log)


def measured(runner: Runner, request: LaunchRequest) -> LaunchMeasurement:
    return runner.read(request, launch(runner, request))


def output_bytes(measurement: LaunchMeasurement) -> list[bytes]:
    return [output.path.read_bytes() for output in measurement.outputs]


def error_line(child: ChildResult, status: int = 2) -> str:
    """Return the one error line of a failed child, having checked status and traceback."""
    text = child.log.read_text() if child.log else child.output
    assert child.exit_code == status, text
    errors = [line for line in text.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "Traceback" not in text, text
    return errors[0]


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


# ---------------------------------------------------------------- bad input


def broken(kind: str, toy: Path, folder: Path) -> Path:
    whole = toy.read_bytes()
    path = folder / f"{kind}.pte"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "head": whole[:3],
                "truncated": whole[:-1],
                "half": whole[: len(whole) // 2],
                "random": np.random.default_rng(1).bytes(5000),
                "text": b"not a model\n" * 9,
            }[kind]
        )
    return path


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "head", "truncated", "half", "random", "text"])
def test_broken_models_are_one_line(name: str, kind: str, toy: Path, runners, request_for, tmp_path: Path) -> None:
    request = request_for(model=broken(kind, toy, tmp_path))
    assert str(request.model) in error_line(launch(runners[name], request))
    assert not request.result.exists() and not request.etdump.exists()


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    "flags, told",
    [
        (["--threads", "0"], "--threads"),
        (["--threads", "many"], "--threads"),
        (["--runs", "-1"], "--runs"),
        (["--warmup", "1.5"], "--warmup"),
        (["--modle", "x"], "did you mean --model?"),
        (["--disable-cpu-features", "warp_drive"], "no feature warp_drive"),
        (["--input", "/nonexistent"], "/nonexistent"),
        (["--result", "/nonexistent/result.json"], "/nonexistent"),
        (["--etdump", "/nonexistent/t.etdump"], "/nonexistent"),
        (["--outputs-dir", "/dev/null/outputs"], "/dev/null"),
    ],
)
def test_bad_flags_are_one_line(name: str, flags: list[str], told: str, runners, request_for) -> None:
    request = request_for(extra_args=tuple(flags))
    assert told in error_line(launch(runners[name], request))
    assert not request.result.exists()


@pytest.mark.parametrize("name", BOTH)
def test_inputs_of_the_wrong_size_or_number_are_one_line(name: str, runners, request_for, tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(b"\0" * 7)
    assert "has 7 bytes" in error_line(launch(runners[name], request_for(inputs=(short,))))
    assert "2 input files for a model of 1" in error_line(
        launch(runners[name], request_for("two", inputs=(short, short)))
    )


@pytest.mark.parametrize("name", BOTH)
def test_awkward_paths_work(name: str, toy: Path, runners, request_for) -> None:
    request = request_for("a b;$(x) 'q\" <script> ünï")
    model = request.result.parent / "m o'd\"el;<script>.pte"
    shutil.copy(toy, model)
    measurement = measured(runners[name], replace(request, model=model))
    assert len(output_bytes(measurement)) == 1


def test_help_of_the_native_runner_names_every_flag_the_kit_uses(runners, request_for) -> None:
    argv, _ = runners["native"].command(request_for(inputs=(Path("x"),), disable_cpu_features=("sme",)))
    help_text = subprocess.run([argv[0], "--help"], capture_output=True, text=True, check=True).stdout
    assert all(flag in help_text for flag in argv if flag.startswith("--"))


# ---------------------------------------------------------------- failures of the measured program


def failed(exit_code: int | None, signal: str | None, request: LaunchRequest) -> ChildResult:
    return ChildResult(("sme_runner",), exit_code, signal, 1.0, False, "", request.log)


def test_death_by_a_signal_is_named(runners, request_for) -> None:
    request = request_for(runs=10_000_000, timeout_s=60)
    argv, _ = runners["native"].command(request)
    killed = run_child(
        ["bash", "-c", 'sleep 1 & "$@" & kill -SEGV $!; wait $!; exec kill -SEGV $$', "x", *argv],
        timeout_s=60,
        log=request.log,
    )
    with pytest.raises(MeasurementError, match="SIGSEGV") as died:
        runners["native"].read(request, killed)
    assert str(request.log) in str(died.value)


def test_a_launch_over_its_time_limit_is_ended(runners, request_for) -> None:
    request = request_for(runs=10_000_000, timeout_s=1)
    with pytest.raises(MeasurementError, match="longer than its limit"):
        measured(runners["native"], request)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 2}', "null"])
def test_an_unusable_result_is_a_failed_measurement(text: str, runners, request_for) -> None:
    request = request_for()
    request.result.write_text(text)
    with pytest.raises(MeasurementError, match="no usable result"):
        runners["native"].read(request, failed(0, None, request))


def test_too_few_executions_are_a_failed_measurement(runners, request_for) -> None:
    request = request_for()
    child = launch(runners["native"], request)
    with pytest.raises(MeasurementError, match="4 and 3 executions instead of 5 and 3"):
        runners["native"].read(replace(request, runs=5), child)


def test_the_launchs_own_words_are_passed_on(runners, request_for) -> None:
    request = request_for(model=Path("/nonexistent.pte"))
    with pytest.raises(MeasurementError, match="cannot be read") as told:
        measured(runners["native"], request)
    assert str(request.log) in str(told.value)


# ---------------------------------------------------------------- choosing and building


def test_describe_identifies_what_ran(runners) -> None:
    for name, runner in runners.items():
        about = runner.describe()
        assert about["name"] == name and len(about["sha256"]) == 64 and about["executorch_version"]
        json.dumps(about)


def test_unknown_runners_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean native"):
        choose_runner("nativ", None)
    with pytest.raises(UserError, match="does not exist"):
        choose_runner("auto", "/nonexistent/executor_runner")


def test_a_second_build_is_the_first(runners: dict[str, Runner]) -> None:
    assert native_build.build_native() == runners["native"].build
    assert not str(runners["native"].build.path).startswith(str(KIT))


def test_no_compiler_is_one_line_and_auto_takes_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match="no C.. compiler is installed.*the python runner"):
        choose_runner("native", None)
    assert choose_runner("auto", None).name == "python"


def build_elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path, table: Callable[[str], str]) -> NativeRunner:
    """Build the native runner from a copy of its sources with another table of features."""
    sources = folder / "sources"
    shutil.copytree(native_build.SOURCES, sources)
    changed = sources / "cpu_layout.def"
    changed.write_text(table(changed.read_text()))
    monkeypatch.setattr(native_build, "SOURCES", sources)
    monkeypatch.setattr(native_build, "runners_folder", lambda: folder / "runners")
    return NativeRunner(native_build.build_native())


def test_a_native_runner_with_a_wrong_table_refuses_to_mask(monkeypatch, tmp_path, request_for) -> None:
    import re

    def shifted(text: str) -> str:
        return re.sub(r"(ISA_FIELD\(\w+, )(\d+)", lambda m: f"{m[1]}{max(0, int(m[2]) - 1)}", text)

    runner = build_elsewhere(monkeypatch, tmp_path, shifted)
    child = launch(runner, request_for(disable_cpu_features=PAIR.disabled[:1]))
    assert "cpuinfo's layout is not the one the kit knows" in error_line(child)


def test_a_build_that_fails_names_its_log(monkeypatch, tmp_path) -> None:
    with pytest.raises(UserError, match="building the native runner failed") as told:
        build_elsewhere(monkeypatch, tmp_path, lambda text: text + "\nthis is no table\n")
    log = next((tmp_path / "runners").glob("*.log"))
    assert str(log) in str(told.value) and "no table" in log.read_text()
    assert not list((tmp_path / "runners").glob("native-*/"))


def build_runners(*args: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(KIT / "scripts" / "build_runners.sh"), *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix, **(env or {})},
    )


def test_build_runners_sh(tmp_path: Path, runners) -> None:
    assert str(runners["native"].build.path) in build_runners("--list", cwd=tmp_path).stdout
    assert str(runners["native"].build.path) in build_runners(cwd=tmp_path).stdout
    dry = build_runners("--dry-run", "--jobs", "1", cwd=tmp_path)
    assert "--parallel 1" in dry.stdout and dry.returncode == 0
    for args in (["--source", "hots"], ["--jobs", "0"], ["--nativ"]):
        refused = build_runners(*args, cwd=tmp_path)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and refused.stderr.startswith("error: ")


def test_build_runners_sh_alone_without_the_kit(tmp_path: Path) -> None:
    alone = tmp_path / "build_runners.sh"
    shutil.copy(KIT / "scripts" / "build_runners.sh", alone)
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    refused = subprocess.run(["bash", str(alone)], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "setup_repo.sh" in refused.stderr


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
