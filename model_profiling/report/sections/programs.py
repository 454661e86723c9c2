# SPDX-License-Identifier: Apache-2.0
"""What differs: of two programs that are compared, their files, their exports, and how they were run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.recorded_agreement import RecordedAgreement
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Sentence
from model_profiling.report.section import BlocksSection
from model_profiling.report.view import View
from model_profiling.report.words.agreement import distance
from model_profiling.report.words.programs import SHA_DIGITS
from model_profiling.report.words.table import Table
from model_profiling.wording import capitalized, listed

#: What an export recorded that is no option of it.
_NO_OPTION = frozenset(("limit",))
_NOT_RECORDED = "not recorded"
Row = tuple[str, str, str]


@dataclass(frozen=True)
class ProgramsSection(BlocksSection):
    """Each two programs that are compared, in a table of what differs with a sentence below it."""

    anchor: ClassVar[str] = "programs"
    title: ClassVar[str] = "What differs"

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> ProgramsSection:
        manifest = run.manifest
        pairs = [pair for pair in manifest.config.compare_pairs if not manifest.same_program(*pair)]
        told = ((_table(run, naming, *pair), _rest(manifest, *pair)) for pair in dict.fromkeys(pairs))
        return cls(tuple(block for blocks in told for block in blocks))


def _table(run: RunData, naming: Naming, baseline: str, candidate: str) -> Table:
    manifest = run.manifest
    sides = [Identifier(naming.side(name)) for name in (baseline, candidate)]
    rows = [
        ("Experiment", baseline, candidate),
        *_files(*(manifest.program(name) for name in (baseline, candidate))),
        *_options(*(manifest.program(name) for name in (baseline, candidate))),
        *_agreements(*(run.record_of(name).agreement for name in (baseline, candidate))),
        *_circumstances(manifest, baseline, candidate),
    ]
    title = f"What differs between {sides[0]} and {sides[1]}"
    cells = [(what, Identifier(before), Identifier(after)) for what, before, after in rows]
    return Table(title, ("What", *sides), tuple(cells))


def _files(before: MeasuredProgram, after: MeasuredProgram) -> Iterator[Row]:
    yield "Model file", before.model.path, after.model.path
    if before.model.sha256 != after.model.sha256:
        yield "SHA-256", before.model.sha256[:SHA_DIGITS], after.model.sha256[:SHA_DIGITS]
        yield "Size", f"{before.model.bytes:,} bytes", f"{after.model.bytes:,} bytes"
    if before.method != after.method:
        yield "Method", before.method or "the only one", after.method or "the only one"
    if before.input_shapes != after.input_shapes:
        yield "Input shapes", _shapes(before), _shapes(after)
    types = [", ".join(item.dtype for item in program.inputs) for program in (before, after)]
    if types[0] != types[1]:
        yield "Inputs (the same values)", types[0], types[1]


def _shapes(program: MeasuredProgram) -> str:
    return ", ".join(str(list(shape)) for shape in program.input_shapes) or "those of the example"


def _options(before: MeasuredProgram, after: MeasuredProgram) -> Iterator[Row]:
    """Yield what the two exports recorded otherwise."""
    for key in dict.fromkeys((*before.export, *after.export)):
        if key not in _NO_OPTION and before.export.get(key) != after.export.get(key):
            what = f"Export: {key.replace('_', ' ')}"
            yield what, _value(before.export.get(key)), _value(after.export.get(key))


def _agreements(before: RecordedAgreement | None, after: RecordedAgreement | None) -> Iterator[Row]:
    """Yield how far each is from its eager model, where that is known of either."""
    if before != after:
        yield "From the eager model", _distance(before), _distance(after)


def _distance(held: RecordedAgreement | None) -> str:
    return _NOT_RECORDED if held is None else distance(held)


def _value(value: object) -> str:
    if value is None:
        return _NOT_RECORDED
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _circumstances(manifest: Manifest, baseline: str, candidate: str) -> Iterator[Row]:
    """Yield what else the configuration has differ: then the programs are not all that is compared."""
    pair = (baseline, candidate)
    off = [", ".join(manifest.disabled.get(name) or ()) or "none" for name in pair]
    runners = [_runner(manifest, name) for name in pair]
    cores = [", ".join(map(str, manifest.affinity.get(name) or ())) or "any" for name in pair]
    words = [" ".join(manifest.config.experiment(name).extra_args) or "none" for name in pair]
    for what, values in (
        ("CPU features switched off", off),
        ("Runner", runners),
        ("Cores", cores),
        ("Further words for the runner", words),
    ):
        if values[0] != values[1]:
            yield what, values[0], values[1]


def _runner(manifest: Manifest, name: str) -> str:
    described = manifest.runner.get(name) or {}
    return f"{described.get('name')} {str(described.get('sha256') or '')[:SHA_DIGITS]}".strip()


def _rest(manifest: Manifest, baseline: str, candidate: str) -> Sentence:
    """Say what the table rests on, and what it does not hold."""
    programs = [manifest.program(name) for name in (baseline, candidate)]
    if programs[0].model.sha256 == programs[1].model.sha256:
        return ("Both files hold the same bytes, so a difference between them is noise.",)
    silent = [program.model.path for program in programs if not program.export]
    if silent:
        return (
            f"No export record of {listed(silent)} lay beside it, so how it was made is not known.",
            " In nothing else that the run recorded do the two differ.",
        )
    also = [what for what, _, _ in _circumstances(manifest, baseline, candidate)]
    if also:
        return (f"{capitalized(listed(also))} differ too: what the ratio comes from cannot be told apart.",)
    return ("In nothing else that the exports and the run recorded do the two differ.",)
