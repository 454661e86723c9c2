# SPDX-License-Identifier: Apache-2.0
"""Charges packing to the operator that it serves, so that comparing operators compares the same work. Pure.

With SME2 XNNPACK may pack a matrix product's left-hand side in an operator of its own
("Pack LH"), which it inserts before the product and which the other side does not have.
Left alone it would stand there as an operator without a partner, and the product would
look faster than it became. Layers hold it already (`alignment`); this does the same where
operators are compared. Categories keep it as Data Movement: they say what the time is
spent on, not for whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.etdump import Ints
from model_profiling.analysis.traces.operators import PACKING, delegated_operator
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import CONTAINER_CODE, Timeline


def charge_packing(recording: Recording) -> Recording:
    """Return a recording whose packing operators' time is that of the operators they serve.

    That is the next operator of the same delegate call, of the same layer where layers are
    known; packing that serves nobody stays. An execution's operators still take as long.
    """
    t = recording.timeline
    packs = np.flatnonzero(_packing(t))
    if len(packs) == 0:
        return recording
    served = _served(recording, packs)
    packs, served = packs[served >= 0], served[served >= 0]
    duration, category = t.duration_ns.copy(), t.category.copy()
    np.add.at(duration, served, t.duration_ns[packs])
    category[packs] = CONTAINER_CODE  # no operator any more
    layer = recording.layer
    if layer is not None:
        layer = layer.copy()
        layer[packs] = -1
    return replace(recording, timeline=replace(t, duration_ns=duration, category=category), layer=layer)


def charged(recordings: Sequence[Recording]) -> list[Recording]:
    """Return recordings with packing charged."""
    return [charge_packing(recording) for recording in recordings]


def _packing(t: Timeline) -> NDArray[np.bool_]:
    named = np.array([delegated_operator(name).operator == PACKING for name in t.names], bool)
    by_name: NDArray[np.bool_] = named[t.name]
    return by_name & t.leaf & t.delegated


def _served(recording: Recording, packs: Ints) -> Ints:
    """Return the row that each packing operator serves, -1 where none does."""
    t, layer, packing = recording.timeline, recording.layer, set(packs.tolist())
    rows = np.full(len(packs), -1, np.int64)
    for number, pack in enumerate(packs.tolist()):
        for row in range(pack + 1, len(t)):
            if t.run[row] != t.run[pack] or t.parent[row] != t.parent[pack]:
                break
            alike = layer is None or layer[pack] < 0 or layer[row] == layer[pack]
            if alike and t.leaf[row] and row not in packing:
                rows[number] = row
                break
    return rows
