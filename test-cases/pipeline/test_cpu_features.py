# SPDX-License-Identifier: Apache-2.0
"""CPU features: what is read from recorded /proc/cpuinfo texts, what a pair switches, the layout check."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kit import FIXTURES, REPOSITORY

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.cpu import mask as cpu_mask
from model_profiling.pipeline.cpu.features import CpuFeatures, parse_proc_cpuinfo, resolve, words_from_proc_cpuinfo
from model_profiling.pipeline.cpu.layout import layouts
from model_profiling.pipeline.runners.wheel import installed_wheel

TEXTS = FIXTURES / "proc_cpuinfo"
ALL_TEXTS = sorted(TEXTS.glob("*.txt"))


def recorded(name: str) -> CpuFeatures:
    return parse_proc_cpuinfo((TEXTS / f"{name}.txt").read_text(), architecture_of(name))


def architecture_of(name: str) -> str:
    return "aarch64" if name.startswith("aarch64") else "x86_64"


def isa_of(name: str) -> bytes:
    """Return cpuinfo's struct as it would be on the CPU that a text describes."""
    layout, features = layouts()[architecture_of(name)], recorded(name)
    isa = bytearray(layout.size)
    for field in layout.fields:
        isa[field.offset] = field.name in features.names
    return bytes(isa)


@pytest.mark.parametrize(
    "name, label, disabled",
    [
        ("aarch64_sme2", "SME2", ("sme", "sme2")),
        ("aarch64_neoverse_v1", "I8MM and dot product", ("i8mm", "dot")),
        ("aarch64_neoverse_n1", "dot product", ("dot",)),
        ("x86_64_avx2", "AVX2", ("avx2", "fma3")),
    ],
)
def test_auto_switches_the_strongest_group(name: str, label: str, disabled: tuple[str, ...]) -> None:
    pair = resolve("auto", recorded(name))
    assert (pair.label, pair.disabled) == (label, disabled)


def test_sme2_off_clears_sme_too_because_sme1_kernels_would_take_over() -> None:
    assert {"sme", "sme2"} <= set(resolve("auto", recorded("aarch64_sme2")).disabled)


def test_avx512_is_cleared_whole_and_never_called_sme2() -> None:
    features = recorded("x86_64_avx512")
    pair = resolve("auto", features)
    assert set(pair.disabled) == {n for n in features.names if n.startswith(("avx512", "amx_"))}
    assert pair.sentence == "this CPU has no SME2: the pair compares AVX-512 on and off"


def test_only_a_pair_of_sme2_says_nothing_of_its_absence() -> None:
    assert resolve("auto", recorded("aarch64_sme2")).sentence == "the pair compares SME2 on and off"


def test_a_cpu_with_nothing_to_switch_is_refused() -> None:
    with pytest.raises(UserError, match="no feature group"):
        resolve("auto", recorded("aarch64_cortex_a53"))


def test_a_feature_counts_when_every_core_has_it() -> None:
    assert "dot" not in recorded("aarch64_unequal_cores").names
    assert "rdm" in recorded("aarch64_unequal_cores").names


@pytest.mark.parametrize("requested", [["avx512_vnni"], ["avx512vnni"], "avx512vnni"])
def test_features_go_by_the_systems_name_or_cpuinfos(requested: object) -> None:
    assert resolve(requested, recorded("x86_64_avx512")).disabled == ("avx512vnni",)


def test_a_groups_label_names_its_members() -> None:
    features = recorded("aarch64_sme2")
    assert resolve(["SME2"], features).disabled == ("sme", "sme2")
    assert resolve(["SME2"], features).label == "SME2"
    assert resolve(["sme2"], features).disabled == ("sme2",), "one name is one byte"


@pytest.mark.parametrize(
    "requested, told",
    [
        (["sme2"], "no feature sme2"),
        (["avx512vnnni"], "did you mean avx512vnni?"),
        (["SME2"], "no feature SME2"),
        ([], "lists no feature"),
        (["; rm -rf /"], "no feature"),
    ],
)
def test_what_this_cpu_lacks_is_refused(requested: list[str], told: str) -> None:
    with pytest.raises(UserError) as refused:
        resolve(requested, recorded("x86_64_avx512"))
    assert told in str(refused.value) and "\n" not in str(refused.value)


@given(st.data())
def test_any_choice_of_present_features_resolves_to_itself(data: st.DataObject) -> None:
    features = recorded(data.draw(st.sampled_from([p.stem for p in ALL_TEXTS])))
    chosen = data.draw(st.lists(st.sampled_from(sorted(features.names)), min_size=1, unique=True))
    assert resolve(chosen, features).disabled == tuple(chosen)


@given(st.text())
def test_any_text_of_cpuinfo_is_read(text: str) -> None:
    features = parse_proc_cpuinfo(text, "aarch64")
    assert features.cores >= 1 and features.names <= {f.name for f in layouts()["aarch64"].fields}


def test_cores_and_models_are_read() -> None:
    assert recorded("aarch64_sme2").cores == 8
    assert recorded("aarch64_sme2").model_name == "Arm CPU (implementer 0x41, part 0xd8b, 0xd8c)"
    assert recorded("x86_64_avx2").model_name == "Generic CPU with AVX2"


def test_this_machine_is_detected() -> None:
    features = cpu_features.detect()
    assert features.names and features.cores >= 1 and features.model_name
    assert resolve("auto", features).disabled


def test_the_table_is_whole() -> None:
    for layout in layouts().values():
        offsets = [f.offset for f in layout.fields]
        names = [f.name for f in layout.fields]
        assert len(set(offsets)) == len(offsets) and len(set(names)) == len(names)
        assert max(offsets) < layout.size
    aarch64 = layouts()["aarch64"]
    assert [aarch64.field(n).offset for n in ("sme", "sme2", "sme2p1")] == [5, 6, 7]


