# SPDX-License-Identifier: Apache-2.0
"""What a reader of the README types, typed as it stands, in a fresh clone; and set-up run again there.

One file for all tests of the fresh clone: it is made once, from nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from support.setup import (
    BARE_PYTHON,
    REPOSITORY,
    Checkout,
    clean_environment,
    clone,
    fresh_checkout,
    quick_start,
    redirect,
    run,
)

from tools.pages.running.lent_packages import lend

MODEL = "toy_cnn"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return fresh_checkout(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def typed(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    """The quick start from its third line on; the first two made the checkout."""
    lines = [line.replace("<model>", MODEL) for line in quick_start()[2:]]
    if not shutil.which("c++"):
        lines = [line for line in lines if "build_runners.sh" not in line]  # as the README says
    return run(["bash", "-e", "-c", "\n".join(lines)], cwd=checkout.root)


@pytest.fixture(scope="module")
def quick_test(
    checkout: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The README's first command in a terminal where nothing is active, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return folder, run([BARE_PYTHON, checkout.root / "model_profiling" / "scripts" / "run_quick_test.py"], cwd=folder)


def test_the_readme_opens_with_the_two_commands() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks[:2] == ["python3 model_profiling/scripts/run_quick_test.py\n", "bash test-cases/run_tests.sh\n"]


def test_continuous_integration_calls_the_readmes_test_command() -> None:
    assert "\nbash test-cases/run_tests.sh" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def test_files_that_the_readme_links_to_are_there() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [link for link in links if "://" not in link and not (REPOSITORY / link).exists()]
    assert missing == []


def test_commands_that_the_readme_names_are_there() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:model_profiling|test-cases)/[\w/]+\.(?:py|sh)", text))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (REPOSITORY / name).is_file()] == []


@pytest.mark.network
def test_set_up_from_nothing_ends_ready(checkout: Checkout) -> None:
    assert "is ready" in checkout.setup_output


@pytest.mark.network
def test_the_quick_start_works_as_it_stands(checkout: Checkout, typed: subprocess.CompletedProcess[str]) -> None:
    assert typed.returncode == 0, typed.stdout[-3000:] + typed.stderr[-3000:]
    run_directory = checkout.root / f"out_{MODEL}" / "runs" / "mac"
    for name in (
        "manifest.json",
        "launches.jsonl",
        "analysis_summary.json",
        "report.md",
        "report.html",
        "timeline.json",
        "operator_bottlenecks.csv",
        "portable_vs_delegated.csv",
        "category_comparison.csv",
    ):
        assert (run_directory / name).stat().st_size > 0, name
    assert list(run_directory.glob("mac_sme2_on/*_all_runs_timeline.csv"))


@pytest.mark.network
def test_the_quick_start_leaves_the_checkout_clean(checkout: Checkout, typed: subprocess.CompletedProcess[str]) -> None:
    assert typed.returncode == 0
    assert run(["git", "status", "--porcelain"], cwd=checkout.root).stdout == ""


@pytest.mark.network
def test_the_quick_test_passes_and_says_what_came_out(
    quick_test: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = quick_test
    assert done.returncode == 0, done.stdout + done.stderr
    run_directory = folder / "out_quick_test" / "runs" / "mac"
    summary = json.loads((run_directory / "analysis_summary.json").read_text(encoding="utf-8"))
    (comparison,) = summary["comparisons"]
    label = summary["feature"]
    said = re.search(
        rf"Measured speed-up of {label} on over {label} off: ([\d.]+)x, 95 % interval ([\d.]+) to ([\d.]+), "
        rf"{comparison['pairs']} pairs, 1 thread \(quick: no verdict\)",
        done.stdout,
    )
    for printed, number in zip(said.groups(), (comparison["speedup"], *comparison["ci95"]), strict=True):
        assert float(printed) == pytest.approx(number, abs=0.51 * 10 ** -len(printed.partition(".")[2]))
    assert comparison["verdict"] == "no verdict"
    for name in ("report.html", "report.md"):
        assert f"out_quick_test/runs/mac/{name}" in done.stdout and (run_directory / name).is_file()


@pytest.mark.network
def test_only_sme2_is_called_sme2(quick_test: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    from model_profiling.pipeline.cpu import features as cpu_features

    features = cpu_features.detect()
    label = cpu_features.resolve("auto", features).label
    assert f"\nMeasured speed-up of {label} on over {label} off: " in quick_test[1].stdout
    assert ("SME2 on over" in quick_test[1].stdout) == ("sme2" in features.names)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--model", "toy_cmn"], "did you mean toy_cnn?"), (["--platform", "amiga"], "amiga"), (["--kep", "x"], "--keep")],
)
def test_a_wrong_quick_test_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    script = REPOSITORY / "model_profiling" / "scripts" / "run_quick_test.py"
    done = run([sys.executable, script, *arguments], cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")


def test_the_quick_test_replaces_its_own_folder_only(tmp_path: Path) -> None:
    (tmp_path / "out_quick_test").mkdir()
    (tmp_path / "out_quick_test" / "thesis.txt").write_text("mine")
    script = REPOSITORY / "model_profiling" / "scripts" / "run_quick_test.py"
    done = run([sys.executable, script], cwd=tmp_path)
    assert done.returncode == 2 and "no quick test made it" in done.stderr
    assert (tmp_path / "out_quick_test" / "thesis.txt").read_text() == "mine"


@pytest.mark.network
def test_tests_run_from_any_folder(tmp_path: Path) -> None:
    """In another clone, which is lent the packages: continuous integration makes them from nothing in its own."""
    kit = clone(tmp_path / "a clone")
    lend(Path(sys.prefix), kit / ".venv")
    (tmp_path / "elsewhere").mkdir()
    done = run(
        ["bash", kit / "test-cases" / "run_tests.sh", "--quiet", "--collect-only", "-k", "the_readme_opens"],
        cwd=tmp_path / "elsewhere",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_the_readme_opens_with_the_two_commands" in done.stdout


# ---------------------------------------------------------------- running set-up again


def set_up(checkout: Checkout, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    script = checkout.root / "model_profiling" / "scripts" / "setup_repo.sh"
    return run(["bash", script, *flags], cwd=checkout.root, env=clean_environment(**env))


@pytest.mark.network
def test_a_second_run_has_nothing_to_do(checkout: Checkout) -> None:
    done = set_up(checkout)
    assert done.returncode == 0 and "nothing to do" in done.stdout, done.stdout + done.stderr
    assert run(["git", "status", "--porcelain"], cwd=checkout.root).stdout == ""


@pytest.mark.network
def test_a_damaged_environment_is_repaired(checkout: Checkout) -> None:
    """What a killed pip leaves: a package without RECORD, one with files missing, a folder set aside."""
    packages = checkout.site_packages
    next(packages.glob("rich-*.dist-info/RECORD")).unlink()
    shutil.rmtree(packages / "jsonschema")
    (packages / "~orch").mkdir()
    metadata = next(packages.glob("torch-*.dist-info/METADATA"))
    whole = metadata.read_text(encoding="utf-8")
    # As a CUDA build's metadata has it, on a machine that the marker leaves out.
    metadata.write_text(
        whole.replace(
            "\nRequires-Python:", '\nRequires-Dist: nvidia-cublas; python_version < "3"\nRequires-Python:', 1
        ),
        encoding="utf-8",
    )
    try:
        done = set_up(checkout)
    finally:
        metadata.write_text(whole, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is a CUDA build" in done.stdout
    assert not (packages / "~orch").exists()
    assert "nothing to do" in set_up(checkout).stdout
    assert run([checkout.python, "-c", "import jsonschema, rich.console"]).returncode == 0


@pytest.mark.network
def test_executorch_is_cloned_at_the_installed_version(checkout: Checkout, tmp_path: Path) -> None:
    upstream = tmp_path / "upstream"
    version = next(r for r in requires("sme-executorch-profiling") if r.startswith("executorch=="))[12:].split(";")[0]
    for command in (
        ["init", "--quiet", upstream],
        [
            "-C",
            upstream,
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "release",
        ],
        ["-C", upstream, "tag", f"v{version.strip()}"],
    ):
        assert run(["git", *command]).returncode == 0
    env = redirect(("https://github.com/pytorch/executorch.git", upstream))
    try:
        assert set_up(checkout, "--from-source", **env).returncode == 0
        assert (checkout.root / "executorch" / ".git").is_dir()
        assert f"ExecuTorch v{version.strip()} is in" in set_up(checkout, "--from-source", **env).stdout
        run(["git", "-C", checkout.root / "executorch", "tag", "-d", f"v{version.strip()}"])
        refused = set_up(checkout, "--from-source", **env)
        assert refused.returncode == 2 and "move it away" in refused.stderr
    finally:
        shutil.rmtree(checkout.root / "executorch", ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
