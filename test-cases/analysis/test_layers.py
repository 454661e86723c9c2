# SPDX-License-Identifier: Apache-2.0
"""Layers: events tied to the right nodes, nodes to the right modules, in orders made to mislead."""

from __future__ import annotations

import csv
import random
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kit import ENOUGH, kit, write_config

from model_profiling.analysis.traces.alignment import RUNS_AS, align
from model_profiling.analysis.traces.operators import delegated_operator
from model_profiling.errors import UserError
from model_profiling.pipeline.program.instructions import read_instructions
from model_profiling.pipeline.program.layers import build_graph, read_graph, write_graph
from model_profiling.pipeline.program.workload import Workload
from model_profiling.pipeline.program.xnnpack_graph import NODE_KINDS

PERMUTED_MODEL = '''
import torch
from model_profiling.models.contract import EagerModel

ORDER = {order}


class Branchless(torch.nn.Module):
    """Convolutions of distinct widths in a given order: only their places tell them apart."""

    def __init__(self):
        super().__init__()
        layers, channels = {{}}, 8
        for width in ORDER:
            layers[f"to_{{width}}"] = torch.nn.Conv2d(channels, width, 3, padding=1)
            channels = width
        self.body = torch.nn.ModuleDict(layers)

    def forward(self, x):
        for layer in self.body.values():
            x = torch.relu(layer(x))
        return x


class Permuted(EagerModel):
    def get_eager_model(self):
        torch.manual_seed(0)
        return Branchless().eval()

    def get_example_inputs(self):
        return (torch.linspace(0, 1, 8 * 24 * 24).reshape(1, 8, 24, 24),)
'''


def profile(model: Path, folder: Path, **changes: object) -> dict[str, list[dict[str, str]]]:
    """Profile a .pte and return each experiment's layer table."""
    kit("scripts/mac_pipeline.py", "--config", write_config(folder, model, pairs=ENOUGH, **changes)).ok()
    tables = {}
    for name in ("on", "off"):
        with open(next((folder / "run" / name).glob("*_layers.csv")), newline="") as file:
            tables[name] = list(csv.DictReader(file))
    return tables


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_permuted_layers_keep_their_modules_and_shapes(seed: int, tmp_path: Path) -> None:
    order = [12, 20, 28, 36, 44]
    random.Random(seed).shuffle(order)
    (tmp_path / "permuted.py").write_text(PERMUTED_MODEL.format(order=order))
    kit(
        "export/export_model.py", "--model-file", tmp_path / "permuted.py", "--dtype", "fp32", "--outdir", tmp_path
    ).ok()
    tables = profile(next(tmp_path.glob("*.pte")), tmp_path)
    channels = [8, *order]
    expected = [
        (f"body.to_{b}", f"1x24x24x{a}", f"1x24x24x{b}", a * b * 9 * 24 * 24)
        for a, b in zip(channels, order, strict=False)
    ]
    for rows in tables.values():
        found = [
            (r["module"], r["inputs"], r["output"], int(r["multiply_adds"])) for r in rows if r["kind"] == "Conv2d"
        ]
        assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "dtype"),
    [
        (model, dtype)
        for model in ("toy_cnn", "toy_transformer", "mobilenet_v3_small")
        for dtype in ("fp32", "fp16", "int8")
    ],
)
def test_at_least_98_percent_of_the_traced_time_has_a_layer(model: str, dtype: str, exported, tmp_path: Path) -> None:
    import json

    pte = exported(model, dtype)
    tables = profile(pte, tmp_path)
    summary = json.loads((tmp_path / "run/analysis_summary.json").read_text())
    for experiment in summary["experiments"].values():
        assert experiment["1"]["attributed_percent"] >= 98
    # Every layer with weights is there on both sides, under its own module's path.
    record = json.loads(pte.with_suffix(".json").read_text())
    assert sum(int(r["multiply_adds"]) for r in tables["on"]) == record["multiply_adds"]
    assert [r["layer"] for r in tables["on"] if r["matrix"] == "1"] == [
        r["layer"] for r in tables["off"] if r["matrix"] == "1"
    ]
    weighted = [r for r in tables["on"] if r["kind"] in ("Conv2d", "DepthwiseConv2d", "FullyConnected")]
    assert all(r["module"] for r in weighted)


def test_parallel_branches_are_not_confused(toy: Path) -> None:
    """`wide` and `narrow` read the same tensor: the program may run them in either order."""
    nodes = {n.module: n for i in build_graph(Workload(toy)) for n in i.nodes if n.module}
    assert nodes["wide"].detail == "3x3 conv, 64->64, 48x48"
    assert nodes["narrow"].detail == "1x1 conv, 64->64, 48x48"


