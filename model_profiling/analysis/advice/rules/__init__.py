# SPDX-License-Identifier: Apache-2.0
"""The rules of advice. Each looks at a side of a program and proposes what could be changed.

A new rule is a file with a function from an `AdvisedSide` to candidates, its place here, and its words in
`report/words/advice.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.rules.below_ceiling import below_ceiling
from model_profiling.analysis.advice.rules.feature import slower_with_feature
from model_profiling.analysis.advice.rules.large_depthwise import large_depthwise
from model_profiling.analysis.advice.rules.layout import layout
from model_profiling.analysis.advice.rules.memory_bound import memory_bound
from model_profiling.analysis.advice.rules.outside import outside_xnnpack
from model_profiling.analysis.advice.rules.recipe import slower_numbers, without_sme2_kernel
from model_profiling.analysis.advice.rules.start import constants, first_execution, loading
from model_profiling.analysis.advice.rules.threads import threads

RULES: Sequence[Callable[[AdvisedSide], Iterator[Candidate]]] = (
    outside_xnnpack,
    layout,
    large_depthwise,
    below_ceiling,
    memory_bound,
    without_sme2_kernel,
    slower_numbers,
    slower_with_feature,
    threads,
    constants,
    loading,
    first_execution,
)
