# SPDX-License-Identifier: Apache-2.0
"""Two programs against each other in one run: before and after a change, and two dtypes; real exports and launches."""

from __future__ import annotations

import json
import math
import shutil
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.export import export_here, write_model
from support.kit import kit, write_config
from support.report import parsed, rows_of, words

from model_profiling import load_run
from model_profiling.errors import UserError
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.input_files import check_model_and_inputs, prepare_inputs
from model_profiling.pipeline.program.workload import Workload
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.run_files import derive

pytestmark = pytest.mark.slow

PIPELINE, VALIDATE = "scripts/mac_pipeline.py", "scripts/validate_results.py"
ARM = {"runs": 5, "warmup": 1, "traced_runs": 3, "threads": [1]}
#: A small model before and after a change: one layer more, the others with the same weights.
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.head = nn.Conv2d(16, 4, 1)
        self.extra = nn.Conv2d(16, 16, 3, padding=1)
    def forward(self, x):
        return self.head({body})
class Model:
    def get_eager_model(self): return Net().eval()
    def get_example_inputs(self): return (torch.rand({shape}),)
"""
STEM, DEEPER = "self.stem(x)", "self.extra(self.stem(x))"
SHAPE = "1, 3, 32, 32"


def exported_net(folder: Path, body: str = STEM, shape: str = SHAPE) -> Path:
    return export_here(folder, model_file=write_model(folder, NET.format(body=body, shape=shape), "net.py")).paths.pte


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs before and after: one name, two folders, as two exports of one file have them."""
    folder = tmp_path_factory.mktemp("nets")
    return {name: exported_net(folder / name, body) for name, body in (("before", STEM), ("after", DEEPER))}


def two_programs(folder: Path, before: Path, after: Path, **changes: object) -> Path:
    return write_config(
        folder,
        before,
        **{
            "experiments": [{"name": "old", **ARM}, {"name": "new", **ARM, "model": str(after)}],
            "analysis": {"compare_pairs": [["old", "new"]]},
            **changes,
        },
    )


