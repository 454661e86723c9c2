# SPDX-License-Identifier: Apache-2.0
"""What a kernel's name says of it: the instructions it was written for, and whether it computes or packs."""

from __future__ import annotations

import re

SME2, SME, I8MM, DOTPROD, NEON, OTHER = FAMILIES = ("sme2", "sme", "i8mm", "dotprod", "neon", "other")
COMPUTE, PACK = ROLES = ("compute", "pack")
#: How people write the families.
FAMILY_TITLES = {SME2: "SME2", SME: "SME", I8MM: "i8mm", DOTPROD: "dotprod", NEON: "NEON", OTHER: "other"}

# The strongest first: XNNPACK writes one word (`neonsme2`, `neoni8mm`, `neondotfp16arith`), KleidiAI several
# (`sme2_mopa`, `neon_i8mm`, `neon_dotprod`). `sme` and `sme1` are the same instructions.
_FAMILY_WORDS = (
    (SME2, re.compile(r"(?:^|_)(?:neon)?sme2")),
    (SME, re.compile(r"(?:^|_)(?:neon)?sme(?![a-z])")),
    (I8MM, re.compile(r"(?:^|_)(?:neon)?i8mm")),
    (DOTPROD, re.compile(r"(?:^|_)(?:neondot|dotprod)")),
    (NEON, re.compile(r"(?:^|_)neon")),
)
# XNNPACK: pack_lh, packw, packq, packx, packb; KleidiAI: lhs_pack, lhs_quant_pack, rhs_pack, rhs_imatmul_pack.
_PACKING = re.compile(r"(?:^|_)pack[a-z]?(?:_|$)")


def family_of(kernel: str) -> str:
    """Return the family of an XNNPACK (`xnn_...`) or KleidiAI (`kai_...`) kernel, one of `FAMILIES`.

    "other" covers what is not for Arm, plain C, and names that do not tell: some of KleidiAI's
    packing kernels have none.
    """
    return next((family for family, word in _FAMILY_WORDS if word.search(kernel.lower())), OTHER)


def role_of(kernel: str) -> str:
    """Return "pack" for kernels that only rearrange a matrix for another kernel, else "compute"."""
    return PACK if _PACKING.search(kernel.lower()) else COMPUTE
