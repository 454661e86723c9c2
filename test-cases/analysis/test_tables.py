# SPDX-License-Identifier: Apache-2.0
"""Each table's reader gives what its writer wrote, in typed rows; a damaged table is one line that says where."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.kit import FIXTURES

from model_profiling.analysis.tables.layers import LAYER_COLUMNS, layers_csv, read_layers
from model_profiling.analysis.tables.operators import OPERATOR_COLUMNS, operators_csv, read_operators
from model_profiling.analysis.tables.timeline import TIMELINE_COLUMNS, read_first_execution
from model_profiling.analysis.traces.layers import LayerStats
from model_profiling.errors import UserError

FOLDER = FIXTURES / "reference_run" / "mac" / "mac_sme2_on"
STEM = "toy_cnn_xnnpack_fp16_mac_sme2_on_t1"


def table(kind: str) -> Path:
    return FOLDER / f"{STEM}_{kind}.csv"


def test_operators_are_read_as_they_were_written() -> None:
    rows = read_operators(table("ops_stats"))
    assert rows[0].operator.name == "Convolution (NHWC, F16) IGEMM #2" and rows[0].operator.median_us == 1065.5
    assert rows[0].identity.threads == 1
    assert operators_csv(rows[0].identity, [row.operator for row in rows]) == table("ops_stats").read_bytes()


def test_layers_are_read_as_they_were_written() -> None:
    rows = read_layers(table("layers"))
    assert rows[0].cost.gflops is None and rows[1].cost.gflops == 128.429 and rows[1].layer.multiply_adds == 1990656
    stats = [LayerStats(row.layer, row.cost) for row in rows]
    assert layers_csv(rows[0].identity, stats) == table("layers").read_bytes()


def test_the_first_execution_of_a_timeline_is_read_alone() -> None:
    first, every = read_first_execution(table("run0_timeline")), read_first_execution(table("all_runs_timeline"))
    assert first == every and len(first) == 20
    assert [row.event_index for row in first] == list(range(20))
    method = next(row for row in first if row.name == "Method::execute")
    assert method.parent is None and not method.delegated and first[0].delegated and first[0].start_us == 4.607


@pytest.mark.parametrize(
    ("kind", "columns", "read", "name"),
    [
        ("ops_stats", OPERATOR_COLUMNS, read_operators, "the table"),
        ("layers", LAYER_COLUMNS, read_layers, "the layer table"),
        ("run0_timeline", TIMELINE_COLUMNS, read_first_execution, "the timeline"),
    ],
)
def test_a_damaged_table_is_one_line(kind: str, columns: tuple[str, ...], read, name: str, tmp_path: Path) -> None:
    path = Path(shutil.copy(table(kind), tmp_path))
    assert path.read_text().splitlines()[0].split(",") == list(columns)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace("pct_of_run", "percent"), *lines[1:]]) + "\n")
    with pytest.raises(UserError, match=f"^{name} lacks the column pct_of_run"):
        read(path)
    for value in ("x", "nan"):
        path.write_text("\n".join([lines[0], lines[1].rpartition(",")[0] + f",{value}", *lines[2:]]) + "\n")
        with pytest.raises(
            UserError, match=f"^{name} holds a value that is not a number \\(pct_of_run '{value}'\\), at .*row 2"
        ):
            read(path)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
