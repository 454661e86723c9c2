# SPDX-License-Identifier: Apache-2.0
"""Several skills after one another: the ones asked for, each only where those before it passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_profiling.files import write_json
from tools.pages.checks.checker import Checker
from tools.pages.reading.skill_form import SkillForm, read_form
from tools.pages.running import account
from tools.pages.running.workspace import new_workspace, tell_of_changes
from tools.skills.catalogue import after
from tools.skills.gate import INTERRUPTED, NOT_RUN, PASSED, SkillRun, plan, run_fresh, run_in_place
from tools.skills.progress import commit_of, digest, only_one, progress_of, read_notes
from tools.skills.result import passed_before, result_of
from tools.skills.showing import Screen

#: Where runs in a checkout keep their notes.
NOTES = "out_skills"


@dataclass
class Chain:
    """The skills to run, in order, and what was made of them."""

    checker: Checker
    catalogue: Sequence[SkillForm]
    wanted: Sequence[SkillForm]
    screen: Screen
    runs: list[SkillRun] = field(default_factory=list)

    @property
    def _notes(self) -> Path:
        return self.checker.repository.root / NOTES

    # ------------------------------------------------------------ plan

    def plan(self) -> list[dict[str, Any]]:
        """Return, and print, what would run here."""
        for form in self.wanted:
            self.runs.append(plan(form, self.checker))
            self.screen.plan(self.runs[-1])
        self._show_sums()
        return [self._result(run) for run in self.runs]

    # ------------------------------------------------------------ fresh

    def run_fresh(self, lends: bool = False) -> list[dict[str, Any]]:
        """Run the skills, and those they come after, in one new home; `lends`: with this environment's packages."""
        forms = self._with_earlier()
        if not self.screen.silent:
            tell_of_changes()
        with new_workspace(self.checker.repository.root, lends) as place:
            for form in forms:
                if self.runs and self.runs[-1].status != PASSED:
                    self.runs.append(plan(form, self.checker, NOT_RUN))
                    continue
                self.screen.begin(plan(form, self.checker))
                self.runs.append(run_fresh(form, self.checker, place, self.screen.line))
                self.screen.end(self.runs[-1], after(form, self.catalogue))
        self._show_sums()
        return [self._result(run) for run in self.runs]

    def _with_earlier(self) -> list[SkillForm]:
        """Return the skills with those whose files they need, in order."""
        needed: dict[str, SkillForm] = {}
        waiting = list(self.wanted)
        while waiting:
            form = waiting.pop()
            needed[form.number] = form
            folder = form.document.path.parent
            waiting += [
                read_form(self.checker.read(folder / name))
                for name in form.document.settings.after
                if name[:2] not in needed
            ]
        return [needed[number] for number in sorted(needed)]

    # ------------------------------------------------------------ in place

    def run_in_place(self, restart: bool) -> list[dict[str, Any]]:
        """Run the skills in this checkout; a chain of several goes on with the first that has not passed."""
        results: list[dict[str, Any]] = []
        with only_one(self._notes):
            if restart:
                for form in self.wanted:
                    progress_of(form, self._notes, self.checker.repository.root).forget()
            known = {} if restart else self._passed()
            for form in self.wanted:
                if form.number in known:
                    self.screen.note(f"{form.number} {form.name} passed before (--restart forgets that)")
                    results.append(passed_before(known[form.number]))
                elif results and results[-1]["status"] != PASSED:
                    self.runs.append(plan(form, self.checker, NOT_RUN))
                    results.append(self._result(self.runs[-1]))
                else:
                    results.append(self._run_one(form))
                    self._keep(results)
        self._show_sums()
        return results

    def _run_one(self, form: SkillForm) -> dict[str, Any]:
        self.screen.begin(plan(form, self.checker))
        progress = progress_of(form, self._notes, self.checker.repository.root)
        self.runs.append(run_in_place(form, self.checker, progress, self.screen.line, self.screen.note))
        self.screen.end(self.runs[-1], after(form, self.catalogue))
        return self._result(self.runs[-1])

    def _passed(self) -> dict[str, dict[str, Any]]:
        """Return the results of the skills that an interrupted chain had done, unless something has changed since."""
        kept = read_notes(self._notes / "chain.json") if len(self.wanted) > 1 else {}
        same = kept.get("identity") == self._identity()
        return {result["skill"]: result for result in kept["results"] if result["status"] == PASSED} if same else {}

    def _keep(self, results: Sequence[dict[str, Any]]) -> None:
        """Note what the chain has done; a chain that is through starts anew the next time."""
        path = self._notes / "chain.json"
        if len(self.wanted) == 1:
            return
        if len(results) == len(self.wanted) and results[-1]["status"] == PASSED:
            path.unlink(missing_ok=True)
        else:
            write_json(path, {"identity": self._identity(), "results": list(results)})

    def _identity(self) -> list[str]:
        return [commit_of(self.checker.repository.root), *(digest(form.document.text) for form in self.wanted)]

    # ------------------------------------------------------------ both

    def raise_interrupt(self) -> None:
        """Raise `KeyboardInterrupt` where a run was ended by one, now that its result has been told."""
        if any(run.status == INTERRUPTED for run in self.runs):
            raise KeyboardInterrupt

    def _result(self, run: SkillRun) -> dict[str, Any]:
        return result_of(run, after(run.form, self.catalogue))

    def _show_sums(self) -> None:
        if not self.screen.silent and self.runs:
            account.show_sums([line for run in self.runs for line in run.lines])
