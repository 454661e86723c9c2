# SPDX-License-Identifier: Apache-2.0
"""One launch of a preview on an emulated CPU: what it called, and whether its outputs agree. Pure.

Nothing in it is a time: emulation shows which kernels run, not how fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.agreement import Agreement
from model_profiling.analysis.kernels.entries import Coverage
from model_profiling.analysis.kernels.uses import KernelUse, coverage
from model_profiling.analysis.traces.layers import Layer
from model_profiling.pipeline.kernel_names import COMPUTE


@dataclass(frozen=True)
class PreviewVariant:
    """One launch of a preview: the CPU it ran on, the features cleared in it, and what it called.

    `agreement` compares its outputs with those of the variant without SME, None for that one.
    """

    name: str
    title: str
    cpu: str
    disabled: tuple[str, ...]
    uses: tuple[KernelUse, ...]
    agreement: Agreement | None

    @property
    def calls(self) -> int:
        return sum(use.calls for use in self.uses)

    @property
    def disagrees(self) -> bool:
        """Whether its outputs are others than those without SME, beyond what the order of additions changes."""
        return self.agreement is not None and not (self.agreement.identical or self.agreement.alike)

    def compute_calls(self) -> dict[str, int]:
        """Return the calls of kernels that compute, by family."""
        calls: dict[str, int] = {}
        for use in self.uses:
            if use.role == COMPUTE:
                calls[use.family] = calls.get(use.family, 0) + use.calls
        return calls

    def coverage(self, layers: Sequence[Layer], family: str) -> Coverage:
        """Return how much of a model computes with kernels of a family."""
        return coverage(layers, self.uses, (family,))
