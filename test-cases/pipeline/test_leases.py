# SPDX-License-Identifier: Apache-2.0
"""Two measurements on one device notice each other."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.kit import ENOUGH, kit, write_config

from model_profiling.errors import UserError
from model_profiling.pipeline.leases import SHARE_VARIABLE, THIS_HOST, Leased, lease, phone

HOLDER = """
import sys, time
from model_profiling.pipeline.leases import THIS_HOST, lease
sys.argv = ["/kit/scripts/mac_pipeline.py"]
with lease(THIS_HOST, "x"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand apart from other tests: the lock lies in the folder for temporary files, and nothing is shared."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv(SHARE_VARIABLE)
    return folder


@pytest.fixture
def holder() -> subprocess.Popen[str]:
    """Return another process that measures on this machine."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("wanted", [THIS_HOST, phone("R5CT", "1f3b")])
def test_the_second_is_told_who_measures(wanted: Leased) -> None:
    with lease(wanted, "out_a/runs/mac"):
        owner = r"measures already \(process \d+, \S+ for out_a/runs/mac, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)"
        with pytest.raises(UserError, match=f"{wanted.called} {owner}"), lease(wanted, "b"):
            pass
    with lease(wanted, "b"):
        pass


def test_devices_are_leased_one_by_one() -> None:
    """A serial that emulators share counts together with the start of the system."""
    with lease(THIS_HOST, "a"), lease(phone("R5CT", "1f3b"), "b"), lease(phone("R5CT", "77aa"), "c"):
        pass


def test_a_killed_one_holds_nothing(holder: subprocess.Popen[str]) -> None:
    with pytest.raises(UserError, match=f"process {holder.pid}, mac_pipeline.py for x, since"), lease(THIS_HOST, "b"):
        pass
    holder.kill()
    holder.wait()
    with lease(THIS_HOST, "b"):
        pass


def test_it_waits_as_long_as_it_may(holder: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="and did for 1 s"), lease(THIS_HOST, "b", wait_s=0.3):
        pass
    threading.Timer(0.5, holder.kill).start()
    with lease(THIS_HOST, "b", wait_s=60):
        pass
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all(line.startswith(f"waiting for this machine (process {holder.pid}") for line in said)


def test_a_link_in_its_place_is_not_followed(own_machine: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (own_machine / "sme2-executorch-profiling.lock").symlink_to(victim)
    with lease(THIS_HOST, "x"):
        assert victim.read_text() == "mine"


def test_a_file_that_was_tidied_away_locks_nothing(own_machine: Path) -> None:
    """Each of two that wait ends up with the file that is there, not with one that nobody can see."""
    order: list[str] = []
    with lease(THIS_HOST, "first"):
        waiting = threading.Thread(target=lambda: _hold("second", order))
        waiting.start()
        time.sleep(0.3)
        (own_machine / "sme2-executorch-profiling.lock").unlink()
    waiting.join()
    assert order == ["second"]


def _hold(name: str, order: list[str]) -> None:
    with lease(THIS_HOST, name, wait_s=30):
        order.append(name)


@pytest.mark.slow
def test_a_run_beside_another_is_refused_unless_insisted(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=ENOUGH)
    with lease(THIS_HOST, "another/run"):
        line = kit("scripts/mac_pipeline.py", "--config", config).error_line()
        assert "another/run" in line and "--share-cpu" in line and "--wait" in line
        assert not (tmp_path / "run").exists()
        kit("scripts/mac_pipeline.py", "--config", config, "--share-cpu").ok()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
