# SPDX-License-Identifier: Apache-2.0
"""Programs of several methods, and of shapes that are left open: the one that is meant, never another in silence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from support.export import export_here

from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import attribute, model_layers
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.errors import UserError
from model_profiling.pipeline.program.inputs import make_inputs
from model_profiling.pipeline.program.layers import build_graph
from model_profiling.pipeline.program.records import read_sidecar
from model_profiling.pipeline.program.signature import read_methods, read_signature
from model_profiling.pipeline.program.workload import Workload, resolve

pytestmark = pytest.mark.slow

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases"


def program(path: Path, methods: dict[str, tuple[int, int]], **constants: object) -> Path:
    """Write a program of linear layers: method -> (inputs, outputs), and constant methods."""
    import torch
    from executorch.exir import to_edge

    layers = {
        name: torch.export.export(torch.nn.Linear(*sizes).eval(), (torch.rand(1, sizes[0]),))
        for name, sizes in methods.items()
    }
    path.write_bytes(to_edge(layers, constant_methods=constants or None).to_executorch().buffer)
    return path


def test_several_methods_are_listed(tmp_path: Path) -> None:
    path = program(tmp_path / "pair.pte", {"encode": (8, 4), "decode": (4, 2)}, get_version=3)
    with pytest.raises(UserError) as raised:
        read_signature(path)
    assert "several methods (decode, encode)" in str(raised.value) and str(path) in str(raised.value)
    assert [spec.shape for spec in read_signature(path, "decode").inputs] == [(1, 4)]


def test_methods_that_hold_constants_do_not_count(tmp_path: Path) -> None:
    """Also where they come before the method that computes, as they do by the alphabet."""
    path = program(tmp_path / "one.pte", {"forward": (8, 4)}, eos_id=2, get_name="one")
    signature = read_signature(path)
    assert (signature.method, [spec.shape for spec in signature.inputs]) == ("forward", [(1, 8)])
    assert read_methods(path) == ("forward",)
    with pytest.raises(UserError, match="no method 'eos_id'"):
        read_signature(path, "eos_id")


@pytest.fixture(scope="module")
def open_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_here(tmp_path_factory.mktemp("open"), model="Sequence", model_file=CASES / "open_shapes.py").paths.pte


def shapes_of(workload: Workload) -> list[tuple[int, ...]]:
    return [spec.shape for spec in resolve(workload).signature.inputs]


def test_open_shape_is_the_example_s_or_the_one_that_is_named(open_shapes: Path) -> None:
    assert [(spec.shape, spec.dynamic) for spec in read_signature(open_shapes).inputs] == [((1, 128, 32), True)]
    assert shapes_of(Workload(open_shapes)) == [(1, 24, 32)]
    assert shapes_of(Workload(open_shapes, None, ((1, 100, 32),))) == [(1, 100, 32)]
    [drawn] = make_inputs(resolve(Workload(open_shapes)).signature, read_sidecar(open_shapes), seed=1)
    assert drawn.shape == (1, 24, 32)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 129, 32), "larger than the program takes"),
        ((1, 1, 32), "length is 1, and the program was exported for 2 to 128"),
        ((1, 24), "has 2 dimensions, the program's 3"),
        ((1, 24, 31), "dimension 2 of input 0 is 31, where the program takes 32"),
    ],
)
def test_shape_outside_of_the_range(open_shapes: Path, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(UserError) as raised:
        resolve(Workload(open_shapes, None, (shape,)))
    assert said in str(raised.value) and 'in "input_shapes" of the config' in str(raised.value)


def test_open_shape_without_a_record_is_no_upper_bound_in_silence(open_shapes: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pte"
    alone.write_bytes(open_shapes.read_bytes())
    with pytest.raises(
        UserError, match=r"input 0 has a shape that varies \(up to \[1, 128, 32\]\), and no export record"
    ):
        resolve(Workload(alone))
    assert shapes_of(Workload(alone, None, ((1, 7, 32),))) == [(1, 7, 32)]


def test_layers_are_those_of_the_shape_that_runs(open_shapes: Path) -> None:
    def layers(length: int) -> list[tuple[str, int]]:
        graph = build_graph(Workload(open_shapes, None, ((1, length, 32),)))
        return [(node.detail, node.multiply_adds) for one in graph for node in one.nodes if node.is_matrix]

    for length in (2, 24, 128):
        assert layers(length) == [
            (f"linear, 32->64, {length} rows", length * 32 * 64),
            (f"linear, 64->8, {length} rows", length * 64 * 8),
        ]


def test_a_view_of_a_shape_that_varies_is_an_instruction(tmp_path: Path) -> None:
    """One of a fixed shape is none: ExecuTorch leaves it out of the program."""
    path = export_here(tmp_path, model="Folded", model_file=CASES / "open_shapes.py").paths.pte
    graph = build_graph(Workload(path, None, ((2, 12, 32),)))
    assert "executorch_prim::et_view.default" in [one.name for one in graph]
    assert [one.source.rpartition("/")[2] for one in graph if not one.nodes] == [
        "",  # a size, which torch.export reads
        "open_shapes.py:29",
        "open_shapes.py:29",
    ]
    linear = [(node.module, node.multiply_adds) for one in graph for node in one.nodes if node.is_matrix]
    assert linear == [("up", 2 * 12 * 32 * 64), ("down", 2 * 24 * 32 * 8)]


@pytest.mark.parametrize(
    ("name", "outside"), [("Branches", ["sum.IntList_out", "gt.Scalar_out", "relu.out"]), ("Loops", ["relu.out"])]
)
def test_layers_around_and_inside_of_branches_and_loops(tmp_path: Path, name: str, outside: list[str]) -> None:
    """Jumps are instructions too: what the trace calls the ninth is not the ninth that computes."""
    path = export_here(tmp_path, model=name, model_file=CASES / "branches.py").paths.pte
    graph = build_graph(Workload(path))
    timeline = build_timeline(read_etdump(traced(path, tmp_path / "trace.etdump")), str(path))
    layers, layer_of = model_layers(graph), attribute(timeline, graph)
    ran = [layers[number] for number in layer_of[timeline.leaf]]
    assert (layer_of[timeline.leaf] >= 0).all()
    assert {"first", "last"} <= {layer.module for layer in ran}
    sources = {layer.kind: layer.source for layer in ran}
    assert all("branches.py:" in sources[kind] for kind in outside)


def traced(program: Path, trace: Path) -> Path:
    """Execute a program once on its example's inputs, with the event tracer."""
    from executorch.extension.pybindings import portable_lib

    drawn = make_inputs(resolve(Workload(program)).signature, read_sidecar(program), seed=1)
    module = portable_lib._load_for_executorch(str(program), enable_etdump=True)
    module.run_method("forward", tuple(torch.from_numpy(array) for array in drawn))
    module.write_etdump_result_to_file(str(trace))
    return trace


@pytest.mark.parametrize(("name", "shapes"), [("NoInputs", []), ("EmptyInput", [(1, 0, 8), (1, 4, 8)])])
def test_no_input_and_an_empty_one_are_drawn(tmp_path: Path, name: str, shapes: list[tuple[int, ...]]) -> None:
    path = export_here(tmp_path, model=name, model_file=CASES / "arguments.py").paths.pte
    drawn = make_inputs(read_signature(path), read_sidecar(path), seed=1)
    assert [array.shape for array in drawn] == shapes


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
