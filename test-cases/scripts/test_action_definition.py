# SPDX-License-Identifier: Apache-2.0
"""The action's definition: valid, safe against what is handed in, its actions pinned, its scripts clean."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from support.kit import REPOSITORY
from support.setup import own_program, run

pytestmark = pytest.mark.slow

FOLDER = REPOSITORY / ".github" / "actions" / "profile"
DEFINITION = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))
STEPS = DEFINITION["runs"]["steps"]


def test_it_is_valid_by_the_schema_of_actions() -> None:
    checker = own_program("check-jsonschema")
    done = run([checker, "--builtin-schema", "vendor.github-actions", FOLDER / "action.yml"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_input_becomes_part_of_a_shell_s_text() -> None:
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_every_step_that_types_has_a_name_and_bash() -> None:
    assert all("name" in step and step["shell"] == "bash" for step in STEPS if "run" in step)


def test_its_actions_are_pinned_by_version() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert len(used) == 7 and all(re.fullmatch(r"actions/[a-z/-]+@v\d+\.\d+\.\d+", name) for name in used)


def test_every_input_and_output_is_described_and_used() -> None:
    text = (FOLDER / "action.yml").read_text(encoding="utf-8")
    for name, spec in DEFINITION["inputs"].items():
        assert spec["description"] and re.search(rf"inputs\.{name}\b", text), name
    written = set(
        re.findall(r'^        "([a-z-]+)": ', (FOLDER / "profile_model.py").read_text(encoding="utf-8"), re.MULTILINE)
    ) | {"verdict", "interval", "regression", "speedup", "feature", "run-directory", "change"}
    for name, spec in DEFINITION["outputs"].items():
        assert spec["description"] and spec["value"] == f"${{{{ steps.tell.outputs.{name} }}}}" and name in written


def test_the_scripts_in_its_steps_pass_shellcheck(tmp_path: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    for number, step in enumerate(step for step in STEPS if "run" in step):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/usr/bin/env bash\n{step['run']}\n")
        done = run(["shellcheck", "--exclude=SC2154", script])
        assert done.returncode == 0, step["name"] + done.stdout
    done = run(["shellcheck", FOLDER / "history_branch.sh"])
    assert done.returncode == 0, done.stdout
