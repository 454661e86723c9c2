# SPDX-License-Identifier: Apache-2.0
"""Runs of skills as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.pages.reading.skill_form import CRITERIA, PREREQUISITES, STEPS, SkillForm
from tools.pages.running import account
from tools.pages.running.engine import Line
from tools.skills.gate import PASSED, PLANNED, SkillRun
from tools.skills.metrics import Measured

SCHEMA_VERSION = 1


def document(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the document of several skills' results."""
    return {
        "schema_version": SCHEMA_VERSION,
        "passed": all(result["status"] in (PASSED, PLANNED) for result in results),
        "skills": list(results),
    }


def result_of(run: SkillRun, following: SkillForm | None) -> dict[str, Any]:
    """Return one skill's result; `following` is the skill after it."""
    share = account.share(run.lines)
    return {
        "skill": run.form.number,
        "name": run.form.name,
        "status": run.status,
        "steps": [_line(run, line) for line in run.of(PREREQUISITES, STEPS)],
        "criteria": [_line(run, line) for line in run.of(CRITERIA)],
        "metrics": [_metric(measured) for measured in run.metrics],
        "outputs": {"compared": run.compared, "different": [problem.to_json() for problem in run.different]},
        "executed_percent": None if share is None else round(100 * share, 1),
        "seconds": sum(line.seconds for line in run.lines),
        "advice": list(run.advice),
        "next": following.name if following else None,
    }


def passed_before(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a skill that an interrupted chain had done, as this chain has it."""

    def before(line: dict[str, Any]) -> dict[str, Any]:
        return line | {"outcome": "done before", "seconds": 0} if line["outcome"] == "executed" else line

    return result | {
        "steps": list(map(before, result["steps"])),
        "criteria": list(map(before, result["criteria"])),
        "seconds": 0,
    }


def _line(run: SkillRun, line: Line) -> dict[str, Any]:
    return {
        "line": line.step.statement.place.line,
        "section": run.form.section_of(line.step.block),
        "command": line.step.statement.text,
        "counts": line.counts,
        "outcome": line.outcome,
        "status": line.result.status if line.result else None,
        "seconds": line.seconds,
        "why": line.why,
    }


def _metric(measured: Measured) -> dict[str, Any]:
    wanted = measured.metric.plausible
    return {
        "metric": measured.metric.name,
        "command": measured.metric.command,
        "counts": measured.line.counts,
        "outcome": measured.line.outcome,
        "value": measured.value,
        "low": wanted.low if wanted else None,
        "high": wanted.high if wanted else None,
        "inside": measured.inside,
        "outside_it": measured.metric.outside_it,
    }
