# SPDX-License-Identifier: Apache-2.0
"""The sections of a report, in their order: HTML, Markdown and the navigation all follow this list.

A new section is a file with a `Section` and its place here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import Section
from model_profiling.report.sections.breakdown import WhereTimeGoes
from model_profiling.report.sections.kernels import Kernels
from model_profiling.report.sections.latency import Latency
from model_profiling.report.sections.outside import Outside
from model_profiling.report.sections.pairs import Pairs
from model_profiling.report.sections.reproduce import Reproduce
from model_profiling.report.sections.setup import Setup
from model_profiling.report.sections.trust import Trust
from model_profiling.report.sections.verdict import Verdicts
from model_profiling.report.view import View

#: What makes each section, from the run, what its experiments are called, and what all sections share.
SECTIONS: Sequence[Callable[[RunData, Naming, View], Section]] = (
    Verdicts.of,
    Latency.of,
    WhereTimeGoes.of,
    Kernels.of,
    Outside.of,
    Trust.of,
    Pairs.of,
    Setup.of,
    Reproduce.of,
)
