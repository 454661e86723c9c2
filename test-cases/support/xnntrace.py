# SPDX-License-Identifier: Apache-2.0
"""Recorded kernel logs, and the kernels that tests of tables name."""

from __future__ import annotations

from support.kit import FIXTURES

LOGS = FIXTURES / "executor_runner"
ON, OFF, SME1 = (
    LOGS / folder / "mv3_fp32.stderr.log"
    for folder in ("a64-sme2on__qemu-sme-on", "a64-smeoff__qemu-sme-on", "a64-sme2off-sme1on__qemu-sme-on")
)
MOPA, PACK_LHS, I8MM = (
    "kai_run_matmul_clamp_f32_f32p2vlx1_f32p2vlx1biasf32_sme2_mopa",
    "kai_run_lhs_pack_f32p2vlx1_f32_sme",
    "kai_run_matmul_clamp_f32_qai8dxp4x8_qsi4cxp8x8_8x8x32_neon_i8mm",
)
