# SPDX-License-Identifier: Apache-2.0
"""Run a composite action's `run` steps with bash, as GitHub's runner does, from its action.yml.

`uses` steps belong to GitHub and are listed as not run. Of the expression language only what
the action needs is understood; anything else is an error, so nothing is taken for granted.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_STEP_SECONDS = 600
#: What GitHub tells an action of the job, where a test says nothing else.
_GITHUB = {
    "run_id": "1",
    "run_attempt": "1",
    "event_name": "push",
    "repository": "owner/name",
    "server_url": "file:///nowhere",
    "token": "a token",
}


@dataclass
class ActionRun:
    """What became of one use of the action: outputs, the summary page, and each step's status."""

    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    log: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(self.statuses.values())


class Action:
    """An action from its file; `folder` is where the runner has put it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.definition = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))

    @property
    def steps(self) -> list[dict]:
        return self.definition["runs"]["steps"]

    def use(
        self, workspace: Path, temporary: Path, env: Mapping[str, str], github: Mapping[str, str], **inputs: str
    ) -> ActionRun:
        """Run the steps in `workspace`; after one that failed only those that always run. `github` is its context."""
        unknown = inputs.keys() - {name.replace("-", "_") for name in self.definition["inputs"]}
        assert not unknown, f"the action has no input {unknown}"
        context = {f"github.{name}": value for name, value in (_GITHUB | github).items()}
        context |= {"runner.temp": str(temporary)} | {
            f"inputs.{name}": inputs.get(name.replace("-", "_"), _filled(spec["default"], context))
            for name, spec in self.definition["inputs"].items()
        }
        done = ActionRun()
        summary = temporary / "summary.md"
        for number, step in enumerate(self.steps):
            if not _holds(step.get("if", ""), context, done.failed):
                continue
            if "uses" in step:
                done.not_run.append(step["uses"])
                continue
            self._run(step, number, workspace, temporary, env, context, done)
        done.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
        done.outputs = {name: _filled(spec["value"], context) for name, spec in self.definition["outputs"].items()}
        return done

    def _run(
        self,
        step: dict,
        number: int,
        workspace: Path,
        temporary: Path,
        env: Mapping[str, str],
        context: dict[str, str],
        done: ActionRun,
    ) -> None:
        assert step["shell"] == "bash" and "${{" not in step["run"]
        script, outputs = temporary / f"step{number}.sh", temporary / f"outputs{number}"
        script.write_text(step["run"], encoding="utf-8")
        outputs.touch()
        own = {name: _filled(str(value), context) for name, value in step.get("env", {}).items()}
        own |= {
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
            "GITHUB_ACTION_PATH": str(self.folder),
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(temporary),
        }
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=workspace,
            env={**env, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_SECONDS,
        )
        done.statuses[step["name"]] = ran.returncode
        done.log += f"== {step['name']}\n{ran.stdout}"
        if "id" in step:
            for line in outputs.read_text(encoding="utf-8").splitlines():
                name, _, value = line.partition("=")
                context[f"steps.{step['id']}.outputs.{name}"] = value


def _filled(text: str, context: Mapping[str, str]) -> str:
    """Put values for the expressions of a text; an output of a step that did not run is empty, as at GitHub's."""
    return _EXPRESSION.sub(lambda found: _value(found[1], context), text)


def _value(name: str, context: Mapping[str, str]) -> str:
    if re.fullmatch(r"steps\.[\w-]+\.outputs\.[\w-]+", name):
        return context.get(name, "")
    return context[name]


def _holds(condition: str, context: Mapping[str, str], failed: bool) -> bool:
    """Evaluate the conditions that the action has: comparisons with a literal, joined by one operator."""
    always = "always()" in condition
    if failed and not always:
        return False
    terms = [term for term in re.split(r"\s*(?:&&|\|\|)\s*", condition) if term and term != "always()"]
    found = [_compared(term, context) for term in terms]
    return any(found) if "||" in condition else all(found)


def _compared(term: str, context: Mapping[str, str]) -> bool:
    name, operator, literal = re.fullmatch(r"([\w.-]+) (==|!=) '([^']*)'", term).groups()
    return (_value(name, context) == literal) == (operator == "==")
