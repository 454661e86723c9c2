# SPDX-License-Identifier: Apache-2.0
"""What a run of skills tells people: every line as it ends, then metrics, advice and the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.console import say
from pages.running import summary
from pages.running.engine import DONE_BEFORE, Line
from pages.skill_form import Metric, SkillForm
from skills.gate import PASSED, SkillRun
from skills.metrics import Measured

_SHOWN_LINES = 8


@dataclass
class Screen:
    """Prints lines under the titles of their sections; silent where a machine reads the result."""

    silent: bool = False
    _form: SkillForm | None = None
    _section: str = ""

    def note(self, text: str) -> None:
        if not self.silent:
            say(f"note: {text}")

    def begin(self, form: SkillForm) -> None:
        """Print a skill's heading."""
        self._form, self._section = form, ""
        if not self.silent:
            say(f"{form.number} {form.name}: {form.title()}")

    def line(self, line: Line, timed: bool = True) -> None:
        """Print one line, and what it printed where it failed."""
        if self.silent:
            return
        section = self._form.section_of(line.step.block)
        if section != self._section:
            say(f" {section}")
            self._section = section
        say(summary.line_text(line, timed))
        if line.result is not None and not line.result.ok:
            for text in line.result.output.strip().splitlines()[-_SHOWN_LINES:]:
                say(f"      | {text}")

    def plan(self, run: SkillRun) -> None:
        """Print what would run, and nothing else."""
        self.begin(run.form)
        for line in run.lines:
            self.line(line, timed=False)
        if not self.silent:
            say()

    def end(self, run: SkillRun, following: SkillForm | None) -> None:
        """Print what no line has told yet: metrics, other outputs, advice, verdict."""
        if self.silent:
            return
        for line in run.lines:
            if line.result is None and line.outcome != DONE_BEFORE:
                self.line(line)
        for found in run.metrics:
            if found.inside is not None:
                say(_metric(found))
        for problem in run.different:
            say(f"  differs: {problem}")
        for text in run.advice:
            say(f"  what to do: {text}")
        say(f"{run.form.number} {run.form.name}: {run.status}" + (f"; next: {following.number} {following.name}"
                                                                 if run.status == PASSED and following else ""))
        say()


def _metric(found: Measured) -> str:
    value = "no number" if found.value is None else f"{found.value:,g}"
    return f"  {'inside' if found.inside else 'OUTSIDE':<11} {value} ({plausible(found.metric)}) {found.metric.name}"


def plausible(metric: Metric) -> str:
    """Return a metric's range in words."""
    low, high = metric.plausible.low, metric.plausible.high
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}"
    return f"at least {low:,g}" if high is None else f"at most {high:,g}"
