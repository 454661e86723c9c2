# SPDX-License-Identifier: Apache-2.0
"""Run documents in a reader's place and say of every command line what became of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tools.pages.checks.checker import Checker
from tools.pages.reader.following import CommandLine, Walk
from tools.pages.reading.document import Block, Document
from tools.pages.reading.problems import Position, Problem
from tools.pages.running.outputs import compare
from tools.pages.running.session import Ran, Save, Typed, expected_status, forget, run_session
from tools.pages.running.surroundings import Surroundings
from tools.pages.running.workspace import new_workspace

EXECUTED, CHECKED, NOT_HERE, NOT_REACHED, FAILED, DONE_BEFORE = (
    "executed",
    "checked",
    "not here",
    "not reached",
    "failed",
    "done before",
)
#: Longer than any page takes on a slow machine; a page that hangs is ended.
PAGE_SECONDS = 3600.0
_SHOWN_LINES = 6


@dataclass(frozen=True)
class Line:
    """What became of one command line, and why. Trivial ones do not count."""

    step: CommandLine
    outcome: str
    why: str = ""
    seconds: int = 0
    result: Ran | None = None

    @property
    def counts(self) -> bool:
        return not self.step.trivial


@dataclass
class PageRun:
    """One page: its lines, its problems, how many outputs were compared, and which not and why."""

    document: Document
    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    compared: int = 0
    not_compared: list[tuple[Position, str]] = field(default_factory=list)


def chains(documents: Sequence[Document], checker: Checker) -> list[list[Document]]:
    """Return the documents in groups that share a home, each page after those it says it comes after.

    A page that a named one comes after is run too, because its files are needed.
    """
    ordered: list[list[Document]] = []
    for document in documents:
        if any(document in chain for chain in ordered):
            continue
        needed = _with_earlier(document, checker, ())
        shared = next((chain for chain in ordered if any(page in chain for page in needed)), None)
        if shared is None:
            ordered.append(needed)
        else:
            shared += [page for page in needed if page not in shared]
    return ordered


def _with_earlier(document: Document, checker: Checker, above: tuple[Document, ...]) -> list[Document]:
    before: list[Document] = []
    for name in document.settings.after:
        path = document.path.parent / name
        if path.is_file() and (earlier := checker.read(path)) not in (document, *above):
            before += [page for page in _with_earlier(earlier, checker, (*above, document)) if page not in before]
    return [*before, document]


def run_chain(
    chain: Sequence[Document],
    checker: Checker,
    told: Callable[[PageRun], None],
    limit_s: float = PAGE_SECONDS,
    lends: bool = False,
) -> list[PageRun]:
    """Run documents that share a home, one shell each; `told` hears of every one when it is done."""
    runs = []
    with new_workspace(checker.repository.root, lends) as workspace:
        for document in chain:
            runs.append(run_document(document, checker, workspace, Manner(limit_s)))
            told(runs[-1])
            if any(line.outcome == FAILED for line in runs[-1].lines):
                break
        for document in chain[len(runs) :]:
            skipped = PageRun(document)
            skipped.lines = [
                Line(step, NOT_REACHED, "an earlier page failed") for step in checker.follow(document).steps
            ]
            runs.append(skipped)
            told(skipped)
    return runs


@dataclass(frozen=True)
class Manner:
    """How a document is run: `done` are the numbers of lines that an earlier run did and that are not repeated.

    `goes_on` says of a line whether the next one is typed even where it fails; `told` hears of each line as it ends.
    """

    limit_s: float = PAGE_SECONDS
    done: frozenset[int] = frozenset()
    goes_on: Callable[[CommandLine], bool] = lambda _: False
    told: Callable[[Line], None] | None = None


def run_document(document: Document, checker: Checker, place: Surroundings, manner: Manner = Manner()) -> PageRun:
    """Run one document's command lines in one shell."""
    walk = checker.follow(document)
    if not manner.done:
        forget(place.session)
    actions = _actions(walk, manner)

    def tell(number: int, ran: Ran) -> None:
        if manner.told is not None:
            manner.told(line_of(walk.steps[number], ran, False))

    ran: dict[int, Ran] = {}
    timed_out = False
    if actions:
        start, hear = place.start(document), tell if manner.told else None
        ran, timed_out = run_session(actions, place, start, manner.limit_s, hear)
    return outcome(walk, ran, manner, timed_out)


