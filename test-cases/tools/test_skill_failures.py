# SPDX-License-Identifier: Apache-2.0
"""Each row of each skill's failure table: it is caused for real, shows its symptom, and its fix repairs it.

Symptoms and fixes are read from the tables; only the causes (support_causes_*.py) are written here.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import causes_results, causes_run, causes_setup
from support.export import SharedExports
from support.kit import write_config
from support.setup import ShadowVenv
from support.shared import alone, shared_folder
from support.skill_failures import CAUSES, REPOSITORY, Desk, act, is_elsewhere, rows

pytestmark = pytest.mark.slow

#: Importing them registers their causes.
MODULES = (causes_setup, causes_run, causes_results)
ROWS = {(number, row.symptom): row for number, row in rows()}
HERE = [key for key, row in ROWS.items() if not is_elsewhere(row)]
NAMES = ("toy_cnn_xnnpack_fp16.pte", "toy_cnn_xnnpack_fp16.json", "toy_cnn_xnnpack_fp16.etrecord")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.venv` as set-up makes it, with this checkout's kit, its packages and native runner shared."""
    folder = shared_folder(tmp_path_factory, "skill_venv")
    with alone(folder, "made"):
        if not (folder / ".venv").is_dir():
            ShadowVenv(folder / ".venv", REPOSITORY)
            builds = Path(sys.prefix) / "share" / "sme-executorch-profiling"
            builds.mkdir(parents=True, exist_ok=True)
            (folder / ".venv" / "share" / "sme-executorch-profiling").symlink_to(builds)
    return folder / ".venv"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, environment: Path, shared_exports: SharedExports) -> Path:
    """A desk on which skills 01 to 05 were done, small: copied for each row."""
    folder = shared_folder(tmp_path_factory, "skill_desk")
    with alone(folder, "made"):
        if not (folder / "desk").is_dir():
            made = _lay_out(folder / "new", environment, shared_exports)
            desk = Desk(made)
            desk.type(
                "python model_profiling/scripts/mac_pipeline.py --config out_toy_cnn/config.json"
            ).check_returncode()
            made.rename(folder / "desk")
    return folder / "desk"


def _lay_out(root: Path, environment: Path, exports: SharedExports) -> Path:
    artifacts = root / "out_toy_cnn" / "artifacts"
    artifacts.mkdir(parents=True)
    for name in ("model_profiling", "tools", "test-cases", "agent_skill_ml_profiling"):
        (root / name).symlink_to(REPOSITORY / name)
    (root / ".venv").symlink_to(environment)
    source = exports["toy_cnn", "fp16"].pte.parent
    for name in NAMES:
        shutil.copy(source / name, artifacts / name)
    arm = {"mode": "timing", "runs": 5, "warmup": 1, "traced_runs": 3, "threads": [1]}
    write_config(
        root / "out_toy_cnn",
        Path("out_toy_cnn/artifacts") / NAMES[0],
        output_root="out_toy_cnn/runs/mac",
        pairs=2,
        experiments=[{"name": "mac_sme2_on", **arm}, {"name": "mac_sme2_off", **arm, "disable_cpu_features": "auto"}],
        analysis={"compare_pairs": [["mac_sme2_off", "mac_sme2_on"]]},
    )
    return root


def first_of_each_skill_and_the_others_at_night() -> list[object]:
    """Return the rows; those after a skill's first make runs of minutes, all told."""
    first = {number: (number, symptom) for number, symptom in reversed(HERE)}
    return [key if first[key[0]] == key else pytest.param(key, marks=pytest.mark.nightly) for key in HERE]


@pytest.mark.parametrize("key", first_of_each_skill_and_the_others_at_night(), ids=lambda key: f"{key[0]} {key[1]}")
def test_a_failure_shows_its_symptom_and_its_fix_repairs_it(
    key: tuple[str, str], finished: Path, tmp_path: Path
) -> None:
    assert key in CAUSES, f'nothing causes the row "{key[1]}" of skill {key[0]}: write it into support_causes_*.py'
    desk = Desk(shutil.copytree(finished, tmp_path / "desk", symlinks=True))
    act(desk, CAUSES[key](desk), ROWS[key], tmp_path / "record")


def test_every_cause_has_its_row() -> None:
    assert sorted(CAUSES.keys() - set(HERE)) == []


def test_every_skill_has_failures_that_are_caused_here() -> None:
    caused = {number for number, _ in HERE}
    assert caused == {path.name[:2] for path in (REPOSITORY / "agent_skill_ml_profiling").glob("[0-9][0-9]_*.md")}


def test_rows_for_other_machines_are_few_and_known() -> None:
    """What no Linux machine without a phone can cause; every other row is acted out above."""
    assert sorted(symptom for (_, symptom), row in ROWS.items() if is_elsewhere(row)) == [
        "error: no device is connected",
        "error: the runner does not exist",
        "unauthorized",
    ]


@pytest.mark.parametrize("change", ["symptom", "fix", "no fix"])
def test_a_wrong_row_is_found(change: str, finished: Path, tmp_path: Path) -> None:
    """A symptom that is not printed, a command that repairs nothing, a row without one: each fails."""
    key = ("07", "error: the run has not been analyzed (analysis_summary.json is missing)")
    row = {
        "symptom": replace(ROWS[key], symptom="error: the run is not analyzed"),
        "fix": replace(ROWS[key], commands=("true",)),
        "no fix": replace(ROWS[key], commands=()),
    }[change]
    desk = Desk(shutil.copytree(finished, tmp_path / "desk", symlinks=True))
    with pytest.raises(AssertionError):
        act(desk, CAUSES[key](desk), row, tmp_path / "record")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
