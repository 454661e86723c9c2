# SPDX-License-Identifier: Apache-2.0
"""The inputs a model is fed: reproducible from a seed, legal for the model, the same for every runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_profiling.errors import UserError
from model_profiling.files import write_bytes
from model_profiling.pipeline.program.signature import Signature, TensorSpec

if TYPE_CHECKING:
    import numpy as np

#: SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
#: 2014, with the constants of Vigna's public-domain splitmix64.c.
_GAMMA = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))

#: Significant bits of each floating type: a draw of that many is exact in it, so that
#: no rounding can differ between the native runner's inputs and these.
_FRACTION_BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}

#: Lowest and highest value of an input, the latter itself left out of floating-point ones.
Range = tuple[float, float]


def is_floating(dtype: str) -> bool:
    """Return whether a type, by numpy's name, is a floating-point one."""
    return dtype in _FRACTION_BITS


def splitmix64(seed: int, count: int, start: int = 0) -> np.ndarray:
    """Return draws `start` to `start + count` of SplitMix64 from `seed`, as uint64.

    The generator's state only counts upwards, so any stretch is computed at once.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        steps = np.arange(start + 1, start + count + 1, dtype=np.uint64)
        z = np.uint64(seed % 2**64) + steps * np.uint64(_GAMMA)
        for shift, factor in _MIX:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        draws: np.ndarray = z ^ (z >> np.uint64(31))
        return draws


def splitmix64_uniform(seed: int, count: int, start: int = 0, bits: int = 53) -> np.ndarray:
    """Return draws as float64 in [0, 1), from the upper `bits` of each."""
    import numpy as np

    draws: np.ndarray = (splitmix64(seed, count, start) >> np.uint64(64 - bits)).astype(np.float64) / 2.0**bits
    return draws


def make_inputs(signature: Signature, sidecar: Mapping[str, Any] | None, seed: int) -> list[np.ndarray]:
    """Return one array per input of the model, reproducible from `seed`.

    Parameters
    ----------
    sidecar : what `export_model.py` wrote beside the .pte. Its ranges keep inputs such as
        token ids legal: floats are uniform in [low, high), integers in [low, high].
        Without it floats are in [0, 1) and integers 0 or 1: the bytes that the native
        runner makes by itself from the same seed. Values that it keeps (ids, positions, masks) are taken
        as they are, cut to the shapes that run.

    Raises
    ------
    UserError : the sidecar describes inputs other than the model's.
    """
    return draw_inputs(signature, input_ranges(signature, sidecar), seed, example_values(signature, sidecar))


def draw_inputs(
    signature: Signature, ranges: Sequence[Range | None], seed: int, values: Sequence[np.ndarray | None] = ()
) -> list[np.ndarray]:
    """Return one array per input, drawn from `seed` within its range; where there are `values`, these.

    Programs whose inputs have the same shapes and ranges draw the same numbers, each rounded down to its own
    floating-point type.
    """
    arrays, drawn = [], 0
    for number, (spec, limits) in enumerate(zip(signature.inputs, ranges, strict=True)):
        kept = values[number] if number < len(values) else None
        arrays.append(_array(spec, limits, seed, drawn) if kept is None else kept)
        drawn += spec.elements
    return arrays


def example_values(signature: Signature, sidecar: Mapping[str, Any] | None) -> list[np.ndarray | None]:
    """Return what the record keeps of the example's inputs, cut to the shapes that run; None where it keeps nothing.

    Raises
    ------
    UserError : what it keeps has another number of values than its shape.
    """
    entries = (sidecar or {}).get("inputs")
    if not isinstance(entries, list) or len(entries) != len(signature.inputs):
        return [None] * len(signature.inputs)
    return [_kept(spec, entry) for spec, entry in zip(signature.inputs, entries, strict=True)]


def _kept(spec: TensorSpec, entry: Mapping[str, Any]) -> np.ndarray | None:
    import numpy as np

    if entry.get("values") is None:
        return None
    try:
        plain = np.asarray(entry["values"], dtype=np.float64).reshape(entry["shape"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"the export sidecar does not describe its inputs ({error})", "beside the model", "export the model again"
        ) from error
    if plain.ndim != len(spec.shape) or any(have < want for have, want in zip(plain.shape, spec.shape, strict=True)):
        return None  # of a longer input than the example's there are no values
    cut = plain[tuple(slice(extent) for extent in spec.shape)]
    array: np.ndarray = _as_bfloat16(cut) if spec.dtype == "bfloat16" else cut.astype(spec.dtype)
    return np.ascontiguousarray(array)


def shared_ranges(ranges: Sequence[Sequence[Range | None]]) -> list[Range | None]:
    """Return the range of each input that all of several programs allow; low is above high where there is none.

    A program without a record allows what the others do.
    """
    shared: list[Range | None] = []
    for of_input in zip(*ranges, strict=True):
        known = [limits for limits in of_input if limits is not None]
        shared.append((max(low for low, _ in known), min(high for _, high in known)) if known else None)
    return shared


def write_inputs(arrays: Sequence[np.ndarray], folder: Path) -> list[Path]:
    """Write each array's raw little-endian bytes in C order to ``input_<n>.bin`` in `folder`."""
    return [write_bytes(folder / f"input_{i}.bin", array.tobytes()) for i, array in enumerate(arrays)]


def input_ranges(signature: Signature, sidecar: Mapping[str, Any] | None) -> list[Range | None]:
    """Return the range of each input that the sidecar tells, None without one.

    Raises
    ------
    UserError : the sidecar describes inputs other than the model's.
    """
    if sidecar is None:
        return [None] * len(signature.inputs)
    try:
        entries = list(sidecar["inputs"])
        described = [(tuple(e["shape"]), str(e["dtype"])) for e in entries]
        limits: list[Range | None] = [(float(e["low"]), float(e["high"])) for e in entries]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the export sidecar does not describe its inputs ({error})", "beside the model", "export the model again"
        ) from error
    if len(described) != len(signature.inputs) or not all(map(_fits, described, signature.inputs)):
        raise UserError(
            "the export sidecar describes other inputs than the model takes",
            "beside the model",
            "export the model again",
        )
    return limits


def _fits(described: tuple[tuple[int, ...], str], spec: TensorSpec) -> bool:
    """Tell whether the record's input is the program's: one that varies was recorded at its example's shape."""
    shape, dtype = described
    return dtype == spec.dtype and (shape == spec.shape or (spec.dynamic and len(shape) == len(spec.shape)))


def _array(spec: TensorSpec, limits: Range | None, seed: int, start: int) -> np.ndarray:
    import numpy as np

    if spec.dtype in _FRACTION_BITS:
        values = splitmix64_uniform(seed, spec.elements, start, _FRACTION_BITS[spec.dtype])
        if limits:
            values = limits[0] + values * (limits[1] - limits[0])
        array = _as_bfloat16(values) if spec.dtype == "bfloat16" else values.astype(spec.dtype)
    elif limits:
        low, high = int(limits[0]), int(limits[1])
        values = splitmix64_uniform(seed, spec.elements, start)
        array = (low + np.floor(values * (high - low + 1))).astype(spec.dtype)
    else:
        array = (splitmix64(seed, spec.elements, start) >> np.uint64(63)).astype(spec.dtype)
    return array.reshape(spec.shape)


def _as_bfloat16(values: np.ndarray) -> np.ndarray:
    """Return the upper halves of float32 as uint16: numpy has no bfloat16 of its own."""
    import numpy as np

    halves: np.ndarray = (values.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return halves