def outcome(walk: Walk, ran: Mapping[int, Ran], manner: Manner = Manner(), timed_out: bool = False) -> PageRun:
    """Return what became of a document whose lines went as `ran` says."""
    run = PageRun(walk.document)
    for number, step in enumerate(walk.steps):
        line = Line(step, DONE_BEFORE) if number in manner.done else line_of(step, ran.get(number), timed_out)
        run.lines.append(line)
        if line.outcome == FAILED:
            run.problems.append(_problem(run.document, line, ran[number]))
    _compare_outputs(run, {id(result.step): result for result in ran.values()})
    return run


def _problem(document: Document, line: Line, result: Ran) -> Problem:
    told = "".join(f"\n    {text}" for text in result.output.strip().splitlines()[-_SHOWN_LINES:])
    return Problem(document.name, line.step.statement.place, "run", f"{line.why}: {_first(line.step)}{told}")


def _actions(walk: Walk, manner: Manner) -> list[Typed | Save]:
    """Return what the reader does, in order: save blocks, run lines. What was done before is left out."""
    numbers = {id(step): number for number, step in enumerate(walk.steps)}
    actions: list[Typed | Save] = []
    for block in walk.document.typed:
        if block.options.skip:
            continue
        steps = [(numbers[id(step)], step) for step in walk.steps if step.block is block]
        if block.options.save_as and not (manner.done and _stands_before(block, walk.steps[max(manner.done)])):
            actions.append(Save(block.options.save_as, block.text))
        actions += [
            Typed(number, step, manner.goes_on(step))
            for number, step in steps
            if number not in manner.done and not step.needs and _missing_program(step) is None
        ]
    return actions


def _stands_before(block: Block, step: CommandLine) -> bool:
    return block.place < step.statement.place


def _missing_program(step: CommandLine) -> str | None:
    """Return the program that a line needs and this machine lacks; continuous integration has to have it."""
    first = step.statement.text.split()[:1]
    if first == ["uv"] and not os.environ.get("CI") and shutil.which("uv") is None:
        return "uv"
    return None


def line_of(step: CommandLine, result: Ran | None, timed_out: bool) -> Line:
    """Return what became of a command line; `result` is None where no shell came to it."""
    if step.needs:
        return Line(step, NOT_HERE, f"needs {step.needs}" if not step.options.no_run else step.needs)
    if missing := _missing_program(step):
        return Line(step, NOT_HERE, f"{missing} is not installed")
    if result is None:
        return Line(step, NOT_REACHED, "an earlier line failed")
    if not result.ok:
        return Line(step, FAILED, _failure(result, timed_out), result.seconds, result)
    if step.stand_in:
        return Line(step, CHECKED, f"stand-in: {step.stand_in}", result.seconds, result)
    return Line(step, EXECUTED, "", result.seconds, result)


def _failure(result: Ran, timed_out: bool) -> str:
    if result.status is None:
        return "ran into the page's time limit" if timed_out else "ended the shell"
    wanted = expected_status(result.step)
    return f"exited with status {result.status}" + (f", the page says {wanted}" if wanted else "")


def _first(step: CommandLine) -> str:
    first, _, more = step.statement.text.partition("\n")
    return first + (" ..." if more else "")


def _compare_outputs(run: PageRun, results: dict[int, Ran]) -> None:
    """Compare each output block with what the shell block before it printed."""
    before: Block | None = None
    for block in run.document.every(Block):
        if block.is_shell:
            before = block
        if block.language != "output" or before is None or run.document.kind == "landing page":
            continue
        lines = [line for line in run.lines if line.step.block is before]
        unusual = next((line for line in lines if line.outcome != EXECUTED), None)
        if block.options.skip:
            run.not_compared.append((block.fence, block.options.skip))
        elif unusual is not None or not lines:
            run.not_compared.append(
                (
                    block.fence,
                    f"its commands were not executed ({unusual.why or unusual.outcome})"
                    if unusual
                    else "no command line stands before it",
                )
            )
        else:
            run.compared += 1
            mismatch = compare(block.text, "".join(results[id(line.step)].output for line in lines))
            if mismatch:
                near = f"; what came nearest: {mismatch.nearest}" if mismatch.nearest else "; nothing like it came"
                place = Position(block.place.line + mismatch.line, block.place.column)
                run.problems.append(
                    Problem(run.document.name, place, "output", f"this did not come out: {mismatch.expected}{near}")
                )
