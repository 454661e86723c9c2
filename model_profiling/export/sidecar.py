# SPDX-License-Identifier: Apache-2.0
"""The JSON beside a `.pte`: what it takes and gives, what it costs, and where it came from."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_profiling.agreement import Agreement
from model_profiling.export.recipe import Limit

if TYPE_CHECKING:
    import torch

SCHEMA_VERSION = 1


def describe_inputs(samples: Sequence[Sequence[torch.Tensor]]) -> list[dict[str, object]]:
    """Return shape, dtype and range of each input, the range over all `samples`.

    Runners draw random inputs from it: token ids stay inside their vocabulary, masks stay 0 or 1.
    """
    described = []
    for values in zip(*samples):
        first = values[0]
        low = min((value.min().item() for value in values if value.numel()), default=0)
        high = max((value.max().item() for value in values if value.numel()), default=0)
        if isinstance(low, bool):
            low, high = 0, 1
        described.append({**describe_tensor(first), "low": low, "high": high})
    return described


def describe_tensor(value: torch.Tensor) -> dict[str, object]:
    """Return a tensor's shape and its dtype under numpy's name."""
    return {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}


def describe_pte(name: str, data: bytes) -> dict[str, object]:
    """Return what identifies the program: file name, size and SHA-256."""
    return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def describe_agreement(agreement: Agreement, limit: Limit) -> dict[str, object]:
    """Return an agreement that passed, with what it was judged by."""
    return {
        "max_abs_error": agreement.max_abs_error,
        "max_rel_error": agreement.max_rel_error,
        "cosine": agreement.cosine,
        "limit": limit.to_json(),
        "passed": True,
    }


def versions() -> dict[str, str]:
    """Return the versions that decide what bytes an export gives and what reads them."""
    from importlib.metadata import PackageNotFoundError, version

    import torch
    from executorch.version import __version__, git_version

    try:
        torchao = version("torchao")
    except PackageNotFoundError:
        torchao = ""
    try:
        kit = version("sme-executorch-profiling")
    except PackageNotFoundError:
        kit = ""
    return {
        "kit": kit,
        "executorch": __version__,
        "executorch_git": git_version or "",
        "torch": torch.__version__,
        "torchao": torchao,
        "python": platform.python_version(),
    }
