# SPDX-License-Identifier: Apache-2.0
"""Two measurements on one machine notice each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.kit import ENOUGH, kit, write_config

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu.sharing import SHARE_VARIABLE, alone_on_cpu


@pytest.fixture(autouse=True)
def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand apart from other tests: the lock lies in the folder for temporary files, and nothing is shared."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv(SHARE_VARIABLE)
    return folder


def test_the_second_is_told_who_measures(own_machine: Path) -> None:
    with alone_on_cpu("out_a/runs/mac"):
        with pytest.raises(UserError, match=r"measures already \(process \d+, out_a/runs/mac\)"), alone_on_cpu("b"):
            pass
    with alone_on_cpu("b"):
        pass


def test_a_killed_one_holds_nothing(own_machine: Path) -> None:
    code = "import time; from model_profiling.pipeline.cpu.sharing import alone_on_cpu as a\n"
    code += "with a('x'): print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=f"process {child.pid}, x"), alone_on_cpu("b"):
        pass
    child.kill()
    child.wait()
    child.stdout.close()
    with alone_on_cpu("b"):
        pass


def test_a_link_in_its_place_is_not_followed(own_machine: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (own_machine / "sme2-executorch-profiling.lock").symlink_to(victim)
    with alone_on_cpu("x"):
        assert victim.read_text() == "mine"


@pytest.mark.slow
def test_a_run_beside_another_is_refused_unless_insisted(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=ENOUGH)
    with alone_on_cpu("another/run"):
        line = kit("scripts/mac_pipeline.py", "--config", config).error_line()
        assert "another/run" in line and "--share-cpu" in line
        assert not (tmp_path / "run").exists()
        kit("scripts/mac_pipeline.py", "--config", config, "--share-cpu").ok()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
