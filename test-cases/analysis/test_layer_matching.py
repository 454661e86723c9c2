# SPDX-License-Identifier: Apache-2.0
"""Layers of two programs: matched by module and kind, what no module joins stays alone, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.traces import node

from model_profiling.analysis.comparing.comparison import LayerComparison
from model_profiling.analysis.comparing.layer_matching import match_layers
from model_profiling.analysis.comparing.outputs import AgreementLimit, OutputAgreement, limit_of, within
from model_profiling.analysis.program_layers import NO_LAYERS, ProgramLayers
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.measured_programs import MeasuredProgram, ModelFile
from model_profiling.pipeline.program.layers import GraphInstruction, Node
from model_profiling.report.words.programs import limit_words, program_names


def layer(kind: str, module: str = "", recorded: bool = True) -> Node:
    """Return a node as an export leaves it: with its operator recorded, or made by the lowering itself."""
    return replace(node(kind), module=module, operator=f"aten.{kind.lower()}" if recorded else "")


def program(*nodes: Node) -> ProgramLayers:
    return ProgramLayers((GraphInstruction(0, "XnnpackBackend", "", "", nodes),))


def matched(before: ProgramLayers, after: ProgramLayers) -> list[tuple[list[str], list[str]]]:
    """Return the matches by the layers' names without their numbers."""

    def names(side: ProgramLayers, positions: tuple[int, ...]) -> list[str]:
        return [side.names[number].partition(" ")[2] for number in positions]

    return [(names(before, m.baseline), names(after, m.candidate)) for m in match_layers(before, after)]


def test_each_layer_of_one_program_is_matched_with_itself() -> None:
    same = program(layer("Conv2d"), layer("Clamp", recorded=False), layer("Conv2d", "head"))
    assert [m.sides for m in match_layers(same, same)] == [((n,), (n,)) for n in range(3)]
    assert match_layers(NO_LAYERS, NO_LAYERS) == ()


def test_layers_follow_their_module_wherever_it_stands() -> None:
    fp32 = program(layer("Conv2d", "wide"), layer("Conv2d", "narrow"), layer("FullyConnected", "head"))
    int8 = program(
        layer("Convert", recorded=False),
        layer("Conv2d", "narrow"),
        layer("Conv2d", "wide"),
        layer("FullyConnected", "head"),
        layer("Convert", "head"),
    )
    assert matched(fp32, int8) == [
        (["wide (conv2d)"], ["wide (conv2d)"]),
        (["narrow (conv2d)"], ["narrow (conv2d)"]),
        (["head (fullyconnected)"], ["head (fullyconnected)"]),
        ([], ["convert"]),
        ([], ["head (convert)"]),
    ]


def test_a_module_that_lowers_otherwise_is_compared_as_a_whole() -> None:
    """Another number of layers of a kind, or other kinds: which is which nobody can say, but the module is the same."""
    before = program(layer("Gelu", "act"), layer("Conv2d", "block"), layer("Conv2d", "block"))
    after = program(
        layer("Multiply", "act"),
        layer("Sigmoid", "act"),
        layer("Conv2d", "block"),
        layer("Conv2d", "block"),
        layer("Conv2d", "block"),
    )
    assert matched(before, after) == [
        (["act (gelu)"], ["act (multiply)", "act (sigmoid)"]),
        (["block (conv2d)"] * 2, ["block (conv2d)"] * 3),
    ]


def test_what_the_export_recorded_nothing_of_has_no_partner() -> None:
    """Both have a transpose that the lowering made, which may be for another reason."""
    side = (layer("StaticTranspose", recorded=False), layer("Concatenate2"))
    assert matched(program(*side), program(*side)) == [
        (["statictranspose"], []),
        (["concatenate2"], ["concatenate2"]),
        ([], ["statictranspose"]),
    ]


NODES = st.lists(
    st.builds(
        layer, st.sampled_from(("Conv2d", "Clamp", "Convert")), st.sampled_from(("", "a", "a.b", "c")), st.booleans()
    ),
    max_size=12,
)


