# SPDX-License-Identifier: Apache-2.0
"""What fits into the time that a user has: fewer rounds first, then fewer traced executions, then fewer pairs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_profiling.errors import UserError
from model_profiling.paired_statistics import MIN_PAIRS_FOR_VERDICT
from model_profiling.pipeline.config import Experiment
from model_profiling.pipeline.run_plan import RunPlan
from model_profiling.wording import duration

#: Traced executions of a launch that are enough to see where time goes, where time is short.
_FEW_TRACED = 2
#: How close to the budget the time of a pair's turns is brought.
_STEPS = 40


def fit(plan: RunPlan, experiments: Sequence[Experiment], pairs: int, budget_s: float) -> tuple[RunPlan, int]:
    """Return the plan and the number of pairs whose expected time is within the budget.

    Raises
    ------
    UserError : not even the shortest pair is.
    """
    shortest = [replace(plan, pair_ns=0), replace(plan, pair_ns=0, most_traced=_FEW_TRACED)]
    fitting = [min(pairs, int(budget_s / candidate.expected_s(experiments, 1))) for candidate in shortest]
    enough = fitting[0] >= min(pairs, MIN_PAIRS_FOR_VERDICT)
    chosen, most = (plan, fitting[0]) if enough else (replace(plan, most_traced=_FEW_TRACED), fitting[1])
    if most < 1:
        needed = duration(shortest[1].expected_s(experiments, 1) + 1)
        raise UserError(
            f"one pair takes about {needed}, which does not fit into {duration(budget_s)}",
            "in --time-budget",
            "give more, trace less (traced_runs) or compare fewer experiments at once (--only)",
        )
    return _longest(chosen, experiments, most, budget_s), most


def _longest(plan: RunPlan, experiments: Sequence[Experiment], pairs: int, budget_s: float) -> RunPlan:
    """Return the plan with the most time for the turns of a pair, up to its own, that is within the budget."""
    if plan.expected_s(experiments, pairs) <= budget_s:
        return plan
    low, high = 0, plan.pair_ns
    for _ in range(_STEPS):
        middle = (low + high) // 2
        fits = replace(plan, pair_ns=middle).expected_s(experiments, pairs) <= budget_s
        low, high = (middle, high) if fits else (low, middle)
    return replace(plan, pair_ns=low)
