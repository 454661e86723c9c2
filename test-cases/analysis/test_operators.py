# SPDX-License-Identifier: Apache-2.0
"""Categories of operators: right for what can be misread, complete for what the pinned wheel can emit."""

from __future__ import annotations

import importlib.util
import platform
import re
import struct
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.etdump import RECORDED

from model_profiling.analysis.traces import operator_names
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operator_names import CONV, DATA_MOVEMENT, ELEMENTWISE, GEMM, MICROKERNELS, OTHER
from model_profiling.analysis.traces.operators import CONTAINER, PORTABLE, XNNPACK, classify, kind
from model_profiling.analysis.traces.timeline import build_timeline

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("executorch") is None, reason="the ExecuTorch wheel is not installed"
)

_NAME = r"[A-Z][A-Za-z0-9 ]* \([A-Z0-9_]+(?:, [A-Z0-9_]+)*\)"


def libraries(pattern: str) -> list[Path]:
    folder = Path(importlib.util.find_spec("executorch").submodule_search_locations[0])
    return sorted(path for path in folder.rglob(pattern) if path.suffix in (".so", ".dylib"))


@cache
def xnnpack() -> bytes:
    return libraries("libexecutorch_backend_xnnpack.*")[0].read_bytes()


@cache
def xnnpack_names() -> frozenset[str]:
    """Return every operator name in the XNNPACK library, those that share their end with another included."""
    found = {match.decode() for match in re.findall(rb"(?<![A-Za-z0-9 ])" + _NAME.encode() + rb"(?=\0)", xnnpack())}
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        found |= {text for text in _referenced_strings(xnnpack()) if re.fullmatch(_NAME, text)}
    return frozenset(found)


def _referenced_strings(library: bytes) -> set[str]:
    """Return the texts whose addresses code takes with `lea reg, [rip + offset]`.

    Linkers store "GELU (NC)" as the end of "ApproxGELU (NC)", so that not every name begins
    behind a NUL byte; the code that returns it knows where it begins.
    """
    table, entry_size, entries = (struct.unpack_from("<Q", library, 0x28)[0], *struct.unpack_from("<HH", library, 0x3A))
    sections = [struct.unpack_from("<IIQQQQIIQQ", library, table + i * entry_size) for i in range(entries)]
    found = set()
    for _, kind_, flags, address, offset, size, *_ in sections:
        if kind_ != 1 or not flags & 4:  # SHT_PROGBITS with SHF_EXECINSTR
            continue
        code = np.frombuffer(library, np.uint8, size, offset)
        hits = np.flatnonzero((code[:-7] == 0x48) & (code[1:-6] == 0x8D) & ((code[2:-5] & 0xC7) == 5))
        for hit in hits.tolist():
            target = address + hit + 7 + struct.unpack_from("<i", library, offset + hit + 3)[0]
            if 0 <= target < len(library):  # read-only data lies at its own offset in the file
                text = library[target : target + 80].split(b"\0", 1)[0]
                if text and text.isascii():
                    found.add(text.decode())
    return found


@needs_wheel
def test_the_names_in_the_library_were_really_found() -> None:
    names = xnnpack_names()
    assert len(names) > 150
    assert {
        "ArgMax Pooling (NHWC, F32)",
        "Convolution (NHWC, F32)",
        "Add (ND)",
        "Convert (NC)",
        "Pack LH (X8)",
        "Fully Connected (NC, PQS8, QC8W)",
    } <= names
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        assert {"GELU (NC)", "ELU (NC)", "Square Root (NC)", "Max Pooling (NHWC, F32)"} <= names


def unmapped(names: Iterable[tuple[str, bool]]) -> list[str]:
    """Return the names, of (name, delegated) pairs, that the table lacks; sorted."""
    kinds = (classify(name, delegated) for name, delegated in names)
    return sorted({known.operator for known in kinds if not known.mapped})


@needs_wheel
def test_every_operator_of_xnnpack_has_a_category() -> None:
    assert unmapped((name, True) for name in xnnpack_names()) == []
    assert unmapped((f"{name} #12", True) for name in xnnpack_names()) == []


@needs_wheel
def test_every_microkernel_suffix_is_known_and_changes_nothing() -> None:
    start = xnnpack().index(b"\0Conv2D HWC2CHW\0")
    table = re.match(rb"(?:\0[A-Za-z0-9 ]+)+(?=\0)", xnnpack()[start:])[0].split(b"\0")
    assert {text.decode() for text in table if text} <= set(MICROKERNELS)
    for name in xnnpack_names():
        for suffix in MICROKERNELS:
            assert classify(f"{name} {suffix} #3", True) == classify(name, True)


@needs_wheel
def test_every_kernel_of_the_runtime_s_libraries_has_a_category() -> None:
    found = {
        match.decode()
        for path in libraries("*")
        for match in re.findall(rb"native_call_[A-Za-z0-9_:.]+(?=\0)", path.read_bytes())
    }
    assert len(found) > 200
    assert unmapped((name, False) for name in found) == []


@needs_wheel
def test_every_event_of_the_runtime_itself_is_known() -> None:
    runtime = libraries("libexecutorch.*")[0].read_bytes()
    found = {match.decode() for match in re.findall(rb"(?<=\0)(?:[A-Z]+_CALL|Method::\w+|Program::\w+)(?=\0)", runtime)}
    assert {"Method::execute", "DELEGATE_CALL", "OPERATOR_CALL"} <= found
    assert {name for name in found if classify(name, False).category != CONTAINER} == set()
    assert unmapped((name, False) for name in found) == []


