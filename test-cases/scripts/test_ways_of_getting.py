# SPDX-License-Identifier: Apache-2.0
"""Every way of getting the kit, from nothing: part of a clone, the archive, single files, wheel and sdist.

The full clone is what test_quick_start.py begins with. Each way brings other files; what pip
downloads is the same in all of them, so only the single set-up script downloads it, and the
others set up over links into this environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kit import ENOUGH, write_config
from support.pages import REPOSITORY
from support.setup import BARE_PYTHON, SETUP, ShadowVenv, clean_environment, clone, own_program, redirect, run

from model_profiling import KIT_ADDRESS
from tools.pages.running.workspace import Workspace, new_workspace

pytestmark = pytest.mark.network

KIT = REPOSITORY / "model_profiling"
PAGE = (
    REPOSITORY
    / "content"
    / "learning-paths"
    / "embedded-and-microcontrollers"
    / "sme-executorch-profiling"
    / "01-overview.md"
)
ARCHIVE_LINE = f"curl -L {KIT_ADDRESS}/archive/refs/heads/main.tar.gz | tar xz"
TORCH = ("torch", "functorch")
SINGLE_PYTHON = (
    "export/export_model.py",
    "scripts/mac_pipeline.py",
    "scripts/android_pipeline.py",
    "scripts/analyze_results.py",
)
CPU_TORCH_PAGE = "https://download.pytorch.org/whl/cpu/torch/"


@pytest.fixture
def home() -> Iterator[Workspace]:
    """A reader's empty home, where the public address leads to this checkout's last commit."""
    with new_workspace(REPOSITORY) as workspace:
        yield workspace


def typed(lines: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Type lines into a new shell; every one has to succeed."""
    done = run(["bash", "-e", "-o", "pipefail", "-c", lines], cwd=folder, env=env)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def assert_measured(run_directory: Path) -> None:
    """A run with tables, a comparison and a report is there."""
    summary = json.loads((run_directory / "analysis_summary.json").read_text(encoding="utf-8"))
    assert len(summary["comparisons"]) == 1 and summary["comparisons"][0]["speedup"] > 0
    assert (run_directory / "report.html").stat().st_size > 0


# ---------------------------------------------------------------- a part of a clone, the archive


def test_the_partial_checkout_of_the_overview_holds_its_folders_and_no_others(home: Workspace) -> None:
    """What runs in it, quick test and skills, test_all_pages_run.py types."""
    block = next(
        b
        for b in re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        if "sparse-checkout" in b
    )
    typed(block, home.home, dict(home.environment()))
    (kit,) = home.home.iterdir()
    held = {path.name for path in kit.iterdir() if path.is_dir()} - {".git"}
    assert held == set(re.search(r"sparse-checkout set (.*)", block)[1].split())
    assert "promisor" in (kit / ".git" / "config").read_text()  # objects come when they are needed


def test_the_archive_sets_up_without_git_and_without_pytorch(home: Workspace) -> None:
    assert ARCHIVE_LINE in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    typed(ARCHIVE_LINE, home.home, dict(home.environment()))
    (kit,) = home.home.iterdir()
    assert kit.name == "sme-executorch-profiling-main" and not (kit / ".git").exists()
    venv = ShadowVenv(kit / ".venv", kit, without=TORCH)
    done = typed("bash model_profiling/scripts/setup_repo.sh --without-export", kit, dict(home.environment()))
    assert "is ready" in done.stdout
    assert run([venv.python, "-I", "-c", "import torch"]).returncode != 0
    checked = typed(".venv/bin/python model_profiling/scripts/validate_setup.py", kit, dict(home.environment()))
    assert "without PyTorch" in checked.stdout and checked.stdout.splitlines()[-1].startswith("valid: ")


# ---------------------------------------------------------------- single files


