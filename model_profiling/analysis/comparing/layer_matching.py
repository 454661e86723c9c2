# SPDX-License-Identifier: Apache-2.0
"""Which layers of two programs belong together: those of one module. Pure.

The same module of a model may lower to other layers after a change, in another dtype or in another export: in int8
a layer more converts numbers. What no module joins has no partner, and none is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.program_layers import ProgramLayers


@dataclass(frozen=True)
class MatchedLayers:
    """Layers of the baseline and of the candidate that are compared as one, as positions; a side may have none."""

    baseline: tuple[int, ...]
    candidate: tuple[int, ...]

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.baseline, self.candidate


def match_layers(baseline: ProgramLayers, candidate: ProgramLayers) -> tuple[MatchedLayers, ...]:
    """Return the layers of both sides, each once, in the baseline's order, then what the candidate alone has.

    Of one program each layer is matched with itself. Of two, a layer is matched with that of the same module and
    kind, where both sides have as many of the kind there: in their order. What is left of a module on both sides is
    compared as a whole.
    """
    if baseline is candidate:
        return tuple(MatchedLayers((number,), (number,)) for number in range(len(baseline.layers)))
    matches = list(_matches(baseline, candidate))
    end = len(baseline.layers)
    return tuple(sorted(matches, key=lambda match: (*match.baseline, end, *match.candidate)))


def _matches(baseline: ProgramLayers, candidate: ProgramLayers) -> Iterator[MatchedLayers]:
    first, second = _by_module(baseline), _by_module(candidate)
    for module in dict.fromkeys((*first, *second)):
        before, after = first.get(module, []), second.get(module, [])
        if module is None:
            yield from _alone(before, after)
        else:
            yield from _of_module(_by_kind(baseline, before), _by_kind(candidate, after))


def _of_module(before: dict[str, list[int]], after: dict[str, list[int]]) -> Iterator[MatchedLayers]:
    rest: tuple[list[int], list[int]] = [], []
    for kind in dict.fromkeys((*before, *after)):
        mine, theirs = before.get(kind, []), after.get(kind, [])
        if len(mine) == len(theirs):
            yield from (MatchedLayers((a,), (b,)) for a, b in zip(mine, theirs, strict=True))
        else:
            rest[0].extend(mine)
            rest[1].extend(theirs)
    if rest[0] and rest[1]:
        yield MatchedLayers(tuple(sorted(rest[0])), tuple(sorted(rest[1])))
    else:
        yield from _alone(*rest)


def _alone(before: Sequence[int], after: Sequence[int]) -> Iterator[MatchedLayers]:
    yield from (MatchedLayers((number,), ()) for number in before)
    yield from (MatchedLayers((), (number,)) for number in after)


def _by_module(program: ProgramLayers) -> dict[str | None, list[int]]:
    positions: dict[str | None, list[int]] = defaultdict(list)
    for number, module in enumerate(program.modules):
        positions[module].append(number)
    return positions


def _by_kind(program: ProgramLayers, positions: Sequence[int]) -> dict[str, list[int]]:
    kinds: dict[str, list[int]] = defaultdict(list)
    for number in positions:
        kinds[program.layers[number].kind].append(number)
    return kinds