def test_multiply_adds_of_the_graph_equal_those_counted_at_export(exported) -> None:
    import json

    pte = exported("toy_cnn", "int8")
    counted = json.loads(pte.with_suffix(".json").read_text())["multiply_adds"]
    assert sum(n.multiply_adds for i in read_instructions(pte) for n in i.nodes) == counted


def test_a_graph_survives_its_file(toy: Path, tmp_path: Path) -> None:
    graph = build_graph(Workload(toy))
    assert read_graph(write_graph(tmp_path / "graph.json", graph)) == graph


def test_without_an_export_record_layers_have_shapes_but_no_modules(toy: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pte"
    alone.write_bytes(toy.read_bytes())
    nodes = [n for i in build_graph(Workload(alone)) for n in i.nodes]
    assert {n.module for n in nodes} == {""}
    assert "3x3 conv, 64->64, 48x48" in [n.detail for n in nodes]


def test_damaged_programs_are_one_line_or_a_graph(toy: Path, tmp_path: Path) -> None:
    data, generator, broken = toy.read_bytes(), random.Random(3), tmp_path / "broken.pte"
    for _ in range(300):
        spoilt = bytearray(data)
        for _ in range(generator.randint(1, 6)):
            spoilt[generator.randrange(len(spoilt))] = generator.randrange(256)
        broken.write_bytes(spoilt[: generator.randrange(len(spoilt))] if generator.random() < 0.3 else spoilt)
        try:
            read_instructions(broken)
        except UserError as problem:
            assert "\n" not in str(problem)


# The alignment by itself.


def test_fused_nodes_and_inserted_packing() -> None:
    found = align(["Conv2d", "Clamp", "FullyConnected"], ["Convolution", "Pack LH", "Fully Connected"])
    assert found.node == (0, 2, 2)
    assert found.inserted == (False, True, False)
    assert found.left_out == ((1, 0),)


def test_a_table_lookup_stands_for_three_nodes() -> None:
    found = align(
        ["Conv2d", "Convert", "Hardswish", "Convert", "DepthwiseConv2d"],
        ["Convolution", "Invalid Unary Op", "Convolution"],
    )
    assert found.node == (0, 2, 4)


def test_a_concatenation_copies_once_for_each_part() -> None:
    assert align(["Concatenate3", "Conv2d"], ["Copy", "Copy", "Copy", "Convolution"]).node == (0, 0, 0, 1)


def test_an_event_of_another_model_belongs_to_no_layer() -> None:
    assert align(["Conv2d"], ["Softmax", "Convolution"]).node == (-1, 0)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(NODE_KINDS), st.booleans()), min_size=1, max_size=25), st.randoms())
def test_whatever_is_fused_away_the_rest_keeps_its_order(
    chosen: list[tuple[str, bool]], generator: random.Random
) -> None:
    """Leave out some of the nodes that XNNPACK may leave out; every matched pair must fit and keep its order."""
    fusible = {"Clamp", "Convert", "StaticReshape"}
    kinds = [kind for kind, _ in chosen]
    events = [generator.choice(sorted(RUNS_AS[kind])) for kind, dropped in chosen if not (dropped and kind in fusible)]
    found = align(kinds, events)
    own = [n for n, added in zip(found.node, found.inserted, strict=True) if n >= 0 and not added]
    assert own == sorted(own)
    assert all(
        events[e] in RUNS_AS[kinds[n]]
        for e, (n, added) in enumerate(zip(found.node, found.inserted, strict=True))
        if n >= 0 and not added
    )


def test_every_form_a_node_may_run_as_is_an_operator_of_xnnpack() -> None:
    assert set(RUNS_AS) == set(NODE_KINDS)
    for form in {form for forms in RUNS_AS.values() for form in forms}:
        assert delegated_operator(form if form.startswith("Invalid") else f"{form} (NC)").mapped, form


def test_the_kinds_are_the_ones_of_the_wheels_schema() -> None:
    import importlib.util

    root = Path(importlib.util.find_spec("executorch").submodule_search_locations[0])
    schema = (root / "backends/xnnpack/serialization/schema.fbs").read_text()
    union = re.search(r"union XNodeUnion \{(.*?)\}", schema, re.DOTALL)[1]
    assert tuple(re.findall(r"^\s*XNN(\w+)", union, re.MULTILINE)) == NODE_KINDS


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
