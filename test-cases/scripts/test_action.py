# SPDX-License-Identifier: Apache-2.0
"""The action's steps run as they are written, on a real model, to a verdict, a gate and a history."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from support.action import Action, ActionRun
from support.edited import edit_launches, edited_run, scaled
from support.history import REFERENCE, needs_ruptures
from support.kit import REPOSITORY
from support.setup import ShadowVenv, clean_environment, run

from model_profiling.analysis.history.index import add_runs, read_runs
from model_profiling.analysis.history.reading import read_recorded_run
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.slow

FOLDER = REPOSITORY / ".github" / "actions" / "profile"
DEFINITION = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))
STEPS = DEFINITION["runs"]["steps"]
#: "What to change first" stands there where something is worth a change.
SUMMARY_SECTIONS = ("## Verdict", "## What to change first", "## Latency")


# ---------------------------------------------------------------- its steps


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Action:
    """The action where a runner puts it: in the archive of its repository, without git."""
    folder = tmp_path_factory.mktemp("actions") / "sme-executorch-profiling"
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(REPOSITORY), "archive", "HEAD"], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    ShadowVenv(folder / ".venv", folder)
    return Action(folder / ".github" / "actions" / "profile")


def use(action: Action, workspace: Path, github: Mapping[str, str] | None = None, **inputs: str) -> ActionRun:
    temporary = workspace.with_name(f"{workspace.name}_runner")
    temporary.mkdir(exist_ok=True)
    return action.use(workspace, temporary, clean_environment(), github or {}, **inputs)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for GitHub's server: git talks to the repository in it as it does over the network."""
    folder = tmp_path_factory.mktemp("server")
    subprocess.run(["git", "init", "-q", "--bare", str(folder / "owner" / "name")], check=True)
    return folder


def served(server: Path, event: str = "push") -> dict[str, str]:
    return {"server_url": server.as_uri(), "event_name": event}


@pytest.fixture(scope="module")
def profiled(action: Action, server: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ActionRun]:
    """The action's use on the main branch: a model exported, measured, made the baseline."""
    workspace = tmp_path_factory.mktemp("workspace")
    return workspace, use(
        action,
        workspace,
        served(server),
        export="toy_cnn",
        dtype="fp32",
        pairs="2",
        baseline_key="toy",
        save_baseline="true",
        fail_if_slower="50",
        history="branch",
        save_history="true",
        fail_on_change="50",
        comment="true",
    )


def test_it_exports_measures_and_tells_what_came_out(profiled: tuple[Path, ActionRun]) -> None:
    workspace, done = profiled
    assert not done.failed, done.log
    summary = json.loads((workspace / done.outputs["run-directory"] / "analysis_summary.json").read_text())
    (comparison,) = summary["comparisons"]
    assert done.outputs["feature"] == summary["feature"] and done.outputs["verdict"] == comparison["verdict"]
    assert float(done.outputs["speedup"]) == pytest.approx(comparison["speedup"], rel=1e-3)
    assert comparison["pairs"] == 2 and (workspace / done.outputs["report"]).stat().st_size > 0
    assert done.outputs["regression"] == "no baseline"
    assert done.not_run == [
        "actions/cache/restore@v4.2.3",
        "actions/upload-artifact@v4.6.2",
        "actions/cache/save@v4.2.3",
    ]


def test_the_summary_page_is_the_head_of_the_report_without_figures(profiled: tuple[Path, ActionRun]) -> None:
    workspace, done = profiled
    report = (workspace / done.outputs["run-directory"] / "report.md").read_text()
    assert done.summary.splitlines()[0] == report.splitlines()[0]
    of_report = [line for line in report.splitlines() if line in SUMMARY_SECTIONS]
    assert [line for line in done.summary.splitlines() if line.startswith("## ")] == [*of_report, "## History"]
    assert of_report[0] == SUMMARY_SECTIONS[0] and of_report[-1] == SUMMARY_SECTIONS[-1]
    assert "![" not in done.summary and "Each dot is" not in done.summary


def compared(action: Action, profiled: tuple[Path, ActionRun], nanoseconds: int, tmp_path: Path) -> ActionRun:
    """Profile the same model again, against the first run with this for all its latencies: no noise hides it."""
    workspace, done = profiled
    baseline = shutil.copytree(workspace / done.outputs["run-directory"], tmp_path / "baseline")
    edit_launches(
        baseline, lambda x: x | {"latency_ns": [nanoseconds] * len(x["latency_ns"]), "paired_ns": nanoseconds}
    )
    model = shutil.copy(next((workspace / "out_profile" / "artifacts").glob("*.pte")), tmp_path)
    config = tmp_path / "config.json"
    kept = json.loads((workspace / "out_profile" / "config.json").read_text())
    config.write_text(json.dumps(kept | {"model": model, "pairs": 3}))
    (tmp_path / "workspace").mkdir()
    return use(action, tmp_path / "workspace", config=str(config), baseline=str(baseline), fail_if_slower="50")


