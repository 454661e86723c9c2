# SPDX-License-Identifier: Apache-2.0
"""Compares two runs, experiment by experiment: did the candidate get slower?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.comparing.run_differences import RunDifference, cpu_name, cpu_of, differences
from model_profiling.analysis.comparing.sides import counting_blocks, launch_median_ms
from model_profiling.errors import UserError
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.unpaired_statistics import UnpairedEstimate, estimate

#: Launch medians in ms of each experiment and thread count, in the order they were made.
LaunchTimes = Mapping[tuple[str, int], Sequence[float]]


@dataclass(frozen=True)
class RunRow:
    """One experiment and thread count in both runs; times are geometric means over launches, in ms.

    The estimate's ratio is that of the two.
    """

    experiment: str
    threads: int
    baseline_ms: float
    candidate_ms: float
    estimate: UnpairedEstimate


@dataclass(frozen=True)
class OnlyThere:
    """Experiments and thread counts that one run alone has, and its folder."""

    root: Path
    experiments: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RunComparison:
    """Two runs compared: what they share, what else differs, which run is unfinished, what was left out."""

    rows: tuple[RunRow, ...]
    differences: tuple[RunDifference, ...]
    unfinished: tuple[Path, ...]
    left_out: tuple[OnlyThere, ...]

    def slower(self, percent: float) -> tuple[RunRow, ...]:
        """Return the rows whose interval supports a slow-down beyond `percent`."""
        return tuple(row for row in self.rows if row.estimate.slower_than(percent))


def compare_run_directories(baseline: RunDirectory, candidate: RunDirectory) -> RunComparison:
    """Compare the experiments that two runs share by name and thread count.

    Raises
    ------
    UserError : a folder is no run or holds no complete pair, the CPUs differ (then a ratio
        says nothing about what changed), or the runs share no experiment.
    """
    directories = baseline, candidate
    manifests = [directory.read_manifest() for directory in directories]
    if cpu_of(manifests[0]) != cpu_of(manifests[1]):
        names = [cpu_name(manifest) for manifest in manifests]
        words = " and ".join(names) if names[0] != names[1] else " and ".join(" ".join(cpu_of(m)) for m in manifests)
        raise UserError(
            f"the runs are from different CPUs ({words})",
            f"in {candidate.root} and {baseline.root}",
            "compare runs of one device; generate_combined_report.py shows several side by side",
        )
    times = [launch_times(directory, manifest) for directory, manifest in zip(directories, manifests, strict=True)]
    shared = [key for key in times[0] if key in times[1]]
    if not shared:
        raise UserError(
            "the runs share no experiment and thread count",
            f"in {candidate.root} and {baseline.root}",
            "run both with the same experiment names and threads",
        )
    before, after = times
    rows = (
        RunRow(
            *key,
            statistics.geometric_mean(before[key]),
            statistics.geometric_mean(after[key]),
            estimate(before[key], after[key]),
        )
        for key in shared
    )
    return RunComparison(
        tuple(rows),
        tuple(differences(manifests)),
        tuple(d.root for d, manifest in zip(directories, manifests, strict=True) if manifest.finished is None),
        tuple(_left_out(directories, times)),
    )


def launch_times(directory: RunDirectory, manifest: Manifest) -> dict[tuple[str, int], list[float]]:
    """Return the median of every launch that counts, in ms, by experiment and thread count.

    Raises
    ------
    UserError : the launches cannot be read, no pair of them is complete, or nothing was timed.
    """
    config = manifest.config
    if manifest.emulated:
        raise UserError(
            "the CPU of this run was emulated: its times compare nothing",
            f"in {directory.root}",
            "name runs of real CPUs; generate_kernel_view.py compares kernel tables",
        )
    if not config.timed:
        raise UserError(
            "the run recorded kernels and measured no times",
            f"in {directory.root}",
            "name a run with timed experiments; generate_kernel_view.py compares kernel tables",
        )
    blocks = counting_blocks(directory.read_launches(), config)
    times: dict[tuple[str, int], list[float]] = {}
    for (threads, _), block in blocks.items():
        for name, launch in block.items():
            times.setdefault((name, threads), []).append(launch_median_ms(launch))
    if not times:
        raise UserError(
            "no pair of launches is complete, so there is nothing to compare",
            f"in {directory.launches}",
            "run the pipeline again with --resume",
        )
    order = {experiment.name: number for number, experiment in enumerate(config.experiments)}
    return dict(sorted(times.items(), key=lambda item: (item[0][1], order[item[0][0]])))


def time_ratio(baseline: LaunchTimes, candidate: LaunchTimes, experiment: tuple[str, int]) -> UnpairedEstimate | None:
    """Estimate candidate over baseline time of an experiment and thread count; None where either did not measure it."""
    if experiment not in baseline or experiment not in candidate:
        return None
    return estimate(baseline[experiment], candidate[experiment])


def _left_out(directories: Sequence[RunDirectory], times: Sequence[LaunchTimes]) -> Iterator[OnlyThere]:
    for directory, mine, other in zip(directories, times, reversed(times), strict=True):
        only = tuple(key for key in mine if key not in other)
        if only:
            yield OnlyThere(directory.root, only)
