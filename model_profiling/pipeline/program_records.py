# SPDX-License-Identifier: Apache-2.0
"""What the export, and a preview, recorded of a run's programs: how exact each is, and which layers reach SME2.

It is kept in the run directory, so that a run can be read where its models are not. An analysis keeps again what lies
beside the models then: a preview that was made after the run counts too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.files import write_json
from model_profiling.json_objects import JsonObject
from model_profiling.numeric_gap import NumericGap
from model_profiling.pipeline.kernel_names import COMPUTE, SME2, family_of, role_of
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.pipeline.preview_folder import SME2_VARIANT, PreviewFolder
from model_profiling.pipeline.program.export_facts import record_of
from model_profiling.pipeline.program.exported import Exported
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.recorded_agreement import RecordedAgreement

SCHEMA_VERSION = 1
#: Where the documented commands put a preview: beside the folder of artifacts.
_PREVIEWS = "preview"
_FIX = "remove it, and analyze the run again beside its models"


@dataclass(frozen=True)
class ExportedReach:
    """A matrix layer as the export counted it, `reaches` None where nothing says whether SME2 kernels compute it."""

    module: str
    kind: str
    rows: int
    multiply_adds: int
    delegated: bool
    reaches: bool | None
    source: str = ""
    numbers: str = ""

    @classmethod
    def from_json(cls, held: JsonObject) -> ExportedReach:
        return cls(
            held.text("module"),
            held.text("kind"),
            held.whole("rows"),
            held.whole("multiply_adds"),
            held.flag("delegated"),
            held.flag("reaches") if "reaches" in held else None,
            held.maybe_text("source") or "",
            held.maybe_text("numbers") or "",
        )


@dataclass(frozen=True)
class PreviewedReach:
    """A matrix layer by the name that it has in every run, and whether it called SME2 kernels in a preview."""

    layer: str
    multiply_adds: int
    reaches: bool

    @classmethod
    def from_json(cls, held: JsonObject) -> PreviewedReach:
        return cls(held.text("layer"), held.whole("multiply_adds"), held.flag("reaches"))


@dataclass(frozen=True)
class KeptReach:
    """What is known of a program's layers and SME2, in one ExecuTorch: by the export, or by the calls of a preview.

    `share` is that of the matrix layers' multiply-adds which reach SME2, 0 to 1: None where it is not known of all.
    """

    executorch: str
    share: float | None
    layers: tuple[ExportedReach, ...] = ()
    called: tuple[PreviewedReach, ...] = ()

    @classmethod
    def from_json(cls, held: JsonObject) -> KeptReach:
        return cls(
            held.text("executorch"),
            held.maybe_number("share"),
            tuple(map(ExportedReach.from_json, held.each("layers"))),
            tuple(map(PreviewedReach.from_json, held.each("called"))),
        )


@dataclass(frozen=True)
class KeptProgram:
    """What is recorded of one program beside its bytes; None, and "" for the model's name, where nothing is."""

    sha256: str
    model: str = ""
    agreement: RecordedAgreement | None = None
    exported: KeptReach | None = None
    previewed: KeptReach | None = None
    made: Exported | None = None
    gap: NumericGap | None = None

    @property
    def known(self) -> bool:
        return any((self.model, self.agreement, self.exported, self.previewed, self.made, self.gap))

    @classmethod
    def from_json(cls, held: JsonObject) -> KeptProgram:
        keys = ("agreement", "exported", "previewed", "made", "gap")
        agreement, exported, previewed, made, gap = map(held.maybe_within, keys)
        return cls(
            held.text("sha256"),
            held.text("model"),
            RecordedAgreement.from_json(agreement) if agreement else None,
            KeptReach.from_json(exported) if exported else None,
            KeptReach.from_json(previewed) if previewed else None,
            Exported.from_json(made) if made else None,
            NumericGap.from_json(gap) if gap else None,
        )

    def to_json(self) -> dict[str, object]:
        parts = {"agreement": self.agreement, "made": self.made, "gap": self.gap}
        return {**asdict(self), **{key: part and part.to_json() for key, part in parts.items()}}

    def with_older(self, older: KeptProgram) -> KeptProgram:
        """Return the same with what an earlier record knew besides."""
        return KeptProgram(
            self.sha256,
            self.model or older.model,
            self.agreement or older.agreement,
            self.exported or older.exported,
            self.previewed or older.previewed,
            self.made or older.made,
            self.gap or older.gap,
        )


