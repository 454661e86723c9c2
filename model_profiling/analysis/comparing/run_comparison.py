# SPDX-License-Identifier: Apache-2.0
"""Compares two runs, experiment by experiment: did the candidate get slower?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_profiling.analysis.comparing.run_differences import Difference, cpu_name, cpu_of, differences
from model_profiling.analysis.comparing.sides import counting_blocks, launch_median_ms
from model_profiling.errors import KitError, UserError
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.unpaired_statistics import UnpairedEstimate, estimate

#: Launch medians in ms of each experiment and thread count, in the order they were made.
LaunchTimes = Mapping[tuple[str, int], Sequence[float]]


class RegressionError(KitError):
    """The candidate run is slower than allowed, and its interval supports that."""

    exit_code = 1


@dataclass(frozen=True)
class RunRow:
    """One experiment and thread count in both runs; medians of launch medians in ms."""

    experiment: str
    threads: int
    baseline_ms: float
    candidate_ms: float
    estimate: UnpairedEstimate

    def regression(self, percent: float) -> str:
        """Say by how much the candidate is slower."""
        found, threads = self.estimate, f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return (
            f"{self.experiment} on {threads} is slower by {100 * (found.ratio - 1):.1f} % "
            f"(at least {100 * (found.low - 1):.1f} %, more than the {percent:g} % allowed)"
        )


@dataclass(frozen=True)
class RunComparison:
    """Two runs compared. `remarks` say what else differs and what was left out."""

    rows: tuple[RunRow, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]

    def check(self, percent: float) -> None:
        """Raise `RegressionError` where a slow-down beyond `percent` is supported by its interval."""
        slower = [row.regression(percent) for row in self.rows if row.estimate.slower_than(percent)]
        if slower:
            raise RegressionError("; ".join(slower))


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
    times = [launch_times(directory, manifest) for directory, manifest in zip(directories, manifests)]
    shared = [key for key in times[0] if key in times[1]]
    if not shared:
        raise UserError(
            "the runs share no experiment and thread count",
            f"in {candidate.root} and {baseline.root}",
            "run both with the same experiment names and threads",
        )
    rows = (
        RunRow(*key, *(statistics.median(side[key]) for side in times), estimate(*(side[key] for side in times)))
        for key in shared
    )
    return RunComparison(tuple(rows), tuple(differences(manifests)), tuple(_remarks(directories, manifests, times)))


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
    found: dict[tuple[str, int], list[float]] = {}
    for (threads, _), block in blocks.items():
        for name, launch in block.items():
            found.setdefault((name, threads), []).append(launch_median_ms(launch))
    if not found:
        raise UserError(
            "no pair of launches is complete, so there is nothing to compare",
            f"in {directory.launches}",
            "run the pipeline again with --resume",
        )
    order = {experiment.name: number for number, experiment in enumerate(config.experiments)}
    return dict(sorted(found.items(), key=lambda item: (item[0][1], order[item[0][0]])))


def time_ratio(baseline: LaunchTimes, candidate: LaunchTimes, experiment: tuple[str, int]) -> UnpairedEstimate | None:
    """Estimate candidate over baseline time of an experiment and thread count; None where either did not measure it."""
    if experiment not in baseline or experiment not in candidate:
        return None
    return estimate(baseline[experiment], candidate[experiment])


def _remarks(
    directories: Sequence[RunDirectory], manifests: Sequence[Manifest], times: Sequence[LaunchTimes]
) -> list[str]:
    found = [
        f"The run in {directory.root} is unfinished."
        for directory, manifest in zip(directories, manifests)
        if manifest.finished is None
    ]
    for directory, mine, other in zip(directories, times, reversed(times)):
        only = [
            f"{name} on {threads} thread{'' if threads == 1 else 's'}"
            for name, threads in mine
            if (name, threads) not in other
        ]
        if only:
            found.append(f"Only in {directory.root}: {', '.join(only)}.")
    return found
