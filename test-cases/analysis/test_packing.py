# SPDX-License-Identifier: Apache-2.0
"""Packing counts with the operator that it serves, and SME2 covers so much of the time. On traces made for it."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.analysis import make_run
from support.etdump import Block, Event, operator, write_etdump
from support.kit import kit
from support.traces import node

from model_profiling.analysis.comparing.compared_layers import layer_times
from model_profiling.analysis.comparing.operators import operator_changes
from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.comparing.trace_layers import layer_changes
from model_profiling.analysis.kernels.entries import TimeCoverage
from model_profiling.analysis.kernels.time import time_coverage, timed_alike
from model_profiling.analysis.run import analyze
from model_profiling.analysis.traces.etdump import parse_etdump
from model_profiling.analysis.traces.layers import Layer, attribute, model_layers
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.operators import DELEGATE_CALL, METHOD
from model_profiling.analysis.traces.packing import charge_packing, charged
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.pipeline.program.layers import GraphInstruction, write_graph
from model_profiling.pipeline.run_directory import Launch
from model_profiling.report.run_files import files_of, summary_json
from model_profiling.report.words.kernels import time_sentence

US = 1000


def execution(*events: tuple[str, int], portable: int = 0) -> Block:
    """Return an execution of one delegate whose operators take so many us, and 10 us around them."""
    whole = sum(us for _, us in events)
    held = [operator(name, 0, us * US) for name, us in events]
    call = Event(DELEGATE_CALL, 0, 0, start=0, end=(whole + 5) * US)
    return Block("Execute", (*held, call, Event(METHOD, -1, None, start=0, end=(whole + 10) * US)))


def recording(*blocks: Block, kinds: Sequence[str] = ()) -> Recording:
    timeline = build_timeline(parse_etdump(write_etdump(list(blocks)), "test"), "test")
    if not kinds:
        return Recording(timeline)
    graph = (GraphInstruction(0, "XnnpackBackend", "", "", tuple(map(node, kinds))),)
    return Recording(timeline, 0, attribute(timeline, graph), tuple(layer.layer for layer in model_layers(graph)))


ADD, PACK1, PACK2 = ("Add (ND, F32) #1", 40), ("Pack LH (NC, X32) #1", 30), ("Pack LH (NC, X32) #2", 7)
FC1, FC2 = ("Fully Connected (NC, PF32) GEMM #1", 100), ("Fully Connected (NC, PF32) GEMM #2", 50)
OFF1, OFF2 = ("Fully Connected (NC, F32) GEMM #1", 400), ("Fully Connected (NC, F32) GEMM #2", 200)
KINDS = ("FullyConnected", "Add", "FullyConnected")


def operators_us(side: Recording) -> dict[str, float]:
    t = side.timeline
    return {t.names[n]: d / US for n, d, leaf in zip(t.name, t.duration_ns, t.leaf, strict=True) if leaf}


@pytest.mark.parametrize("kinds", [(), KINDS], ids=["layers unknown", "layers known"])
def test_packing_counts_with_the_operator_that_it_serves(kinds: Sequence[str]) -> None:
    side = recording(execution(PACK1, FC1, ADD, PACK2, FC2), kinds=kinds)
    served = charge_packing(side)
    assert operators_us(served) == {FC1[0]: 130, ADD[0]: 40, FC2[0]: 57}
    assert served.timeline.method_ns.tolist() == side.timeline.method_ns.tolist()
    assert operators_us(side)[PACK1[0]] == 30, "the recording itself stays as it is"


def test_packing_is_no_operator_of_its_own_in_a_comparison() -> None:
    on = recording(execution(PACK1, FC1, ADD, PACK2, FC2), kinds=KINDS)
    off = recording(execution(OFF1, ADD, OFF2), kinds=KINDS)
    plain = {c.kind: c for c in operator_changes(*(operator_stats([side]) for side in (off, on)))}
    assert plain["Pack LH (NC)"].baseline is None, (
        "what would be shown: a part without a partner, and 600 us against 150"
    )
    changes = {c.kind: c for c in operator_changes(*(operator_stats(charged([side])) for side in (off, on)))}
    assert set(changes) == {"Fully Connected (NC) GEMM", "Add (ND)"}
    products = changes["Fully Connected (NC) GEMM"]
    assert (products.baseline.calls, products.candidate.calls) == (2, 2)
    assert products.speedup == pytest.approx(600 / 187) and changes["Add (ND)"].speedup == pytest.approx(1)
    layers = {c.layer: c for c in layer_changes([off], [on])}
    assert {name: round(c.speedup, 6) for name, c in layers.items()} == {
        "0.0 fullyconnected": round(400 / 130, 6),
        "0.1 add": 1.0,
        "0.2 fullyconnected": round(200 / 57, 6),
    }
    assert layers["0.0 fullyconnected"].candidate.operators == "Fully Connected (NC, PF32) GEMM + Pack LH (NC, X32)"
    times = layer_times(on, 3).times_us
    assert {layer: own.tolist() for layer, own in times.items()} == {0: [130.0], 1: [40.0], 2: [57.0]}


def test_the_summary_and_the_tool_charge_packing(tmp_path: Path) -> None:
    """From run directory to tables: categories alone keep packing apart, as Data Movement."""
    files = {}
    for name, events in (("off", (OFF1, ADD, OFF2)), ("on", (PACK1, FC1, ADD, PACK2, FC2))):
        files[name] = tmp_path / f"{name}.etdump"
        files[name].write_bytes(write_etdump([execution(*events)] * 3))
    directory = make_run(tmp_path / "run", files, pairs=2)
    write_graph(directory.model_graph, (GraphInstruction(0, "XnnpackBackend", "", "", tuple(map(node, KINDS))),))
    found = analyze(directory)
    (entry,) = summary_json(found)["comparisons"]
    times = {row["name"]: (row["baseline_ms"], row["candidate_ms"], row["speedup"]) for row in entry["operators"]}
    assert times == {
        "Fully Connected (NC, F32) GEMM / Fully Connected (NC, PF32) GEMM": pytest.approx((0.6, 0.187, 600 / 187)),
        "Add (ND, F32)": pytest.approx((0.04, 0.04, 1)),
    }
    assert [(x["baseline_us"], x["candidate_us"]) for x in entry["layers"]] == [
        pytest.approx(times) for times in ((400, 130), (40, 40), (200, 57))
    ]
    categories = summary_json(found)["experiments"]["on"]["1"]["categories_ms"]
    assert (categories["GEMM"], categories["Data Movement"]) == pytest.approx((0.15, 0.037))
    tables = {path.parent.name: content for path, content in files_of(found).items() if "all_runs" in path.name}
    for name, content in tables.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    kit(
        "tools/analyze_etdump_csv.py",
        "--timeline-csv",
        tmp_path / "off.csv",
        "--compare",
        tmp_path / "on.csv",
        "--output-dir",
        tmp_path,
    ).ok()
    with open(tmp_path / "operator_bottlenecks.csv", newline="") as file:
        rows = {
            row["operator"]: (float(row["off ms"]), float(row["on ms"]), float(row["calls"]))
            for row in csv.DictReader(file)
        }
    assert rows == {
        "Fully Connected (NC, F32) GEMM / Fully Connected (NC, PF32) GEMM": (0.6, 0.187, 2),
        "Add (ND, F32)": (0.04, 0.04, 1),
    }


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["Pack LH (NC, X32)", "Add (ND, F32)", "Fully Connected (NC, PF32) GEMM"]),
                st.integers(0, 500),
            ),
            max_size=8,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=150, deadline=None)
def test_charging_moves_time_and_loses_none(runs: list[list[tuple[str, int]]]) -> None:
    side = recording(*(execution(*((f"{name} #{i}", us) for i, (name, us) in enumerate(events))) for events in runs))
    served = charge_packing(side)
    for t in (side.timeline, served.timeline):
        assert np.bincount(t.run[t.leaf], t.duration_ns[t.leaf], len(runs)).tolist() == [
            US * sum(us for _, us in events) or (5 * US if not events else 0) for events in runs
        ]
    t = served.timeline
    left = [t.names[n] for n, leaf in zip(t.name, t.leaf, strict=True) if leaf and t.names[n].startswith("Pack LH")]
    assert len(left) == sum(_trailing_packs(events) for events in runs), "only packing that serves nobody stays"


def _trailing_packs(events: Sequence[tuple[str, int]]) -> int:
    names = [name for name, _ in events]
    return next((i for i, name in enumerate(reversed(names)) if not name.startswith("Pack")), len(names))


def layer(name: str, matrix: bool) -> Layer:
    return Layer(name, "", "", "", "", "", 1, int(matrix), 0, "")


LAYERS = tuple(
    layer(name, matrix)
    for name, matrix in (("0.0 fullyconnected", True), ("0.1 add", False), ("0.2 fullyconnected", True))
)


def test_time_is_shared_out_exactly() -> None:
    """Executions of (100 + 30 packing, 40, 50) and (300, 40, 100) us in 230 and 450 us."""
    side = recording(execution(PACK1, FC1, ADD, FC2), execution((FC1[0], 300), ADD, (FC2[0], 100)), kinds=KINDS)
    assert side.timeline.method_ns.tolist() == [230 * US, 450 * US]
    first = time_coverage(LAYERS, {"0.0 fullyconnected"}, [side])
    assert first.matrix_share == pytest.approx((130 / 180 + 300 / 400) / 2)
    assert first.execution_share == pytest.approx((130 / 230 + 300 / 450) / 2)
    assert time_sentence(first, "mac_sme2_on") == (
        "Layers that call SME2 kernels take 74 % of the matrix layers' time and 62 % "
        "of an execution (traced in mac_sme2_on)"
    )
    assert time_coverage(LAYERS, (), [side]) == TimeCoverage(0, 0)
    assert time_coverage(LAYERS, {x.layer for x in LAYERS}, [side, side]).matrix_share == pytest.approx(1)
    assert time_coverage(LAYERS, {"0.1 add"}, [side]).matrix_share == 0
    assert time_coverage(LAYERS, (), []) is None and time_coverage(LAYERS, (), [replace(side, layer=None)]) is None
    assert time_coverage((), (), [replace(side, layer=np.full(len(side.timeline), -1))]) is None
    assert time_coverage(tuple(replace(x, matrix=0) for x in LAYERS), (), [side]) is None


@given(st.lists(st.tuples(*[st.integers(1, 10**6)] * 3), min_size=1, max_size=4), st.sets(st.sampled_from([0, 2])))
@settings(max_examples=100, deadline=None)
def test_shares_are_shares_and_add_up(runs: list[tuple[int, int, int]], chosen: set[int]) -> None:
    side = recording(*(execution((FC1[0], a), (ADD[0], b), (FC2[0], c)) for a, b, c in runs), kinds=KINDS)
    parts = [
        time_coverage(LAYERS, {LAYERS[i].layer for i in some}, [side]) for some in (chosen, {0, 2} - chosen, {0, 2})
    ]
    assert all(0 <= part.execution_share <= part.matrix_share <= 1 + 1e-12 for part in parts)
    for share in ("matrix_share", "execution_share"):
        assert getattr(parts[0], share) + getattr(parts[1], share) == pytest.approx(getattr(parts[2], share))
    assert parts[2].matrix_share == pytest.approx(1)


def test_coverage_by_time_takes_hardware_with_sme2_in_use(tmp_path: Path) -> None:
    def arm(name: str, threads: int = 1, seen: tuple[str, ...] = ("sme", "sme2")) -> MeasuredSide:
        launch = Launch(name, threads, 0, 0, 0, 0, "", "native", (), 0, None, 1.0, "", active_cpu_features=seen)
        return MeasuredSide(name, threads, (launch,), (), None)

    manifest = replace(
        make_run(tmp_path / "run", {}).read_manifest(),
        disabled={"k": (), "koff": ("sme", "sme2"), "on": (), "off": ("sme", "sme2"), "built": ()},
        runner={"on": {"name": "native"}, "off": {"name": "native"}, "built": {"name": "executor_runner"}},
    )
    arms = (arm("on"), arm("on", 2), arm("off", seen=("i8mm",)), arm("built"))

    def named(**changes: object) -> list[tuple[str, int]]:
        return [(a.experiment, a.threads) for a in timed_alike(replace(manifest, **changes), arms, "k", 1)]

    assert named() == [("on", 1)], "the same features, threads and program"
    assert timed_alike(manifest, arms, "koff", 1) == (), "SME2 was off"
    assert timed_alike(manifest, (arm("on", seen=("i8mm",)),), "k", 1) == (), "this CPU has no SME2"
    assert named(emulated=True) == []
    source = {"name": "native", "build": {"recipe": "a"}}
    assert named(runner={**manifest.runner, "on": source}) == [], "recorded with the wheel, timed on sources"
    assert named(runner={**manifest.runner, "on": source, "k": source}) == [("on", 1)], "one build for both"
    other = {"name": "native", "build": {"recipe": "b"}}
    assert named(runner={**manifest.runner, "on": source, "k": other}) == []


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
