# SPDX-License-Identifier: Apache-2.0
"""What a run of skills tells people: every line as it ends, then metrics, advice and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from model_profiling.console import say
from tools.pages.reading.skill_form import Metric, SkillForm
from tools.pages.running import account
from tools.pages.running.engine import NOT_HERE, NOT_REACHED, Line
from tools.skills.gate import PASSED, SkillRun
from tools.skills.metrics import Measured

_SHOWN_LINES = 8


@dataclass
class Screen:
    """Prints lines under the titles of their sections; silent where a machine reads the result."""

    silent: bool = False
    _form: SkillForm | None = None
    _section: str = ""
    _waiting: list[Line] = field(default_factory=list)

    def note(self, text: str) -> None:
        if not self.silent:
            say(f"note: {text}")

    def begin(self, plan: SkillRun) -> None:
        """Print a skill's heading; the plan's lines that cannot run here are printed when their turn comes."""
        self._form, self._section = plan.form, ""
        self._waiting = [line for line in plan.lines if line.outcome == NOT_HERE]
        if not self.silent:
            say(f"{plan.form.number} {plan.form.name}: {plan.form.title()}")

    def line(self, line: Line, timed: bool = True) -> None:
        """Print one line, and what it printed where it failed."""
        if self.silent:
            return
        while self._waiting and self._waiting[0].step.statement.place <= line.step.statement.place:
            self._print(self._waiting.pop(0), timed)
        if line.outcome != NOT_HERE:
            self._print(line, timed)

    def _print(self, line: Line, timed: bool) -> None:
        section = self._form.section_of(line.step.block) if self._form else ""
        if section != self._section:
            say(f" {section}")
            self._section = section
        say(account.line_text(line, timed))
        if line.result is not None and not line.result.ok:
            for text in line.result.output.strip().splitlines()[-_SHOWN_LINES:]:
                say(f"      | {text}")

    def plan(self, run: SkillRun) -> None:
        """Print what would run, and nothing else."""
        self.begin(run)
        for line in run.lines:
            self.line(line, timed=False)
        if not self.silent:
            say()

    def end(self, run: SkillRun, following: SkillForm | None) -> None:
        """Print what no line has told yet: metrics, other outputs, advice, verdict."""
        if self.silent:
            return
        for line in run.lines:
            if line.outcome == NOT_REACHED:
                self.line(line)
        for line in self._waiting:
            self._print(line, timed=True)
        for measured in run.metrics:
            if measured.inside is not None:
                say(_metric(measured))
        for problem in run.different:
            say(f"  differs: {problem}")
        for text in run.advice:
            say(f"  what to do: {text}")
        say(
            f"{run.form.number} {run.form.name}: {run.status}"
            + (f"; next: {following.number} {following.name}" if run.status == PASSED and following else "")
        )
        say()


def _metric(measured: Measured) -> str:
    value = "no number" if measured.value is None else f"{measured.value:,g}"
    metric, verdict = measured.metric, "inside" if measured.inside else "OUTSIDE"
    return f"  {verdict:<11} {value} ({plausible(metric)}) {metric.name}"


def plausible(metric: Metric) -> str:
    """Return a metric's range in words."""
    assert metric.plausible is not None  # the form was required
    low, high = metric.plausible.low, metric.plausible.high
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}"
    return f"at least {low:,g}" if high is None else f"at most {high:,g}"
