# SPDX-License-Identifier: Apache-2.0
"""What a launch's line says of its outputs: what they are, and how they compare with those of its pair."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from model_profiling.agreement import compare
from model_profiling.errors import MeasurementError
from model_profiling.pipeline.run_directory import OutputsCompared, OutputTensor


def described(tensor: np.ndarray) -> OutputTensor:
    """Return an output as its launch's line has it."""
    return {
        "dtype": str(tensor.dtype),
        "shape": list(tensor.shape),
        "sha256": hashlib.sha256(np.ascontiguousarray(tensor).tobytes()).hexdigest(),
    }


def fit(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """Return whether two programs give as many outputs, of the same shapes."""
    return [tensor.shape for tensor in first] == [tensor.shape for tensor in second]


def outputs_compared(partner: str, theirs: Sequence[np.ndarray], own: Sequence[np.ndarray]) -> OutputsCompared:
    """Return how outputs compare with those of `partner`; MeasurementError where they do not fit."""
    try:
        agreement = compare(theirs, own)
    except ValueError as error:
        raise MeasurementError(f"outputs do not fit those of {partner}: {error}") from error
    return {
        "with": partner,
        "max_abs_error": agreement.max_abs_error,
        "max_rel_error": agreement.max_rel_error,
        "cosine": agreement.cosine,
        "identical": agreement.identical,
    }
