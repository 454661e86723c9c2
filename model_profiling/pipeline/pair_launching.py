# SPDX-License-Identifier: Apache-2.0
"""A pair whose processes are alive together and take turns: made, timed, traced and recorded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from model_profiling.errors import MeasurementError
from model_profiling.files import make_folder
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.kernel_recording import LAUNCH_LIMIT_S
from model_profiling.pipeline.launching import Begun, Launcher, Outcome, Place, PreparedExperiment, TurnsTaken
from model_profiling.pipeline.lockstep.conductor import Conducted, LaunchCommand, SideFailed
from model_profiling.pipeline.lockstep.rounds import TurnRecord, counted_rounds, disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.script import Coin, Cue, TurnCue, script_of
from model_profiling.pipeline.lockstep.turn import Turn
from model_profiling.pipeline.run_plan import RunPlan
from model_profiling.processes import ChildResult


@dataclass(frozen=True)
class _Player:
    """One side of the pair while it lasts, with the turns it has had."""

    prepared: PreparedExperiment
    begun: Begun
    turns: tuple[TurnRecord, ...] = ()

    @property
    def name(self) -> str:
        return self.prepared.experiment.name

    def executions(self, traced: bool) -> int:
        return sum(len(turn.ns) for turn in self.turns if turn.traced is traced)


class PairLauncher:
    """Makes the launches of a pair together; `launcher` begins and records each of them."""

    def __init__(self, launcher: Launcher, device: Device, seed: int, plan: RunPlan) -> None:
        self._launcher, self._device, self._seed, self._plan = launcher, device, seed, plan

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
            players = [
                _Player(prepared, self._launcher.begin(prepared, place, make_folder(work / str(place.order))))
                for prepared, place in members
            ]
            steps = self._script(players, members[0][1])
            played = self._played(players, steps)
            players = _with_turns(players, steps, played)
            times = _times(players)
            ended = [self._ended(player, child) for player, child in zip(players, played.children, strict=True)]
            return self._recorded(ended, times, played.children, rivals)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _script(self, players: Sequence[_Player], place: Place) -> list[Cue]:
        experiments = [player.prepared.experiment for player in players]
        return script_of(
            self._plan.turns(experiments, place.threads),
            [e.name for e in experiments],
            {e.name: self._plan.traced(e) for e in experiments},
            Coin(self._seed, (place.threads, place.pair, place.attempt)),
        )

    def _played(self, players: Sequence[_Player], steps: Sequence[Cue]) -> Conducted:
        commands = [
            LaunchCommand(
                player.begun.argv, player.begun.env, player.begun.log, player.begun.work, player.prepared.affinity
            )
            for player in players
        ]
        try:
            return self._device.conduct(steps, commands, LAUNCH_LIMIT_S)
        except SideFailed as failed:
            player = players[failed.side]
            raise self._failed(player, failed, failed.child, recorded=0) from failed
        except MeasurementError as error:  # none of the sides': the connection ended, or its script did
            raise self._failed(players[0], error, None, recorded=0) from error

    def _ended(self, player: _Player, child: ChildResult) -> _Player:
        """Return the side with its launch ended, and judged by what it was asked for."""
        request = replace(
            player.begun.request, runs=player.executions(traced=False), traced_runs=player.executions(traced=True)
        )
        launch = player.begun.ended(child, self._device.state(), None)
        return replace(player, begun=replace(player.begun, launch=launch, request=request))

    def _recorded(
        self,
        players: Sequence[_Player],
        times: Sequence[float],
        children: Sequence[ChildResult],
        rivals: Mapping[str, set[str]],
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for player, time, child in zip(players, times, children, strict=True):
            partners = [outcome for outcome in outcomes if outcome.launch.experiment in rivals[player.name]]
            taken = TurnsTaken(player.turns, time)
            try:
                outcomes.append(self._launcher.finish(player.begun, player.prepared, child, partners, taken))
            except MeasurementError as error:
                raise self._failed(player, error, child, len(outcomes)) from error
        return outcomes

    def _failed(
        self, player: _Player, error: MeasurementError, child: ChildResult | None, recorded: int
    ) -> MeasurementError:
        """Record whose launch failed: alone, or after those of its pair that are `recorded`."""
        launch = player.begun.launch
        begun = replace(player.begun, launch=replace(launch, index=launch.index - launch.order + recorded))
        if child is not None and launch.exit_code is None:
            begun = replace(begun, launch=begun.ended(child, self._device.state(), None))
            try:
                player.prepared.runner.read(begun.request, child)
            except MeasurementError as told:  # why, in the runner's own words
                error = told
        return self._launcher.failed(begun, error, child)


def _with_turns(players: Sequence[_Player], steps: Sequence[Cue], played: Conducted) -> list[_Player]:
    """Return the sides with their turns, those of disturbed rounds marked."""
    turns: list[list[TurnRecord]] = [[] for _ in players]
    for step, answer in zip(steps, played.answers, strict=True):
        if isinstance(step, TurnCue) and answer is not None:
            turns[step.side].append(
                TurnRecord.of(
                    Turn.from_json(answer),
                    round_=step.round,
                    order=step.order,
                    traced=step.traced,
                    left_out=step.left_out,
                )
            )
    aside = disturbed_rounds([[turn for turn in of_side if not turn.traced] for of_side in turns])
    return [
        replace(
            player,
            turns=tuple(turn if turn.traced else replace(turn, set_aside=aside.get(turn.round, "")) for turn in own),
        )
        for player, own in zip(players, turns, strict=True)
    ]


def _times(players: Sequence[_Player]) -> Sequence[float]:
    """Return each side's ns of an execution, as neighboring turns have it."""
    return side_times_ns(counted_rounds([player.turns for player in players]))
