# SPDX-License-Identifier: Apache-2.0
"""What a report says of two programs: the reference run, told as if its sides had run two of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.report import with_summary

from model_profiling.pipeline.measured_programs import MeasuredProgram, ModelFile
from model_profiling.report.compose import build_view, naming_of
from model_profiling.report.launch_notes import launch_notes
from model_profiling.report.load import RunData
from model_profiling.report.quantities import plain
from model_profiling.report.sections.programs import ProgramsSection
from model_profiling.report.words.table import Table
from model_profiling.report.words.verdict import outcome_sentence

BEFORE, AFTER = "mac_sme2_off", "mac_sme2_on"
EXPORT = {"model": "net", "dtype": "fp32", "limit": {"max_rel_error": 1e-3, "min_cosine": 0.9999}}


def program(experiment: str, digit: str, **export: object) -> MeasuredProgram:
    return MeasuredProgram(ModelFile("net", f"{experiment}/net.pte", digit * 64, 1000), (experiment,), (), export)


def of_two(run: RunData, before: MeasuredProgram, after: MeasuredProgram) -> RunData:
    """Return the run as one of two programs, with no CPU feature switched."""
    run = with_summary(run, lambda summary: summary["comparisons"][0].update(models=["net", "net"]))
    feature = replace(run.manifest.feature, label=None, disabled=(), sentence="No CPU feature is switched.")
    disabled = dict.fromkeys(run.manifest.disabled, ())
    manifest = replace(run.manifest, programs=(before, after), feature=feature, disabled=disabled)
    return replace(run, manifest=manifest, exports=(None, None), records=())


def section(run: RunData) -> tuple[dict[str, tuple[object, ...]], str]:
    """Return the rows of the table of what differs by what they tell, and the sentence below it."""
    table, sentence = ProgramsSection.of(run, naming_of(run), build_view(run, "run")).blocks()
    assert isinstance(table, Table)
    return {str(row[0]): row[1:] for row in table.rows}, plain(sentence)


def test_options_of_the_export_are_told_where_they_differ(reference: RunData) -> None:
    run = of_two(
        reference,
        program(BEFORE, "a", **EXPORT, rewrites=[]),
        program(AFTER, "b", **{**EXPORT, "dtype": "int8"}, rewrites=["mean", "gelu"], group_size=32),
    )
    rows, rest = section(run)
    assert rows["Export: dtype"] == ("fp32", "int8") and rows["Export: rewrites"] == ("none", "mean, gelu")
    assert rows["Export: group size"] == ("not recorded", "32") and "Export: limit" not in rows
    assert rows["SHA-256"] == ("a" * 12, "b" * 12) and rest.startswith("In nothing else")
    view = build_view(run, "run")
    assert view.title == "net fp32 and net int8" and view.subtitle == "2 programs"
    said = outcome_sentence(view.comparisons[0])
    assert said.startswith("net int8 is ") and " times as fast as net fp32 (" in said and "faster" in said


def test_the_same_bytes_and_a_missing_record_are_told(reference: RunData) -> None:
    same = of_two(reference, program(BEFORE, "a", **EXPORT), program(AFTER, "a", **EXPORT))
    rows, rest = section(same)
    assert set(rows) == {"Experiment", "Model file"} and "noise" in rest
    assert build_view(same, "run").title == f"{BEFORE}/net and {AFTER}/net", "their folders tell them apart"
    silent = of_two(reference, program(BEFORE, "a", **EXPORT), program(AFTER, "b"))
    assert section(silent)[1].startswith(f"No export record of {AFTER}/net.pte lay beside it")


def test_a_run_of_one_program_has_no_such_section(reference: RunData) -> None:
    assert not ProgramsSection.of(reference, naming_of(reference), build_view(reference, "run")).shown


@pytest.mark.parametrize(
    ("agreement", "tone", "told"),
    [
        (None, "info", "outputs of different shapes, so they were not compared"),
        ({"identical": True}, "good", "bit for bit identical"),
        ({"max_rel_error": 1e-4}, "good", "within the limit of fp32 (relative error 0.001, cosine 0.9999)"),
        ({"cosine": 0.2}, "warn", "beyond the limit of fp32"),
        ({"max_abs_error": None, "max_rel_error": None, "cosine": None}, "warn", "not finite"),
    ],
)
def test_agreement_of_programs_has_its_own_words(
    reference: RunData, agreement: dict[str, object] | None, tone: str, told: str
) -> None:
    run = of_two(reference, program(BEFORE, "a", **EXPORT), program(AFTER, "b", **EXPORT))
    plain_entry = {"identical": False, "max_abs_error": 1e-5, "max_rel_error": 1e-5, "cosine": 0.99999}
    launches = [
        replace(x, agreement=tuple({**a, **plain_entry, **agreement} for a in x.agreement) if agreement else ())
        for x in run.launches
    ]
    run = replace(run, launches=launches)
    (note,) = [note for note in launch_notes(run, naming_of(run)) if note.title.startswith("Outputs of the two")]
    assert note.tone == tone and told in plain(note.sentences[0])
