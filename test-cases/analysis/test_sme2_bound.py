# SPDX-License-Identifier: Apache-2.0
"""The most that SME2 could give: Amdahl's bound from measured layers, and which of them reach SME2."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kit import kit

from model_profiling.analysis.advice.amdahl import Sme2Bound, amdahl_bound
from model_profiling.analysis.advice.reaching_layers import EXPORT, PREVIEW, reaching_layers
from model_profiling.analysis.run import Analysis, analyze
from model_profiling.analysis.summary import AnalysisSummary, ExperimentSummary
from model_profiling.analysis.traces.layers import Layer
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.program_records import ExportedReach, KeptProgram, KeptReach, PreviewedReach, read_records
from model_profiling.pipeline.run_directory import RunDirectory

# The law


@pytest.mark.parametrize(("time", "reached", "bound"), [(10, 0, 1), (10, 5, 2), (10, 9, 10), (10, 10, None)])
def test_what_is_left_bounds_the_speed_up(time: float, reached: float, bound: float | None) -> None:
    assert amdahl_bound(time, reached) == bound


@given(st.floats(1e-3, 1e6), st.floats(0, 0.999), st.floats(1.0, 1e6))
def test_no_speed_up_of_the_reached_part_comes_past_the_bound(time: float, share: float, factor: float) -> None:
    """Amdahl's law for a part that gets `factor` times as fast, and the bound for one that takes no time at all."""
    reached = share * time
    bound = amdahl_bound(time, reached)
    assert bound is not None and bound >= 1
    assert time / (time - reached + reached / factor) <= bound * (1 + 1e-9)


@pytest.mark.parametrize(("time", "reached"), [(0, 0), (1, 1.1), (1, -0.1), (math.nan, 0)])
def test_a_part_that_is_no_part_has_no_bound(time: float, reached: float) -> None:
    with pytest.raises(ValueError):
        amdahl_bound(time, reached)


# A real run


