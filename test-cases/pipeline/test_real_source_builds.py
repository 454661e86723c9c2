# SPDX-License-Identifier: Apache-2.0
"""Real source builds, kept as fixtures: each is accepted, and any single change of it is found."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.source_build import ARM_NATIVE, ARM_OFF, ARM_ON, FIXTURES, HOST_NATIVE

from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import SME, SME2, family_of
from model_profiling.pipeline.runners.source import cmake_cache, proof
from model_profiling.pipeline.runners.source.variants import Variant, named

REAL = tuple(
    named(["linux-arm64-sme2-on-timing", "linux-arm64-sme2-off-timing", "host-sme2-on-timing", "host-sme2-off-timing"])
)
#: The native runner on the same sources: one build that is both sides.
NATIVE = (ARM_NATIVE, HOST_NATIVE)
PAIRS = ((REAL[0], REAL[1]), (REAL[2], REAL[3]))


def real_cache(variant: Variant) -> dict[str, str]:
    file = FIXTURES / variant.name / "CMakeCache.txt"
    return cmake_cache.parse_cache(file.read_text(), str(file))


def real_proof(variant: Variant) -> proof.Proof:
    folder = FIXTURES / variant.name
    return proof.Proof(
        tuple((folder / "kernels.txt").read_text().split()), proof.read_definitions(folder / "compile_commands.json")
    )


@pytest.mark.parametrize("variant", (*REAL, *NATIVE), ids=lambda v: v.name)
def test_real_builds_are_accepted(variant: Variant) -> None:
    found = real_proof(variant)
    proof.check(variant, found, "the compiler")
    known = json.loads((FIXTURES / variant.name / "version.json").read_text())
    assert (len(found.kernels), found.sme2, found.sme) == (
        known["kernels"],
        known["sme2_kernels"],
        known["sme_kernels"],
    )
    assert (found.sme2 > 0) == variant.expects_sme2 and found.definitions == known["definitions"]
    assert cmake_cache.switch_errors(real_cache(variant), variant.sme2) == ()


def test_what_a_real_native_runner_called() -> None:
    """Recorded of the kept build on an emulated CPU with SME2: on and off are two launches of the same bytes."""
    folder = FIXTURES / ARM_NATIVE.name
    recorded = json.loads((folder / "recorded.json").read_text())
    kernels = set((folder / "kernels.txt").read_text().split())
    assert recorded["sha256"] == json.loads((folder / "version.json").read_text())["sha256"]
    for model in recorded["models"]:
        on, off = (set(model["calls"][side]) for side in ("on", "off"))
        assert on | off <= kernels, "all of them are in the binary"
        assert SME2 in map(family_of, on) and not {SME, SME2} & set(map(family_of, off))
        assert model["cosine"] > 0.999999


@pytest.mark.parametrize("on, off", PAIRS, ids=lambda v: v.name)
def test_real_pairs_differ_in_sme2_alone(on: Variant, off: Variant) -> None:
    caches = real_cache(on), real_cache(off)
    assert len(caches[0]) > 400 and cmake_cache.differences(*caches) == ()
    assert {name for name in caches[0] if caches[0][name] != caches[1].get(name)} == cmake_cache.SWITCHES
    assert cmake_cache.switch_errors(caches[0], False) and cmake_cache.switch_errors(caches[1], True)
    assert cmake_cache.parse_cache(cmake_cache.cache_text(caches[0]), "again") == caches[0]


@given(data=st.data())
def test_any_single_change_of_a_real_cache_is_found(data: st.DataObject) -> None:
    on, off = data.draw(st.sampled_from(PAIRS))
    changed = real_cache(off)
    name = data.draw(st.sampled_from(sorted(changed.keys() - cmake_cache.SWITCHES)))
    if data.draw(st.booleans()):
        del changed[name]
    else:
        changed[name] += data.draw(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1))
    found = cmake_cache.differences(real_cache(on), changed)
    assert [difference.name for difference in found] == [name]


@pytest.mark.parametrize("switch", sorted(cmake_cache.SWITCHES))
def test_a_single_switch_that_stayed_on_is_found(switch: str) -> None:
    """With SME2 off and SME left on, SME1 kernels would still run."""
    changed = {**real_cache(ARM_OFF), switch: "ON"}
    assert [difference.name for difference in cmake_cache.switch_errors(changed, False)] == [switch]


def test_binaries_that_are_not_what_they_are_called_are_rejected() -> None:
    on, off = real_proof(ARM_ON), real_proof(ARM_OFF)
    sme = proof.sme_names(on.kernels)
    without = replace(on, kernels=tuple(k for k in on.kernels if k not in sme))
    assert without.kernels and len(without.kernels) == len(on.kernels) - len(sme)
    for variant, changed, told in (
        (ARM_ON, without, "the binary holds no SME2 kernel"),
        (ARM_ON, replace(on, kernels=()), "the binary names no XNNPACK kernel"),
        (ARM_ON, replace(on, definitions=off.definitions), "the compiler made XNNPACK drop SME2"),
        (ARM_OFF, replace(off, definitions=on.definitions), "XNNPACK is compiled with XNN_ENABLE_ARM_SME=1"),
        (ARM_OFF, on, "XNNPACK is compiled with"),
        (ARM_ON, off, "drop SME2"),
    ):
        with pytest.raises(UserError, match=told):
            proof.check(variant, changed, "the compiler")


@pytest.mark.parametrize(
    "kernel", proof.sme_names((FIXTURES / "linux-arm64-sme2-on-timing" / "kernels.txt").read_text().split())
)
def test_each_sme_kernel_alone_gives_an_off_build_away(kernel: str) -> None:
    off = real_proof(ARM_OFF)
    with pytest.raises(UserError, match="the binary holds . SME2 and . SME kernels"):
        proof.check(ARM_OFF, replace(off, kernels=(*off.kernels, kernel)), "the compiler")


def test_compile_commands_that_disagree_are_rejected() -> None:
    commands = json.loads((FIXTURES / ARM_ON.name / "compile_commands.json").read_text())
    of_xnnpack = [index for index, entry in enumerate(commands) if "/XNNPACK/src/" in entry["file"]]
    assert len(of_xnnpack) == 9
    for index in of_xnnpack:
        changed = [dict(entry) for entry in commands]
        changed[index]["command"] = changed[index]["command"].replace("XNN_ENABLE_ARM_SME2=1", "XNN_ENABLE_ARM_SME2=0")
        with pytest.raises(UserError, match=r"sources of XNNPACK disagree about XNN_ENABLE_ARM_SME2 \(0, 1\)"):
            proof.definitions_of(changed, "there")


def test_symbols_are_read_as_nm_writes_them() -> None:
    said = (
        "0000000000400b10 T xnn_f32_gemm_minmax_ukernel_6x8__asm_aarch64_neonfma_ld128\n"
        "                 U kai_run_matmul_clamp_f32_f32p2vlx1_f32p2vlx1biasf32_sme2_mopa\n"
        "0000000100003f80 t _kai_run_lhs_pack_f32p2vlx1_f32_sme\n0000000000400c00 T kai_get_m_step\nno symbols\n"
    )
    assert proof.kernels_of(said) == (
        "kai_run_lhs_pack_f32p2vlx1_f32_sme",
        "xnn_f32_gemm_minmax_ukernel_6x8__asm_aarch64_neonfma_ld128",
    )


@given(st.text())
def test_any_text_is_a_cache_or_a_user_error(text: str) -> None:
    try:
        cmake_cache.parse_cache(text, "there")
    except UserError:
        pass
    assert isinstance(proof.kernels_of(text), tuple)


@given(
    st.lists(
        st.none()
        | st.integers()
        | st.dictionaries(
            st.sampled_from(["file", "command", "arguments"]),
            st.sampled_from(["/XNNPACK/src/a.c", "-DXNN_ENABLE_ARM_SME=1", "", "-DXNN_ENABLE_ARM_SME2=0"]),
        )
    )
)
def test_any_compile_commands_give_definitions_or_a_user_error(commands: list) -> None:
    try:
        assert proof.definitions_of(commands, "there").keys() == set(proof.DEFINITIONS)
    except UserError:
        pass


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
