# SPDX-License-Identifier: Apache-2.0
"""A launch's trace as the analysis keeps it: its timeline, its pair, and the layer of every row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_profiling.analysis.traces.etdump import Ints
from model_profiling.analysis.traces.timeline import Timeline


@dataclass(frozen=True)
class RowIdentity:
    """What the first columns of every row say; empty where a trace stands alone."""

    model_id: str
    experiment: str = ""
    threads: int | str = ""


@dataclass(frozen=True, eq=False)
class ExecutionTurns:
    """Of each execution the round in which it had its turn, and the turn's place in that."""

    rounds: Ints
    places: Ints

    def place(self, number: int) -> int:
        """Return the place of the turn in the round of this number."""
        return int(self.places[np.flatnonzero(self.rounds == number)[0]])


@dataclass(frozen=True, eq=False)
class Recording:
    """The timeline of one launch's trace and the pair it belongs to ("" where it stands alone).

    `layer` holds each row's position in `layer_names`, -1 where no layer is known; None
    where the model's layers are not known at all. `turns` is None of a launch that took none.
    """

    timeline: Timeline
    pair: int | str = ""
    layer: Ints | None = None
    layer_names: tuple[str, ...] = ()
    turns: ExecutionTurns | None = None

    @property
    def layers(self) -> Ints:
        """Each row's layer, -1 for none: of a recording whose model's layers are not known, no row has one."""
        return np.full(len(self.timeline), -1, np.int64) if self.layer is None else self.layer