@pytest.fixture(scope="module")
def dtypes(exported: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """toy_cnn in fp32 against int8: in lockstep, with the native runner."""
    folder = tmp_path_factory.mktemp("dtypes")
    config = two_programs(folder, exported("toy_cnn", "fp32"), exported("toy_cnn", "int8"), pairs=6)
    kit(PIPELINE, "--config", config).ok()
    return RunDirectory(folder / "run")


@pytest.fixture(scope="module")
def deeper(nets: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A model against itself with one layer more: in lockstep, with the python runner."""
    folder = tmp_path_factory.mktemp("deeper")
    kit(PIPELINE, "--config", two_programs(folder, nets["before"], nets["after"], pairs=3, runner="python")).ok()
    return RunDirectory(folder / "run")


@pytest.fixture
def copied(dtypes: RunDirectory, tmp_path: Path) -> RunDirectory:
    return RunDirectory(Path(shutil.copytree(dtypes.root, tmp_path / "run")))


@pytest.mark.parametrize("run", ["dtypes", "deeper"])
def test_a_run_of_two_programs_is_whole_by_its_own_checks(run: str, request: pytest.FixtureRequest) -> None:
    directory: RunDirectory = request.getfixturevalue(run)
    said = kit(VALIDATE, "--results", directory.root).ok().stdout
    assert "each experiment ran its own program, on its own inputs" in said


def test_the_manifest_says_who_ran_what(dtypes: RunDirectory) -> None:
    manifest = dtypes.read_manifest()
    assert [(p.model.id, p.experiments, p.export["dtype"]) for p in manifest.programs] == [
        ("toy_cnn_xnnpack_fp32", ("old",), "fp32"),
        ("toy_cnn_xnnpack_int8", ("new",), "int8"),
    ]
    assert manifest.order == "lockstep" and manifest.model == manifest.programs[0].model
    assert manifest.programs[0].inputs == manifest.programs[1].inputs, "the same bytes"
    assert all(p.graph_sha256 for p in manifest.programs) and not manifest.same_program("old", "new")
    for launch in dtypes.read_launches():
        assert launch.argv[launch.argv.index("--model") + 1] == manifest.program(launch.experiment).model.path
        assert launch.turns


def test_the_ratio_is_that_of_pairs_in_lockstep(dtypes: RunDirectory) -> None:
    (compared,) = json.loads(dtypes.analysis_summary.read_text())["comparisons"]
    times: dict[int, dict[str, float]] = {}
    for launch in dtypes.read_launches():
        if launch.counts:
            times.setdefault(launch.pair, {})[launch.experiment] = launch.execution_ns
    ratios = [held["old"] / held["new"] for held in times.values()]
    assert compared["models"] == ["toy_cnn_xnnpack_fp32", "toy_cnn_xnnpack_int8"]
    assert compared["speedup"] == pytest.approx(statistics.geometric_mean(ratios), rel=1e-6)


def test_each_side_s_layers_are_its_own_program_s_and_modules_join_them(dtypes: RunDirectory) -> None:
    run = load_run(dtypes.root)
    own = {name: set(run.layers[run.layers.experiment == name].layer) for name in ("old", "new")}
    (compared,) = json.loads(dtypes.analysis_summary.read_text())["comparisons"]
    by_module = {}
    for layer in compared["layers"]:
        assert set(layer["baseline_layers"]) <= own["old"] or layer["baseline_us"] is None
        assert set(layer["candidate_layers"]) <= own["new"] or layer["candidate_us"] is None
        for module in ("stem", "wide", "narrow", "mix", "token"):
            if any(f" {module} (" in name for name in layer["baseline_layers"]):
                by_module[module] = layer
    assert len(by_module) == 5
    for module, layer in by_module.items():
        assert len(layer["candidate_layers"]) == 1 and f" {module} (" in layer["candidate_layers"][0]
        assert layer["baseline_us"] > 0 and layer["candidate_us"] > 0
    alone = [layer for layer in compared["layers"] if not layer["baseline_layers"]]
    assert any("convert" in name for layer in alone for name in layer["candidate_layers"]), "int8 alone converts"
    assert all(layer["speedup"] is None and layer["verdict"] == "no verdict" for layer in alone)


@pytest.mark.parametrize("markup", ["HTML", "Markdown"])
def test_the_report_calls_sides_by_their_programs(dtypes: RunDirectory, markup: str) -> None:
    told = words(dtypes.root)[markup].replace("`", "").replace("\u00a0", " ")
    (compared,) = json.loads(dtypes.analysis_summary.read_text())["comparisons"]
    assert "toy_cnn int8 is " in told and " times as fast as toy_cnn fp32 (" in told
    assert "SME2 on" not in told and "SME2 off" not in told and "AVX" not in told
    assert "The experiments ran different programs: old ran toy_cnn fp32 (" in told
    for digest in (p.model.sha256[:12] for p in dtypes.read_manifest().programs):
        assert digest in told
    assert "within the limit of int8 (relative error 0.5, cosine 0.95)" in told
    assert "matched by module" in told and "no partner" in told
    assert math.isfinite(compared["speedup"])


def test_the_report_has_a_table_of_what_differs(dtypes: RunDirectory) -> None:
    rows = rows_of(parsed(dtypes.root), "What differs between toy_cnn fp32 and toy_cnn int8")
    told = {"".join(row[0].itertext()): ["".join(cell.itertext()) for cell in row[1:]] for row in rows}
    assert told["Export: dtype"] == ["fp32", "int8"] and told["Experiment"] == ["old", "new"]
    assert [Path(text).name for text in told["Model file"]] == ["toy_cnn_xnnpack_fp32.pte", "toy_cnn_xnnpack_int8.pte"]
    assert "Export: parameters" not in told, "which are the same"


def test_one_layer_more_costs_that_layer(deeper: RunDirectory) -> None:
    """Both exports have one name: the folders tell them apart. Outputs differ, as they are meant to."""
    (compared,) = json.loads(deeper.analysis_summary.read_text())["comparisons"]
    assert compared["speedup"] < 1
    extra = [layer for layer in compared["layers"] if any(" extra (" in x for x in layer["candidate_layers"])]
    assert [layer["baseline_layers"] for layer in extra] == [[]]
    told = (deeper.root / "report.md").read_text()
    assert "`after/net_xnnpack_fp32` is " in told and " times as fast as `before/net_xnnpack_fp32`" in told
    assert "beyond the limit of fp32" in told and "right where the change is meant to" in told
    said = kit(VALIDATE, "--results", deeper.root).ok().stdout
    assert "outputs of old and new differ by more than their exports allow" in said
    assert "net_xnnpack_fp32, net_xnnpack_fp32" not in told


def test_tables_and_timeline_name_each_program(dtypes: RunDirectory) -> None:
    assert (dtypes.root / "new" / "toy_cnn_xnnpack_int8_new_t1_layers.csv").is_file()
    assert set(load_run(dtypes.root).operators.model_id) == {"toy_cnn_xnnpack_fp32", "toy_cnn_xnnpack_int8"}
    timeline = json.loads(dtypes.timeline_json.read_text())
    assert timeline["otherData"]["model"] == "toy_cnn_xnnpack_fp32 and toy_cnn_xnnpack_int8"
    titles = [e["args"]["name"] for e in timeline["traceEvents"] if e["name"] == "process_name"]
    assert titles == ["toy_cnn fp32, 1 thread (old)", "toy_cnn int8, 1 thread (new)"]


def test_resumed_where_it_ended_and_not_with_another_program(nets: dict[str, Path], tmp_path: Path) -> None:
    before, after = (Path(shutil.copytree(nets[n].parent, tmp_path / n)) / nets[n].name for n in ("before", "after"))
    config = two_programs(tmp_path, before, after, order="launches", pairs=3)
    kit(PIPELINE, "--config", config).ok()
    run = RunDirectory(tmp_path / "run")
    lines = run.launches.read_text().splitlines(keepends=True)
    run.launches.write_text("".join(lines[:3]))
    unfinished = [replace(program, graph_sha256=None) for program in run.read_manifest().programs]
    run.write_manifest(replace(run.read_manifest(), finished=None, launches_sha256=None, programs=tuple(unfinished)))
    held = after.read_bytes()
    after.write_bytes(before.read_bytes())
    assert (
        f"the model {after} has changed since this run began"
        in kit(PIPELINE, "--config", config, "--resume").error_line()
    )
    after.write_bytes(held)
    kit(PIPELINE, "--config", config, "--resume").ok()
    assert run.launches.read_text().startswith("".join(lines[:3])) and len(run.read_launches()) == 6
    kit(VALIDATE, "--results", run.root).ok()


def exchanged(run: RunDirectory) -> None:
    """Each experiment is said to have run the other's program."""
    first, second = run.read_manifest().programs
    swapped = replace(first, experiments=second.experiments), replace(second, experiments=first.experiments)
    run.write_manifest(replace(run.read_manifest(), programs=swapped))


def graphs_exchanged(run: RunDirectory) -> None:
    first, second = run.graph(0).read_bytes(), run.graph(1).read_bytes()
    run.graph(0).write_bytes(second)
    run.graph(1).write_bytes(first)


def one_launch_exchanged(run: RunDirectory) -> None:
    lines = [json.loads(line) for line in run.launches.read_text().splitlines()]
    line = next(line for line in lines if line["experiment"] == "new")
    line["argv"][line["argv"].index("--model") + 1] = run.read_manifest().program("old").model.path
    run.launches.write_text("".join(json.dumps(line) + "\n" for line in lines))


def other_inputs(run: RunDirectory) -> None:
    first, second = run.read_manifest().programs
    other = replace(second.inputs[0], sha256="0" * 64)
    run.write_manifest(replace(run.read_manifest(), programs=(first, replace(second, inputs=(other,)))))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (exchanged, "old should have run"),
        (graphs_exchanged, "model_graph_2.json does not hold the layers of"),
        (one_launch_exchanged, "of new ran"),
        (other_inputs, "old and new were fed another input 0"),
    ],
)
def test_swapped_programs_are_noticed(copied: RunDirectory, spoil: Callable[[RunDirectory], None], told: str) -> None:
    spoil(copied)
    done = kit(VALIDATE, "--results", copied.root)
    assert done.status == 2
    assert any(line.startswith("error") and told in line for line in done.stdout.splitlines()), done.stdout