@pytest.mark.parametrize("path", ALL_TEXTS, ids=lambda p: p.stem)
def test_a_right_layout_agrees_with_the_system(path: Path) -> None:
    layout = layouts()[architecture_of(path.stem)]
    assert layout.disagreements(isa_of(path.stem), words_from_proc_cpuinfo(path.read_text()), "Linux") == []


@pytest.mark.parametrize("name", ["aarch64_sme2", "aarch64_neoverse_v1", "x86_64_avx512", "x86_64_avx2"])
@given(data=st.data())
def test_a_field_inserted_before_the_last_is_noticed(name: str, data: st.DataObject) -> None:
    """A newer cpuinfo with one more byte anywhere before the features that can be cleared."""
    layout = layouts()[architecture_of(name)]
    last = max(layout.field(n).offset for n in resolve("auto", recorded(name)).disabled)
    at, value = data.draw(st.integers(0, last)), data.draw(st.integers(0, 1))
    isa = isa_of(name)
    shifted = (isa[:at] + bytes([value]) + isa[at:])[: layout.size]
    words = words_from_proc_cpuinfo((TEXTS / f"{name}.txt").read_text())
    indistinguishable = all(
        shifted[layout.field(n).offset] == isa[layout.field(n).offset] for n in resolve("auto", recorded(name)).disabled
    )
    # Where the bytes are the same, only the struct's size tells; the next test has that.
    assert layout.disagreements(shifted, words, "Linux") or indistinguishable


def test_a_struct_of_another_size_is_refused() -> None:
    name, layout = "aarch64_sme2", layouts()["aarch64"]
    words = words_from_proc_cpuinfo((TEXTS / f"{name}.txt").read_text())
    cpu_mask.check_layout(isa_of(name), layout.size, layout, words)
    with pytest.raises(UserError, match="its size of 36 bytes, not 32"):
        cpu_mask.check_layout(isa_of(name), 36, layout, words)


def test_bytes_that_are_no_booleans_are_refused() -> None:
    layout = layouts()["aarch64"]
    isa = bytearray(isa_of("aarch64_sme2"))
    isa[layout.field("sha2").offset] = 7
    words = words_from_proc_cpuinfo((TEXTS / "aarch64_sme2.txt").read_text())
    assert layout.disagreements(bytes(isa), words, "Linux") == ["sha2"]


def test_macos_names_are_used_on_macos() -> None:
    layout = layouts()["aarch64"]
    assert "sme2" in layout.names_from_system({"FEAT_SME2"}, "Darwin")
    assert layout.names_from_system({"sme2"}, "Darwin") == frozenset()


def in_new_process(code: str) -> str:
    """Run `code` where no ExecuTorch library is loaded yet; return what it prints."""
    setup = (
        "from pathlib import Path\nfrom dataclasses import replace\n"
        "from model_profiling.pipeline.cpu import features as cpu_features, mask as cpu_mask\n"
        "from model_profiling.pipeline.cpu.layout import layouts\nfrom model_profiling.errors import UserError\n"
        f"lib = Path({str(installed_wheel().library_dir)!r})\nfeatures = cpu_features.detect()\n"
        "pair = cpu_features.resolve('auto', features)\nlayout = layouts()[features.architecture]\n"
    )
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    guarded = f"try:\n{indented}except UserError as error:\n    print('refused:', error)\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + guarded], capture_output=True, text=True, timeout=120, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_masking_clears_what_it_says_in_the_real_struct() -> None:
    printed = in_new_process(
        "result = cpu_mask.mask_features(pair.disabled, lib)\n"
        "assert result.masked == pair.disabled\n"
        "assert not set(result.masked) & set(result.active)\n"
        "assert set(result.masked) | set(result.active) >= features.names\n"
        "print('cleared')"
    )
    assert printed == "cleared\n"


def test_the_real_struct_has_the_tables_size() -> None:
    if platform.system() != "Linux":
        pytest.skip("the symbol table's size is read through glibc's dladdr1")
    printed = in_new_process(
        "import ctypes\nlibrary = ctypes.CDLL(str(lib / cpu_mask.THREADPOOL_LIBRARY))\n"
        "print(cpu_mask.symbol_size((ctypes.c_uint8 * layout.size).in_dll(library, 'cpuinfo_isa')) == layout.size)"
    )
    assert printed == "True\n"


def test_a_wrong_table_is_refused_on_the_real_struct() -> None:
    printed = in_new_process(
        "wrong = replace(layout, fields=tuple(replace(f, offset=f.offset - 1) for f in layout.fields if f.offset))\n"
        "cpu_mask.mask_features(pair.disabled, lib, wrong)"
    )
    assert printed.startswith("refused: cpuinfo's layout is not the one the kit knows")


def test_masking_after_the_backend_is_loaded_is_refused() -> None:
    printed = in_new_process(
        "import ctypes\nctypes.CDLL(str(lib / cpu_mask.XNNPACK_LIBRARY))\ncpu_mask.mask_features(pair.disabled, lib)"
    )
    assert printed.startswith("refused: the XNNPACK backend is loaded already")


def test_an_unknown_feature_clears_nothing() -> None:
    printed = in_new_process(
        "try:\n    cpu_mask.mask_features([*pair.disabled, 'warp_drive'], lib)\n"
        "except UserError as error:\n    print(error)\n"
        "print(set(pair.disabled) <= set(cpu_mask.mask_features([], lib).active))"
    )
    assert "no feature warp_drive" in printed and printed.endswith("True\n")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
