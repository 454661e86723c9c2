# SPDX-License-Identifier: Apache-2.0
"""Methods, shapes and states in a run: from the configuration to the report, by both runners."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from support.export import export_here
from support.kit import kit, write_config
from support.launches import BOTH

from model_profiling import load_run
from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.input_files import check_model_and_inputs, prepare_inputs
from model_profiling.pipeline.program.workload import Workload
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.pipeline.runners.python import PythonRunner
from model_profiling.processes import run_child

pytestmark = pytest.mark.slow

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "methods.py"
ARM = {"runs": 4, "warmup": 1, "traced_runs": 2, "threads": [1]}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_here(tmp_path_factory.mktemp("pair"), model="Pair", model_file=CASES).paths.pte


@pytest.fixture(scope="module")
def run(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of both methods, one of them at three shapes, as generate_config.py writes it."""
    folder = tmp_path_factory.mktemp("run")
    for arguments, name in (
        (["--method", "classify"], "one"),
        (["--dimension", "rows=1,4,64", "--method", "encode"], "rows"),
    ):
        kit("scripts/generate_config.py", "--model", pair, "--output", folder / name, *arguments).ok()
    config = json.loads((folder / "rows" / "config.json").read_text())
    other = json.loads((folder / "one" / "config.json").read_text())
    config["experiments"] = [{**e, **ARM} for e in (*config["experiments"], *other["experiments"])]
    config["analysis"]["compare_pairs"] += other["analysis"]["compare_pairs"]
    config |= {"pairs": 3, "seed": 5}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    kit("scripts/validate_pipeline.py", "--config", path).ok()
    kit("scripts/mac_pipeline.py", "--config", path).ok()
    return Path(config["output_root"])


def test_a_configuration_for_every_method_and_shape(pair: Path, tmp_path: Path) -> None:
    kit("scripts/generate_config.py", "--model", pair, "--output", tmp_path).ok()
    config = json.loads((tmp_path / "config.json").read_text())
    assert sorted({e["method"] for e in config["experiments"]}) == ["classify", "encode"]
    assert sorted(config["analysis"]["compare_pairs"]) == [
        ["mac_sme2_off_classify", "mac_sme2_on_classify"],
        ["mac_sme2_off_encode", "mac_sme2_on_encode"],
    ]
    assert not any("input_shapes" in e for e in config["experiments"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "decode"], "has no method 'decode'"),
        (["--method", "encode", "--dimension", "row=1"], "no dimension 'row' of"),
        (["--method", "encode", "--dimension", "rows=0"], "rows is 0, and the program was exported for 1 to 64"),
        (["--method", "encode", "--dimension", "rows=1,x"], "names no values of a dimension"),
        (["--method", "encode", "--input-shapes", "65x64"], "larger than the program takes"),
        (["--method", "classify", "--input-shapes", "2x64"], "which does not vary"),
        (["--method", "encode", "--input-shapes", "4by64"], "a shape such as 1x16 is needed"),
    ],
)
def test_what_cannot_be_measured_is_said_before(pair: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = kit("scripts/generate_config.py", "--model", pair, "--output", tmp_path, *arguments)
    assert said in done.error_line() and not (tmp_path / "config.json").exists()


def test_every_experiment_ran_its_method_at_its_shape(run: Path) -> None:
    manifest = RunDirectory(run).read_manifest()
    ran = {name: (p.method, [item.shape for item in p.inputs]) for p in manifest.programs for name in p.experiments}
    assert ran["mac_sme2_on_encode_rows64"] == ("encode", [(64, 64)])
    assert ran["mac_sme2_off_encode_rows1"] == ("encode", [(1, 64)])
    assert ran["mac_sme2_on_classify"] == ("classify", [(1, 64)])
    kit("scripts/validate_results.py", "--results", run).ok()

    layers = load_run(run).layers
    work = layers[layers["matrix"]].groupby("experiment", observed=True)["multiply_adds"].sum().to_dict()
    assert [work[f"mac_sme2_on_encode_rows{rows}"] for rows in (1, 4, 64)] == [r * 64 * 512 for r in (1, 4, 64)]
    assert work["mac_sme2_on_classify"] == 64 * 512 + 512 * 5


def test_tokens_and_shapes_are_reported(run: Path) -> None:
    report = (run / "report.md").read_text()
    summary = json.loads((run / "analysis_summary.json").read_text())
    rate = summary["experiments"]["mac_sme2_on_encode_rows64"]["1"]["token_rate"]
    assert rate["tokens"] == 64 and rate["per_second"] == pytest.approx(64e3 / rate["time_ms"])
    assert rate["low"] < rate["per_second"] < rate["high"]
    assert "## Tokens" in report and "The first token after a prompt of 64 takes " in report
    assert "Each further token is one execution: " in report
    section = report.partition("## By input shape")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert rows == ["Input", "---", "1x64", "4x64", "64x64"]
    assert "](figures/input-shapes-0.svg)" in section
    assert (run / "figures" / "input-shapes-0.svg").is_file()
    # One file, whatever of it was run: nothing is said to be of different programs.
    assert "different programs" not in report and "# Pair_xnnpack_fp32" in report


def test_another_method_s_launch_is_found(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    lines = (copy / "launches.jsonl").read_text().replace('"--method", "classify"', '"--method", "encode"')
    (copy / "launches.jsonl").write_text(lines)
    done = kit("scripts/validate_results.py", "--results", copy)
    assert done.status == 2 and "encode, not " in done.stdout and "classify: run the experiment again" in done.stdout


@pytest.mark.parametrize("kind", BOTH)
def test_a_runner_asks_which_method(runners, request_for, pair: Path, kind: str) -> None:
    request = request_for(kind, model=pair)
    argv, env = runners[kind].command(request)
    with pytest.raises(MeasurementError, match=r"the program has several methods \(.*\), and none is named"):
        runners[kind].read(request, run_child(argv, env=env, timeout_s=120, log=request.log))


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "encod"}, "the program has no method"),
        ({"method": "encode", "input_shapes": ((65, 64),)}, "larger than the program takes"),
        ({"method": "encode", "input_shapes": ((4,),)}, "dimensions"),
        ({"method": "encode", "input_shapes": ((4, 64), (4, 64))}, "2 shapes for a"),
    ],
)
def test_a_runner_refuses_in_one_line(
    runners, request_for, pair: Path, kind: str, changes: dict[str, object], said: str
) -> None:
    request = request_for(kind, model=pair, **changes)
    argv, env = runners[kind].command(request)
    child = run_child(argv, env=env, timeout_s=120, log=request.log)
    assert child.exit_code == 2 and said in request.log.read_text().strip().splitlines()[-1]