@pytest.mark.nightly
def test_setup_alone_survives_being_killed_and_installs_from_the_public_address(tmp_path: Path) -> None:
    """The script is the only file; it is killed while pip works; the next run goes on from there."""
    argv = ["bash", shutil.copy(SETUP, tmp_path), "--without-export"]
    env = clean_environment(**redirect((KIT_ADDRESS, REPOSITORY)))
    first = subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    packages = tmp_path / ".venv" / "lib"
    deadline = time.monotonic() + 120
    while (
        not list(packages.glob("python*/site-packages/sympy")) and time.monotonic() < deadline and first.poll() is None
    ):
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    done = run(argv, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(argv, cwd=tmp_path, env=env).stdout.count("nothing to do") == 1
    python = tmp_path / ".venv" / "bin" / "python"
    found = run([python, "-I", "-c", "import executorch, model_profiling as m; print(m.PACKAGE_DIR)"], cwd=tmp_path)
    assert found.stdout.strip().startswith(str(tmp_path / ".venv")), found.stderr
    assert run([python, "-I", "-c", "import torch"]).returncode != 0
    checked = run([python, "-I", "-m", "model_profiling.scripts.validate_setup"], cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "structure" in checked.stdout and "without PyTorch" in checked.stdout


def download(folder: Path, *names: str) -> None:
    """Put single files of the kit into a folder, as from their raw addresses."""
    for name in names:
        shutil.copy(KIT / name, folder)


def test_after_setup_alone_each_single_script_works_alone(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    download(alone, "scripts/setup_repo.sh")
    ShadowVenv(alone / ".venv", None)
    assert (
        "is ready"
        in typed("bash setup_repo.sh", alone, clean_environment(**redirect((KIT_ADDRESS, REPOSITORY)))).stdout
    )
    download(alone, "scripts/build_runners.sh", *SINGLE_PYTHON)
    if shutil.which("c++"):
        assert "native" in typed("bash build_runners.sh", alone, clean_environment()).stdout
    typed(
        ".venv/bin/python export_model.py --model toy_cnn --dtype fp32 --outdir artifacts", alone, clean_environment()
    )
    config = write_config(alone, alone / "artifacts" / "toy_cnn_xnnpack_fp32.pte")
    typed(f".venv/bin/python mac_pipeline.py --config {config}", alone, clean_environment())
    (alone / "run" / "analysis_summary.json").unlink()
    typed(".venv/bin/python analyze_results.py --run-dir run", alone, clean_environment())
    (alone / "run" / "report.html").unlink()
    typed(
        f".venv/bin/python android_pipeline.py --config {config} --analysis-only", alone, clean_environment()
    )  # needs no device
    assert_measured(alone / "run")


@pytest.fixture(scope="module")
def uv_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A new terminal with uv and an empty cache. It looks for PyTorch where pip does, else at the CPU builds."""
    uv = own_program("uv")
    links = run([sys.executable, "-m", "pip", "config", "get", "global.find-links"])
    env = clean_environment(
        **redirect((KIT_ADDRESS, REPOSITORY)),
        UV_CACHE_DIR=str(tmp_path_factory.mktemp("uv")),
        UV_FIND_LINKS=links.stdout.strip() or CPU_TORCH_PAGE,
        UV_PYTHON=str(BARE_PYTHON),
    )
    return (
        env | {"PATH": os.pathsep.join([str(uv.parent), env["PATH"]])}
        if shutil.which("uv", path=env["PATH"]) is None
        else env
    )


@pytest.mark.nightly
def test_with_uv_each_single_script_works_without_a_set_up(
    uv_environment: dict[str, str], toy: Path, tmp_path: Path
) -> None:
    download(tmp_path, *SINGLE_PYTHON)
    shutil.copy(toy, tmp_path)
    assert re.search(
        r"^toy_cnn +kit +ready", typed("uv run export_model.py --list", tmp_path, uv_environment).stdout, re.MULTILINE
    )
    config = write_config(tmp_path, tmp_path / toy.name, runner="python", pairs=ENOUGH)
    typed(f"uv run mac_pipeline.py --config {config}", tmp_path, uv_environment)
    (tmp_path / "run" / "analysis_summary.json").unlink()
    typed(f"{BARE_PYTHON} analyze_results.py --run-dir run", tmp_path, uv_environment)  # starts itself again under uv
    (tmp_path / "run" / "report.html").unlink()
    typed(f"uv run android_pipeline.py --config {config} --analysis-only", tmp_path, uv_environment)
    assert_measured(tmp_path / "run")
    assert not (tmp_path / ".venv").exists()


# ---------------------------------------------------------------- wheel and sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of the last commit, by kind."""
    folder = tmp_path_factory.mktemp("built")
    kit = clone(folder / "kit")
    (kit / "model_profiling" / "configs" / "my_experiment.json").write_text("{}")  # the reader's own
    for kind in ("sdist", "wheel"):
        done = run(
            [sys.executable, "-c", f"import sys, setuptools.build_meta as b; b.build_{kind}(sys.argv[1])", folder],
            cwd=kit,
        )
        assert done.returncode == 0, done.stderr
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def installed(python: str, folder: Path) -> set[str]:
    """Return the package's files in the environment of a Python, byte code left out."""
    (package,) = folder.glob(f"{Path(python).parts[0]}/lib/python*/site-packages/model_profiling")
    return {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def committed() -> set[str]:
    return set(run(["git", "ls-files", "model_profiling"], cwd=REPOSITORY).stdout.split())


def test_the_wheel_installs_with_what_it_needs_and_its_commands_run(
    built: dict[str, Path], toy: Path, tmp_path: Path
) -> None:
    ShadowVenv(tmp_path / "venv", None)
    typed(
        f"venv/bin/python -m pip install --quiet --no-compile '{built['wheel']}[export]'", tmp_path, clean_environment()
    )
    assert installed("venv/bin/python", tmp_path) == committed()
    config = write_config(tmp_path, toy)
    checked = typed(
        f"venv/bin/python -m model_profiling.scripts.validate_pipeline --config {config}", tmp_path, clean_environment()
    )
    assert "valid: " in checked.stdout


def test_the_sdist_installs_every_file_of_the_package(built: dict[str, Path], tmp_path: Path) -> None:
    typed(
        f"{BARE_PYTHON} -m venv venv && venv/bin/python -m pip install --quiet --no-compile --no-deps {built['sdist']}",
        tmp_path,
        clean_environment(),
    )
    assert installed("venv/bin/python", tmp_path) == committed()


def test_the_wheel_fits_every_python_and_platform(built: dict[str, Path]) -> None:
    assert built["wheel"].name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(built["wheel"]) as wheel:
        metadata = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
    assert "Requires-Python: >=3.10" in metadata


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
