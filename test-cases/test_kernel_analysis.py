# SPDX-License-Identifier: Apache-2.0
"""What operator names say about kernels, on recorded traces of SME2 builds run in emulation.

Names tell packed element types (PF32, PF16, PQS8), which XNNPACK uses with SME or SME2 only;
they do not tell SME from SME2. Which kernel ran is another record's matter.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operators import classify, kind
from model_profiling.analysis.traces.timeline import Timeline, build_timeline

RECORDED = Path(__file__).with_name("fixtures") / "etdump"
PACKED = re.compile(r"\((?:\w+), (PF32|PF16|PQS8)\b")
ON, SME1_ONLY, OFF, MASKED = (
    "a64-sme2on__qemu-sme-on",
    "a64-sme2off-sme1on__qemu-sme-on",
    "a64-smeoff__qemu-sme-on",
    "a64-sme2on__qemu-sme-off",
)


def first_run(build: str, model: str) -> list[tuple[str, bool]]:
    """Return the operators of the first execution after one of warm-up, as (name, delegated)."""
    path = RECORDED / f"{build}__{model}.etdump"
    t: Timeline = build_timeline(read_etdump(path), path.name, 1)
    return [
        (t.names[n], bool(d))
        for n, d, run, leaf in zip(t.name, t.delegated, t.run, t.leaf, strict=True)
        if run == 0 and leaf
    ]


def packed(build: str, model: str) -> Counter:
    return Counter(m[1] for name, _ in first_run(build, model) if (m := PACKED.search(name)))


@pytest.mark.parametrize(
    ("model", "expected"), [("m", {"PF32"}), ("mv3_fp32", {"PF32"}), ("mv3_fp16", {"PF16"}), ("mv3_int8", {"PQS8"})]
)
def test_packed_types_appear_with_sme2_and_nowhere_without(model: str, expected: set[str]) -> None:
    assert set(packed(ON, model)) == expected
    assert not packed(OFF, model)
    assert not packed(MASKED, model)


def test_in_fp16_two_of_42_pointwise_convolutions_reach_sme2() -> None:
    """XNNPACK runs 1x1 convolutions as fully connected; 40 of MobileNetV3-Small's stay F16."""
    names = [name for name, _ in first_run(ON, "mv3_fp16") if name.startswith("Fully Connected")]
    assert Counter("PF16" in name for name in names)[False] == 40


def test_sme_alone_packs_fp32_and_int8_but_not_fp16() -> None:
    assert packed(SME1_ONLY, "mv3_fp32") and packed(SME1_ONLY, "mv3_int8")
    assert not packed(SME1_ONLY, "mv3_fp16")


@pytest.mark.parametrize("model", ["m", "mv3_fp32", "mv3_fp16", "mv3_int8"])
def test_the_same_work_is_recognized_on_both_sides(model: str) -> None:
    """SME2 changes names, not what is computed: kinds and their counts agree, packing aside."""
    on, off = (Counter(kind(name) for name, _ in first_run(build, model)) for build in (ON, OFF))
    for counts in (on, off):
        counts.pop(kind("Pack LH (NC, X32)"), None)
    assert on == off


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.etdump")), ids=lambda p: p.stem)
def test_every_recorded_operator_has_a_category(path: Path) -> None:
    t = build_timeline(read_etdump(path), path.name)
    assert t.unmapped() == []
    assert all(classify(t.names[n], bool(d)).mapped for n, d in zip(t.name[t.leaf], t.delegated[t.leaf], strict=True))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
