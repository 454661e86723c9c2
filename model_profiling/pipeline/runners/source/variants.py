# SPDX-License-Identifier: Apache-2.0
"""The variants of what is built from source, by platform.

Of `executor_runner` there are two sides, with SME2 and without, to time or to log. Of the native runner there is
one, which switches SME2 while it runs.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.cpu.layout import normal_architecture

HOST, MAC, LINUX, ANDROID = PLATFORMS = ("host", "mac-arm64", "linux-arm64", "android-arm64")
SME2_ON, SME2_OFF = SIDES = ("sme2-on", "sme2-off")
TIMING, XNNTRACE = PURPOSES = ("timing", "xnntrace")
#: The purpose of the native runner's variants: it times, and a switch at run time is its other side.
NATIVE = "native"
#: Without macOS: ExecuTorch's wheel for it gives a native runner that has the switch.
NATIVE_PLATFORMS = (HOST, LINUX, ANDROID)


@dataclass(frozen=True)
class Variant:
    """One build. `sme2` says whether SME2 *and* SME are compiled in: off with SME left on would run SME1 kernels."""

    platform: str
    sme2: bool
    purpose: str

    @property
    def name(self) -> str:
        """Name on the command line and of its folder: ``linux-arm64-sme2-on-timing``, ``android-arm64-native``."""
        if self.native:
            return f"{self.platform}-{NATIVE}"
        return f"{self.platform}-{SME2_ON if self.sme2 else SME2_OFF}-{self.purpose}"

    @property
    def native(self) -> bool:
        """Whether it is the kit's own runner, and not `executor_runner`."""
        return self.purpose == NATIVE

    @property
    def partner(self) -> Variant | None:
        """The same build with the other side of SME2; None where one build has both."""
        return None if self.native else Variant(self.platform, not self.sme2, self.purpose)

    @property
    def architecture(self) -> str:
        """The CPU architecture that the build is for, as cpuinfo's layouts name it."""
        return normal_architecture(platform.machine()) if self.platform == HOST else "aarch64"

    @property
    def expects_sme2(self) -> bool:
        """Whether the binary must hold SME2 kernels: XNNPACK has none for anything but Arm."""
        return self.sme2 and self.architecture == "aarch64"


ALL = (
    *(Variant(where, side == SME2_ON, purpose) for where in PLATFORMS for side in SIDES for purpose in PURPOSES),
    *(Variant(where, True, NATIVE) for where in NATIVE_PLATFORMS),
)


def named(words: Iterable[str]) -> tuple[Variant, ...]:
    """Return the variants that words name: in full, or all that begin so (``android-arm64``, ``host-sme2-on``).

    Raises
    ------
    UserError : a word that names none.
    """
    variants: dict[Variant, None] = {}
    for word in words:
        chosen = [variant for variant in ALL if variant.name == word or variant.name.startswith(f"{word}-")]
        if not chosen:
            raise UserError(
                f"{word} names no variant{nearest(word, [v.name for v in ALL] + list(PLATFORMS))}",
                "in --source",
                "see build_runners.sh --list",
            )
        variants.update(dict.fromkeys(chosen))
    return tuple(variants)
