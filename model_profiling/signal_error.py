# SPDX-License-Identifier: Apache-2.0
"""How far values are from a signal: the power of the noise relative to it, in dB, and the cosine. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class Fidelity:
    """How far values are from their reference, over all elements of all samples.

    `noise` is the power of their difference over the power of the reference, 0 where they are equal and None where
    either is not finite or the reference is 0 throughout; `cosine` the cosine similarity, None where `noise` is.
    """

    noise: float | None
    cosine: float | None

    @property
    def sqnr_db(self) -> float | None:
        """The signal-to-quantization-noise ratio in dB: 10 log10(sum(reference^2) / sum((reference - got)^2)).

        As in A. Gersho and R. M. Gray, *Vector Quantization and Signal Compression* (1992), section 5.2, on the values
        themselves and not on their deviation from a mean. None where nothing differs, and where `noise` is None.
        """
        return -10.0 * math.log10(self.noise) if self.noise else None

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return self.noise == 0.0

    @property
    def shown(self) -> str:
        """The SQNR as it is printed: "24.8 dB", "exact", or "not finite"."""
        if self.noise is None:
            return "not finite"
        return "exact" if self.sqnr_db is None else f"{round(self.sqnr_db, 1) + 0.0:.1f} dB"  # no minus before 0

    @property
    def badness(self) -> float:
        """The noise as a number to sort by: what is not finite is worst."""
        return math.inf if self.noise is None else self.noise

    def to_json(self) -> dict[str, float | None]:
        return {"sqnr_db": self.sqnr_db, "noise": self.noise, "cosine": self.cosine}

    @classmethod
    def from_json(cls, plain: JsonObject) -> Fidelity:
        return cls(plain.maybe_number("noise"), plain.maybe_number("cosine"))


#: Of values that are the same.
EXACT = Fidelity(0.0, 1.0)


class ErrorSums:
    """Sums over elements, added up sample by sample in float64, so that no values have to be kept."""

    def __init__(self) -> None:
        self._signal = self._noise = self._got = self._product = 0.0

    def add(self, reference: NDArray[Any], got: NDArray[Any]) -> None:
        """Add the values of a sample.

        Raises
        ------
        ValueError : different shapes.
        """
        if reference.shape != got.shape:
            raise ValueError(f"shape {list(reference.shape)} against {list(got.shape)}")
        first, second = reference.astype(np.float64).ravel(), got.astype(np.float64).ravel()
        with np.errstate(invalid="ignore", over="ignore"):
            # An infinity that both have (an attention mask's) is no difference.
            both = np.isinf(first) & (first == second)
            if both.any():
                first, second = first[~both], second[~both]
            self._signal += float(first @ first)
            self._got += float(second @ second)
            self._product += float(first @ second)
            self._noise += float(np.square(first - second).sum())

    @property
    def fidelity(self) -> Fidelity:
        """What the sums come to so far."""
        sums = (self._signal, self._noise, self._got, self._product)
        if not all(map(math.isfinite, sums)):
            return Fidelity(None, None)
        if self._noise == 0.0:
            return EXACT
        if self._signal == 0.0:
            return Fidelity(None, None)
        length = math.sqrt(self._signal) * math.sqrt(self._got)
        cosine = max(-1.0, min(1.0, self._product / length)) if length else 0.0
        return Fidelity(self._noise / self._signal, cosine)


def fidelity(reference: NDArray[Any], got: NDArray[Any]) -> Fidelity:
    """Return how far `got` is from `reference`; raises as `ErrorSums.add`."""
    sums = ErrorSums()
    sums.add(reference, got)
    return sums.fidelity


def worst(found: Iterable[Fidelity]) -> Fidelity:
    """Return the one with the most noise, `EXACT` where there is none."""
    return max(found, key=lambda one: one.badness, default=EXACT)
