# SPDX-License-Identifier: Apache-2.0
"""The table of what reaches SME2: whole, shown on the page, and what is recorded."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.emulation import emulated
from support.export import export_here, write_model
from support.kit import REPOSITORY, Finished, kit

from model_profiling.analysis.kernels.uses import LOADING
from model_profiling.analysis.tables.kernels import read_kernels
from model_profiling.errors import UserError
from model_profiling.export.matrix_layers import KINDS
from model_profiling.export.recipes import find_grouped
from model_profiling.export.sidecar import versions
from model_profiling.export.sme2_reach import ReachTable
from model_profiling.pipeline.kernel_names import COMPUTE, PACK, SME2, family_of
from tools import make_sme2_reach
from tools.sme2_reach.every_layer import ROWS
from tools.sme2_reach.recording import record_recipe, scopes
from tools.sme2_reach.text import BEGIN, END, markdown, with_table

TABLE = ReachTable.read()


def test_the_table_has_every_layer_of_every_recipe_in_the_installed_executorch() -> None:
    labels = [find_grouped(*scope).label for scope in scopes()]
    assert labels == ["fp32", "fp16", "int8", "8da8w", "8da4w", "8da4w_g32"]
    assert [(row.recipe, row.kind, row.rows) for row in TABLE.rows] == list(itertools.product(labels, KINDS, ROWS))
    assert versions()["executorch"].partition("+")[0] == TABLE.executorch
    assert all(row.reaches == (family_of(row.kernel) == SME2) for row in TABLE.rows)


def test_a_layer_on_the_same_numbers_runs_the_same_in_every_recipe() -> None:
    """What an export says of a layer is found by its numbers, whatever the recipe."""
    for row in TABLE.rows:
        found = TABLE.row_for(row.kind, row.numbers, row.rows)
        assert found and (found.ran_as, found.kernel) == (row.ran_as, row.kernel)


def test_rows_between_two_that_were_recorded_count_as_the_more() -> None:
    """One row has a kernel of its own; two run as eight do."""
    assert [TABLE.row_for("linear", "float32", rows).rows for rows in (1, 2, 8, 9, 128, 5000)] == [
        *(1, 8, 8, 128, 128, 128)
    ]
    assert TABLE.row_for("linear", "bfloat16", 8) is None


def test_the_page_shows_the_table() -> None:
    argv = [sys.executable, str(REPOSITORY / "tools" / "make_sme2_reach.py"), "--page-only", "--check"]
    done = Finished(subprocess.run(argv, capture_output=True, text=True, timeout=120)).ok()
    assert done.stdout == "the table of 126 layers is what the page says\n"


def test_the_page_table_in_words(tmp_path: Path) -> None:
    rows = [row for row in TABLE.rows if row.kind == "linear" and row.recipe in ("fp32", "8da4w_g32")]
    rows[0] = replace(rows[0], reaches=False)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert with_table(page, replace(TABLE, rows=tuple(rows))) == (
        f"before\n{BEGIN}\n| layer | reaches SME2 in |\n| --- | --- |\n"
        f"| linear | fp32 (with 8, 128 rows) |\n{END}\nafter\n"
    )
    page.write_text("no marks\n", encoding="utf-8")
    with pytest.raises(UserError, match="the page has no place for the table"):
        with_table(page, TABLE)


def test_layers_that_ran_otherwise_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = TABLE.rows
    recorded = replace(TABLE, emulator="another", rows=(replace(first, kernel="kai_run_new", reaches=False), *others))
    assert make_sme2_reach.differences(TABLE, replace(TABLE, emulator="another")) == []
    assert make_sme2_reach.differences(TABLE, recorded) == ["linear, 1 rows, fp32"]
    with pytest.raises(UserError, match=r"than what ran: linear, 1 rows, fp32, at model_profiling/export/sme2_reach"):
        make_sme2_reach.check(recorded, make_sme2_reach.PAGE.read_text(encoding="utf-8"))
    with pytest.raises(UserError, match="another table of SME2 kernels than the recorded one"):
        make_sme2_reach.check(None, "another page")
    assert markdown(TABLE) != markdown(recorded)


@pytest.mark.emulator
def test_8da8w_runs_as_the_table_says(tmp_path: Path) -> None:
    """One recipe here; `tools/make_sme2_reach.py --check` records all of them."""
    recorded = record_recipe(emulated(), "8da8w", 0, tmp_path)
    assert recorded == tuple(row for row in TABLE.rows if row.recipe == "8da8w")


TWO_LINEAR = """
class Mine:
    def get_eager_model(self):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32)).eval()
    def get_example_inputs(self):
        torch.manual_seed(1)
        return (torch.randn({rows}, 64),)
"""


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("dtype", "group_size", "rows", "sme2", "kernel"),
    [
        ("8da8w", 0, 8, 2, "kai_run_matmul_clamp_f32_qai8dxp1vlx4_qsi8cxp4vlx4_1vlx4vl_sme2_mopa"),
        ("8da4w", 0, 1, 2, "kai_run_matmul_clamp_f32_qai8dxp1x4_qsi4cxp4vlx4_1x4vl_sme2_sdot"),
        ("8da4w", 32, 8, 0, "kai_run_matmul_clamp_f32_qai8dxp4x8_qsi4c32p4x8_16x4x32_neon_i8mm"),
    ],
)
def test_a_preview_has_the_packed_types_words_and_counts(
    tmp_path: Path, dtype: str, group_size: int, rows: int, sme2: int, kernel: str
) -> None:
    emulated()
    model = write_model(tmp_path, TWO_LINEAR.format(rows=rows))
    exported = export_here(tmp_path, model_file=model, dtype=dtype, group_size=group_size)
    done = kit("scripts/preview_sme2.py", "--model", exported.paths.pte, "--output-dir", tmp_path / "preview").ok()
    share = {2: "100", 0: "0"}[sme2]
    assert done.stdout.splitlines()[-1] == (
        f"{sme2} of 2 matrix layers, {share} % of multiply-adds, reach SME2 kernels."
    )
    found = json.loads(next((tmp_path / "preview").glob("*.json")).read_text(encoding="utf-8"))
    assert [layer["kernels"]["sme2"] for layer in found["matrix_layers"]] == [{kernel: 1}] * 2
    variant = found["variants"]["sme2"]
    assert variant["compute_calls"] == {family_of(kernel): 2}
    assert variant["agreement"]["cosine"] >= 0.9999
    uses = read_kernels(next((tmp_path / "preview").glob("*_sme2_kernels.csv")))
    packing = ("kai_run_lhs_quant_pack_qai8dxp_f32", PACK, 1)
    assert [(use.kernel, use.role, use.calls) for use in uses if use.kernel and use.operator != LOADING] == [
        *(packing, (kernel, COMPUTE, 1)) * 2
    ]
    assert {use.role for use in uses if use.operator == LOADING} == {PACK}