@pytest.fixture(scope="module")
def run(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of `toy_cnn` in fp32 with its export's record beside it, analyzed."""
    copy = Path(shutil.copytree(toy_run, tmp_path_factory.mktemp("bound") / "run"))
    kit("scripts/analyze_results.py", "--run-dir", copy, "--quiet").ok()
    return RunDirectory(copy)


@pytest.fixture(scope="module")
def analysis(run: RunDirectory) -> Analysis:
    return analyze(run)


def without_sme2(run: RunDirectory) -> None:
    if "sme2" in run.read_manifest().cpu.names:
        pytest.skip("a CPU with SME2 measures it, and gets no bound")


def test_the_bound_is_of_the_layers_that_the_export_counts(run: RunDirectory, analysis: Analysis) -> None:
    """Seven of eight matrix layers of `toy_cnn` have SME2 kernels in fp32; the depthwise convolution has none."""
    without_sme2(run)
    for name, threads, experiment in analysis.summary.experiments.entries():
        bound, traced = experiment.sme2_bound, experiment.traced
        assert bound is not None and traced is not None
        assert (bound.evidence, bound.executorch) == (EXPORT, "1.5.1")
        assert (bound.reached_layers, bound.unknown_layers, bound.matrix_layers) == (7, 0, 8)
        assert bound.time_ms == traced.time_ms and 0 < bound.reached_ms < bound.time_ms
        assert bound.bound == pytest.approx(bound.time_ms / (bound.time_ms - bound.reached_ms))
        assert bound.bound_with_unknown == bound.bound and bound.unknown_ms == 0
        assert bound.share_low <= bound.share <= bound.share_high
        # The table of layers gives each layer's share too, in percent of an execution.
        table = run.table(run.read_manifest().model.id, name, threads, "layers")
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        reached = [float(row["pct_of_run"]) for row in rows if row["matrix"] == "1" and row["module"] != "depthwise"]
        assert len(reached) == 7 and 100 * bound.share == pytest.approx(sum(reached), rel=1e-6)


def test_the_summary_keeps_it_and_an_older_one_has_none(run: RunDirectory, analysis: Analysis) -> None:
    assert AnalysisSummary.read(run).experiments["on"] == analysis.summary.experiments["on"]
    plain = json.loads(run.analysis_summary.read_text())["experiments"]["on"]["1"]
    plain.pop("sme2_bound", None)
    assert ExperimentSummary.from_json(JsonObject(plain, "in a test", "mend it")).sme2_bound is None


@given(st.one_of(st.none(), st.floats(1, 1e9)), st.integers(0, 99))
def test_a_bound_comes_back_from_json(value: float | None, layers: int) -> None:
    bound = Sme2Bound(PREVIEW, "1.5.1", 2.0, 1.0, 0.25, 0.4, 0.6, value, value, layers, 1, 99)
    assert Sme2Bound.from_json(JsonObject(json.loads(json.dumps(bound.to_json())), "", "")) == bound


def has_sme2(run: RunDirectory) -> None:
    manifest = run.read_manifest()
    run.write_manifest(replace(manifest, cpu=CpuFeatures("aarch64", "Cortex-X925", frozenset(("sme2",)), 8)))


def is_of_another_executorch(run: RunDirectory) -> None:
    manifest = run.read_manifest()
    run.write_manifest(replace(manifest, executorch=replace(manifest.executorch, version="1.6.0")))


def has_no_record(run: RunDirectory) -> None:
    run.program_records.unlink()


@pytest.mark.parametrize("change", [has_sme2, is_of_another_executorch, has_no_record])
def test_without_what_it_takes_there_is_none(run: RunDirectory, tmp_path: Path, change) -> None:
    copy = RunDirectory(Path(shutil.copytree(run.root, tmp_path / "run")))
    change(copy)
    assert all(e.sme2_bound is None for _, _, e in analyze(copy).summary.experiments.entries())


def test_an_emulated_cpu_has_no_times_to_bound(run: RunDirectory, tmp_path: Path) -> None:
    copy = RunDirectory(Path(shutil.copytree(run.root, tmp_path / "run")))
    copy.write_manifest(replace(copy.read_manifest(), emulated=True))
    assert list(analyze(copy).summary.experiments.entries()) == []


# Which layers


def layer(number: int, module: str, kind: str, work: int = 100, delegated: int = 1) -> Layer:
    return Layer(f"0.{number} {module} ({kind})", module, kind, kind, "", "", delegated, 1, work, "")


def exported(module: str, kind: str, reaches: bool | None, rows: int = 16, work: int = 100) -> ExportedReach:
    return ExportedReach(module, kind, rows, work, True, reaches)


def reach(layers: list[Layer], *recorded: ExportedReach):
    found = reaching_layers(layers, KeptProgram("", exported=KeptReach("1.5.1", None, recorded)), "1.5.1+cpu")
    assert found is not None
    return found.reaching, found.unknown


def test_layers_are_matched_by_module_and_kind() -> None:
    layers = [layer(0, "stem", "Conv2d"), layer(1, "stem", "DepthwiseConv2d"), layer(2, "head", "FullyConnected")]
    found = reach(
        layers,
        exported("head", "linear", True),
        exported("stem", "depthwise conv 3x3", False),
        exported("stem", "conv 1x1", True),
    )
    assert found == (frozenset((layers[0].layer, layers[2].layer)), frozenset())


def test_several_of_a_module_are_matched_in_order_or_not_at_all() -> None:
    layers = [layer(0, "attention", "BatchMatrixMultiply"), layer(1, "attention", "BatchMatrixMultiply")]
    both = exported("attention", "batch matmul", True), exported("attention", "batch matmul", False)
    assert reach(layers, *both) == (frozenset((layers[0].layer,)), frozenset())
    assert reach(layers, *both[:1]) == (frozenset(), frozenset(one.layer for one in layers))


def test_what_nothing_tells_is_not_known_and_what_is_outside_reaches_nothing() -> None:
    inside, outside = layer(0, "a", "Conv2d"), layer(1, "b", "convolution.out", delegated=0)
    assert reach([inside, outside], exported("a", "conv 3x3", None)) == (frozenset(), frozenset((inside.layer,)))


def test_one_row_and_several_have_kernels_of_their_own() -> None:
    """Recorded at 16 rows: at 4 rows the kernel is the same one, at 1 row another."""
    several, one = layer(0, "q", "FullyConnected", work=400), layer(0, "q", "FullyConnected", work=100)
    recorded = exported("q", "linear", True, rows=16, work=1600)
    assert reach([several], recorded) == (frozenset((several.layer,)), frozenset())
    assert reach([one], recorded) == (frozenset(), frozenset((one.layer,)))


def test_a_preview_goes_before_the_export() -> None:
    layers = [layer(0, "stem", "Conv2d"), layer(1, "new", "Conv2d")]
    record = KeptProgram(
        "",
        exported=KeptReach("1.5.1", 1.0, (exported("stem", "conv 1x1", True),)),
        previewed=KeptReach("1.5.1", 0.0, called=(PreviewedReach(layers[0].layer, 100, False),)),
    )
    found = reaching_layers(layers, record, "1.5.1")
    assert found is not None and found.evidence == PREVIEW
    assert (found.reaching, found.unknown) == (frozenset(), frozenset((layers[1].layer,)))
    assert reaching_layers(layers, record, "1.4.0") is None


def test_unknown_layers_widen_the_bound(run: RunDirectory, tmp_path: Path) -> None:
    """The export's record of the largest convolution is taken away: its time may or may not be SME2's."""
    without_sme2(run)
    copy = RunDirectory(Path(shutil.copytree(run.root, tmp_path / "run")))
    plain = json.loads(copy.program_records.read_text())
    layers = plain["programs"][0]["exported"]["layers"]
    plain["programs"][0]["exported"]["layers"] = [one for one in layers if one["module"] != "wide"]
    copy.program_records.write_text(json.dumps(plain))
    assert len(read_records(copy, copy.read_manifest())[0].exported.layers) == 7
    bound = analyze(copy).summary.experiments["on"][1].sme2_bound
    assert bound is not None and (bound.reached_layers, bound.unknown_layers) == (6, 1)
    assert bound.unknown_ms > 0 and bound.bound < bound.bound_with_unknown


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
