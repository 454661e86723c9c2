# SPDX-License-Identifier: Apache-2.0
"""The kernel table, and two of them side by side: matched by layer, added up, filtered, and harmless to Markdown."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.xnntrace import MOPA, OFF, ON, PACK_LHS

from model_profiling.analysis.kernels.side_by_side import LAYER, compare_kernels
from model_profiling.analysis.kernels.xnntrace import kernel_rows, read_xnntrace
from model_profiling.analysis.tables.kernels import CALLED, KERNEL_COLUMNS, KernelRow, kernels_csv, read_kernels
from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import family_of, role_of
from model_profiling.report.kernel_markdown import family_sentence, render_kernel_view
from model_profiling.report.words.kernels import view_notes


def called(layer: str, operator: str, kernel: str, calls: int | None = 1) -> KernelRow:
    return KernelRow(
        "m",
        "e",
        layer,
        operator,
        kernel,
        family_of(kernel) if kernel else "",
        role_of(kernel) if kernel else "",
        calls,
        CALLED,
    )


def test_the_table_is_the_designs_and_reads_back(tmp_path: Path) -> None:
    table = tmp_path / "a_kernels.csv"
    hostile = 'm",\n| <b>\u00e9'
    rows = (
        replace(called("0.1 a (conv)", "Convolution (NHWC, PF32) IGEMM", MOPA, 12), model_id=hostile),
        called("0.2 b", "Clamp (NC, F32)", "", None),
        *kernel_rows(read_xnntrace([ON]), hostile, "on"),
    )
    table.write_bytes(kernels_csv(rows))
    assert read_kernels(table) == rows
    assert (
        tuple(next(csv.reader(table.open(encoding="utf-8"))))
        == KERNEL_COLUMNS
        == ("model_id", "experiment", "layer", "operator", "kernel", "family", "role", "calls", "evidence")
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("evidence\n", "evidense\n", "lacks the column evidence (did you mean evidense?)"),
        (",sme2,", ",sme3,", "'sme3' is no family (did you mean sme"),
        (",registered", ",guessed", "is no evidence"),
        (",compute,,", ",compute,many,", "'many' is no number of calls"),
        (",compute,,", ",compute,-1,", "'-1' is no number of calls"),
        (",compute,,", ",compute,,,", "fields, not 9"),
        ("registered", '\0"', "CSV"),
    ],
)
def test_a_wrong_table_is_one_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    text = kernels_csv(kernel_rows(read_xnntrace([ON]), "m")).decode()
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        read_kernels(path)
    if said != "CSV":  # how a stray quote is told depends on where the row ends
        assert said in str(caught.value)


# ---------------------------------------------------------------- the view


def test_sides_match_by_layer_and_packing_is_its_layers() -> None:
    on = [
        called("0.10 late", "Convolution (NHWC, PF32) IGEMM", MOPA, 7),
        called("0.2 early", "Pack LH (NC, X32)", PACK_LHS, 2),
        called("0.2 early", "Fully Connected (NC, PF32) GEMM", MOPA, 3),
        called("", "", "kai_run_rhs_pack_kxn_f32p2vlx1biasf32_f32_f32_sme", 1),
    ]
    off = [
        called("0.2 early", "Fully Connected (NC, F32) GEMM", "", None),
        called("0.10 late", "Convolution (NHWC, F32) IGEMM", "", None),
    ]
    view = compare_kernels(on, off)
    assert view.by == LAYER
    assert [group.name for group in view.groups] == ["0.2 early", "0.10 late", ""]
    first = view.groups[0]
    assert first.on.operators == ("Pack LH (NC, X32)", "Fully Connected (NC, PF32) GEMM")
    assert [row.kernel for row in first.on.kernels] == [MOPA, PACK_LHS]
    assert first.off.operators == ("Fully Connected (NC, F32) GEMM",) and first.off.kernels == () and first.differs
    assert view.families["sme2"][0].calls == 10 and view.families["sme2"][0].layers == 2
    assert view.families["sme"][0].compute == 0 and view.families["sme"][0].pack == 2 and list(view_notes(view)) == []
    assert family_sentence(view) == "SME2 kernels are called in 2 of the tables' 2 layers with SME2 on, 0 with it off."
    text = render_kernel_view(view, "m", [("On", "a"), ("Off", "b")])
    assert f"`{MOPA}` (SME2, 3 calls)<br>`{PACK_LHS}` (SME, packing, 2 calls)" in text
    assert "*no kernel seen*" in text and "**called**" in text and "**registered**" not in text
    assert "| *outside of operators* |" in text and "Kernels differ in 2 of 2 layers." in text


def test_calls_of_the_same_kernel_add_up() -> None:
    row = called("0.1 a", "GEMM", MOPA, 3)
    view = compare_kernels([row, replace(row, experiment="again"), replace(row, calls=None)], [])
    assert view.groups[0].on.kernels[0].calls == 6 and view.families["sme2"][0].calls == 6
    assert any("without a number" in note for note in view_notes(view))


def test_a_filter_keeps_a_layer_with_all_its_kernels() -> None:
    on = [
        called("0.1 a", "Pack LH (NC, X32)", PACK_LHS),
        called("0.1 a", "Fully Connected (NC, PF32) GEMM", MOPA),
        called("0.2 b", "Add (ND, F32)", ""),
    ]
    view = compare_kernels(on, on, "fully connected")
    assert [group.name for group in view.groups] == ["0.1 a"] and len(view.groups[0].on.kernels) == 2
    with pytest.raises(UserError, match="no operator contains 'Fuly'"):
        compare_kernels(on, on, "Fuly")


def test_the_view_says_when_sides_do_not_compare() -> None:
    registered = kernel_rows(read_xnntrace([ON]), "m")
    mixed = compare_kernels([called("0.1 a", "GEMM", MOPA)], registered)
    assert mixed.by == "operator" and any("two kinds of evidence" in note for note in view_notes(mixed))
    text = render_kernel_view(mixed, "m", [])
    assert "**called**" in text and "**registered**" in text
    off = kernel_rows(read_xnntrace([OFF]), "m")
    assert any("swapped" in note for note in view_notes(compare_kernels(off, registered)))
    other = [replace(row, model_id="n") for row in off]
    assert any("different models" in note for note in view_notes(compare_kernels(registered, other)))
    with pytest.raises(UserError, match="neither table has a row"):
        compare_kernels([], [])


@given(st.lists(st.text(max_size=12), min_size=4, max_size=4))
@settings(max_examples=150, deadline=None)
def test_names_cannot_break_the_markdown(names: list[str]) -> None:
    hostile = [f"{text}|`*_<script>[x](y)\n#" for text in names]
    model, layer, operator, kernel = hostile
    row = KernelRow(model, "", layer, operator, kernel, "sme2", "compute", 1, CALLED)
    view = compare_kernels([row], [replace(row, kernel=MOPA)])
    tokens = MarkdownIt("commonmark").enable("table").parse(render_kernel_view(view, model, [("On", model)]))
    inline = [child.type for token in tokens if token.children for child in token.children]
    assert "link_open" not in inline and "image" not in inline
    html = [child.content for token in tokens for child in token.children or () if child.type == "html_inline"]
    assert set(html) <= {"<br>"}
    assert sum(token.type == "heading_open" for token in tokens) == 4
    assert sum(token.type == "table_open" for token in tokens) == 2
    assert sum(token.type == "td_open" for token in tokens) == 1 * 9 + 1 * 4


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
