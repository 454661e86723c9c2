# SPDX-License-Identifier: Apache-2.0
"""Clear CPU features in this process before XNNPACK looks at them.

XNNPACK asks cpuinfo once, in a static initializer of the library that holds its backend.
cpuinfo lives in another library of the wheel (the thread pool's) and exports the struct it
answers from, so clearing a byte there before the backend is loaded switches the feature
off for that process alone, with the very same binaries on both sides of a comparison.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.cpu.features import system_words
from model_profiling.pipeline.cpu.layout import IsaLayout, layouts, normal_architecture

_SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"
THREADPOOL_LIBRARY = f"libexecutorch_threadpool{_SUFFIX}"
XNNPACK_LIBRARY = f"libexecutorch_backend_xnnpack{_SUFFIX}"

_RTLD_DL_SYMENT = 1  # dladdr1's request for the symbol table's entry, <dlfcn.h>


@dataclass(frozen=True)
class MaskedFeatures:
    """`masked` were set and are now cleared; `active` are still set, which XNNPACK will see."""

    masked: tuple[str, ...]
    active: tuple[str, ...]


class _DlInfo(ctypes.Structure):
    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


class _Elf64Symbol(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_uint32),
        ("info", ctypes.c_uint8),
        ("other", ctypes.c_uint8),
        ("section", ctypes.c_uint16),
        ("value", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
    ]


def mask_features(
    names: Sequence[str], library_dir: Path, layout: IsaLayout | None = None, words: Iterable[str] | None = None
) -> MaskedFeatures:
    """Clear `names` in cpuinfo's struct; must come before the XNNPACK backend is loaded.

    Parameters
    ----------
    library_dir : folder of ExecuTorch's shared libraries.
    layout, words : the struct's layout and the system's feature words; by default this
        architecture's and this system's.

    Raises
    ------
    UserError : the backend is loaded already, a feature is unknown or not set, or the
        layout disagrees with what the system reports. Nothing is cleared then.
    """
    if _is_loaded(library_dir / XNNPACK_LIBRARY):
        raise UserError(
            "the XNNPACK backend is loaded already and has read the CPU's features",
            "in this process",
            "clear features before importing ExecuTorch's bindings",
        )
    library = ctypes.CDLL(str(library_dir / THREADPOOL_LIBRARY), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
    library.cpuinfo_initialize.restype = ctypes.c_bool
    if not library.cpuinfo_initialize():
        raise UserError("cpuinfo cannot read this CPU", f"in {THREADPOOL_LIBRARY}", "run without disable_cpu_features")
    layout = layout or layouts().get(normal_architecture(platform.machine()))
    if layout is None:
        if not names:
            return MaskedFeatures((), ())
        raise UserError(
            f"features of {platform.machine()} CPUs cannot be switched", "with disable_cpu_features", "leave it out"
        )
    isa = (ctypes.c_uint8 * layout.size).in_dll(library, "cpuinfo_isa")
    if names:
        check_layout(bytes(isa), symbol_size(isa), layout, system_words() if words is None else words)
    masked = _clear(isa, layout, names)
    return MaskedFeatures(masked, tuple(f.name for f in layout.fields if isa[f.offset]))


def check_layout(isa: bytes, size: int | None, layout: IsaLayout, words: Iterable[str]) -> None:
    """Refuse a layout that contradicts the struct's real size or the system's own words.

    Raises
    ------
    UserError : naming the fields that disagree.
    """
    wrong = layout.disagreements(isa, words, platform.system())
    if size is not None and size != layout.size:
        wrong.insert(0, f"its size of {size} bytes, not {layout.size}")
    if wrong:
        shown = ", ".join(wrong[:4]) + (", ..." if len(wrong) > 4 else "")
        raise UserError(
            f"cpuinfo's layout is not the one the kit knows ({shown} disagree with the system)",
            "in this ExecuTorch",
            "install the ExecuTorch version that setup_repo.sh pins",
        )


def symbol_size(isa: ctypes.Array[ctypes.c_uint8]) -> int | None:
    """Return the size in bytes that the symbol table gives `isa`, where the system can tell (glibc)."""
    try:
        dladdr1 = ctypes.CDLL(None).dladdr1
    except AttributeError:
        return None
    info, symbol = _DlInfo(), ctypes.POINTER(_Elf64Symbol)()
    known = dladdr1(ctypes.c_void_p(ctypes.addressof(isa)), ctypes.byref(info), ctypes.byref(symbol), _RTLD_DL_SYMENT)
    if not known or not symbol or info.name != b"cpuinfo_isa":
        return None
    return int(symbol.contents.size)


def _clear(isa: ctypes.Array[ctypes.c_uint8], layout: IsaLayout, names: Sequence[str]) -> tuple[str, ...]:
    known = {field.name: field.offset for field in layout.fields}
    present = sorted(name for name, offset in known.items() if isa[offset])
    for name in names:  # all are checked before the first is cleared
        if name not in present:
            raise UserError(
                f"this CPU has no feature {name}{nearest(name, present)}",
                "in --disable-cpu-features",
                "name one that it has",
            )
    masked = tuple(dict.fromkeys(names))
    for name in masked:
        isa[known[name]] = 0
    return masked


def _is_loaded(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library), mode=os.RTLD_LAZY | os.RTLD_NOLOAD)
    except OSError:
        return False
    return True
