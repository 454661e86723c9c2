# SPDX-License-Identifier: Apache-2.0
"""SME2 changes operators' names and neighbors: every comparison matches layers and charges packing to what it serves.

On recorded traces of SME2 builds (MobileNetV3-Small and `m`, see fixtures/etdump), and on
made ones for packing operators, which none of the recorded models runs.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from support.analysis import make_run
from support.kit import FIXTURES, kit
from support.traces import node

from model_profiling.analysis.kernels.recorded import PACKED_FOR_SME
from model_profiling.analysis.run import analyze
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import attribute, model_layers
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.pipeline.program.layers import GraphInstruction, build_graph, write_graph
from model_profiling.pipeline.program.workload import Workload
from model_profiling.report.run_files import files_of, summary_json

RECORDED = FIXTURES / "etdump"
ON, OFF = "a64-sme2on__qemu-sme-on", "a64-smeoff__qemu-sme-on"
#: Operators of an execution, layers that run as an operator of their own, and those with packed types on the SME2 side.
MODELS = {"m": (9, 9, 3), "mv3_fp32": (164, 164, 43), "mv3_fp16": (201, 201, 3), "mv3_int8": (184, 184, 43)}


#: What `m` is (recorded without its .pte): two convolutions with their ReLU fused, pools, and a linear layer.
M = (
    GraphInstruction(
        0,
        "XnnpackBackend",
        "",
        "",
        tuple(
            map(
                node,
                (
                    "StaticTranspose",
                    "Conv2d",
                    "Clamp",
                    "MaxPooling2d",
                    "Conv2d",
                    "Clamp",
                    "MaxPooling2d",
                    "StaticTranspose",
                    "StaticTranspose",
                    "StaticReshape",
                    "FullyConnected",
                ),
            )
        ),
    ),
)


@pytest.fixture
def graph_of(exported) -> Callable[[str], Sequence[GraphInstruction]]:
    """Return the layers of a recorded model; the kit's MobileNetV3-Small is the recorded one."""
    return lambda model: (
        M if model == "m" else build_graph(Workload(exported("mobilenet_v3_small", model.partition("_")[2])))
    )


def trace(build: str, model: str) -> Path:
    return RECORDED / f"{build}__{model}.etdump"


def recorded(build: str, model: str, graph: Sequence[GraphInstruction]) -> Recording:
    timeline = build_timeline(read_etdump(trace(build, model)), model, 1)
    return Recording(timeline, 0, attribute(timeline, graph), tuple(layer.layer for layer in model_layers(graph)))


@pytest.mark.parametrize("model", MODELS)
def test_the_same_layers_run_on_both_sides_under_other_names(model: str, graph_of) -> None:
    operators, layers, packed = MODELS[model]
    on, off = (recorded(build, model, graph_of(model)) for build in (ON, OFF))
    ran = []
    for side in (on, off):
        t = side.timeline
        rows = np.flatnonzero(t.leaf & (t.run == 0))
        assert len(rows) == operators and (side.layer[rows] >= 0).all()
        ran.append([(side.layer_names[side.layer[row]], t.names[t.name[row]].partition(" #")[0]) for row in rows])
    assert [layer for layer, _ in ran[0]] == [layer for layer, _ in ran[1]] and len(set(ran[0])) == layers
    changed = [(mine[1], other[1]) for mine, other in zip(*ran, strict=True) if mine != other]
    assert len(changed) == packed and all(PACKED_FOR_SME.search(a) and not PACKED_FOR_SME.search(b) for a, b in changed)


@pytest.mark.parametrize("model", MODELS)
def test_every_comparison_finds_both_sides_of_everything(model: str, graph_of, tmp_path: Path) -> None:
    operators, layers, _ = MODELS[model]
    directory = make_run(tmp_path / "run", {"off": trace(OFF, model), "on": trace(ON, model)}, pairs=2)
    write_graph(directory.model_graph, graph_of(model))
    found = analyze(directory)
    (entry,) = summary_json(found)["comparisons"]
    assert len(entry["layers"]) == layers
    assert all(layer["baseline_us"] is not None and layer["candidate_us"] is not None for layer in entry["layers"])
    assert all(row["baseline_calls"] == row["candidate_calls"] for row in entry["operators"])
    assert sum(row["baseline_calls"] for row in entry["operators"]) == operators
    # The tools on timeline tables.
    tables = {}
    for path, content in files_of(found).items():
        if path.name.endswith("_all_runs_timeline.csv"):
            tables[path.parent.name] = tmp_path / f"{path.parent.name}.csv"
            tables[path.parent.name].write_bytes(content)
    kit(
        "tools/analyze_etdump_csv.py",
        "--timeline-csv",
        tables["off"],
        "--compare",
        tables["on"],
        "--output-dir",
        tmp_path / "out",
    ).ok()
    with open(tmp_path / "out/layer_comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == layers and all(row["off ms"] and row["on ms"] for row in rows)
    assert {row["layer"] for row in rows} == {layer["layer"] for layer in entry["layers"]}
    kinds = {(row["off operators"], row["on operators"]) for row in rows if row["off operators"] != row["on operators"]}
    assert kinds == EXPECTED_KINDS[model]
    assert "| layer | ran as |" in (tmp_path / "out/layer_comparison.md").read_text()


_FC, _CONV = "Fully Connected (NC, {}) GEMM", "Convolution (NHWC, {}) IGEMM"
EXPECTED_KINDS = {
    "m": {(_CONV.format("F32"), _CONV.format("PF32")), (_FC.format("F32"), _FC.format("PF32"))},
    "mv3_fp32": {(_CONV.format("F32"), _CONV.format("PF32")), (_FC.format("F32"), _FC.format("PF32"))},
    "mv3_fp16": {(_CONV.format("F16"), _CONV.format("PF16")), (_FC.format("F16"), _FC.format("PF16"))},
    "mv3_int8": {
        (_CONV.format("QC8"), _CONV.format("PQS8, QS8, QC8W")),
        (_FC.format("QS8, QC8W"), _FC.format("PQS8, QC8W")),
    },
}


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
