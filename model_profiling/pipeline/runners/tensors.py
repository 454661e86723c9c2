# SPDX-License-Identifier: Apache-2.0
"""The output tensors that a runner wrote."""

from __future__ import annotations

import numpy as np

from model_profiling.errors import MeasurementError
from model_profiling.pipeline.runners import LaunchMeasurement


def read_tensors(measured: LaunchMeasurement) -> tuple[np.ndarray, ...]:
    """Return the output tensors that a launch wrote."""
    tensors = []
    for output in measured.outputs:
        data = np.fromfile(output.path, dtype=np.dtype(output.dtype))
        if data.size != int(np.prod(output.shape, dtype=np.int64)):
            raise MeasurementError(f"the runner wrote {data.size} values for an output of shape {list(output.shape)}")
        tensors.append(data.reshape(output.shape))
    return tuple(tensors)
