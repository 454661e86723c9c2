# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: read without running code, load strictly, and list every entry that does not fit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.errors import UserError
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch

LISTED = 6  # entries of each kind that one line can carry
# Where training scripts put the state dict when they save more than that.
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """Return the state dict in `path`, unwrapped from a training checkpoint where it is in one.

    Only tensors and plain containers are read (``weights_only=True``): a pickle that would run
    code is refused.
    """
    import torch

    if not path.is_file():
        raise UserError("the weights file does not exist", f"at {path}", "correct --weights")
    fix = "save a state dict with torch.save(model.state_dict(), file)"
    with ForeignCode("reading the weights file", fix, location=path):  # damaged bytes make it raise anything
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UserError("the weights file is no checkpoint of tensors alone", f"at {path}", fix) from error
    for key in _WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if (
        not isinstance(loaded, dict)
        or not loaded
        or not all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in loaded.items())
    ):
        raise UserError("the weights file holds no state dict (names to tensors)", f"at {path}", fix)
    return loaded


def load_strictly(module: torch.nn.Module, state: dict[str, torch.Tensor], path: Path | str) -> torch.nn.Module:
    """Load `state` into `module` where every name and shape fits; else raise, and change nothing.

    `path` says where the entries come from, for the message.
    """
    expected = module.state_dict()
    wrong = [
        f"{name} {_shape(state[name])} instead of {_shape(value)}"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    problems = [
        f"{len(names)} {kind} ({', '.join(names[:LISTED])}{', ...' if len(names) > LISTED else ''})"
        for kind, names in (
            ("missing", [name for name in expected if name not in state]),
            ("unknown", [name for name in state if name not in expected]),
            ("wrong-shaped", wrong),
        )
        if names
    ]
    if problems:
        raise UserError(
            f"the checkpoint does not fit the model: {'; '.join(problems)}",
            f"in {path}",
            "give the checkpoint of this very architecture, or a load_weights() method that adapts it",
        )
    module.load_state_dict(state, strict=True)
    return module


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
