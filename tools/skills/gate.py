# SPDX-License-Identifier: Apache-2.0
"""A skill run to its verdict: prerequisites, steps, success criteria, metrics, in one shell."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tools.pages.checks.checker import Checker
from tools.pages.reader.following import CommandLine
from tools.pages.reading.problems import Problem
from tools.pages.reading.skill_form import CRITERIA, METRICS, PREREQUISITES, STEPS, Metric, SkillForm
from tools.pages.running import account, stand_ins
from tools.pages.running.engine import DONE_BEFORE, FAILED, NOT_REACHED, Line, Manner, PageRun, run_document
from tools.pages.running.outputs import shows
from tools.pages.running.surroundings import Surroundings
from tools.skills.in_place import InPlace
from tools.skills.metrics import Measured, measured
from tools.skills.progress import Progress

PASSED, FAILED_SKILL, INTERRUPTED, NOT_RUN, PLANNED = "passed", "failed", "interrupted", "not reached", "planned"


@dataclass(frozen=True)
class SkillRun:
    """One skill: what became of each line and metric, what to do about it, how many outputs were as shown."""

    form: SkillForm
    status: str
    lines: tuple[Line, ...]
    metrics: tuple[Measured, ...] = ()
    advice: tuple[str, ...] = ()
    compared: int = 0
    different: tuple[Problem, ...] = ()

    def of(self, *titles: str) -> list[Line]:
        """Return the lines of some sections."""
        return [line for line in self.lines if self.form.section_of(line.step.block) in titles]


Told = Callable[[Line], None]


def plan(form: SkillForm, checker: Checker, status: str = PLANNED) -> SkillRun:
    """Return what a run is expected to make of a skill; for one that is not run, that nothing came of it."""
    steps = checker.follow(form.document).steps
    lines = [
        account.planned(step) if status == PLANNED else Line(step, NOT_REACHED, "an earlier skill did not pass")
        for step in steps
    ]
    return SkillRun(
        form, status, tuple(lines), tuple(Measured(metric, line) for metric, line in _metric_lines(form, lines))
    )


def run_in_place(
    form: SkillForm, checker: Checker, progress: Progress, told: Told, note: Callable[[str], None]
) -> SkillRun:
    """Run a skill in this checkout, going on where an interrupted run ended.

    An interrupt comes back as a `SkillRun` with that status, for the caller to tell and raise.
    """
    walk = checker.follow(form.document)
    done, why = progress.done(walk, form)
    if why:
        note(f"starting anew: {why}")
    if done:
        note(
            f"going on after line {walk.steps[max(done)].statement.place.line}; "
            f"{len(done)} done before (--restart forgets them)"
        )
    place = InPlace(checker.repository.root, progress.folder, uuid.uuid4().hex)
    progress.begin(place.mark)
    stand_ins.make(progress.folder, checker.repository.root)
    run = _run(form, checker, place, done, told, strict=False)
    if (
        all(line.outcome not in (FAILED, NOT_REACHED) for line in run.of(PREREQUISITES, STEPS))
        and run.status != INTERRUPTED
    ):
        progress.finish(place.mark)
    return run


def run_fresh(form: SkillForm, checker: Checker, place: Surroundings, told: Told) -> SkillRun:
    """Run a skill in a home of its own, where its outputs have to be those that it shows."""
    return _run(form, checker, place, frozenset(), told, strict=True)


def _run(
    form: SkillForm, checker: Checker, place: Surroundings, done: frozenset[int], told: Told, strict: bool
) -> SkillRun:
    heard: list[Line] = []

    def hear(line: Line) -> None:
        heard.append(line)
        told(line)

    def goes_on(step: CommandLine) -> bool:
        return form.section_of(step.block) in (CRITERIA, METRICS)

    try:
        run = run_document(form.document, checker, place, Manner(done=done, goes_on=goes_on, told=hear))
    except KeyboardInterrupt:
        steps = checker.follow(form.document).steps
        ended = {id(line.step): line for line in heard}
        lines = [
            Line(step, DONE_BEFORE) if number in done else ended.get(id(step), Line(step, NOT_REACHED, "interrupted"))
            for number, step in enumerate(steps)
        ]
        return SkillRun(
            form,
            INTERRUPTED,
            tuple(lines),
            tuple(Measured(metric, line) for metric, line in _metric_lines(form, lines)),
        )
    return _judged(form, run, strict)


def _judged(form: SkillForm, run: PageRun, strict: bool) -> SkillRun:
    metrics = tuple(measured(metric, line) for metric, line in _metric_lines(form, run.lines))
    different = tuple(problem for problem in run.problems if problem.rule == "output")
    failed = (
        any(line.outcome in (FAILED, NOT_REACHED) for line in run.lines)
        or any(m.inside is False for m in metrics)
        or strict
        and bool(different)
    )
    return SkillRun(
        form,
        FAILED_SKILL if failed else PASSED,
        tuple(run.lines),
        metrics,
        tuple(_advice(form, run.lines, metrics)),
        run.compared,
        different,
    )


def _metric_lines(form: SkillForm, lines: Sequence[Line]) -> Iterator[tuple[Metric, Line]]:
    """Yield each metric with the line that reads it."""
    by_block = {id(line.step.block): line for line in lines}
    yield from (
        (metric, by_block[id(block)]) for metric, block in zip(form.metrics(), form.document.metrics, strict=True)
    )


def _advice(form: SkillForm, lines: Sequence[Line], metrics: Sequence[Measured]) -> list[str]:
    """Return what the skill itself says about what went wrong."""
    advice = []
    for line in (line for line in lines if line.outcome == FAILED):
        advice += [f"{failure.cause}: {failure.fix}" for failure in form.failures() if _shows(line, failure.symptom)]
        if form.section_of(line.step.block) == PREREQUISITES:
            advice += [passage.text for passage in form.sections[PREREQUISITES].passages("paragraph")]
    advice += [f"{m.metric.name}: {m.metric.outside_it}" for m in metrics if m.inside is False]
    return list(dict.fromkeys(advice))


def _shows(line: Line, symptom: str) -> bool:
    """Return whether a line printed a row's symptom; numbers and folders may differ as in outputs."""
    return line.result is not None and shows(symptom, line.result.output)
