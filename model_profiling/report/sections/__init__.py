# SPDX-License-Identifier: Apache-2.0
"""The sections of a report, in their order: HTML, Markdown and the navigation all follow this list.

A new section is a file with a `ReportSection` and its place here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import ReportSection
from model_profiling.report.sections.accuracy import AccuracySection
from model_profiling.report.sections.advice import AdviceSection
from model_profiling.report.sections.breakdown import WhereTimeGoesSection
from model_profiling.report.sections.kernels import KernelsSection
from model_profiling.report.sections.latency import LatencySection
from model_profiling.report.sections.outside import OutsideSection
from model_profiling.report.sections.pairs import PairsSection
from model_profiling.report.sections.programs import ProgramsSection
from model_profiling.report.sections.reproduce import ReproduceSection
from model_profiling.report.sections.roofline import RooflineSection
from model_profiling.report.sections.setup import SetupSection
from model_profiling.report.sections.shapes import ShapesSection
from model_profiling.report.sections.sme2_bound import Sme2BoundSection
from model_profiling.report.sections.tokens import TokensSection
from model_profiling.report.sections.trust import TrustSection
from model_profiling.report.sections.verdict import VerdictsSection
from model_profiling.report.view import View

#: What makes each section, from the run, what its experiments are called, and what all sections share.
SECTIONS: Sequence[Callable[[RunData, Naming, View], ReportSection]] = (
    VerdictsSection.of,
    AdviceSection.of,
    ProgramsSection.of,
    TokensSection.of,
    ShapesSection.of,
    LatencySection.of,
    WhereTimeGoesSection.of,
    RooflineSection.of,
    KernelsSection.of,
    Sme2BoundSection.of,
    OutsideSection.of,
    AccuracySection.of,
    TrustSection.of,
    PairsSection.of,
    SetupSection.of,
    ReproduceSection.of,
)