def test_a_run_that_is_not_slower_passes_the_gate(
    action: Action, profiled: tuple[Path, ActionRun], tmp_path: Path
) -> None:
    done = compared(action, profiled, 60_000_000_000, tmp_path)
    assert not done.failed, done.log
    assert done.outputs["regression"] == "none" and "## Against the baseline" in done.summary


def test_a_regression_fails_the_last_step_after_the_report_is_kept(
    action: Action, profiled: tuple[Path, ActionRun], tmp_path: Path
) -> None:
    done = compared(action, profiled, 1_000, tmp_path)
    assert done.outputs["regression"] == "slower"
    assert [name for name, status in done.statuses.items() if status] == ["Fail where the model got slower"]
    assert re.search(
        r"^::error title=Slower than the baseline::mac_sme2_on on 1 thread is slower by ", done.log, re.MULTILINE
    )
    assert done.not_run == ["actions/upload-artifact@v4.6.2"]


def test_a_baseline_of_another_cpu_is_told_and_fails_nothing(profiled: tuple[Path, ActionRun], tmp_path: Path) -> None:
    workspace, done = profiled
    (tmp_path / "comparison.txt").write_text(
        "error: the runs are from different CPUs (A and B), in x and y: compare runs of one device\n"
    )
    env = {
        **os.environ,
        "PROFILE_RUN": str(workspace / done.outputs["run-directory"]),
        "PROFILE_OUTPUT": str(tmp_path),
        "PROFILE_COMPARED": "2",
        "PROFILE_CHANGED": "",
        "GITHUB_OUTPUT": str(tmp_path / "out"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    told = subprocess.run(
        [sys.executable, FOLDER / "profile_model.py", "tell"], env=env, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "::warning title=Not compared with the baseline::the runs are from different CPUs" in told.stdout
    assert "regression=not comparable\n" in (tmp_path / "out").read_text()


# ---------------------------------------------------------------- the history


def branch(server: Path, folder: Path, name: str = "sme2-history") -> Path:
    """Return what the branch with the history holds, as a folder."""
    address = (server / "owner" / "name").as_uri()
    done = run(["git", "clone", "-q", "--branch", name, address, folder])
    assert done.returncode == 0, done.stderr
    return folder


def test_the_run_is_on_the_branch_with_its_page(profiled: tuple[Path, ActionRun], server: Path, tmp_path: Path) -> None:
    workspace, done = profiled
    held = branch(server, tmp_path / "held")
    assert {path.name for path in held.iterdir()} == {".git", "history.sqlite", "index.html", "README.md"}
    [kept] = read_runs(held / "history.sqlite")
    assert (
        kept.digest == json.loads((workspace / done.outputs["run-directory"] / "manifest.json").read_text())["digest"]
    )
    assert done.outputs["change"] == "none" and (workspace / done.outputs["history"]).stat().st_size > 0
    assert "### Newest results" in done.summary and "toy_cnn, fp32" in done.summary
    # One commit without parents, however often it is kept.
    assert run(["git", "-C", held, "rev-list", "--count", "HEAD"]).stdout.strip() == "1"


def quick_runs(run_directory: Path, folder: Path, number: int) -> list[Path]:
    """Return copies of a run as if they had been made on earlier days, in a fifth of its time."""
    return [
        edited_run(run_directory, folder / f"edited{i}", f"2026-01-0{i + 1}T00:00:00.000Z", lambda x: scaled(x, 0.2))
        for i in range(number)
    ]


@needs_ruptures
def test_a_slower_run_on_a_pull_request_fails_and_is_not_kept(
    action: Action, profiled: tuple[Path, ActionRun], server: Path, tmp_path: Path
) -> None:
    """Runs of a fifth of its time lie before it, as edited copies."""
    workspace, done = profiled
    first = workspace / done.outputs["run-directory"]
    held = branch(server, tmp_path / "held")
    add_runs(held / "history.sqlite", list(map(read_recorded_run, map(RunDirectory, quick_runs(first, tmp_path, 7)))))
    for words in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        assert run(["git", "-C", held, *words]).returncode == 0
    assert run(["git", "-C", held, "push", "-q", "origin", "HEAD:refs/heads/planted"]).returncode == 0
    (tmp_path / "workspace").mkdir()
    model = shutil.copy(next((workspace / "out_profile" / "artifacts").glob("*.pte")), tmp_path)
    config = tmp_path / "config.json"
    kept = json.loads((workspace / "out_profile" / "config.json").read_text())
    config.write_text(json.dumps(kept | {"model": str(model), "pairs": 2}))
    failed = use(
        action,
        tmp_path / "workspace",
        served(server, "pull_request"),
        config=str(config),
        history="branch",
        history_name="planted",
        fail_on_change="100",
        comment="true",
    )
    assert failed.outputs["change"] == "worse"
    assert [name for name, status in failed.statuses.items() if status] == ["Fail where the history got worse"]
    assert "::error title=Worse than before::worse by more than the 100 % allowed: toy_cnn, fp32" in failed.log
    assert failed.not_run == ["actions/upload-artifact@v4.6.2", "actions/github-script@v7.0.1"]
    assert len(read_runs(branch(server, tmp_path / "again", "planted") / "history.sqlite")) == 8


def test_two_jobs_that_keep_their_runs_at_once_lose_none(server: Path, tmp_path: Path) -> None:
    """Each fetches, adds its run and pushes; who comes second sees that the branch has changed, and begins again."""
    runs = quick_runs(REFERENCE, tmp_path, 3)
    jobs = [
        subprocess.Popen(
            ["bash", str(FOLDER / "history_branch.sh"), "keep"],
            env={
                **os.environ,
                "PYTHON": sys.executable,
                "KIT": str(REPOSITORY),
                "PROFILE_RUN": str(one),
                "PROFILE_NAME": "raced",
                "PROFILE_TOKEN": "a token",
                "PROFILE_SERVER": server.as_uri(),
                "PROFILE_REPOSITORY": "owner/name",
                "PROFILE_KEPT": str(tmp_path / f"kept{number}"),
            },
        )
        for number, one in enumerate(runs)
    ]
    assert [job.wait(timeout=120) for job in jobs] == [0, 0, 0]
    held = branch(server, tmp_path / "held", "raced")
    assert len(read_runs(held / "history.sqlite")) == 3
    assert run(["git", "-C", held, "rev-list", "--count", "HEAD"]).stdout.strip() == "1"


def test_with_an_artifact_only_github_s_own_steps_are_left_out(action: Action, tmp_path: Path) -> None:
    """The model is not there: what comes before it has run."""
    done = use(action, tmp_path, history="artifact", model="a.pte")
    assert done.not_run == ["actions/github-script@v7.0.1", "actions/upload-artifact@v4.6.2"]


@pytest.mark.parametrize(
    ("inputs", "step", "told"),
    [
        ({}, "Check the inputs", "::error::give one of model, export, model-file and config; 0 are given"),
        ({"model": "a.pte", "export": "toy_cnn"}, "Check the inputs", "2 are given"),
        (
            {"model": "a.pte", "baseline": "nowhere"},
            "Check the inputs",
            "::error::the baseline is no run directory, at nowhere",
        ),
        (
            {"model": "a.pte", "fail_if_slower": "10%"},
            "Check the inputs",
            "::error::fail-if-slower is 10%: give a number such as 10, without %",
        ),
        (
            {"model": "a.pte", "history": "disk"},
            "Check the inputs",
            "::error::history is disk: give artifact or branch, or leave it out",
        ),
        (
            {"model": "a.pte", "fail_on_change": "ten"},
            "Check the inputs",
            "::error::fail-on-change is ten: give a number such as 10, without %",
        ),
        (
            {"model": "a.pte", "pairs": "many"},
            "Write the configuration",
            "error: many is no number of pairs, in the input pairs",
        ),
        ({"model": "a.pte"}, "Launch, analyze, report", "error: the model a.pte does not exist"),
        (
            {"model": "$(touch pwned)`touch pwned`"},
            "Launch, analyze, report",
            "error: the model $(touch pwned)`touch pwned` does not exist",
        ),
    ],
)
def test_wrong_inputs_are_one_line(
    inputs: dict[str, str], step: str, told: str, action: Action, tmp_path: Path
) -> None:
    done = use(action, tmp_path, **inputs)
    assert [name for name, status in done.statuses.items() if status] == [step]
    assert told in done.log and "Traceback" not in done.log
    assert not (tmp_path / "pwned").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
