# SPDX-License-Identifier: Apache-2.0
"""Input tensors that a user names: raw bytes, or arrays of numpy (``.npy``) and PyTorch (``.pt``, ``.pth``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_profiling.errors import UserError
from model_profiling.files import write_bytes
from model_profiling.pipeline.program.signature import Signature, TensorSpec

if TYPE_CHECKING:
    import numpy as np

WHERE = 'in "inputs" of the config'
_NUMPY, _TORCH = (".npy",), (".pt", ".pth")


def check_given(files: Sequence[Path], signature: Signature, record: Mapping[str, Any] | None) -> None:
    """Raise the `UserError` that says why files cannot be fed to a program.

    Parameters
    ----------
    record : the export's of the method; what it says of allowed values is checked too.
    """
    if len(files) != len(signature.inputs):
        raise UserError(
            f"{len(files)} input files for a model of {len(signature.inputs)} inputs",
            WHERE,
            "give one file for each input",
        )
    entries = (record or {}).get("inputs") or []
    for number, (file, spec) in enumerate(zip(files, signature.inputs, strict=True)):
        limits = entries[number].get("limits") if number < len(entries) else None
        _check_limits(file, spec, _read(file, spec), limits)


def raw_files(files: Sequence[Path], signature: Signature, folder: Path) -> list[Path]:
    """Return files of raw bytes: those that are, and for arrays new ones in `folder`."""
    return [
        write_bytes(folder / f"{file.stem}.bin", _read(file, spec).tobytes()) if _is_array(file) else file
        for file, spec in zip(files, signature.inputs, strict=True)
    ]


def _is_array(file: Path) -> bool:
    return file.suffix in (*_NUMPY, *_TORCH)


def _read(file: Path, spec: TensorSpec) -> np.ndarray:
    """Return an input's values; of raw bytes too, in the type that the program takes."""
    import numpy as np

    if not file.is_file():
        raise UserError(f"the input {file} is not a file", WHERE, "correct the path")
    if not _is_array(file):
        if file.stat().st_size != spec.nbytes:
            raise UserError(
                f"{file} has {file.stat().st_size} bytes, its input {list(spec.shape)} {spec.dtype} "
                f"takes {spec.nbytes}",
                WHERE,
                "write the raw tensor, row-major and little-endian",
            )
        held = "uint16" if spec.dtype == "bfloat16" else spec.dtype
        return np.fromfile(file, dtype=held).reshape(spec.shape)
    array, dtype = _numpy_array(file) if file.suffix in _NUMPY else _torch_array(file)
    if (array.shape, dtype) != (spec.shape, spec.dtype):
        raise UserError(
            f"{file} holds {list(array.shape)} {dtype}, its input is {list(spec.shape)} {spec.dtype}",
            WHERE,
            "save the tensor in that shape and type",
        )
    return array


def _numpy_array(file: Path) -> tuple[np.ndarray, str]:
    import numpy as np

    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _unreadable(file, "numpy.save", error) from error
    if not isinstance(array, np.ndarray):
        raise _unreadable(file, "numpy.save", "it is no array")
    return np.ascontiguousarray(array), array.dtype.name


def _torch_array(file: Path) -> tuple[np.ndarray, str]:
    import pickle

    import torch

    try:
        tensor = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, ValueError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise _unreadable(file, "torch.save", error) from error
    if not isinstance(tensor, torch.Tensor):
        raise _unreadable(file, "torch.save", f"it holds a {type(tensor).__name__}")
    plain = tensor.detach().contiguous()
    half = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    return half.numpy(), str(tensor.dtype).removeprefix("torch.")


def _unreadable(file: Path, wanted: str, why: object) -> UserError:
    return UserError(f"{file} holds no tensor ({why})", WHERE, f"save one tensor with {wanted}")


def _check_limits(file: Path, spec: TensorSpec, values: np.ndarray, limits: Any) -> None:
    if not limits or spec.dtype == "bfloat16" or not values.size:
        return
    low, high = values.min().item(), values.max().item()
    if low < limits[0] or high > limits[1]:
        raise UserError(
            f"{file} holds {low if low < limits[0] else high}, and the model takes {limits[0]:g} to "
            f"{limits[1]:g} there",
            WHERE,
            "correct the values",
        )
