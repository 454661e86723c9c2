# SPDX-License-Identifier: Apache-2.0
"""How far two versions of the same tensors agree. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Kernels differ in the order of additions; a model that then answers otherwise is not the same.
COSINE_LIMIT = 0.99


def alike(cosine: float | None) -> bool:
    """Return whether outputs of this cosine similarity are the same answer; None, not finite, is none."""
    return cosine is not None and cosine >= COSINE_LIMIT


@dataclass(frozen=True)
class Agreement:
    """Largest difference over all tensors of a pair of outputs.

    `max_abs_error` is in the tensors' own unit; `max_rel_error` is that difference over
    the largest magnitude of its reference tensor (a ratio; per-element ratios explode
    where the reference crosses zero); `cosine` is the smallest cosine similarity of any
    tensor (1: same direction); `identical` says that all bytes are equal. Infinite or
    NaN differences are given as None, so that JSON can hold them.
    """

    max_abs_error: float | None
    max_rel_error: float | None
    cosine: float | None
    identical: bool

    @property
    def alike(self) -> bool:
        """Whether the outputs are the same answer."""
        return alike(self.cosine)

    def to_json(self) -> dict[str, float | bool | None]:
        return asdict(self)


def compare(reference: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> Agreement:
    """Compare two lists of tensors, pairwise and over all.

    Raises
    ------
    ValueError : different numbers of tensors, or different shapes.
    """
    if len(reference) != len(other):
        raise ValueError(f"{len(reference)} outputs against {len(other)}")
    worst_abs, worst_rel, worst_cosine, identical = 0.0, 0.0, 1.0, True
    for first, second in zip(reference, other, strict=True):
        if first.shape != second.shape:
            raise ValueError(f"shape {list(first.shape)} against {list(second.shape)}")
        identical = identical and first.dtype == second.dtype and first.tobytes() == second.tobytes()
        a, b = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
        if a.size == 0:
            continue
        difference, scale = float(np.max(np.abs(a - b))), float(np.max(np.abs(a)))
        worst_abs = _larger(worst_abs, difference)
        worst_rel = _larger(worst_rel, difference / scale if scale else (0.0 if difference == 0 else math.inf))
        worst_cosine = min(worst_cosine, _cosine(a, b), key=lambda c: -math.inf if math.isnan(c) else c)
    return Agreement(_finite(worst_abs), _finite(worst_rel), _finite(worst_cosine), identical)


def _larger(a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def _cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    if lengths == 0:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float(np.dot(a, b)) / lengths


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