def test_the_feature_is_named_beside_the_programs_where_it_differs_too(nets: dict[str, Path], tmp_path: Path) -> None:
    arms = [{"name": "old", **ARM, "disable_cpu_features": "auto"}, {"name": "new", **ARM, "model": str(nets["after"])}]
    kit(PIPELINE, "--config", two_programs(tmp_path, nets["before"], nets["after"], experiments=arms)).ok()
    run = RunDirectory(tmp_path / "run")
    label, told = run.read_manifest().feature.label, (tmp_path / "run" / "report.md").read_text()
    assert f"`after/net_xnnpack_fp32, {label} on` is " in told
    assert f" times as fast as `before/net_xnnpack_fp32, {label} off`" in told
    assert "| CPU features switched off |" in told and "cannot be told apart" in told


# Inputs.


def test_float_types_get_the_same_values(exported: Callable[[str, str], Path], tmp_path: Path) -> None:
    import numpy as np

    fp32, fp16 = exported("toy_cnn", "fp32"), exported("toy_cnn", "fp16")
    inputs = prepare_inputs(load_config(two_programs(tmp_path, fp32, fp16)), RunDirectory(tmp_path / "run"), seed=5)
    (first,), (second,) = inputs[Workload(fp32)], inputs[Workload(fp16)]
    assert (first.dtype, second.dtype) == ("float32", "float16")
    wide, narrow = np.fromfile(first.file, np.float32), np.fromfile(second.file, np.float16)
    assert np.abs(wide - narrow.astype(np.float32)).max() < 2e-3, "11 bits of the same numbers"


