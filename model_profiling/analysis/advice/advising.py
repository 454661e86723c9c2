# SPDX-License-Identifier: Apache-2.0
"""Advice about a run: for each program the side that is shipped, and what could be changed in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import geometric_mean

from model_profiling.analysis.advice.candidate import AdvisedSide
from model_profiling.analysis.advice.costs import costs_of
from model_profiling.analysis.advice.opportunity import Opportunity
from model_profiling.analysis.advice.ranking import rank
from model_profiling.analysis.advice.reaching_layers import holds_in
from model_profiling.analysis.advice.roofline import AgainstCeilings
from model_profiling.analysis.advice.rules import RULES
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.sides import MeasuredSide, launch_median_ms
from model_profiling.pipeline.cpu.features import FLOAT16_ARITHMETIC
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.exported import NOTHING_RECORDED
from model_profiling.pipeline.program_records import KeptProgram


def advise(
    manifest: Manifest,
    sides: Sequence[MeasuredSide],
    comparisons: Sequence[Comparison],
    records: Mapping[str, KeptProgram],
    ceilings: AgainstCeilings,
) -> tuple[Opportunity, ...]:
    """Return the opportunities of each program of a run in turn; each program's are ranked."""
    return tuple(
        opportunity
        for side in _shipped(manifest, sides)
        for opportunity in _of_side(manifest, side, sides, comparisons, records, ceilings)
    )


def _shipped(manifest: Manifest, sides: Sequence[MeasuredSide]) -> Iterator[MeasuredSide]:
    """Yield the traced side of each method that is advised on: with nothing switched off, on the most threads.

    Of several input shapes it is the one that takes the longest.
    """
    by_method: dict[tuple[str, str | None], list[MeasuredSide]] = {}
    for side in sides:
        if side.recordings:
            program = manifest.program(side.experiment)
            by_method.setdefault((program.model.sha256, program.method), []).append(side)
    for own in by_method.values():
        yield max(own, key=lambda side: (not _off(manifest, side.experiment), side.threads, _time_ms(side)))


def _off(manifest: Manifest, experiment: str) -> bool:
    return bool(manifest.disabled.get(experiment)) or experiment in manifest.feature.off


def _time_ms(side: MeasuredSide) -> float:
    """Return the time of an execution: the geometric mean over launches."""
    return geometric_mean(map(launch_median_ms, side.launches))


def _of_side(
    manifest: Manifest,
    side: MeasuredSide,
    sides: Sequence[MeasuredSide],
    comparisons: Sequence[Comparison],
    records: Mapping[str, KeptProgram],
    ceilings: AgainstCeilings,
) -> tuple[Opportunity, ...]:
    key, record = (side.experiment, side.threads), records[side.experiment]
    reach = record.exported
    advised = AdvisedSide(
        side,
        costs_of(side, _time_ms(side)),
        record.made or NOTHING_RECORDED,
        ceilings.get(key, {}),
        [other for other in sides if other.experiment == side.experiment and other.threads != side.threads],
        next((c for c in comparisons if (c.candidate, c.threads) == key), None),
        "sme2" in manifest.cpu.names,
        reach.layers if reach and holds_in(reach, manifest.executorch.version) else (),
        bool(FLOAT16_ARITHMETIC.intersection(manifest.cpu.names)),
    )
    made = advised.exported
    program = {"model": made.model, "source": made.source, "dtype": made.dtype}
    program |= {"method": manifest.program(side.experiment).method or "", "group_size": str(made.group_size or "")}
    ranked = rank(advised, (candidate for rule in RULES for candidate in rule(advised)))
    return tuple(replace(one, facts={**program, **one.facts}) for one in ranked)