def read_records(directory: RunDirectory, manifest: Manifest) -> tuple[KeptProgram, ...]:
    """Return what was kept of each program, in the order of `Manifest.every_program`.

    Raises
    ------
    UserError : the file is there and damaged.
    """
    digests = [program.model.sha256 for program in manifest.every_program]
    if not directory.program_records.is_file():
        return tuple(map(KeptProgram, digests))
    held = JsonObject.read(directory.program_records, _FIX)
    if held.whole("schema_version") != SCHEMA_VERSION:
        raise held.refused("the record of the programs is of another version of the kit")
    kept = tuple(map(KeptProgram.from_json, held.each("programs")))
    if [record.sha256 for record in kept] != digests:
        raise held.refused("the record of the programs is of another run")
    return kept


def keep_records(directory: RunDirectory, manifest: Manifest) -> None:
    """Keep what lies beside the programs of a run now, and what was kept before; nothing where nothing is known."""
    before = read_records(directory, manifest)
    now = [_record(directory, program) for program in manifest.every_program]
    kept = tuple(new.with_older(old) for new, old in zip(now, before, strict=True))
    if any(record.known for record in kept) and kept != before:
        content = {"schema_version": SCHEMA_VERSION, "programs": [record.to_json() for record in kept]}
        write_json(directory.program_records, content)


def _record(directory: RunDirectory, program: MeasuredProgram) -> KeptProgram:
    digest = program.model.sha256
    record = record_of(program.workload, digest)
    exported = JsonObject(record, "", "")
    return KeptProgram(
        digest,
        str(exported.plain().get("model") or ""),
        RecordedAgreement.of(record),
        _exported(exported),
        next(_previewed(directory, program), None),
        _made(exported),
        recorded_gap(record),
    )


def _made(exported: JsonObject) -> Exported | None:
    try:
        return Exported.from_json(exported) if exported.keys() else None
    except UserError:
        return None


def recorded_gap(record: Mapping[str, Any]) -> NumericGap | None:
    """Return where accuracy is lost by an export's record; None where it was not measured, or went bad."""
    try:
        held = JsonObject(record, "", "").maybe_within("numeric_gap")
        return NumericGap.from_json(held) if held else None
    except UserError:
        return None


def _exported(exported: JsonObject) -> KeptReach | None:
    """Return what an export's record says of its matrix layers, None where it knows nothing of them."""
    try:
        held = exported.maybe_within("sme2")
        if held is None or not held.flag("known"):
            return None
        layers = tuple(map(ExportedReach.from_json, held.each("layers")))
        return KeptReach(held.text("executorch"), _share(layers), layers=layers)
    except UserError:
        return None


def _previewed(directory: RunDirectory, program: MeasuredProgram) -> Iterator[KeptReach]:
    """Yield what previews of these very bytes recorded, in the run directory or beside the model."""
    model, part = Path(program.model.path), program.workload.label
    for root in (directory.root / _PREVIEWS, model.parent.parent / _PREVIEWS, None):
        file = PreviewFolder(model, root, part).json
        try:
            held = JsonObject.read(file, "") if file.is_file() else None
            if held and SME2_VARIANT in held.within("variants") and _is_of(held, program):
                layers = tuple(map(_previewed_layer, held.each("matrix_layers")))
                yield KeptReach(held.within("executorch").text("version"), _share(layers), called=layers)
        except UserError:
            continue


def _is_of(preview: JsonObject, program: MeasuredProgram) -> bool:
    return preview.within("model").text("sha256") == program.model.sha256


def _previewed_layer(held: JsonObject) -> PreviewedReach:
    called = held.within("kernels").within(SME2_VARIANT).keys()
    reaches = any(family_of(kernel) == SME2 and role_of(kernel) == COMPUTE for kernel in called)
    return PreviewedReach(held.text("layer"), held.whole("multiply_adds"), reaches)


def _share(layers: Sequence[ExportedReach] | Sequence[PreviewedReach]) -> float | None:
    whole = sum(layer.multiply_adds for layer in layers)
    if not whole or any(layer.reaches is None for layer in layers):
        return None
    return sum(layer.multiply_adds for layer in layers if layer.reaches) / whole