@pytest.mark.parametrize(
    "name, category",
    [
        ("Convolution (NHWC, F32) IGEMM #17", CONV),
        ("Convolution (NHWC, F16) DWConv #1", CONV),
        ("Convolution (NHWC, PQS8, QS8, QC8W) IGEMM #1", CONV),
        ("Deconvolution (NHWC, QS8) Subconv2D #2", CONV),
        ("Fully Connected (NC, PF32) GEMM #3", GEMM),
        ("Dynamic Fully Connected (NC, F32) GEMM #1", GEMM),
        ("Batch Matrix Multiply (NC, F32) GEMM #1", GEMM),
        ("Multiply (ND) #1", ELEMENTWISE),
        ("Convert (NC) #1", DATA_MOVEMENT),
        ("Convert (NC, F32, QD8) #4", DATA_MOVEMENT),
        ("Resize Bilinear (NHWC) #1", OTHER),
        ("Mean (ND) Reduce2 #1", OTHER),
        ("Softmax (NC, F32) #1", OTHER),
        ("Transpose (ND, X16) #20", DATA_MOVEMENT),
        ("Static Reshape (NC) #1", DATA_MOVEMENT),
        ("Copy (NC, X32) #1", DATA_MOVEMENT),
        ("Copy Sign (ND) #1", ELEMENTWISE),
        ("Constant Pad (ND, X8) #1", DATA_MOVEMENT),
        ("Clamp (NC) #9", ELEMENTWISE),
        ("HardSwish (NC) #1", ELEMENTWISE),
        ("Invalid Unary Op #1", ELEMENTWISE),
        ("Average Pooling (NHWC, F32) Pixelwise Average Pooling #1", OTHER),
        ("Pack LH (X32) #1", DATA_MOVEMENT),
    ],
)
def test_delegated_operators(name: str, category: str) -> None:
    found = classify(name, delegated=True)
    assert (found.category, found.backend, found.mapped) == (category, XNNPACK, True)


@pytest.mark.parametrize(
    "name, category",
    [
        ("native_call_convolution.out", CONV),
        ("native_call_addmm.out", GEMM),
        ("native_call_bmm.out", GEMM),
        ("native_call_linear.out", GEMM),
        ("native_call_mul.Scalar_out", ELEMENTWISE),
        ("native_call_add.out", ELEMENTWISE),
        ("native_call__to_dim_order_copy.out", DATA_MOVEMENT),
        ("native_call_upsample_nearest2d.vec_out", DATA_MOVEMENT),
        ("native_call_upsample_bilinear2d.vec_out", OTHER),
        ("native_call_quantize_per_tensor.out", DATA_MOVEMENT),
        ("native_call_cat.out", DATA_MOVEMENT),
        ("native_call_index_put_", DATA_MOVEMENT),
        ("native_call_gelu.out", ELEMENTWISE),
        ("native_call_native_layer_norm.out", OTHER),
        ("native_call_max.dim_max", OTHER),
        ("native_call_maximum.out", ELEMENTWISE),
        ("native_call_pixel_shuffle.out", DATA_MOVEMENT),
        ("native_call_permute_copy.out", DATA_MOVEMENT),
    ],
)
def test_kernels(name: str, category: str) -> None:
    found = classify(name, delegated=False)
    assert (found.category, found.backend, found.mapped) == (category, PORTABLE, True)


@pytest.mark.parametrize(
    "name, delegated",
    [
        ("Convolutional Thing (NHWC) #1", True),
        ("convolution (NHWC) #1", True),
        ("Convolution", True),
        ("My Convolution (NHWC, F32) IGEMM #1", True),
        ("7", True),
        ("", True),
        ("Convolution (NHWC, F32) NEWKERNEL #1", True),
        ("native_call_myop.out", False),
        ("native_call_conv.out", False),
        ("native_call_", False),
    ],
)
def test_what_the_table_lacks_is_other_and_reported(name: str, delegated: bool) -> None:
    assert classify(name, delegated).category == OTHER
    assert len(unmapped([(name, delegated)])) == 1


def test_a_range_that_is_no_operator_never_counts_as_one() -> None:
    assert classify("my scope", False).category == CONTAINER
    assert unmapped([("my scope", False)]) == ["my scope"]


def test_no_name_stands_in_two_categories() -> None:
    for table in (operator_names.XNNPACK_OPERATORS, operator_names.KERNELS):
        names = [name for group in table.values() for name in group]
        assert len(names) == len(set(names))
        assert all(list(group) == sorted(group) for category, group in table.items() if category in (CONV, GEMM))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_nothing_in_the_recorded_traces_is_unmapped(path: Path) -> None:
    assert build_timeline(read_etdump(path), str(path)).unmapped() == []


@pytest.mark.parametrize(
    "off, on",
    [
        ("Convolution (NHWC, F32) IGEMM #2", "Convolution (NHWC, PF32) IGEMM #1"),
        ("Convolution (NHWC, QC8) IGEMM #1", "Convolution (NHWC, PQS8, QS8, QC8W) IGEMM #1"),
        ("Fully Connected (NC, QS8, QC8W) GEMM #40", "Fully Connected (NC, PQS8, QC8W) GEMM #2"),
    ],
)
def test_the_kind_of_an_operator_is_the_same_with_and_without_sme2(off: str, on: str) -> None:
    assert kind(off) == kind(on)


def test_different_operators_are_of_different_kinds() -> None:
    names = [
        "Convolution (NHWC, F32) IGEMM #1",
        "Convolution (NHWC, F32) DWConv #1",
        "Convolution (NCHW, F32) IGEMM #1",
        "Deconvolution (NHWC, F32) IGEMM #1",
        "native_call_add.out",
        "native_call_add.Scalar_out",
    ]
    assert len({kind(name) for name in names}) == len(names)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
