# SPDX-License-Identifier: Apache-2.0
"""Where the level of a noisy series changed. Pure.

Change points are those of ruptures' `KernelCPD`: PELT (Killick et al., "Optimal detection of changepoints with a
linear computational cost", JASA 107, 2012) with a Gaussian kernel (Arlot, Celisse and Harchaoui, "A kernel multiple
change-point algorithm via model selection", JMLR 20, 2019), of the logarithms over a robust estimate of their noise. A
kernel is bounded, so that one slow run weighs no more than any other.

ruptures was chosen over Apache Otava 0.8 (E-divisive with a t-test, its defaults) for what both said of made series:
level 1, noise of 2 %, which was normal, with slow outliers, heavy-tailed, correlated from run to run, or of two modes;
60 series of each for Otava, 400 for ruptures. This share of the worst kind had a false alarm, and in this share of
series with outliers a step of 10 % in their middle was found::

    runs                   8      12     30     100    500
    ruptures  false alarm  0.09   0.05   0.03   0.01   0.00
              found        0.68   0.86   1.00   1.00   1.00
    Otava     false alarm  0.08   0.08   0.17   0.45   0.85
              found        0.58   0.73   0.92   0.98   1.00

Without correlation ruptures' false alarms are 0.01 at most from 30 runs on; Otava's grow with the runs (outliers: 0.20
of 100 runs, 0.72 of 500). Otava 0.8 also pins one version of NumPy and brings clients of BigQuery, PostgreSQL and
Slack; ruptures needs NumPy and SciPy.

Change points need some runs on each side. The newest run is therefore also held against the level before it, by a
t interval for one more run; a change that this alone shows is called new, for one more run may undo it. Normal noise
gave 1 new change in 100 series at most, noise with outliers, one run in twelve of which is slow, 6.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from model_profiling.analysis.comparing.latency import MAD_TO_SIGMA
from model_profiling.errors import UserError

#: Shorter series say nothing about their own noise.
LEAST_RUNS = 6
#: The kernel's width in units of the noise, and the penalty of a change over the logarithm of the runs: in the table
#: above they find most for its false alarms, of widths 2 and 4 and penalties 0.5 to 1.2.
_WIDTH, _PENALTY = 2.0, 0.8
#: Levels that are told apart hold for as many runs at least.
_LEAST_SEGMENT = 2
#: Two-sided chance that one more run of unchanged normal noise lies beyond its interval.
_NEWEST_ALPHA = 0.002


@dataclass(frozen=True)
class Shift:
    """A change of level: `place` is the first value after it; levels are medians, of so many runs before and after.

    `new` says that the newest runs alone show it, too few for a level of their own.
    """

    place: int
    before: float
    after: float
    runs: tuple[int, int]
    new: bool = False

    @property
    def ratio(self) -> float:
        return self.after / self.before


def noise(logarithms: NDArray[np.float64], least: float) -> float:
    """Return the noise of a series as a standard deviation, at least `least`: changes of level hardly move it.

    By the median absolute deviation of successive differences, which hold the noise twice.
    """
    differences = np.diff(logarithms)
    deviation = float(np.median(np.abs(differences - np.median(differences))))
    return max(MAD_TO_SIGMA * deviation / math.sqrt(2), least)


def find_shifts(values: Sequence[float], least: float, newest_error: float = 0.0) -> tuple[Shift, ...]:
    """Return where the level of positive values changed, in order; nothing of a series that is too short to say.

    Parameters
    ----------
    least : the smallest relative noise that is believed, such as 0.002.
    newest_error : how far off the newest value may be by what is known of itself, relative.

    Raises
    ------
    UserError : ruptures is not installed, which has no wheels for the newest Python.
    """
    if len(values) < LEAST_RUNS:
        return ()
    logarithms = np.log(np.asarray(values, float))
    sigma = noise(logarithms, least)
    cuts = _cuts(logarithms / sigma)
    shifts = _between(values, cuts)
    newest = _newest(values, cuts[-1] if cuts else 0, sigma, newest_error)
    return (*shifts, newest) if newest else shifts


def _cuts(scaled: NDArray[np.float64]) -> list[int]:
    """Return the first place of each new level of a series in units of its noise."""
    try:
        from ruptures import KernelCPD
    except ModuleNotFoundError as error:
        raise UserError(
            "the Python package ruptures, which finds changes, is missing",
            f"in {sys.prefix}",
            "run setup_repo.sh again with a Python up to 3.13, or pip install ruptures with a C compiler",
        ) from error
    if np.ptp(scaled) == 0:
        return []  # the library warns of equal values
    method = KernelCPD(kernel="rbf", min_size=_LEAST_SEGMENT, params={"gamma": 1 / (2 * _WIDTH**2)})
    cuts = method.fit_predict(scaled.reshape(-1, 1), pen=_PENALTY * math.log(len(scaled)))
    return [int(cut) for cut in cuts[:-1]]


def _between(values: Sequence[float], cuts: Sequence[int]) -> tuple[Shift, ...]:
    edges = [0, *cuts, len(values)]
    segments = [values[start:end] for start, end in zip(edges, edges[1:], strict=False)]
    levels = [statistics.median(segment) for segment in segments]
    return tuple(
        Shift(cut, levels[i], levels[i + 1], (len(segments[i]), len(segments[i + 1]))) for i, cut in enumerate(cuts)
    )


def _newest(values: Sequence[float], start: int, sigma: float, error: float) -> Shift | None:
    """Return the change that the newest run, and those just before it, show against the level since `start`."""
    own = np.log(np.asarray(values[start:], float))
    if len(own) < LEAST_RUNS:
        return None
    before = own[:-1]
    level = float(np.median(before))
    spread = max(sigma, MAD_TO_SIGMA * float(np.median(np.abs(before - level))), error)
    degrees = len(before) - 1
    reach = float(stdtrit(degrees, 1 - _NEWEST_ALPHA / 2)) * spread * math.sqrt(1 + 1 / len(before))
    beyond = np.sign(own - level) * (np.abs(own - level) > reach)
    if not beyond[-1]:
        return None
    count = 1
    while count < len(own) and beyond[-1 - count] == beyond[-1]:
        count += 1
    kept, newest = values[start : len(values) - count], values[len(values) - count :]
    if len(kept) < LEAST_RUNS - 1:
        return None
    levels = statistics.median(kept), statistics.median(newest)
    return Shift(len(values) - count, *levels, (len(kept), count), new=True)
