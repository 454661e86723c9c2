# SPDX-License-Identifier: Apache-2.0
"""The JSON beside a `.pte`: what it takes and gives, what it costs, and where it came from."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, cast

from model_profiling.export.constants import ConstantsFacts
from model_profiling.models.contract import FORWARD
from model_profiling.recorded_agreement import RecordedAgreement

if TYPE_CHECKING:
    import torch

    from model_profiling.models.input_ranges import InputRange

SCHEMA_VERSION = 1


class TensorFacts(TypedDict):
    """A tensor's shape, and its dtype under numpy's name."""

    shape: list[int]
    dtype: str


class RangeFacts(TensorFacts):
    """An input's range over all samples beside them."""

    low: float
    high: float


class InputFacts(RangeFacts, total=False):
    """Where shapes vary also its `extents`: numbers, and expressions of the method's dimensions.

    `limits` are those that the model says itself. `values` are the example's own, in C order, of what is no sample of
    anything: ids, positions, masks.
    """

    extents: list[int | str]
    limits: list[float]
    values: list[float]


#: Of an input with more elements no values are kept, nor of a floating-point one with more different ones (a mask).
_MOST_VALUES, _MOST_DIFFERENT = 16384, 3


class PteFacts(TypedDict):
    """What identifies the program."""

    file: str
    bytes: int
    sha256: str


class AgreementFacts(TypedDict):
    """A `RecordedAgreement`, which reads it."""

    max_abs_error: float | None
    max_rel_error: float | None
    cosine: float | None
    limit: dict[str, float]
    passed: bool


class WholeMethodRecord(TypedDict):
    """What is recorded of each method; `state` names the buffers that an execution changes."""

    inputs: list[InputFacts]
    outputs: list[TensorFacts]
    multiply_adds: int | None
    delegation: dict[str, object]
    sme2: dict[str, object]
    agreement: AgreementFacts
    places: list[dict[str, object]]
    rewrites: dict[str, int]
    notes: list[str]
    state: list[str]


class MethodRecord(WholeMethodRecord, total=False):
    """Where shapes vary also the dimensions that do, by name, with their ranges.

    `tokens` is how many an execution computes, or the name of the dimension that says so, where the model says it.
    `numeric_gap` is a `NumericGap`, where one was asked for.
    """

    dimensions: dict[str, dict[str, int]]
    tokens: int | str
    numeric_gap: dict[str, object]


class ProgramRecord(TypedDict):
    """What is recorded of a whole program; `notes` are those of all its methods."""

    schema_version: int
    model: str
    source: str
    dtype: str
    group_size: int
    backend: str
    pte: PteFacts
    parameters: int
    export_seconds: float
    versions: dict[str, str]
    constants: ConstantsFacts
    seed: int
    notes: list[str]


class ExportRecord(ProgramRecord, MethodRecord, total=False):
    """The whole record: a program's only method, forward, stands among its keys, several in `methods` by name.

    `kept_float` names what the recipe was told not to quantize.
    """

    kept_float: list[str]
    methods: dict[str, MethodRecord]


#: The order in which the record is written.
_ORDER = (
    "schema_version",
    "model",
    "source",
    "dtype",
    "group_size",
    "kept_float",
    "backend",
    "pte",
    "inputs",
    "dimensions",
    "tokens",
    "outputs",
    "parameters",
    "multiply_adds",
    "export_seconds",
    "versions",
    "delegation",
    "sme2",
    "agreement",
    "numeric_gap",
    "constants",
    "seed",
    "places",
    "rewrites",
    "state",
    "methods",
    "notes",
)


def whole_record(
    program: ProgramRecord, methods: Mapping[str, MethodRecord], kept_float: Sequence[str] = ()
) -> ExportRecord:
    """Return the record of a program with these methods, and of what was told to stay in float."""
    told = _told(methods)
    of_methods: Mapping[str, object] = methods[FORWARD] if list(methods) == [FORWARD] else {"methods": dict(methods)}
    of_program = {**program, **({"kept_float": list(kept_float)} if kept_float else {})}
    whole = {**of_program, **of_methods, "notes": [*told, *program["notes"]]}
    return cast("ExportRecord", {key: whole[key] for key in _ORDER if key in whole})


def _told(methods: Mapping[str, MethodRecord]) -> list[str]:
    """Return the notes of all methods, with the method's name where not all have the same."""
    names: dict[str, list[str]] = {}
    for name, one in methods.items():
        for note in one["notes"]:
            names.setdefault(note, []).append(name)
    return [note if len(of) == len(methods) else f"{', '.join(of)}: {note}" for note, of in names.items()]


def method_records(record: ExportRecord) -> dict[str, MethodRecord]:
    """Return what is recorded of each method, by its name."""
    return record.get("methods") or {FORWARD: record}


def describe_inputs(
    samples: Sequence[Sequence[torch.Tensor]],
    extents: Sequence[list[int | str]] = (),
    limits: Sequence[InputRange | None] = (),
) -> list[InputFacts]:
    """Return shape, dtype and range of each input, the range over all `samples`; `extents` where shapes vary.

    What the model itself says of an input's range stands in `limits`, and is then its range.

    Runners draw random inputs from it: token ids stay inside their vocabulary, masks stay 0 or 1.
    """
    described: list[InputFacts] = []
    for values in zip(*samples, strict=True):
        first = values[0]
        low = min((value.min().item() for value in values if value.numel()), default=0)
        high = max((value.max().item() for value in values if value.numel()), default=0)
        if isinstance(low, bool):
            low, high = 0, 1
        tensor = describe_tensor(first)
        described.append({"shape": tensor["shape"], "dtype": tensor["dtype"], "low": low, "high": high})
    for facts, value in zip(described, samples[0], strict=True):
        if _is_kept(value):
            facts["values"] = [int(one) if isinstance(one, bool) else one for one in value.reshape(-1).tolist()]
    for facts, of_input in zip(described, extents, strict=False):
        facts["extents"] = of_input
    for facts, allowed in zip(described, limits, strict=False):
        if allowed is not None:
            facts["low"], facts["high"] = allowed
            facts["limits"] = list(allowed)
    return described


def _is_kept(value: torch.Tensor) -> bool:
    """Tell whether an input's values matter as they are, so that random ones would measure something else."""
    if not 0 < value.numel() <= _MOST_VALUES:
        return False
    if not value.is_floating_point():
        return True
    return bool(value.isfinite().all()) and len(set(value.reshape(-1).tolist())) in range(2, _MOST_DIFFERENT + 1)


def describe_tensor(value: torch.Tensor) -> TensorFacts:
    """Return a tensor's shape and its dtype under numpy's name."""
    return {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}


def describe_pte(name: str, data: bytes) -> PteFacts:
    """Return what identifies the program: file name, size and SHA-256."""
    return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def describe_agreement(agreement: RecordedAgreement) -> AgreementFacts:
    """Return an agreement as it is recorded."""
    return cast("AgreementFacts", agreement.to_json())


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
