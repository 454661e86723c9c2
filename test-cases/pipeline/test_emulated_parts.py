# SPDX-License-Identifier: Apache-2.0
"""What an emulated CPU needs: QEMU, the Arm wheel, a compiler; each missing part is one line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from support.emulation import emulated

from model_profiling.errors import UserError
from model_profiling.pipeline.devices.emulated import newer_packages, qemu
from model_profiling.pipeline.devices.emulated.qemu import arm_wheel, find_qemu
from model_profiling.pipeline.runners import cross


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that has nothing: no programs, an empty cache, a pip that reaches no index."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(name, value)
    return tmp_path


linux_only = pytest.mark.skipif(platform.system() != "Linux", reason="emulation runs on Linux")


@linux_only
def test_each_missing_part_names_its_package(bare: Path) -> None:
    with pytest.raises(UserError, match="qemu-user .Debian .*, Ubuntu .*, Fedora"):
        find_qemu()
    with pytest.raises(UserError, match="g..-aarch64-linux-gnu .Debian, Ubuntu.*Fedora"):
        cross.build_cross()
    with pytest.raises(UserError, match="aarch64-linux-gnu-g.. is not installed"):
        cross.sysroot()
    with pytest.raises(UserError, match="pip cannot download executorch==.*pip's configuration"):
        arm_wheel()
    assert not list((bare / "cache" / "sme-executorch-profiling").iterdir()), "nothing half fetched stays"
    assert not cross.can_build()


@linux_only
def test_an_old_qemu_is_passed_over(bare: Path) -> None:
    old, new = bare / "bin" / "qemu-aarch64", bare / "cache" / "sme-executorch-profiling" / "qemu-aarch64"
    for path, version in ((old, "7.2.17"), (new, "10.1.0")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho qemu-aarch64 version {version}\n")
        path.chmod(0o755)
    assert find_qemu() == qemu.Qemu(new, "10.1.0")
    new.write_text("#!/bin/sh\necho qemu-aarch64 version 10.0.9\n")
    with pytest.raises(UserError, match="no QEMU with SME2"):
        find_qemu()


def test_apt_sources_in_both_forms() -> None:
    deb822 = (
        "# a remark\nTypes: deb deb-src\nURIs: http://archive.test/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main contrib\nSigned-By: /usr/share/keyrings/a.gpg\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.test\nSuites: bookworm\nComponents: main\n\n"
        "Types: deb-src\nURIs: http://src.test\nSuites: bookworm\nComponents: main\n\n"
        "Types: deb\nURIs: mirror+file:/etc/apt/m.txt\nSuites: noble\nComponents: main\n"
        "Signed-By:\n -----BEGIN\n .\n x\n"
    )
    found = newer_packages.parse_sources(deb822, deb822=True)
    assert [s.uri for s in found] == ["http://archive.test/debian", "mirror+file:/etc/apt/m.txt"]
    assert found[0].suites == ("bookworm", "bookworm-updates") and found[0].signed_by == "/usr/share/keyrings/a.gpg"
    assert found[1].signed_by == "\n -----BEGIN\n .\n x"
    lines = (
        "# deb http://off.test x main\ndeb [arch=amd64 signed-by=/k.gpg] "
        "http://archive.test/ubuntu noble main universe # y\n"
        "deb-src http://src.test noble main\ndeb http://plain.test noble-updates main\n"
    )
    found = newer_packages.parse_sources(lines, deb822=False)
    assert [(s.uri, s.suites, s.components, s.signed_by) for s in found] == [
        ("http://archive.test/ubuntu", ("noble",), ("main", "universe"), "/k.gpg"),
        ("http://plain.test", ("noble-updates",), ("main",), ""),
    ]
    assert newer_packages.parse_os_release('ID=debian\nVERSION_CODENAME="bookworm"\n')["VERSION_CODENAME"] == "bookworm"


@pytest.mark.emulator
def test_an_unknown_cpu_is_one_line() -> None:
    emulated()
    from model_profiling.pipeline.devices.emulated.device import EmulatedDevice

    with pytest.raises(UserError, match="cannot emulate the CPU neoverse-n9 .*did you mean neoverse-n"):
        EmulatedDevice.of("neoverse-n9")
    assert "emulated" in emulated().name and "sme2" in emulated().cpu_features().names
    with pytest.raises(UserError, match="no cores to pin to"):
        emulated().run(["x"], env={}, timeout_s=1, log=Path("x"), affinity=(0,))


@pytest.mark.skipif(not cross.can_build(), reason="no cross compiler, or an Arm host")
@pytest.mark.slow
def test_build_runners_lists_the_runner_for_arm() -> None:
    emulated()
    said = subprocess.run(
        [sys.executable, "-m", "model_profiling.pipeline.runners.build_command", "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in said.stdout.splitlines() if str(emulated().native_build.path) in line)
    assert line.startswith("linux-arm64 ") and "with the kernel auditor" in line


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
