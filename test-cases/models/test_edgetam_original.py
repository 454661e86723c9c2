# SPDX-License-Identifier: Apache-2.0
"""The second route to EdgeTAM: fetching the original at a pinned commit, and wrapping it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.edgetam import bare_state, official_layout, write_stand_in
from support.kit import REPOSITORY, kit

from model_profiling.models import loading
from model_profiling.models.edgetam_image_encoder import model, original

pytestmark = pytest.mark.exports

ADDRESS = "https://github.com/facebookresearch/EdgeTAM.git"
FETCH = original.FETCH


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def published(tmp_path: Path) -> tuple[dict[str, str], str]:
    """A small repository in the place of the public one: the environment that redirects to it, its pinned commit."""
    checkout, _ = write_stand_in(tmp_path / "published")
    (checkout / "big_video.mp4").write_bytes(b"x" * 100_000)
    git(checkout, "init", "-q")
    git(checkout, "config", "uploadpack.allowFilter", "true")
    git(checkout, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "pinned")
    pinned = git(checkout, "rev-parse", "HEAD")
    (checkout / "sam2" / "later.py").write_text("")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "later")
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{checkout}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }
    return env, pinned


def fetch(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", FETCH, *map(str, words)], capture_output=True, text=True, env={**os.environ, **env})


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_the_pinned_commit_is_fetched_with_its_license(published, tmp_path):
    env, pinned = published
    target = tmp_path / "vendor" / "EdgeTAM"
    done = fetch(target, EDGETAM_COMMIT=pinned, **env)
    assert done.returncode == 0, done.stderr
    assert (target / "LICENSE").is_file() and str(target / "LICENSE") in done.stdout
    assert git(target, "rev-parse", "HEAD") == pinned and not (target / "sam2" / "later.py").exists()
    assert not (target / "big_video.mp4").exists()
    assert "there already" in fetch(target, EDGETAM_COMMIT=pinned, **env).stdout
    assert [path.name for path in target.parent.iterdir()] == ["EdgeTAM"]


def test_the_commit_is_the_one_that_was_compared():
    commit = "9cc44bfe9e16cc374242917b91283c718410ea87"
    assert commit in FETCH.read_text() and ADDRESS in FETCH.read_text()
    recorded = (REPOSITORY / "test-cases" / "fixtures" / "edgetam" / "original_outputs.json").read_text()
    assert commit in recorded


def test_what_cannot_be_fetched_leaves_nothing(published, tmp_path):
    env, pinned = published
    target = tmp_path / "vendor" / "EdgeTAM"
    assert "cannot be fetched" in error_line(fetch(target, EDGETAM_COMMIT="0" * 40, **env))
    target.mkdir()
    assert "something else is there" in error_line(fetch(target, EDGETAM_COMMIT=pinned, **env))
    target.rmdir()
    assert list(target.parent.iterdir()) == []
    assert "no option" in error_line(fetch("--frobnicate"))


def test_a_commit_of_something_else_is_refused(published, tmp_path):
    env, _ = published
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "README").write_text("another project\n")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "one")
    env = {**env, "GIT_CONFIG_KEY_0": f"url.file://{other}.insteadOf"}
    told = error_line(fetch(tmp_path / "v" / "EdgeTAM", EDGETAM_COMMIT=git(other, "rev-parse", "HEAD"), **env))
    assert "is not EdgeTAM" in told and list((tmp_path / "v").iterdir()) == []


def test_a_checkout_is_never_committed():
    done = subprocess.run(["git", "check-ignore", "-q", FETCH.with_name("EdgeTAM") / "LICENSE"], cwd=REPOSITORY)
    assert done.returncode == 0
    assert subprocess.run(["git", "check-ignore", "-q", FETCH], cwd=REPOSITORY).returncode == 1


# The wrapper ---------------------------------------------------------------------------------------------


def test_what_is_missing_is_told_in_one_line(tmp_path):
    done = kit(
        "export/export_model.py",
        "--model",
        "edgetam_original",
        "--outdir",
        tmp_path / "out",
        env={original.CHECKOUT_VARIABLE: str(tmp_path / "nothing")},
    )
    line = done.error_line()
    assert f"needs the original's checkout at {tmp_path / 'nothing'}" in line and "fetch_original.sh" in line
    assert not (tmp_path / "out").exists()


def test_missing_packages_are_told(tmp_path, monkeypatch):
    checkout, _ = write_stand_in(tmp_path)
    monkeypatch.setenv(original.CHECKOUT_VARIABLE, str(checkout))
    monkeypatch.setattr(original, "PACKAGES", ("timm_that_is_not_there",))
    with pytest.raises(original.UserError, match=r"needs timm_that_is_not_there.*pip install timm==") as raised:
        loading.load("edgetam_original", None)
    assert "fetch_original.sh" not in str(raised.value)


RUN = """
import sys, torch
from model_profiling.models import loading
from model_profiling.models.edgetam_image_encoder import original
loaded = loading.load("edgetam_original", None, __import__("pathlib").Path(sys.argv[1]))
image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    torch.save(list(loaded.module(image)), sys.argv[2])
assert not [name for name in sys.modules if name.split(".")[0] in ("sam2", "hydra")]
"""


def test_wrapped_code_normalizes_and_gives_a_tuple(tmp_path):
    """In a process of its own, as the packages that stand in for timm and torchvision would stay imported."""
    checkout, packages = write_stand_in(tmp_path)
    state = bare_state()
    torch.save(official_layout(state), tmp_path / "edgetam.pt")
    done = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path / "edgetam.pt", tmp_path / "maps.pt"],
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env={
            **os.environ,
            original.CHECKOUT_VARIABLE: str(checkout),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(packages)]),
        },
    )
    assert done.returncode == 0, done.stderr
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    mean, deviation = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (original.MEAN, original.DEVIATION))
    with torch.no_grad():
        expected = model.load_from_state_dict(state)((image - mean) / deviation)
    for got, wanted in zip(torch.load(tmp_path / "maps.pt"), expected, strict=True):
        assert (got - wanted).abs().max() < 1e-5