@pytest.mark.parametrize("kind", BOTH)
def test_the_runners_give_the_same_at_a_shape(runners, request_for, pair: Path, kind: str) -> None:
    outputs = []
    for runner in (runners[kind], PythonRunner()):
        request = request_for(f"{kind}_{runner.name}", model=pair, method="encode", input_shapes=((3, 64),), seed=4)
        argv, env = runner.command(request)
        measured = runner.read(request, run_child(argv, env=env, timeout_s=120, log=request.log))
        [output] = measured.outputs
        assert output.shape == (3, 512)
        outputs.append(np.fromfile(output.path, dtype=output.dtype))
    assert np.allclose(*outputs, rtol=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_every_launch_begins_with_the_same_state(runners, request_for, tmp_path: Path, kind: str) -> None:
    """The counter's result grows with every execution; outputs are of the first, however many follow."""
    counting = export_here(tmp_path, model="Counting", model_file=CASES).paths.pte
    found = []
    for number, changes in enumerate(({"warmup": 0, "runs": 1}, {"warmup": 7, "runs": 9}, {"warmup": 0, "runs": 0})):
        request = request_for(f"{kind}{number}", model=counting, seed=1, **changes)
        argv, env = runners[kind].command(request)
        measured = runners[kind].read(request, run_child(argv, env=env, timeout_s=120, log=request.log))
        found.append(np.fromfile(measured.outputs[0].path, dtype=np.float32))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


@pytest.mark.parametrize("kind", BOTH)
def test_a_cache_that_is_full_is_told_with_its_executions(runners, request_for, tmp_path: Path, kind: str) -> None:
    full = export_here(tmp_path, model="Full", model_file=CASES).paths.pte
    request = request_for(kind, model=full, warmup=2, runs=20)
    argv, env = runners[kind].command(request)
    with pytest.raises(MeasurementError, match="the execution failed, after 16 that succeeded"):
        runners[kind].read(request, run_child(argv, env=env, timeout_s=120, log=request.log))


# ---------------------------------------------------------------- inputs


def configured(folder: Path, model: Path, *inputs: Path, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sides = [{"name": name, **ARM, "inputs": [str(i) for i in inputs], **changes} for name in ("on", "off")]
    return write_config(folder, model, experiments=sides)


def fed(folder: Path, model: Path, *inputs: Path, **changes: object) -> list[np.ndarray]:
    config = load_config(configured(folder, model, *inputs, **changes))
    [files] = prepare_inputs(config, RunDirectory(folder / "run"), seed=1).values()
    return [np.fromfile(item.file, dtype=item.dtype).reshape(item.shape) for item in files]


def test_arrays_of_numpy_and_torch_are_fed(pair: Path, tmp_path: Path) -> None:
    import torch

    values = np.random.default_rng(3).normal(size=(4, 64)).astype(np.float32)
    np.save(tmp_path / "x.npy", np.asfortranarray(values))
    torch.save(torch.from_numpy(values.T.copy()).T, tmp_path / "x.pt")
    values.tofile(tmp_path / "x.bin")
    for name in ("x.npy", "x.pt", "x.bin"):
        [given] = fed(tmp_path / name.replace(".", "_"), pair, tmp_path / name, method="encode")
        assert np.array_equal(given, values)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda path: np.save(path, np.zeros((4, 63), np.float32)),
            "holds [4, 63] float32, its input is [4, 64] float32",
        ),
        (lambda path: np.save(path, np.zeros((4, 64))), "holds [4, 64] float64"),
        (lambda path: np.save(path, np.array([{}], dtype=object)), "holds no tensor"),
        (lambda path: path.write_bytes(b""), "holds no tensor"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff"), "holds no tensor"),
    ],
)
def test_an_array_that_does_not_fit(pair: Path, tmp_path: Path, make, said: str) -> None:
    path = tmp_path / "x.npy"
    make(path)
    with pytest.raises(UserError) as raised:
        check_model_and_inputs(load_config(configured(tmp_path, pair, path, method="encode")))
    assert said in str(raised.value) and "\n" not in str(raised.value)


