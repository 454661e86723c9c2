# SPDX-License-Identifier: Apache-2.0
"""A pair whose processes are alive together and take turns: made, timed, traced and recorded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from statistics import median

from model_profiling.errors import MeasurementError
from model_profiling.files import make_folder
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.kernel_recording import LAUNCH_LIMIT_S
from model_profiling.pipeline.launching import Begun, Launcher, Outcome, Place, PreparedExperiment, TurnsTaken
from model_profiling.pipeline.lockstep.conductor import Gone, LaunchCommand, TurnTaker
from model_profiling.pipeline.lockstep.rounds import TurnRecord, disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.turn_plan import PAIR_NS, TurnPlan, plan_turns
from model_profiling.pipeline.schedule import shuffled
from model_profiling.processes import ChildResult

#: Traced executions of a turn: all are in the trace, the first as well.
_TRACED_TURN = 2


@dataclass
class _Player:
    """One side of the pair while it lasts, with the turns it has had."""

    prepared: PreparedExperiment
    begun: Begun
    taker: TurnTaker
    execution_ns: int
    turns: list[TurnRecord] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.prepared.experiment.name

    def executions(self, traced: bool) -> int:
        return sum(len(turn.ns) for turn in self.turns if turn.traced is traced)


class PairLauncher:
    """Makes the launches of a pair together; `launcher` begins and records each of them."""

    def __init__(self, launcher: Launcher, device: Device, seed: int) -> None:
        self._launcher, self._device, self._seed = launcher, device, seed

    def launch(
        self, members: Sequence[tuple[PreparedExperiment, Place]], rivals: Mapping[str, set[str]]
    ) -> list[Outcome]:
        """Make a pair's launches in the order given, let them take turns and record them all.

        `rivals` names the experiments that each one is compared with.

        Raises
        ------
        MeasurementError : one of them failed; that one is recorded, and no other.
        """
        work = self._launcher.fresh_work_folder()
        try:
            with ExitStack() as alive:
                players: list[_Player] = []
                for prepared, place in members:
                    begun = self._launcher.begin(prepared, place, make_folder(work / str(place.order)), take_turns=True)
                    players.append(self._made(prepared, begun, alive))
                times = self._take_turns(players, members[0][1])
                ended = [self._ended(player) for player in players]
            return self._recorded(players, times, ended, rivals)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _made(self, prepared: PreparedExperiment, begun: Begun, alive: ExitStack) -> _Player:
        command = LaunchCommand(begun.argv, begun.env, begun.log)
        taker = alive.enter_context(self._device.turn_taker(command, LAUNCH_LIMIT_S, prepared.affinity))
        with self._blamed(prepared, begun):
            return _Player(prepared, begun, taker, taker.ready().execution_ns)

    # ------------------------------------------------------------ turns

    def _take_turns(self, players: Sequence[_Player], place: Place) -> Sequence[float]:
        """Give everybody their turns; return each side's ns of an execution, as neighboring turns have it."""
        least = max(player.prepared.experiment.runs for player in players)
        # An emulated CPU's times mean nothing: its turns are only taken.
        budget_ns = 0 if self._device.emulated else PAIR_NS
        plan = plan_turns({player.name: player.execution_ns for player in players}, least, budget_ns)
        for number in range(plan.rounds):
            self._round(players, plan.executions, plan.left_out, place, number, traced=False)
        aside = disturbed_rounds([player.turns for player in players])
        for player in players:
            player.turns = [replace(turn, set_aside=aside.get(turn.round, "")) for turn in player.turns]
        times = side_times_ns(
            [
                [median(player.turns[number].counted_ns) for player in players]
                for number in range(plan.rounds)
                if number not in aside
            ]
        )
        self._trace(players, plan, place)
        return times

    def _trace(self, players: Sequence[_Player], plan: TurnPlan, place: Place) -> None:
        left = {player.name: player.prepared.experiment.traced_runs for player in players}
        for player in players:
            if left[player.name]:
                with self._blamed(player.prepared, player.begun):
                    player.taker.trace()
        number = 0
        while any(left.values()):
            turns = {name: min(_TRACED_TURN, count) for name, count in left.items() if count}
            tracing = [player for player in players if player.name in turns]
            self._round(tracing, turns, dict.fromkeys(turns, 0), place, number, traced=True)
            left = {name: count - turns.get(name, 0) for name, count in left.items()}
            number += 1

    def _round(
        self,
        players: Sequence[_Player],
        executions: Mapping[str, int],
        left_out: Mapping[str, int],
        place: Place,
        number: int,
        traced: bool,
    ) -> None:
        by_name = {player.name: player for player in players}
        key = ("traced" if traced else "round", place.threads, place.pair, place.attempt, number)
        for order, name in enumerate(shuffled(by_name, self._seed, *key)):
            player = by_name[name]
            with self._blamed(player.prepared, player.begun):
                turn = player.taker.turn(executions[name])
            player.turns.append(TurnRecord.of(turn, round_=number, order=order, traced=traced, left_out=left_out[name]))

    # ------------------------------------------------------------ ends

    def _ended(self, player: _Player) -> ChildResult:
        with self._blamed(player.prepared, player.begun):
            child = player.taker.end()
        # What came back is judged by what was asked for.
        request = replace(
            player.begun.request, runs=player.executions(traced=False), traced_runs=player.executions(traced=True)
        )
        launch = player.begun.ended(child, self._device.state(), None)
        player.begun = replace(player.begun, launch=launch, request=request)
        return child

    def _recorded(
        self,
        players: Sequence[_Player],
        times: Sequence[float],
        ended: Sequence[ChildResult],
        rivals: Mapping[str, set[str]],
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for player, time, child in zip(players, times, ended, strict=True):
            partners = [outcome for outcome in outcomes if outcome.launch.experiment in rivals[player.name]]
            taken = TurnsTaken(tuple(player.turns), time)
            with self._blamed(player.prepared, player.begun, recorded=len(outcomes)):
                outcomes.append(self._launcher.finish(player.begun, player.prepared, child, partners, taken))
        return outcomes

    @contextmanager
    def _blamed(self, prepared: PreparedExperiment, begun: Begun, recorded: int = 0) -> Iterator[None]:
        """Record whose launch failed: alone, or after those of its pair that are `recorded`."""
        index = begun.launch.index - begun.launch.order + recorded
        begun = replace(begun, launch=replace(begun.launch, index=index))
        try:
            yield
        except Gone as gone:
            begun = replace(begun, launch=begun.ended(gone.child, self._device.state(), None))
            error: MeasurementError = gone
            try:
                prepared.runner.read(begun.request, gone.child)
            except MeasurementError as told:  # why, in the runner's own words
                error = told
            raise self._launcher.failed(begun, error, gone.child) from gone
        except MeasurementError as error:
            raise self._launcher.failed(begun, error, None) from error
