# SPDX-License-Identifier: Apache-2.0
"""What the kit needs from the machine, as check_prereqs.sh sees it."""

from __future__ import annotations

import sys

from model_profiling import PACKAGE_DIR
from model_profiling.findings import ERROR, OK, WARNING, Finding, error
from model_profiling.processes import run_child

_LIMIT_S = 60.0
_LEVELS = {"ok": OK, "optional": WARNING, "missing": ERROR}
# check_prereqs.sh prints two blanks, the state in nine columns, the subject in sixteen, a blank.
_STATE, _SUBJECT, _DETAIL = slice(2, 11), slice(11, 27), slice(28, None)


def check_prerequisites() -> list[Finding]:
    """Return one finding for each prerequisite, for the Python that runs this."""
    script = PACKAGE_DIR / "scripts" / "setup_repo.sh"
    child = run_child(["bash", script, "--check", "--python", sys.executable], timeout_s=_LIMIT_S)
    findings = [_finding(line) for line in child.output.splitlines() if line[_STATE].strip() in _LEVELS]
    if not findings:
        told = child.output.strip().splitlines()[-1:] or ["it printed nothing"]
        return [error("prerequisites", f"{script.name} {child.outcome()} ({told[0]})", "get the kit again")]
    return findings


def _finding(line: str) -> Finding:
    level = _LEVELS[line[_STATE].strip()]
    message, fix = line[_DETAIL], ""
    if level != OK and ": " in message:
        message, _, fix = message.rpartition(": ")
    return Finding(line[_SUBJECT].strip(), level, message, fix)
