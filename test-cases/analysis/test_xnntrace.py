# SPDX-License-Identifier: Apache-2.0
"""XNNPACK's kernel log: every recorded one to its exact counts, logcat, damage, the table and the view of two."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kit import FIXTURES, kit
from support.xnntrace import I8MM, LOGS, MOPA, OFF, ON, PACK_LHS, SME1

from model_profiling.analysis.kernels.xnntrace import XnnTrace, kernel_rows, parse_xnntrace, read_xnntrace
from model_profiling.analysis.tables.kernels import kernels_csv, read_kernels
from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import FAMILIES, ROLES, family_of, role_of

STDOUT = FIXTURES / "xnntrace"

# As counted when the logs were recorded: lines, distinct kernels, lines of `neonsme2`, lines of `neonsme`.
COUNTS = {
    "a64-sme2off-sme1on__qemu-sme-on/m": (17, 16, 0, 3),
    "a64-sme2off-sme1on__qemu-sme-on/mv3_fp16": (34, 30, 0, 0),
    "a64-sme2off-sme1on__qemu-sme-on/mv3_fp32": (37, 31, 0, 3),
    "a64-sme2off-sme1on__qemu-sme-on/mv3_int8": (35, 30, 0, 1),
    "a64-sme2on-xnnlog5__qemu-sme-on/m": (17, 16, 3, 0),
    "a64-sme2on__qemu-sme-off/m": (27, 21, 0, 0),
    "a64-sme2on__qemu-sme-off/mv3_fp16": (34, 30, 0, 0),
    "a64-sme2on__qemu-sme-off/mv3_fp32": (40, 31, 0, 0),
    "a64-sme2on__qemu-sme-off/mv3_int8": (34, 29, 0, 0),
    "a64-sme2on__qemu-sme-on/m": (17, 16, 3, 0),
    "a64-sme2on__qemu-sme-on/mv3_fp16": (37, 33, 3, 0),
    "a64-sme2on__qemu-sme-on/mv3_fp32": (37, 31, 3, 0),
    "a64-sme2on__qemu-sme-on/mv3_int8": (37, 32, 3, 0),
    "a64-smeoff__qemu-sme-on/m": (27, 21, 0, 0),
    "a64-smeoff__qemu-sme-on/mv3_fp16": (34, 30, 0, 0),
    "a64-smeoff__qemu-sme-on/mv3_fp32": (40, 31, 0, 0),
    "a64-smeoff__qemu-sme-on/mv3_int8": (34, 29, 0, 0),
    "host-x86_64-release-xnnlog4/m": (37, 30, 0, 0),
    "host-x86_64-release-xnnlog4/mv3_fp16": (43, 39, 0, 0),
    "host-x86_64-release-xnnlog4/mv3_fp32": (50, 40, 0, 0),
    "host-x86_64-release-xnnlog4/mv3_int8": (43, 38, 0, 0),
    "host-x86_64-release-xnnlog5/m": (37, 30, 0, 0),
}
#: Level 5: calls over all executions, and those that XNNPACK skipped.
OPERATORS = {"a64-sme2on-xnnlog5__qemu-sme-on": (1, "PF32"), "host-x86_64-release-xnnlog5": (3, "F32")}
MESSAGE = re.compile(rb"^(?:Note|Debug) \(XNNPACK\): (.*)$", re.MULTILINE)

LOGCAT = {
    "threadtime": b"11-21 10:37:01.123  4242  4250 %c XNNPACK : %s",
    "year and zone": b"2026-11-21 10:37:01.123 +0000  4242  4250 %c XNNPACK : %s",
    "uid": b"11-21 10:37:01.123 u0_a1  4242  4250 %c XNNPACK : %s",
    "brief": b"%c/XNNPACK ( 4242): %s",
    "time": b"11-21 10:37:01.123 %c/XNNPACK ( 4242): %s",
    "tag": b"%c/XNNPACK : %s",
    "process": b"%c( 4242) %s  (XNNPACK)",
    "long": b"[ 11-21 10:37:01.123  4242: 4250 %c/XNNPACK  ]\n%s\n",
    "raw": b"%.0c%s",
    "color": b"\x1b[38;5;40m11-21 10:37:01.123  4242  4250 %c XNNPACK : %s\x1b[0m",
}


def log_of(name: str) -> Path:
    return LOGS / f"{name}.stderr.log"


def lines_by_family(trace: XnnTrace) -> Counter:
    found: Counter = Counter()
    for kernel in trace.kernels:
        found[family_of(kernel.kernel)] += kernel.lines
    return found


# ---------------------------------------------------------------- recorded logs


def test_every_recorded_log_is_counted() -> None:
    recorded = {
        f"{p.parent.name}/{p.name.removesuffix('.stderr.log')}"
        for p in LOGS.glob("*/*.stderr.log")
        if p.parent.name != "host-cli-errors"
    }
    assert recorded == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_recorded_logs_give_their_exact_counts(name: str) -> None:
    trace = read_xnntrace([log_of(name)])
    family = lines_by_family(trace)
    assert (trace.lines, len(trace.names), family["sme2"], family["sme"]) == COUNTS[name]
    assert trace.cut == 0 and trace.operators == {}
    rows = kernel_rows(trace, "m")
    assert {row.kernel for row in rows} == set(trace.names) and len(set(rows)) == len(rows)
    assert {(row.evidence, row.calls, row.layer, row.role) for row in rows} == {("registered", None, "", "compute")}


@pytest.mark.parametrize("folder", OPERATORS)
def test_level_5_counts_operators(folder: str) -> None:
    executions, element = OPERATORS[folder]
    trace = read_xnntrace([log_of(f"{folder}/m"), STDOUT / f"{folder}__m.stdout.log"])
    assert {name: count / executions for name, count in trace.operators.items()} == {
        "Transpose (ND, X32) Transpose": 3,
        f"Convolution (NHWC, {element}) IGEMM": 2,
        "Max Pooling (NHWC, F32) Default": 2,
        f"Fully Connected (NC, {element}) GEMM": 1,
    }
    assert trace.skipped == {"Static Reshape (NC) Default": executions}
    assert trace.kernels == read_xnntrace([log_of(f"{folder}/m")]).kernels


@pytest.mark.parametrize("form", LOGCAT)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_logcat_gives_the_same(form: str, end: bytes) -> None:
    folder = "a64-sme2on-xnnlog5__qemu-sme-on"
    plain = log_of(f"{folder}/m").read_bytes() + (STDOUT / f"{folder}__m.stdout.log").read_bytes()
    cat = end.join(LOGCAT[form] % (b"I", message) for message in MESSAGE.findall(plain))
    assert parse_xnntrace(b"--------- beginning of main" + end + cat + end) == parse_xnntrace(plain)


def test_two_messages_on_a_line_are_two() -> None:
    text = ON.read_bytes()
    assert parse_xnntrace(text.replace(b"\nNote (XNNPACK)", b"Note (XNNPACK)")) == parse_xnntrace(text)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("kernel", "family", "role"),
    [
        ("xnn_pf32_gemm_minmax_ukernel_32x32__neonsme2", "sme2", "compute"),
        ("xnn_pqs8_qc8w_gemm_minmax_ukernel_32x32c4__neonsme", "sme", "compute"),
        ("xnn_qs8_qc8w_gemm_minmax_fp32_ukernel_4x16c8__neoni8mm", "i8mm", "compute"),
        ("xnn_qs8_rsum_ukernel__neondot_u32_acc2", "dotprod", "compute"),
        ("xnn_qd8_f32_qc8w_gemm_minmax_ukernel_4x16c4__aarch64_neondot_ld64", "dotprod", "compute"),
        ("xnn_qd8_f16_qc8w_gemm_minmax_ukernel_4x16c4__asm_aarch64_neondotfp16arith_cortex_a55", "dotprod", "compute"),
        ("xnn_f16_gemm_minmax_ukernel_6x16__asm_aarch64_neonfp16arith_cortex_a75", "neon", "compute"),
        ("xnn_qs8_qc8w_dwconv_minmax_fp32_ukernel_25p16c__neonv8_mla8_ld64", "neon", "compute"),
        ("xnn_x24_transposec_ukernel__4x4_aarch64_neon_tbl128", "neon", "compute"),
        ("xnn_f32_gemm_minmax_ukernel_7x32__avx512f_broadcast", "other", "compute"),
        ("xnn_qs8_qc8w_gemm_minmax_fp32_ukernel_7x16c8__avx512vnni_prfm", "other", "compute"),
        ("xnn_xx_copy_ukernel__scalar_memcpy", "other", "compute"),
        ("xnn_x32_pack_lh_ukernel__neonsme2", "sme2", "pack"),
        ("xnn_x16_pack_lh_ukernel__igemm_neonsme", "sme", "pack"),
        ("xnn_x8_packq_f32qp8_ukernel__aarch64_neon_u2", "neon", "pack"),
        ("xnn_x32_packw_gemm_goi_ukernel_x8__neon_ld4lane_u4_prfm", "neon", "pack"),
        ("xnn_x32_unpool_ukernel__neon", "neon", "compute"),
        (MOPA, "sme2", "compute"),
        ("kai_run_matmul_clamp_f32_qai8dxp1x4_qsi4cxp4vlx4_1x4vl_sme2_sdot", "sme2", "compute"),
        ("kai_run_matmul_clamp_f32_f32_f32p2vlx1b_1x8vl_sme_mla", "sme", "compute"),
        (I8MM, "i8mm", "compute"),
        ("kai_run_matmul_clamp_f32_qai8dxp1x8_qsi8cxp4x8_1x4_neon_dotprod", "dotprod", "compute"),
        (PACK_LHS, "sme", "pack"),
        ("kai_run_lhs_imatmul_pack_x32p2vlx1_x32p_sme", "sme", "pack"),
        ("kai_run_rhs_imatmul_pack_kxn_x16p2vlx2b_x16_x16_sme", "sme", "pack"),
        ("kai_run_lhs_quant_pack_qai8dxp_f32", "other", "pack"),
        ("kai_run_rhs_pack_nxk_qsi4cxps1s0_qsu4cxs1s0_neon", "neon", "pack"),
    ],
)
def test_families_and_roles_of_names(kernel: str, family: str, role: str) -> None:
    assert (family_of(kernel), role_of(kernel)) == (family, role)


# ---------------------------------------------------------------- damaged logs


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_truncated_log_names_no_kernel_that_the_whole_does_not(data: st.DataObject) -> None:
    text = ON.read_bytes()
    part = parse_xnntrace(text[: data.draw(st.integers(0, len(text)))])
    whole = parse_xnntrace(text)
    assert set(part.names) <= set(whole.names) and part.lines <= whole.lines and part.cut <= 1


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_damage_gives_a_table_or_nothing(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = bytearray(ON.read_bytes()[: data.draw(st.integers(0, 9000))])
    for _ in range(data.draw(st.integers(0, 20))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 300))] = data.draw(st.binary(max_size=60))
    path = tmp_path_factory.getbasetemp() / "damaged.log"
    path.write_bytes(text)
    try:
        trace = read_xnntrace([path])
    except UserError as error:
        assert "\n" not in str(error)
        return
    rows = kernel_rows(trace, "m")
    assert rows and all(row.family in FAMILIES and row.role in ROLES and row.kernel.isidentifier() for row in rows)
    table = path.with_suffix(".csv")
    table.write_bytes(kernels_csv(rows))
    assert read_kernels(table) == rows


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_parsed(text: bytes) -> None:
    parse_xnntrace(text + b"Using gemm microkernel 'xnn_a__neon'" + text)


def test_a_cut_line_is_counted_and_left_out() -> None:
    trace = parse_xnntrace(
        b"Note (XNNPACK): Using gemm microkernel 'xnn_a__neon'. (x)\nNote (XNNPACK): Using gemm microkernel 'xnn_b__neo"
    )
    assert trace.names == ("xnn_a__neon",) and trace.cut == 1


def test_a_huge_line_and_a_huge_log_are_read(tmp_path: Path) -> None:
    path = tmp_path / "big.log"
    path.write_bytes(
        b"\n"
        + b"Using gemm microkernel " * 500_000
        + b"\n"
        + b"\0" * 5_000_000
        + b"\n"
        + b"running operator 0:0 ("
        + b"(" * 1_000_000
        + b"\n"
        + ON.read_bytes() * 100
    )
    trace = read_xnntrace([path])
    assert len(trace.names) == 31 and trace.lines == 3700


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "names no XNNPACK kernel"),
        (b"\0\xff\xfe\x80" * 1000, "names no XNNPACK kernel"),
        (b"Using gemm microkernel 'xnn_", "ends before the name"),
        (b"Using ... microkernel '...'\n", "names no XNNPACK kernel"),
        (b"Debug (XNNPACK): running operator 0:0 (Copy (NC, X32) Default) (x)\n", "operators that ran but no kernel"),
        ("Using gemm microkernel 'xnn_a'".encode("utf-16"), "UTF-16"),
        (
            b"I/XNNPACK ( 1): Using a microkernel 'xnn_a'\nI/XNNPACK ( 2): Using a microkernel 'xnn_b'\n",
            "2 processes are mixed (pids 1, 2)",
        ),
    ],
)
def test_a_log_without_kernels_is_one_line(text: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(text)
    with pytest.raises(UserError, match=re.escape(said)):
        read_xnntrace([path])


@pytest.mark.parametrize("path", sorted((LOGS / "host-cli-errors").glob("*.log")), ids=lambda path: path.name)
def test_logs_of_failed_runs_name_no_kernel(path: Path) -> None:
    with pytest.raises(UserError, match="XNNPACK_LOG_LEVEL=4"):
        read_xnntrace([path])


# ---------------------------------------------------------------- the commands


def convert(tmp_path: Path, log: Path, name: str) -> Path:
    table = tmp_path / name
    done = kit("tools/xnntrace_to_kernels.py", "--xnntrace", log, "--out", table, "--model-id", "mv3_fp32").ok()
    assert "candidates, not calls" in done.stdout and str(table) in done.stdout
    return table


def test_on_and_off_from_log_to_view(tmp_path: Path) -> None:
    named = ((ON, "on.csv"), (OFF, "off.csv"), (SME1, "sme1.csv"))
    on, off, sme1 = (convert(tmp_path, log, name) for log, name in named)
    assert on.read_text().count("__neonsme2") == 3 and "sme" not in off.read_text()
    assert sme1.read_text().count("__neonsme,") == 3 and "neonsme2" not in sme1.read_text()
    view = tmp_path / "view.md"
    done = kit("tools/generate_kernel_view.py", "--on", on, "--off", off, "--out", view).ok()
    text = view.read_text(encoding="utf-8")
    assert "3 that compute with SME2 on, 0 with it off" in text and "3 that compute with SME2 on, 0" in done.stdout
    assert "| SME2 | 3 | 0 | 0 | 0 |" in text and "| SME |" not in text and "candidate, not a call" in text
    gemm = next(line for line in text.splitlines() if line.startswith("| gemm |")).split(" | ")
    assert gemm[1].count("neonsme2") == 2 and "neonsme" not in gemm[2] and "neonfma" in gemm[2]
    assert "| dwconv |" in text and "same as on | no |" in text
    done = kit("tools/generate_kernel_view.py", "--on", on, "--off", sme1, "--out", view, "--filter-op", "GEMM").ok()
    text = view.read_text(encoding="utf-8")
    assert "| SME | 0 | 0 | 3 | 0 |" in text
    assert "still has SME kernels" in text and "still has SME kernels" in done.stdout
    assert "| igemm |" in text and "| dwconv |" not in text


def test_the_commands_tell_what_is_wrong_and_write_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    log = tmp_path / "copy.log"
    log.write_bytes(ON.read_bytes())
    to_kernels = "tools/xnntrace_to_kernels.py"
    assert "does not exist" in kit(to_kernels, "--xnntrace", tmp_path / "none", "--out", out).error_line()
    assert "cannot be read" in kit(to_kernels, "--xnntrace", tmp_path, "--out", out).error_line()
    assert "replace what it is made from" in kit(to_kernels, "--xnntrace", log, "--out", log).error_line()
    assert "cannot be empty" in kit(to_kernels, "--xnntrace", log, "--out", out, "--model-id", " ").error_line()
    view = "tools/generate_kernel_view.py"
    assert "lacks the column model_id" in kit(view, "--on", log, "--off", log, "--out", out).error_line()
    assert not out.exists() and log.read_bytes() == ON.read_bytes()


def test_level_5_is_summarized_and_the_name_comes_from_the_log(tmp_path: Path) -> None:
    folder = "a64-sme2on-xnnlog5__qemu-sme-on"
    table = tmp_path / "sub/m.csv"
    done = kit(
        "tools/xnntrace_to_kernels.py",
        "--xnntrace",
        log_of(f"{folder}/m"),
        STDOUT / f"{folder}__m.stdout.log",
        "--out",
        table,
    ).ok()
    assert re.search(r"Transpose \(ND, X32\) Transpose +3 +0", done.stdout)
    assert re.search(r"Static Reshape \(NC\) Default +0 +1", done.stdout)
    assert {row.model_id for row in read_kernels(table)} == {"m"}


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
