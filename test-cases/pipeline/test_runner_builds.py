# SPDX-License-Identifier: Apache-2.0
"""Which runner is chosen, and how the native one is built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.kit import KIT
from support.launches import PAIR, error_line, launch

from model_profiling.errors import UserError
from model_profiling.pipeline.runners import Runner, choose_runner, native_build
from model_profiling.pipeline.runners.native import NativeRunner

pytestmark = pytest.mark.slow


def test_describe_identifies_what_ran(runners) -> None:
    for name, runner in runners.items():
        about = runner.describe()
        assert about["name"] == name and len(about["sha256"]) == 64 and about["executorch_version"]
        json.dumps(about)


def test_unknown_runners_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean native"):
        choose_runner("nativ", None)
    with pytest.raises(UserError, match="does not exist"):
        choose_runner("auto", "/nonexistent/executor_runner")


def test_a_second_build_is_the_first(runners: dict[str, Runner]) -> None:
    assert native_build.build_native() == runners["native"].build
    assert not str(runners["native"].build.path).startswith(str(KIT))


def test_no_compiler_is_one_line_and_auto_takes_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match="no C.. compiler is installed.*the python runner"):
        choose_runner("native", None)
    assert choose_runner("auto", None).name == "python"


def build_elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path, table: Callable[[str], str]) -> NativeRunner:
    """Build the native runner from a copy of its sources with another table of features."""
    sources = folder / "sources"
    shutil.copytree(native_build.SOURCES, sources)
    changed = sources / "cpu_layout.def"
    changed.write_text(table(changed.read_text()))
    monkeypatch.setattr(native_build, "SOURCES", sources)
    monkeypatch.setattr(native_build, "runners_folder", lambda: folder / "runners")
    return NativeRunner(native_build.build_native())


def test_a_native_runner_with_a_wrong_table_refuses_to_mask(monkeypatch, tmp_path, request_for) -> None:
    import re

    def shifted(text: str) -> str:
        return re.sub(r"(ISA_FIELD\(\w+, )(\d+)", lambda m: f"{m[1]}{max(0, int(m[2]) - 1)}", text)

    runner = build_elsewhere(monkeypatch, tmp_path, shifted)
    child = launch(runner, request_for(disable_cpu_features=PAIR.disabled[:1]))
    assert "cpuinfo's layout is not the one the kit knows" in error_line(child)


def test_a_build_that_fails_names_its_log(monkeypatch, tmp_path) -> None:
    with pytest.raises(UserError, match="building the native runner failed") as told:
        build_elsewhere(monkeypatch, tmp_path, lambda text: text + "\nthis is no table\n")
    log = next((tmp_path / "runners").glob("*.log"))
    assert str(log) in str(told.value) and "no table" in log.read_text()
    assert not list((tmp_path / "runners").glob("native-*/"))


def build_runners(*args: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(KIT / "scripts" / "build_runners.sh"), *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix, **(env or {})},
    )


def test_build_runners_sh(tmp_path: Path, runners) -> None:
    assert str(runners["native"].build.path) in build_runners("--list", cwd=tmp_path).stdout
    assert str(runners["native"].build.path) in build_runners(cwd=tmp_path).stdout
    dry = build_runners("--dry-run", "--jobs", "1", cwd=tmp_path)
    assert "--parallel 1" in dry.stdout and dry.returncode == 0
    for args in (["--source", "hots"], ["--jobs", "0"], ["--nativ"]):
        refused = build_runners(*args, cwd=tmp_path)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and refused.stderr.startswith("error: ")


def test_build_runners_sh_alone_without_the_kit(tmp_path: Path) -> None:
    alone = tmp_path / "build_runners.sh"
    shutil.copy(KIT / "scripts" / "build_runners.sh", alone)
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    refused = subprocess.run(["bash", str(alone)], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "setup_repo.sh" in refused.stderr


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