@given(NODES, NODES)
def test_every_layer_stands_once_and_only_modules_join(before: list[Node], after: list[Node]) -> None:
    sides = program(*before), program(*after)
    matches = match_layers(*sides)
    for side, own in enumerate(sides):
        assert sorted(n for m in matches for n in m.sides[side]) == list(range(len(own.layers)))
    for match in matches:
        modules = {own.modules[n] for own, numbers in zip(sides, match.sides, strict=True) for n in numbers}
        assert len(modules) == 1 and (None not in modules or not all(match.sides))


@given(NODES, NODES)
def test_a_change_of_sides_changes_sides_alone(before: list[Node], after: list[Node]) -> None:
    there, back = match_layers(program(*before), program(*after)), match_layers(program(*after), program(*before))
    assert {m.sides for m in there} == {(m.candidate, m.baseline) for m in back}


def test_a_layer_of_two_programs_reads_back_as_written() -> None:
    compared = LayerComparison("0.1 a / 0.2 a", 7, 3.0, None, None, None, None, "no verdict", (("0.1 a",), ("0.2 a",)))
    assert LayerComparison.from_json(JsonObject(compared.to_json(), "in a test", "mend it")) == compared
    assert not compared.alone and compared.names_on(candidate=True) == ("0.2 a",)
    assert replace(compared, of_sides=(("0.1 a",), ())).alone
    assert "baseline_layers" not in replace(compared, of_sides=None).to_json()


def made(path: str, **export: object) -> MeasuredProgram:
    return MeasuredProgram(ModelFile(path.rpartition("/")[2].removesuffix(".pte"), path, path, 1), (path,), (), export)


@pytest.mark.parametrize(
    ("programs", "names"),
    [
        ((), ()),
        (
            (made("a/n_fp32.pte", model="n", dtype="fp32"), made("a/n_int8.pte", model="n", dtype="int8")),
            ("n fp32", "n int8"),
        ),
        ((made("x/n_fp32.pte", model="n", dtype="fp32"), made("x/other.pte")), ("n_fp32", "other")),
        (
            (made("old/out/n.pte", model="n", dtype="fp32"), made("new/out/n.pte", model="n", dtype="fp32")),
            ("old/out/n", "new/out/n"),
        ),
    ],
)
def test_programs_are_called_by_what_tells_them_apart(
    programs: tuple[MeasuredProgram, ...], names: tuple[str, ...]
) -> None:
    assert program_names(programs) == names


class Programs:
    """As much of a manifest as the limit asks for."""

    def __init__(self, *programs: MeasuredProgram) -> None:
        self._programs = dict(zip(("before", "after"), programs, strict=True))

    def program(self, name: str) -> MeasuredProgram:
        return self._programs[name]


def test_two_dtypes_may_differ_within_the_wider_limit() -> None:
    fp32 = made("a.pte", dtype="fp32", limit={"max_rel_error": 1e-3, "min_cosine": 0.9999})
    int8 = made("b.pte", dtype="int8", limit={"max_rel_error": 0.5, "min_cosine": 0.95})
    limit = limit_of(Programs(fp32, int8), "before", "after")
    assert limit == AgreementLimit(0.5, 0.95, "int8") == limit_of(Programs(int8, fp32), "before", "after")
    assert limit_words(limit) == "the limit of int8 (relative error 0.5, cosine 0.95)"
    close = OutputAgreement(6, 0, 1.0, 0.2, 0.97)
    assert within(close, limit)
    assert not within(replace(close, cosine=0.94), limit) and not within(replace(close, max_rel_error=0.6), limit)
    assert not within(replace(close, cosine=None), limit), "not a finite number"
    assert not within(close, limit_of(Programs(fp32, fp32), "before", "after"))


def test_without_a_record_the_cosine_is_judged() -> None:
    limit = limit_of(Programs(made("a.pte"), made("b.pte", dtype="int8")), "before", "after")
    assert limit == AgreementLimit(None, 0.99, "") and "recorded no limit" in limit_words(limit)
    assert within(OutputAgreement(1, 0, 9.0, 9.0, 0.995), limit)
