# SPDX-License-Identifier: Apache-2.0
"""The JSON beside a `.pte`: what it takes and gives, what it costs, and where it came from."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from model_profiling.agreement import Agreement
from model_profiling.export.constants import ConstantsFacts
from model_profiling.export.recipe import Limit

if TYPE_CHECKING:
    import torch

SCHEMA_VERSION = 1


class TensorFacts(TypedDict):
    """A tensor's shape, and its dtype under numpy's name."""

    shape: list[int]
    dtype: str


class InputFacts(TensorFacts):
    """An input's range over all samples beside them."""

    low: float
    high: float


class PteFacts(TypedDict):
    """What identifies the program."""

    file: str
    bytes: int
    sha256: str


class AgreementFacts(TypedDict):
    """An agreement that passed, with what it was judged by."""

    max_abs_error: float
    max_rel_error: float
    cosine: float
    limit: dict[str, float]
    passed: bool


class ExportRecord(TypedDict):
    """The whole record, in the order in which it is written."""

    schema_version: int
    model: str
    source: str
    dtype: str
    backend: str
    pte: PteFacts
    inputs: list[InputFacts]
    outputs: list[TensorFacts]
    parameters: int
    multiply_adds: int
    export_seconds: float
    versions: dict[str, str]
    delegation: dict[str, object]
    agreement: AgreementFacts
    constants: ConstantsFacts
    seed: int
    places: list[dict[str, object]]


def describe_inputs(samples: Sequence[Sequence[torch.Tensor]]) -> list[InputFacts]:
    """Return shape, dtype and range of each input, the range over all `samples`.

    Runners draw random inputs from it: token ids stay inside their vocabulary, masks stay 0 or 1.
    """
    described: list[InputFacts] = []
    for values in zip(*samples, strict=True):
        first = values[0]
        low = min((value.min().item() for value in values if value.numel()), default=0)
        high = max((value.max().item() for value in values if value.numel()), default=0)
        if isinstance(low, bool):
            low, high = 0, 1
        described.append({**describe_tensor(first), "low": low, "high": high})
    return described


def describe_tensor(value: torch.Tensor) -> TensorFacts:
    """Return a tensor's shape and its dtype under numpy's name."""
    return {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}


def describe_pte(name: str, data: bytes) -> PteFacts:
    """Return what identifies the program: file name, size and SHA-256."""
    return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def describe_agreement(agreement: Agreement, limit: Limit) -> AgreementFacts:
    """Return an agreement that passed, with what it was judged by."""
    assert agreement.max_abs_error is not None and agreement.max_rel_error is not None and agreement.cosine is not None
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