IDS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(8, 4)
    def forward(self, ids, mask):
        return self.head(self.table(ids) * mask[:, :, None])
class Model:
    def get_eager_model(self): return Net().eval()
    def get_example_inputs(self): return (torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0]]))
    def get_input_ranges(self): return {ranges}
    def get_dynamic_shapes(self): return {{"ids": {{1: N}}, "mask": {{1: N}}}}
N = torch.export.Dim("length", min=2, max=9)
"""


def ids(folder: Path, ranges: str = '{"ids": (0, 49)}') -> Path:
    from support.export import write_model

    return export_here(folder / "out", model_file=write_model(folder, IDS.format(ranges=ranges), "ids.py")).paths.pte


def test_ids_and_masks_are_the_example_s_own(tmp_path: Path) -> None:
    pte = ids(tmp_path)
    whole, shorter, longer = (
        fed(tmp_path / str(n), pte, **({"input_shapes": [[1, n], [1, n]]} if n != 5 else {})) for n in (5, 3, 9)
    )
    assert whole[0].tolist() == [[3, 1, 4, 1, 5]] and whole[1].tolist() == [[1, 1, 1, 0, 0]]
    assert shorter[0].tolist() == [[3, 1, 4]] and shorter[1].tolist() == [[1, 1, 1]]
    assert longer[0].shape == (1, 9) and 0 <= longer[0].min() <= longer[0].max() <= 49


def test_ids_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    pte = ids(tmp_path)
    np.save(tmp_path / "ids.npy", np.array([[3, 1, 50, 1, 5]]))
    np.save(tmp_path / "mask.npy", np.ones((1, 5), np.float32))
    with pytest.raises(UserError, match=r"ids\.npy holds 50, and the model takes 0 to 49 there"):
        check_model_and_inputs(load_config(configured(tmp_path, pte, tmp_path / "ids.npy", tmp_path / "mask.npy")))


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ('{"id": (0, 49)}', "names 'id', which is no input (did you mean ids?)"),
        ('{"ids": (0, 4)}', "says ids is from 0 to 4, and the example has 5"),
        ('{"ids": (9, 0)}', "gives (9, 0) for ids"),
        ('{"ids": 49}', "gives 49 for ids"),
    ],
)
def test_a_range_that_is_none(tmp_path: Path, ranges: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        ids(tmp_path, ranges)
    assert said in str(raised.value) and "in model ids" in str(raised.value)


def test_a_workload_is_told_in_words() -> None:
    assert str(Workload(Path("a.pte"))) == "a.pte"
    assert str(Workload(Path("a.pte"), "decode", ((1, 2), (3,)))) == "a.pte, decode, inputs [1, 2] and [3]"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
