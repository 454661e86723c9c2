# SPDX-License-Identifier: Apache-2.0
"""What a report says of accuracy: the layers that cost most as the export recorded them, and what to do about them."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from model_profiling.numeric_gap import LayerGap, NumericGap
from model_profiling.pipeline.program.exported import Exported
from model_profiling.pipeline.program_records import KeptProgram
from model_profiling.recorded_agreement import Accuracy, RecordedAgreement
from model_profiling.report.compose import build_view, naming_of
from model_profiling.report.figures import Drawable
from model_profiling.report.load import RunData
from model_profiling.report.quantities import plain
from model_profiling.report.sections.accuracy import AccuracySection
from model_profiling.report.words.table import Table
from model_profiling.signal_error import EXACT, Fidelity

#: 20, 30 and 40 dB.
POOR, FAIR, GOOD = (Fidelity(10.0**-n, 0.99) for n in (2, 3, 4))
SPOILED = LayerGap("conv2d", "conv2d + relu", "features.0", "mine.py:7", GOOD, GOOD, POOR, GOOD, ("features.0",), GOOD)
OTHER = LayerGap("add", "add", "", "mine.py:8", POOR, EXACT)
GAP = NumericGap(4, POOR, POOR, (SPOILED, OTHER))
AGREED = RecordedAgreement(0.1, 0.2, 0.98, 0.5, 0.95, passed=True)


def section_of(reference: RunData, **record: object) -> AccuracySection:
    kept = KeptProgram(reference.manifest.model.sha256, made=Exported(dtype="int8"), **record)
    run = replace(reference, records=(kept,))
    return AccuracySection.of(run, naming_of(run), build_view(run, "run"))


def words(section: AccuracySection) -> str:
    return " ".join(plain(block) for block in section.blocks() if isinstance(block, tuple))


def test_layers_are_told_with_the_flag_that_keeps_the_worst(reference: RunData) -> None:
    section = section_of(reference, agreement=AGREED, gap=GAP)
    table = next(block for block in section.blocks() if isinstance(block, Table))
    assert table.rows[0] == ("features.0", "conv2d + relu", "mine.py:7", "20.0", "40.0", "40.0", "40.0", "40.0")
    assert table.rows[1] == ("add", "add", "mine.py:8", None, "exact", "20.0", None, None)
    told = words(section)
    assert "Exported again with --keep-float features.0, the output should have 40.0 dB." in told
    assert "The limit that int8 is held to is loose (relative error 0.5, cosine 0.95)" in told
    (figure,) = (block for block in section.blocks() if isinstance(block, Drawable))
    assert [bar.text for row in figure.chart.rows for bar in row.bars] == ["20.0 dB"]


def test_the_models_own_accuracy_stands_first(reference: RunData) -> None:
    own = replace(AGREED, accuracy=Accuracy(91.25, 90.5, 400, 1.0))
    told = words(section_of(reference, agreement=own))
    assert told.startswith("The model's own evaluate() gives 91.25 for the eager model and 90.5 for the program")
    assert "over 400 items: a loss of 0.75; the limit is 1." in told and "loose" not in told


def test_what_was_measured_after_the_run_is_told_from_beside_the_model(reference: RunData) -> None:
    run = replace(reference, exports=({"numeric_gap": GAP.to_json()},), records=())
    assert "--keep-float features.0" in words(AccuracySection.of(run, naming_of(run), build_view(run, "run")))


@pytest.mark.parametrize("record", [{}, {"agreement": AGREED}])
def test_there_is_no_section_of_nothing(reference: RunData, record: dict[str, object]) -> None:
    assert not section_of(reference, **record).shown


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