def test_programs_that_take_other_inputs_are_not_compared(nets: dict[str, Path], tmp_path: Path) -> None:
    large = exported_net(tmp_path / "large", shape="1, 3, 48, 48")
    config = two_programs(tmp_path, nets["before"], large)
    said = kit(PIPELINE, "--config", config).error_line()
    assert "the programs of old and new take different inputs ([1, 3, 32, 32] float32 against [1, 3, 48, 48]" in said
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="take different inputs"):
        check_model_and_inputs(load_config(config))


def test_programs_that_are_not_compared_may_take_other_inputs(nets: dict[str, Path], tmp_path: Path) -> None:
    large = exported_net(tmp_path / "large", shape="1, 3, 48, 48")
    kit(PIPELINE, "--config", two_programs(tmp_path, nets["before"], large, pairs=2, analysis={})).ok()
    run = RunDirectory(tmp_path / "run")
    shapes = {e: p.inputs[0].shape for p in run.read_manifest().programs for e in p.experiments}
    assert shapes == {"old": (1, 3, 32, 32), "new": (1, 3, 48, 48)}
    kit(VALIDATE, "--results", run.root).ok()
    assert derive(run)


def test_a_configuration_names_a_model_for_every_experiment(toy: Path, tmp_path: Path) -> None:
    path = two_programs(tmp_path, toy, toy.with_name("missing.pte"))
    assert 'does not exist, in "model" of new in ' in kit(PIPELINE, "--config", path).error_line()
    plain = json.loads(path.read_text())
    del plain["model"]
    path.write_text(json.dumps(plain))
    assert 'the key "model" is missing' in kit(PIPELINE, "--config", path).error_line()
    plain["experiments"] = [{**ARM, "name": "only", "model": str(toy)}]
    plain["analysis"] = {}
    path.write_text(json.dumps(plain))
    config = load_config(path)
    assert config.workloads == {Workload(toy): ("only",)} and config.model == toy


def test_generate_config_writes_before_and_after(nets: dict[str, Path], tmp_path: Path) -> None:
    words_ = ("--model", nets["after"], "--against", nets["before"], "--output", tmp_path)
    kit("scripts/generate_config.py", *words_).ok()
    config = load_config(tmp_path / "config.json")
    assert config.compare_pairs == (("before", "after"),)
    assert {name: one.model for one, names in config.workloads.items() for name in names} == nets
    assert not any(e.disable_cpu_features for e in config.experiments)
    said = kit(
        "scripts/generate_config.py", "--model", nets["after"], "--against", nets["after"], "--output", tmp_path / "x"
    )
    assert "would be compared with itself" in said.error_line()
