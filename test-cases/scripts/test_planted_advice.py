# SPDX-License-Identifier: Apache-2.0
"""Advice on models with one planted fault: it is named first, and mending it saves no more than was said."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support import warm
from support.export import run_command
from support.kit import FIXTURES, KIT, kit

from model_profiling.analysis.advice.opportunity import Opportunity
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.words.advice import command

pytestmark = pytest.mark.slow
MODELS = FIXTURES / "planted_models.py"


@dataclass(frozen=True)
class Planted:
    """A model with a fault, what advice says of it first, and the model and flags that mend it."""

    model: str
    dtype: str
    first: str
    mended: str
    flags: tuple[str, ...] = ()


NORM = Planted("norm", "fp32", "outside-layer-norm", "norm", ("--rewrite", "layer-norm"))
CASES = (
    NORM,
    Planted("turned", "fp32", "transpose-model", "straight"),
    Planted("island", "fp16", "fp16-island-hard-sigmoid", "island", ("--rewrite", "hard-sigmoid")),
)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.model)


def export(model: str, dtype: str, folder: Path, *flags: str) -> Path:
    done = run_command("--model-file", MODELS, "--model", model, "--dtype", dtype, "--outdir", folder, *flags)
    assert done.returncode == 0, done.stderr
    return folder / f"{model}_xnnpack_{dtype}.pte"


def measured(folder: Path, *words: object, quick: bool) -> AnalysisSummary:
    kit("scripts/generate_config.py", *words, "--output", folder).ok()
    kit("scripts/mac_pipeline.py", "--config", folder / "config.json", *(["--quick"] if quick else [])).ok()
    (run,) = (folder / "runs").iterdir()
    return AnalysisSummary.read(RunDirectory(run))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Planted], tuple[Path, AnalysisSummary]]:
    """Return the program of a case and what its run came to, made once."""
    made: dict[str, tuple[Path, AnalysisSummary]] = {}

    def of(case: Planted) -> tuple[Path, AnalysisSummary]:
        if case.model not in made:
            folder = tmp_path_factory.mktemp(case.model)
            pte = export(case.model, case.dtype, folder)
            made[case.model] = pte, measured(folder / "run", "--model", pte, quick=True)
        return made[case.model]

    return of


def first(summary: AnalysisSummary) -> Opportunity:
    return summary.opportunities[0]


@each_case
def test_the_planted_fault_is_named_first(case: Planted, faulty) -> None:
    _, summary = faulty(case)
    assert first(summary).id == case.first, [one.id for one in summary.opportunities]


def typed(one: Opportunity, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Type an opportunity's command in a folder where the kit lies, as a reader would."""
    (folder / "model_profiling").symlink_to(KIT)
    python, *words = shlex.split(command(one))
    assert python == "python"
    return warm.run([sys.executable, *words, *more], folder, os.environ, 600)


def of_toy(one: Opportunity, rewrite: str) -> Opportunity:
    """Return what is said of a model whose name is not known as if it were said of `toy_cnn`, which has one too."""
    return replace(one, facts={**one.facts, "source": "kit", "model": "toy_cnn", "rewrite": rewrite})


def test_the_command_that_shows_a_place_can_be_typed(faulty, tmp_path: Path) -> None:
    done = typed(of_toy(first(faulty(NORM)[1]), rewrite=""), tmp_path)
    assert done.returncode == 0 and "Outside XNNPACK: 1 operator" in done.stdout, done.stderr


def test_the_command_that_exports_in_another_recipe_can_be_typed(faulty, tmp_path: Path) -> None:
    one = of_toy(first(faulty(NORM)[1]), rewrite="")
    done = typed(replace(one, facts={**one.facts, "recipe": "int8"}), tmp_path)
    assert done.returncode == 0 and "toy_cnn, int8, xnnpack" in done.stdout, done.stderr


@pytest.mark.nightly
def test_the_command_that_tries_a_rewrite_can_be_typed(faulty, tmp_path: Path) -> None:
    done = typed(of_toy(first(faulty(NORM)[1]), rewrite="mean"), tmp_path, "--pairs", "6", "--budget", "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out_toy_cnn" / "tuned" / "TUNING.md").is_file()


@pytest.mark.nightly
def test_a_layer_that_moves_more_than_it_computes_is_held_against_the_ceiling_of_memory(tmp_path: Path) -> None:
    pte, folder = export("deep", "fp32", tmp_path), tmp_path / "run"
    kit("scripts/generate_config.py", "--model", pte, "--output", folder).ok()
    measuring = {"SME2_NO_CEILINGS": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    kit("scripts/mac_pipeline.py", "--config", folder / "config.json", env=measuring).ok()
    (run,) = (folder / "runs").iterdir()
    one = first(AnalysisSummary.read(RunDirectory(run)))
    assert (one.basis, [layer.partition(" (")[0] for layer in one.where]) == ("ceiling", ["0.2 depthwise"])
    assert 0 < one.bound_ms < one.now_ms


@pytest.mark.nightly
@each_case
def test_mending_it_saves_no_more_than_was_said(case: Planted, faulty, tmp_path: Path) -> None:
    """As shares of the whole, both of one run: other work on the machine slows a pair, and so not its ratio."""
    before, _ = faulty(case)
    after = export(case.mended, case.dtype, tmp_path / "mended", *case.flags)
    summary = measured(tmp_path / "pair", "--model", after, "--against", before, quick=False)
    (compared,) = summary.comparisons
    one = next(one for one in summary.opportunities if one.experiment == compared.baseline)
    assert one.id == case.first
    whole = summary.experiments[one.experiment][one.threads].time_ms
    assert compared.interval is not None and whole is not None
    assert 1 - 1 / compared.interval.low <= one.saves_ms / whole
    assert compared.speedup > 1
