# SPDX-License-Identifier: Apache-2.0
"""Each rewrite computes what it replaces within its bound, over shapes and types, and takes the operator away."""

from __future__ import annotations

import ast
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hints import CASES
from support.kit import KIT, kit
from support.rewrites import FITTING
from torch import nn

from model_profiling.errors import UserError
from model_profiling.export import casting, delegation, delegation_hints, lowering, verification
from model_profiling.export.graph_editor import functional
from model_profiling.export.recipes import find_recipe
from model_profiling.export.replacements import Together
from model_profiling.export.rewrites import apply, find_rewrites, rewrites
from model_profiling.models.graph_places import operator_of

SEEDS = st.integers(0, 2**31)
TYPES = {"float32": torch.float32, "float16": torch.float16}


def drawn(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Return values from -8 to 8."""
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * 8


def worst(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Return the largest difference over the largest magnitude where that is over 1."""
    assert expected.shape == got.shape
    return (expected - got.float()).abs().max().item() / max(1.0, expected.abs().max().item())


def operators(program: torch.export.ExportedProgram) -> set[str]:
    """Return the names of the operators in a graph, without namespace and variant."""
    return {operator_of(node).split(".")[1] for node in program.graph.nodes if "." in operator_of(node)}


@pytest.mark.parametrize("name", FITTING)
@settings(max_examples=5, deadline=None)
@given(data=st.data(), seed=SEEDS)
def test_agrees_within_its_bound_and_takes_the_operator_away(name: str, data: st.DataObject, seed: int) -> None:
    torch.manual_seed(seed)
    fitting, rewrite = FITTING[name](data.draw), rewrites()[name]
    dtype = data.draw(st.sampled_from(rewrite.dtypes or tuple(TYPES)))
    given_values = tuple(drawn(shape, seed + at).to(TYPES[dtype]) for at, shape in enumerate(fitting.shapes))
    module = fitting.module.eval()
    with torch.no_grad():
        module.to(TYPES[dtype]).float()  # weights that both types hold
        expected = module(*(value.float() for value in given_values))
    program = lowering.capture(module.to(TYPES[dtype]), given_values, {}, None)
    before = operators(functional(program))
    rewritten, counts = apply(program, [name])
    assert counts[name] > 0 and (not fitting.gone or fitting.gone in before)
    assert fitting.gone not in operators(rewritten)
    with torch.no_grad():
        got = rewritten.module()(*given_values)
    assert got.dtype == TYPES[dtype]
    assert worst(expected, got) <= rewrite.bound[dtype == "float16"] + _OF_THE_TYPE[dtype]
    assert apply(rewritten, [name])[1] == {name: 0}


#: A result is rounded in its type once more, also where a rewrite is exact and the model around it is not.
_OF_THE_TYPE = {"float32": 2.0**-22, "float16": 2.0**-9}


def test_every_rewrite_is_tried() -> None:
    assert set(FITTING) == set(rewrites())


def test_a_mask_of_whole_numbers_is_read_as_attention_means_it() -> None:
    """Any number but 0 is seen, as in ``mask.to(bool)``; what is hidden takes no part."""

    class Masked(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            keep = mask.to(torch.bool)[:, None, None, :] & (mask != 9)[:, None, None, :]
            return nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=keep)

    x, mask = drawn((2, 3, 4, 8), 1), torch.tensor([[1, 1, 0, 0], [7, -2, 1, 0]])
    program = lowering.capture(Masked(), (x, mask), {}, None)
    rewritten, counts = apply(program, find_rewrites(["all"]))
    assert counts["attention"] == 0  # a comparison with 9 has no form of its own
    assert "scaled_dot_product_attention" in operators(rewritten)

    class Simple(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            keep = mask.to(torch.bool)[:, None, None, :].expand(2, 1, 4, 4)
            return nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=keep)

    program = lowering.capture(Simple(), (x, mask), {}, None)
    rewritten, counts = apply(program, find_rewrites(["all"]))
    assert counts["attention"] == 1
    other = torch.tensor([[0, 0, 5, 1], [1, 0, 0, 0]])
    for given_mask in (mask, other):
        assert worst(Simple()(x, given_mask), rewritten.module()(x, given_mask)) < 1e-5


def test_a_result_that_depends_on_nothing_is_stored_and_given_as_it_is() -> None:
    """As EdgeTAM gives position encodings beside its maps: nothing is left to compute, nor to copy."""

    class Encoded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.register_buffer("encoding", drawn((3, 4), 1))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.linear(x), self.encoding[None].repeat(len(x), 1, 1)

    module, x = Encoded(), drawn((1, 3, 4), 2)
    rewritten, counts = apply(lowering.capture(module, (x,), {}, None), ["constants"])
    assert counts["constants"] == 2 and operators(rewritten) == {"linear"}
    lowered = lowering.lower({"forward": rewritten}, "xnnpack", find_recipe("fp32"), lambda method: None, False)
    outputs = verification.run_program(lowering.serialize(lowered).buffer, [(x,)], {}, "it", "forward")[0]
    assert torch.equal(outputs[1], module(x)[1]) and worst(module(x)[0], outputs[0]) < 1e-6


@pytest.mark.parametrize("magnitude", [2e-3, 1.0, 3000.0])
def test_layer_norm_in_float16_stays_in_range(magnitude: float) -> None:
    """Squares of 300 are infinite in float16, those of 2e-4 are 0; an epsilon of 1e-12 is 0 too."""
    norm = nn.LayerNorm(64, eps=1e-12)
    x = (drawn((2, 5, 64), 3) / 8 * magnitude).half()
    x[0, 0] = 0.0  # a row without variance
    x[1, 1, 7] = 20 * magnitude  # and one with an outlier
    expected = norm(x.float())
    rewritten, _ = apply(lowering.capture(norm.half(), (x,), {}, None), ["layer-norm"])
    assert worst(expected, rewritten.module()(x)) < 1e-2


def test_what_a_mask_hides_with_an_infinity_keeps_no_number_out() -> None:
    class Filled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.triu(torch.ones(4, 4, dtype=torch.bool), diagonal=1)
            return x.masked_fill(hidden, float("-inf")).softmax(-1)

    x = drawn((2, 4, 4), 5)
    rewritten, counts = apply(lowering.capture(Filled(), (x,), {}, None), find_rewrites(["all"]))
    assert counts["where"] == 1 and not {"masked_fill", "triu", "ones"} & operators(rewritten)
    assert worst(Filled()(x), rewritten.module()(x)) < 1e-6


def test_dynamic_shapes_are_left_alone() -> None:
    rows = torch.export.Dim("rows", min=2, max=9)
    program = lowering.capture(nn.LayerNorm(8), (torch.rand(3, 8),), {}, {"input": {0: rows}})
    rewritten, counts = apply(program, ["layer-norm"])
    assert counts == {"layer-norm": 0} and "layer_norm" in operators(rewritten)


def test_names_are_checked() -> None:
    assert find_rewrites(["none"]) == () and find_rewrites(["all"]) == tuple(rewrites())
    assert find_rewrites(["gelu", "layer-norm"]) == ("layer-norm", "gelu")  # in the order in which they are applied
    with pytest.raises(UserError, match=r"no rewrite 'layer_norm' \(did you mean layer-norm\?\).*--list-rewrites"):
        find_rewrites(["layer_norm"])
    with pytest.raises(UserError, match="'all' stands beside other names"):
        find_rewrites(["all", "gelu"])


def test_they_are_listed_with_what_they_replace_their_types_their_bound_and_what_they_save() -> None:
    said = kit("export/export_model.py", "--list-rewrites").ok().stdout
    assert [line for line in said.splitlines() if not line.startswith(" ")] == list(rewrites())
    assert "gelu\n  replaces  aten.gelu, exact or approximate='tanh'\n  types     float16\n" in said
    assert "  agrees    within 0.0005 in float32 and 0.005 in float16\n" in said


def test_a_wrong_name_is_one_line() -> None:
    said = kit("export/export_model.py", "--model", "toy_cnn", "--rewrite", "gelo").error_line()
    assert "there is no rewrite 'gelo' (did you mean gelu?), in --rewrite: see --list-rewrites" in said


def test_each_rewrite_is_a_file_of_its_name() -> None:
    files = {path.stem.replace("_", "-") for path in (KIT / "export/rewrites").glob("[a-z]*.py")}
    assert files == set(rewrites())


@pytest.mark.parametrize("room", ["rewrites", "recipes"])
def test_no_file_takes_a_name_that_its_room_uses(room: str) -> None:
    """An imported file becomes a name of its package: `nearest.py` once hid the function `nearest`."""
    folder = KIT / "export" / room
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert used and not used & {path.stem for path in folder.glob("[a-z]*.py")}


def test_hints_name_the_rewrite() -> None:
    named = [hint for rewrite in rewrites().values() for hint in rewrite.hints]
    assert len(named) == len(set(named)) and set(named) <= {row.name for row in delegation_hints.HINTS}
    assert delegation_hints.hint_for("aten.native_layer_norm.default").startswith("--rewrite layer-norm, or by hand: ")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_what_a_hint_says_of_a_rewrite_is_true(dtype: str) -> None:
    """The cases of hints that name a rewrite, in one model: with all rewrites, fewer operators are outside of each."""
    named = {hint for rewrite in rewrites().values() for hint in rewrite.hints}
    cases = [case for case in CASES if case.dtype == dtype and case.row in named]
    names = [
        "case_" + "abcdefghijklmnopqrstuvwxyz"[at // 26] + "abcdefghijklmnopqrstuvwxyz"[at % 26]
        for at in range(len(cases))
    ]
    torch.manual_seed(0)
    module = casting.cast_module(
        Together({n: case.before() for n, case in zip(names, cases, strict=True)}).eval(), dtype
    )
    inputs = casting.cast_inputs(tuple(torch.rand(case.shape) * 4 - 2 for case in cases), dtype)
    outside = []
    for chosen in ("none", "all"):
        program, _ = apply(lowering.capture(module, inputs, {}, None), find_rewrites([chosen]))
        with delegation.recording_reasons() as recorder:
            edge = lowering.lower({"forward": program}, "xnnpack", find_recipe(dtype), recorder.begin)
            reasons, graph_module = recorder.reasons("forward"), edge.exported_program().graph_module
            described = delegation.describe_edge(graph_module, reasons, "xnnpack")
            final = lowering.serialize(edge)
        divided = delegation.read_program(final.exported_program().graph_module, described)
        outside.append(
            [sum(e.count for e in divided.not_delegated if e.module.split(".")[1:2] == [name]) for name in names]
        )
    worse = [case.row for case, before, after in zip(cases, *outside, strict=True) if after >= before]
    assert cases and not worse


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
