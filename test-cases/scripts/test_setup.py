# SPDX-License-Identifier: Apache-2.0
"""Set-up: every prerequisite and damage named. What it does in a fresh clone is in test_quick_start.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.setup import BARE_PYTHON, REPOSITORY, SETUP, ShadowVenv, clone, run, tool_folder

from model_profiling import KIT_ADDRESS
from model_profiling.pipeline.setup_checks.structure import check_structure

KIT = REPOSITORY / "model_profiling"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nonsense"], "--nonsense is not a flag"),
        (["--python"], "--python names no program"),
        (["--python", "no-such-python"], "1 of the prerequisites missing"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    script = shutil.copy(SETUP, tmp_path / "setup_repo.sh")
    done = run(["bash", script, *arguments], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ") and told in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    script = shutil.copy(SETUP, tmp_path / "setup_repo.sh")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "thesis.txt").write_text("mine")
    done = run(["bash", script], cwd=tmp_path)
    assert done.returncode == 2 and "is no virtual environment" in done.stderr
    assert (tmp_path / ".venv" / "thesis.txt").read_text() == "mine"


# ---------------------------------------------------------------- prerequisites


def test_a_machine_that_runs_the_tests_has_every_prerequisite() -> None:
    done = run(["bash", KIT / "scripts" / "check_prereqs.sh"])
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "every prerequisite is there"


_NO_VENV = f'[ "$2" = "import venv, ensurepip" ] && exit 1\nexec "{BARE_PYTHON}" "$@"'
_OLD_PYTHON = f'case "$2" in *version_info*) echo 3.8 ;; *) exec "{BARE_PYTHON}" "$@" ;; esac'
_SMALL_DISK = "echo Filesystem 1024-blocks Used Available Capacity Mounted\necho disk 9 9 2048 1% /"
_MACOS_13 = f'case "$2" in *platform*) echo arm64 ;; *) exec "{BARE_PYTHON}" "$@" ;; esac'


@pytest.mark.parametrize(
    ("subject", "leave_out", "stand_ins", "told"),
    [
        ("git", ["git"], {}, "not found: sudo "),
        ("python", ["python3"], {}, "python3 does not run"),
        ("python", [], {"python3": _OLD_PYTHON}, "python3 is 3.8"),
        ("venv", [], {"python3": _NO_VENV}, "no venv with ensurepip: sudo "),
        ("disk space", [], {"df": _SMALL_DISK}, "2 MB free"),
        ("platform", [], {"getconf": "exit 1"}, "without glibc"),
        ("platform", [], {"getconf": "echo glibc 2.27"}, "glibc 2.27, 2.28 or newer is needed"),
        ("platform", [], {"uname": "echo MINGW64_NT-10.0"}, "WSL 2"),
        (
            "platform",
            [],
            {"uname": "echo Darwin", "python3": _MACOS_13, "sw_vers": "echo 13.6"},
            "macOS 13.6, 14 or newer",
        ),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the stand-ins are those of Linux")
def test_each_missing_prerequisite_has_its_line_with_the_fix(
    subject: str, leave_out: list[str], stand_ins: dict[str, str], told: str, tmp_path: Path
) -> None:
    path = tool_folder(tmp_path / "bin", *leave_out, **stand_ins)
    done = run([path / "bash", KIT / "scripts" / "check_prereqs.sh"], env={"PATH": str(path)})
    assert done.returncode == 2
    lines = [line for line in done.stdout.splitlines() if line.startswith("  missing")]
    assert len(lines) == 1 and lines[0].startswith(f"  missing  {subject} ") and told in lines[0], done.stdout
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: 1 of the prerequisites missing")


def test_a_compiler_is_optional(tmp_path: Path) -> None:
    path = tool_folder(tmp_path / "bin", "c++")
    done = run([path / "bash", KIT / "scripts" / "check_prereqs.sh"], env={"PATH": str(path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  optional C++ compiler" in done.stdout and "python runner" in done.stdout


# ---------------------------------------------------------------- validate_setup.py


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> ShadowVenv:
    """A set-up with nothing wrong; tests of damage make their own."""
    folder = tmp_path_factory.mktemp("sound")
    return ShadowVenv(folder / ".venv", clone(folder / "kit"))


def findings(done: subprocess.CompletedProcess[str], level: str = "error") -> set[str]:
    """Return the names of what validate_setup.py found at `level`."""
    columns = (re.split(r"  +", line, maxsplit=2) for line in done.stdout.splitlines())
    return {parts[1] for parts in columns if len(parts) > 1 and parts[0] == level}


@pytest.mark.slow
def test_a_sound_set_up_passes_and_its_runners_run(sound: ShadowVenv, toy: Path) -> None:
    done = sound.validate("--model", toy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"python runner", "model", "structure", "packages", "imports"} <= findings(done, "ok")


@pytest.mark.slow
def test_prerequisites_alone_are_quick_and_name_the_missing_one(sound: ShadowVenv, tmp_path: Path) -> None:
    assert sound.validate("--prerequisites").returncode == 0
    path = tool_folder(tmp_path / "bin", "git")
    done = sound.validate("--prerequisites", env={"PATH": str(path)})
    assert done.returncode == 2 and findings(done) == {"git"}


@pytest.mark.slow
def test_every_damage_to_packages_and_files_is_named(tmp_path: Path) -> None:
    """Many at once, each found by name: none hides another."""
    kit = clone(tmp_path / "kit")
    venv = ShadowVenv(tmp_path / ".venv", kit)
    for package in ("jsonschema", "numpy"):  # folders gone
        (venv.site_packages / package).unlink()
    next(venv.site_packages.glob("jinja2-*.dist-info")).unlink()  # a package unknown to pip
    venv.own("rich/console.py").unlink()  # one file gone
    venv.metadata("matplotlib", "RECORD").unlink()  # cut short
    torch = venv.metadata("torch", "METADATA")
    torch.write_text(
        re.sub(r"^Version: .*$", "Version: 2.12.0", torch.read_text(encoding="utf-8"), count=1, flags=re.M)
    )
    version = venv.own("executorch/version.py")
    version.write_text(re.sub(r"git_version.*", "git_version = 'Unknown'", version.read_text()))
    (kit / "model_profiling" / "scripts" / "check_prereqs.sh").unlink()
    (kit / "model_profiling" / "configs" / "config.schema.json").unlink()
    (kit / "model_profiling" / "scripts" / "setup_repo.sh").chmod(0o644)
    (kit / "model_profiling" / "configs" / "templates" / "mac_template.json").write_text("{")
    (kit / "model_profiling" / "runner" / "CMakeLists.txt").unlink()
    done = venv.validate()
    assert done.returncode == 2 and "Traceback" not in done.stdout + done.stderr
    assert {
        "package jsonschema",
        "package numpy",
        "package jinja2",
        "package rich",
        "package matplotlib",
        "package torch",
        "version of executorch",
        "version of torch",
        "imports",
        "file model_profiling/scripts/check_prereqs.sh",
        "file model_profiling/configs/config.schema.json",
        "file model_profiling/scripts/setup_repo.sh",
        "file model_profiling/configs/templates/mac_template.json",
        "file model_profiling/runner/CMakeLists.txt",
    } <= findings(done), done.stdout
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def _delete(path: Path) -> None:
    path.unlink()


def _garble(path: Path) -> None:
    path.write_bytes(b"\xff\xfe garbage (")


def _unclosed(path: Path) -> None:
    path.write_text("{% if never %} if [ ( {")


def _wrong_schema(path: Path) -> None:
    path.write_text('{"type": "no such type"}')


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("configs/*.schema.json", _wrong_schema),
        ("configs/examples/*.json", _garble),
        ("scripts/*.sh", _unclosed),
        ("report/**/*.j2", _unclosed),
        ("report/**/*.j2", _delete),
        ("runner/*.cpp", _delete),
        ("analysis/*.py", _unclosed),
        ("pipeline/*.py", _make_folder),
        ("models/**/*.py", _garble),
        ("../pyproject.toml", _delete),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_damaged_file_is_named(
    pattern: str, damage: Callable[[Path], None], sound: ShadowVenv, tmp_path: Path
) -> None:
    kit = clone(tmp_path / "kit")
    victim = sorted((kit / "model_profiling").glob(pattern))[0].resolve()
    assert [f.level for f in check_structure(kit / "model_profiling")] == ["ok"]
    damage(victim)
    assert [f.check for f in check_structure(kit / "model_profiling")] == [f"file {victim.relative_to(kit)}"]


def test_a_kit_of_the_archive_has_no_list_of_its_files_and_its_byte_code_is_none_of_them(tmp_path: Path) -> None:
    kit = clone(tmp_path / "kit")
    shutil.rmtree(kit / ".git")
    (kit / "model_profiling" / "__pycache__").mkdir()
    (kit / "model_profiling" / "__pycache__" / "files.cpython-312.pyc").write_bytes(b"\xff\xfe")
    assert [f.level for f in check_structure(kit / "model_profiling")] == ["warning"]
    (kit / "model_profiling" / "files.py").write_bytes(b"\xff\xfe")
    assert [f.level for f in check_structure(kit / "model_profiling")] == ["warning", "error"]


@pytest.mark.slow
def test_a_library_that_does_not_load_is_named(sound: ShadowVenv, tmp_path: Path) -> None:
    venv = ShadowVenv(tmp_path / ".venv", sound.kit)
    library = next(
        p for p in (venv.site_packages / "executorch" / "extension" / "pybindings").iterdir() if p.suffix == ".so"
    )
    venv.own(f"executorch/extension/pybindings/{library.name}").write_bytes(b"no library")
    done = venv.validate()
    assert done.returncode == 2 and findings(done) == {"imports"}, done.stdout
    assert "portable_lib" in done.stdout


@pytest.mark.skipif(not shutil.which("c++"), reason="without a compiler there is no native runner")
@pytest.mark.parametrize("contents", [b"", b"no program", b"\x7fELF truncated"])
def test_a_damaged_native_runner_is_named(contents: bytes, toy: Path, tmp_path: Path) -> None:
    from model_profiling.pipeline.runners.native import NativeRunner
    from model_profiling.pipeline.runners.native_build import NativeBuild
    from model_profiling.pipeline.setup_checks.launches import try_runner

    binary = tmp_path / "sme_runner"
    binary.write_bytes(contents)
    binary.chmod(0o755)
    finding = try_runner(NativeRunner(NativeBuild(binary, "", "", "", "")), toy)
    assert (finding.check, finding.level) == ("native runner", "error")
    assert "build_runners.sh" in finding.fix


@pytest.mark.parametrize("damage", ["empty", "truncated", "random", "folder", "absent"])
def test_a_model_that_is_none_is_named(damage: str, toy: Path, tmp_path: Path) -> None:
    from model_profiling.pipeline.setup_checks.launches import check_model

    model, data = tmp_path / "model.pte", toy.read_bytes()
    contents = {"empty": b"", "truncated": data[: len(data) // 2], "random": os.urandom(len(data))}
    if damage in contents:
        model.write_bytes(contents[damage])
    elif damage == "folder":
        model.mkdir()
    (finding,) = check_model(model)
    assert (finding.check, finding.level) == ("model", "error") and finding.fix


# ---------------------------------------------------------------- single scripts


def single_scripts() -> dict[str, str]:
    """Return the text of every Python file that carries inline script metadata."""
    texts = {str(p.relative_to(KIT)): p.read_text(encoding="utf-8") for p in KIT.rglob("*.py")}
    return {name: text for name, text in texts.items() if text.startswith("#!") and "\n# /// script\n" in text}


def bootstrap_of(text: str) -> str:
    """Return the lines that start a single script again under uv, or say what to do."""
    return re.search(r"^import importlib\.util.*?^    sys\.exit\(2\)$", text, re.DOTALL | re.MULTILINE)[0]


def test_single_scripts_share_one_metadata_block_and_one_bootstrap() -> None:
    scripts = single_scripts()
    assert {"export/export_model.py", "scripts/mac_pipeline.py", "scripts/analyze_results.py"} <= scripts.keys()
    blocks = {
        name: re.search(r"^# /// script\n.*?^# ///$", text, re.DOTALL | re.MULTILINE)[0]
        for name, text in scripts.items()
    }
    assert [name for name, block in blocks.items() if "[export]" not in block] == ["scripts/fleet_worker.py"]
    assert "[export,fleet]" in blocks["scripts/fleet_worker.py"]
    (block,) = {block.replace("[export,fleet]", "[export]") for block in blocks.values()}
    assert f"git+{KIT_ADDRESS}" in block
    assert len({bootstrap_of(text) for text in scripts.values()}) == 1


def test_the_scripts_name_one_public_address() -> None:
    assert f"KIT_ADDRESS={KIT_ADDRESS}\n" in SETUP.read_text()


@pytest.mark.parametrize("name", sorted(single_scripts()))
def test_a_single_script_without_kit_and_uv_says_what_to_do(name: str, tmp_path: Path) -> None:
    script = shutil.copy(KIT / name, tmp_path)
    done = run([BARE_PYTHON, script, "--help"], cwd=tmp_path, env={"PATH": str(tool_folder(tmp_path / "bin"))})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "setup_repo.sh" in done.stderr and "uv" in done.stderr


@pytest.mark.parametrize("name", sorted(single_scripts()))
def test_a_single_script_without_kit_starts_itself_under_uv(name: str, tmp_path: Path) -> None:
    """The stand-in shows what uv is asked; the real one needs the network."""
    script = Path(shutil.copy(KIT / name, tmp_path))
    path = tool_folder(tmp_path / "bin", uv='printf "%s\\n" "$@"')
    done = run([BARE_PYTHON, script, "--some flag"], cwd=tmp_path, env={"PATH": str(path)})
    assert done.stdout.splitlines() == ["run", "--script", str(script), "--some flag"]


def test_shell_scripts_pass_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    scripts = [*KIT.rglob("*.sh"), *(REPOSITORY / "test-cases").glob("*.sh"), REPOSITORY / ".ci" / "run"]
    done = run(["shellcheck", *scripts])
    assert done.returncode == 0, done.stdout


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
