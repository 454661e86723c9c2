# SPDX-License-Identifier: Apache-2.0
"""The comparisons of a report: what is compared, its verdict, where the time went, its pairs."""

from __future__ import annotations

import math

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.pairs import PairTimes, pair_times
from model_profiling.pipeline.config import LOCKSTEP
from model_profiling.report.breakdowns import breakdown_of
from model_profiling.report.latencies import latency_places, spread_of
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Quantity, quantity
from model_profiling.report.verdicts import verdict_of
from model_profiling.report.view import ComparisonView, PairRow
from model_profiling.report.words.rates import rate_unit
from model_profiling.rounding import places_for
from model_profiling.wording import count


def comparison_view(run: RunData, naming: Naming, index: int) -> ComparisonView:
    """Return the view of comparison `index` of the analysis summary."""
    compared = run.summary.comparisons[index]
    baseline, candidate = naming.side(compared.baseline), naming.side(compared.candidate)
    common, *sides = naming.compared(compared.baseline, compared.candidate)
    title = (
        f"{common.removesuffix(', ')}: {sides[1]} against {sides[0]}" if common else f"{candidate} against {baseline}"
    )
    return ComparisonView(
        anchor=f"comparison-{index}",
        baseline=compared.baseline,
        candidate=compared.candidate,
        baseline_side=baseline,
        candidate_side=candidate,
        baseline_series=naming.series(compared.baseline),
        candidate_series=naming.series(compared.candidate),
        baseline_rate=rate_unit([run.recipe_of(compared.baseline)]),
        candidate_rate=rate_unit([run.recipe_of(compared.candidate)]),
        threads=compared.threads,
        title=f"{title}, {count(compared.threads, 'thread')}",
        verdict=verdict_of(run, naming, index),
        breakdown=breakdown_of(run, naming, index),
        pairs=_pairs(run, naming, compared),
        lockstep=run.manifest.order == LOCKSTEP,
    )


def _pairs(run: RunData, naming: Naming, compared: Comparison) -> tuple[PairRow, ...]:
    """Return one row for each pair that counts, with launches flagged that lie apart."""
    names, threads = (compared.baseline, compared.candidate), compared.threads
    launches = [run.metrics.experiments[name][threads].launches for name in names]
    relative = math.hypot(*(spread_of(run.summary.experiments[name][threads].latency_ms) for name in names))
    order = {launch.index: launch.order for launch in run.launches}
    rows = []
    for pair in pair_times(*launches):
        sides, flags = [], []
        for name, own, position, value in zip(names, launches, pair.positions, pair.times_ms, strict=True):
            sides.append(_pair_median(run, name, threads, position, value))
            if own[position].outlier:
                flags.append(f"{naming.side(name)}: {own[position].outlier} outlier")
        turns = [order.get(own[at].index, 0) for own, at in zip(launches, pair.positions, strict=True)]
        first = names[0] if turns[0] < turns[1] else names[1]
        speedup = _pair_speedup(pair, sides[0], sides[1], relative)
        rows.append(PairRow(pair.number + 1, naming.side(first), sides[0], sides[1], speedup, "; ".join(flags)))
    return tuple(rows)


def _pair_median(run: RunData, experiment: str, threads: int, position: int, median_ms: float) -> Quantity:
    path = run.in_metrics("experiments", experiment, threads, "launches", position, "median_ms")
    return quantity(median_ms, path, latency_places(run, experiment, threads))


def _pair_speedup(pair: PairTimes, baseline: Quantity, candidate: Quantity, relative: float) -> Quantity:
    path = f"{baseline.path},{candidate.path}|ratio"
    return quantity(pair.speedup, path, places_for(relative * pair.speedup, pair.speedup))
