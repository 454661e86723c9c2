# SPDX-License-Identifier: Apache-2.0
"""Which features this machine's CPU has, and which of them an on/off pair should switch."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError, nearest
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.cpu.layout import layouts, normal_architecture

AUTO = "auto"
#: A CPU with one of these computes in float16; others convert to float32 and back.
FLOAT16_ARITHMETIC = frozenset(("fp16arith", "avx512fp16"))

_PROC_CPUINFO = Path("/proc/cpuinfo")
_SYSCTL_PREFIX = "hw.optional.arm."


@dataclass(frozen=True)
class CpuFeatures:
    """A CPU as the kit sees it; `names` are those of cpuinfo's fields (``sme2``, ``avx512f``)."""

    architecture: str
    model_name: str
    names: frozenset[str]
    cores: int

    def to_json(self) -> dict[str, object]:
        """Return what a manifest records of the CPU."""
        return {
            "architecture": self.architecture,
            "model_name": self.model_name,
            "cores": self.cores,
            "features": sorted(self.names),
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> CpuFeatures:
        """Return the CPU that a manifest records; UserError where it records none."""
        return cls(
            plain.text("architecture"),
            plain.text("model_name"),
            frozenset(plain.texts("features")),
            plain.whole("cores"),
        )


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are switched together.

    `needs` is the feature that makes the group available; `members` are cleared where the
    CPU has them. A group holds whatever would otherwise stand in for it: clearing sme2
    alone leaves SME1 kernels in use, so "SME2 off" clears both.
    """

    label: str
    needs: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class FeaturePair:
    """What the two sides of an experiment differ in, ready to print."""

    label: str
    disabled: tuple[str, ...]
    sentence: str


_AVX512 = tuple(f.name for f in layouts()["x86_64"].fields if f.name.startswith(("avx512", "amx_")))

#: Strongest first. XNNPACK's hardware-config.c is the source of what depends on what: on
#: x86-64 its AMX kernels need AVX-512, and its FMA3 and AVX-VNNI ones go with AVX2.
FEATURE_GROUPS: dict[str, tuple[FeatureGroup, ...]] = {
    "aarch64": (
        FeatureGroup("SME2", "sme2", ("sme", "sme2", "sme2p1")),
        FeatureGroup("SME", "sme", ("sme",)),
        FeatureGroup("I8MM and dot product", "i8mm", ("i8mm", "dot")),
        FeatureGroup("dot product", "dot", ("dot",)),
        FeatureGroup("FP16 arithmetic", "fp16arith", ("fp16arith", "fhm")),
    ),
    "x86_64": (
        FeatureGroup("AVX-512", "avx512f", _AVX512),
        FeatureGroup("AVX2", "avx2", ("avx2", "fma3", "avxvnni", "avx_vnni_int8")),
        FeatureGroup("AVX", "avx", ("avx", "f16c")),
        FeatureGroup("SSE4.1", "sse4_1", ("sse4_1",)),
        FeatureGroup("SSSE3", "ssse3", ("ssse3",)),
    ),
}


def detect() -> CpuFeatures:
    """Return the features of the CPU this process runs on.

    They are the operating system's statement (Linux: /proc/cpuinfo; macOS: sysctl), not
    cpuinfo's, so that the two can be held against each other before a byte is cleared.
    """
    architecture = normal_architecture(platform.machine())
    if platform.system() == "Darwin":
        return _detect_macos(architecture)
    text = _PROC_CPUINFO.read_text(encoding="utf-8", errors="replace") if _PROC_CPUINFO.exists() else ""
    return parse_proc_cpuinfo(text, architecture)


def parse_proc_cpuinfo(text: str, architecture: str) -> CpuFeatures:
    """Return what the text of a Linux /proc/cpuinfo says; pure, for recorded texts too.

    Cores of different kinds may list different words: a feature counts when all have it,
    as a thread may run on any of them.
    """
    words = words_from_proc_cpuinfo(text)
    layout = layouts().get(architecture)
    names = layout.names_from_system(words, "Linux") if layout else frozenset()
    cores = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    return CpuFeatures(architecture, _model_name(text), names, cores or os.cpu_count() or 1)


def words_from_proc_cpuinfo(text: str) -> frozenset[str]:
    """Return the feature words that every processor of a /proc/cpuinfo lists."""
    lists = [frozenset(line.split()) for line in re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)]
    return frozenset.intersection(*lists) if lists else frozenset()


def system_words() -> frozenset[str]:
    """Return the system's own words for the features it says this CPU has."""
    if platform.system() == "Darwin":
        known = [f.macos_name for f in layouts()["aarch64"].fields if f.macos_name]
        return frozenset(name for name in known if _sysctl_int(_SYSCTL_PREFIX + name))
    if not _PROC_CPUINFO.exists():
        return frozenset()
    return words_from_proc_cpuinfo(_PROC_CPUINFO.read_text(encoding="utf-8", errors="replace"))


def available_groups(features: CpuFeatures) -> tuple[FeatureGroup, ...]:
    """Return the groups this CPU has, strongest first."""
    return tuple(g for g in FEATURE_GROUPS.get(features.architecture, ()) if g.needs in features.names)


def resolve(requested: str | Sequence[str], features: CpuFeatures) -> FeaturePair:
    """Turn a config's ``disable_cpu_features`` into the features to clear.

    Parameters
    ----------
    requested : ``"auto"`` for SME2 and SME where the CPU has SME2, else the strongest
        group that it has; or a list of names, cpuinfo's (``avx512vnni``), the system's
        (``avx512_vnni``) or a group's label (``SME2``).

    Raises
    ------
    UserError : a name this CPU lacks or nobody knows, an empty list, or a CPU
        without anything to switch.
    """
    if requested == AUTO:
        return _resolve_auto(features)
    names = [requested] if isinstance(requested, str) else list(requested)
    if not names:
        raise UserError("it lists no feature", "in disable_cpu_features", 'name one, write "auto" or leave it out')
    disabled: list[str] = []
    for name in names:
        for member in _members(str(name), features):
            if member not in disabled:
                disabled.append(member)
    label = _label_of(disabled, features)
    return FeaturePair(label, tuple(disabled), f"the pair compares {label} on and off ({', '.join(disabled)})")


def _resolve_auto(features: CpuFeatures) -> FeaturePair:
    groups = available_groups(features)
    if not groups:
        raise UserError(
            f"this CPU ({features.model_name}) has no feature group the kit can switch",
            'in disable_cpu_features "auto"',
            "leave disable_cpu_features out or profile on another machine",
        )
    group = groups[0]
    disabled = tuple(m for m in group.members if m in features.names)
    sentence = f"the pair compares {group.label} on and off"
    if group.label != "SME2":
        sentence = f"this CPU has no SME2: {sentence}"
    return FeaturePair(group.label, disabled, sentence)


def _members(name: str, features: CpuFeatures) -> tuple[str, ...]:
    groups = {g.label.lower(): g for g in available_groups(features)}
    canonical = _canonical(name, features.architecture)
    # "SME2" in capitals is the group; "sme2" is the one byte.
    if name not in features.names and name.lower() in groups:
        return tuple(m for m in groups[name.lower()].members if m in features.names)
    if canonical in features.names:
        return (canonical,)
    raise UserError(
        f"this CPU ({features.model_name}) has no feature {name}{nearest(name, sorted(features.names))}",
        "in disable_cpu_features",
        'name one that it has, or write "auto"',
    )


def _canonical(name: str, architecture: str) -> str:
    layout = layouts().get(architecture)
    for field in layout.fields if layout else ():
        if name in (field.name, *field.linux_names, field.macos_name):
            return field.name
    return name


def _label_of(disabled: Sequence[str], features: CpuFeatures) -> str:
    for group in available_groups(features):
        if set(disabled) == {m for m in group.members if m in features.names}:
            return group.label
    return " and ".join(disabled) if len(disabled) < 3 else f"{disabled[0]} and {len(disabled) - 1} more features"


def _model_name(text: str) -> str:
    if match := re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE):
        return match[1].strip()
    implementer = re.search(r"^CPU implementer\s*:\s*(\S+)", text, re.MULTILINE)
    parts = sorted(set(re.findall(r"^CPU part\s*:\s*(\S+)", text, re.MULTILINE)))
    if implementer and parts:
        return f"Arm CPU (implementer {implementer[1]}, part {', '.join(parts)})"
    return platform.processor() or "unknown CPU"


def _detect_macos(architecture: str) -> CpuFeatures:
    layout = layouts().get(architecture)
    names = layout.names_from_system(system_words(), "Darwin") if layout else frozenset()
    return CpuFeatures(
        architecture, _sysctl_text("machdep.cpu.brand_string") or "Apple silicon", names, os.cpu_count() or 1
    )


def _sysctl(name: str, size: int) -> bytes | None:
    """Read a sysctl through libc: no child process, and an absent name is no error."""
    value, length = ctypes.create_string_buffer(size), ctypes.c_size_t(size)
    libc = ctypes.CDLL(None)
    if libc.sysctlbyname(name.encode(), value, ctypes.byref(length), None, ctypes.c_size_t(0)) != 0:
        return None
    return value.raw[: length.value]


def _sysctl_int(name: str) -> int:
    raw = _sysctl(name, 8)
    return int.from_bytes(raw, "little") if raw else 0


def _sysctl_text(name: str) -> str:
    raw = _sysctl(name, 256)
    return raw.split(b"\0")[0].decode("utf-8", "replace") if raw else ""
