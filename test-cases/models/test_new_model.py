# SPDX-License-Identifier: Apache-2.0
"""From nothing to a report in four commands, as new_model.py prints them; and names that it refuses."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kit import KIT, kit

from model_profiling.errors import UserError
from model_profiling.models import scaffolding

pytestmark = pytest.mark.slow

NEW_MODEL = "scripts/new_model.py"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A folder outside the repository, the commands that were printed there, and all that was printed."""
    folder = tmp_path_factory.mktemp("somewhere else")
    said = kit(NEW_MODEL, "--name", "my_model", "--dest", "models", cwd=folder).ok().stdout
    return folder, [line.strip() for line in said.splitlines() if line.startswith("  ")], said


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a printed line through a shell, as pasted; `python` is the one that runs the tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PATH": path},
    )


def test_package_is_what_the_contract_names(written) -> None:
    folder, commands, said = written
    assert sorted(path.name for path in (folder / "models/my_model").iterdir()) == [
        "__init__.py",
        "model.py",
        "test_my_model.py",
    ]
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["my_model"]
    model = (folder / "models/my_model/model.py").read_text(encoding="utf-8")
    assert model.count("CHANGE") >= 5 and "class MyModel:" in model and "$" not in model
    assert len(commands) == 3 and "pytest" in said.splitlines()[-1]


def test_three_more_commands_give_a_report(written) -> None:
    folder, commands, _ = written
    for command in commands[:2]:
        assert (done := run(command, folder)).returncode == 0, done.stdout + done.stderr
    done = run(f"{commands[2]} --quick", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "out_my_model/runs/mac/report.html").is_file()
    assert "my_model" in (folder / "out_my_model/runs/mac/report.md").read_text(encoding="utf-8")


def test_its_own_tests_pass_and_would_fail(written, tmp_path: Path) -> None:
    folder, _, said = written
    package = folder / "models/my_model"
    tests = shlex.join(["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package)])
    done = run(f"{tests} -k 'contract or same or fp32'", tmp_path)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout
    model = package / "model.py"
    text = model.read_text(encoding="utf-8")
    model.write_text(text.replace("nn.Linear(32, 10)", "nn.Linear(32, 9)"), encoding="utf-8")
    try:
        done = run(f"{tests} -k contract", tmp_path)
    finally:
        model.write_text(text, encoding="utf-8")
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout


def test_printed_commands_in_a_checkout_are_short() -> None:
    from model_profiling.scripts import new_model

    assert [command.split()[1] for command in new_model.next_commands("m", Path("models/m"))] == [
        "model_profiling/export/export_model.py",
        "model_profiling/scripts/generate_config.py",
        "model_profiling/scripts/mac_pipeline.py",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("my-model", "cannot be the name of a Python package"),
        ("2d", "cannot be"),
        ("class", "cannot be"),
        ("", "cannot be"),
        ("../up", "cannot be"),
        ("größe", "cannot be"),
        ("_hidden", "cannot be"),
        ("json", "Python or the kit uses"),
        ("torch", "Python or the kit uses"),
        ("model_profiling", "Python or the kit uses"),
        ("toy_cnn", "there is a model"),
        ("mv3", "there is a model"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, name: str, told: str) -> None:
    assert told in kit(NEW_MODEL, "--name", name, "--dest", tmp_path / "new", cwd=tmp_path).error_line()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/keep.txt").write_text("kept")
    with pytest.raises(UserError, match="something with that name already"):
        scaffolding.write_package("mine", tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="something with that name already"):
        scaffolding.write_package("dangling", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        scaffolding.write_package("mine", tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "mine"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["keep.txt"]


def test_half_a_package_never_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last file cannot be written: neither the package nor the staging folder is left."""
    real = scaffolding.write_text

    def full(path: Path, text: str) -> Path:
        if path.name.startswith("test_"):
            raise UserError("cannot write (No space left on device)", f"to {path}", "free space there")
        return real(path, text)

    monkeypatch.setattr(scaffolding, "write_text", full)
    with pytest.raises(UserError, match="No space left"):
        scaffolding.write_package("mine", tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True))
def test_class_names_are_identifiers(name: str) -> None:
    made = scaffolding.class_name(name)
    assert made.isidentifier() and made[0].isupper() and made != "Network"


def test_template_is_data_of_the_package() -> None:
    """What a wheel takes is decided by the folder: everything below model_profiling that is not left out by name."""
    assert {path.name for path in scaffolding.TEMPLATE.iterdir()} == set(scaffolding._FILES)
    assert scaffolding.TEMPLATE.is_relative_to(KIT)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
