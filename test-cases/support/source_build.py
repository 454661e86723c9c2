# SPDX-License-Identifier: Apache-2.0
"""Sources of the size of a test in the place of ExecuTorch's, and git addresses redirected to them.

What is built from them is a stand-in; CMake, compilers, nm and git are real.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from model_profiling.pipeline.runners.source import checkout
from model_profiling.pipeline.runners.source.variants import named
from support import kit

#: The variants that tests build or have kept, with SME2 and without.
ARM_ON, ARM_OFF = named(["linux-arm64-sme2-on-timing", "linux-arm64-sme2-off-timing"])
HOST_ON, HOST_OFF = named(["host-sme2-on-timing", "host-sme2-off-timing"])
HOST_NATIVE, ARM_NATIVE, ANDROID_NATIVE = named(["host-native", "linux-arm64-native", "android-arm64-native"])

FIXTURES = kit.FIXTURES / "source_build"
KLEIDIAI_ADDRESS = "https://gitlab.arm.com/kleidi/kleidiai.git"

_AS_SOMEBODY = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")


def write_sources(folder: Path, kleidiai_commit: str = "0" * 40, **replaced: str) -> Path:
    """Write the stand-in for ExecuTorch's sources; `replaced` are CMake options to set otherwise than it does."""
    shutil.copytree(FIXTURES / "stand_in", folder, ignore=shutil.ignore_patterns("XNNPACK"))
    for path in checkout.SUBMODULES:
        (folder / path).mkdir(parents=True)
        (folder / path / "LICENSE").write_text("a stand-in\n")
    shutil.copytree(FIXTURES / "stand_in" / "XNNPACK", folder / checkout.XNNPACK, dirs_exist_ok=True)
    pin = folder / checkout.XNNPACK / "cmake" / "DownloadKleidiAI.cmake"
    pin.write_text(pin.read_text().replace("@KLEIDIAI_COMMIT@", kleidiai_commit))
    lists = folder / "CMakeLists.txt"
    for option, value in replaced.items():
        text, found = re.subn(rf'(option\({option} ".*" )\w+\)', rf"\g<1>{value})", lists.read_text())
        assert found == 1, f"the stand-in has no option {option}"
        lists.write_text(text)
    return folder


def git(folder: Path, *words: str) -> str:
    """Run git in a folder; return what it prints."""
    return subprocess.run(
        ["git", "-C", str(folder), *_AS_SOMEBODY, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit_all(folder: Path) -> str:
    """Make a folder a git repository that serves each of its commits; return the commit."""
    git(folder, "init", "--quiet")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "a stand-in")
    return git(folder, "rev-parse", "HEAD")


def publish(folder: Path, tag: str) -> dict[str, str]:
    """Make ExecuTorch, its submodules and KleidiAI repositories below `folder`.

    Returns the environment in which git finds them behind their public addresses.
    """
    (folder / "kleidiai").mkdir(parents=True)
    (folder / "kleidiai" / "LICENSE").write_text("a stand-in\n")
    executorch = write_sources(folder / "executorch", commit_all(folder / "kleidiai"))
    addresses = {checkout.ADDRESS: executorch, KLEIDIAI_ADDRESS: folder / "kleidiai"}
    git(executorch, "init", "--quiet")
    modules = []
    for path in checkout.SUBMODULES:
        address, module = f"https://example.invalid/{path}.git", folder / path.replace("/", "_")
        shutil.move(executorch / path, module)
        commit = commit_all(module)
        git(executorch, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        modules.append(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {address}\n')
        addresses[address] = module
    (executorch / ".gitmodules").write_text("".join(modules))
    git(executorch, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(executorch, "add", ".gitmodules", "CMakeLists.txt", "runner.cpp", "cpuinfo.c", "backend.c", "version.txt")
    git(executorch, "commit", "--quiet", "--message", "a stand-in")
    git(executorch, "tag", tag)
    config = folder / "gitconfig"
    config.write_text(
        '[protocol "file"]\n\tallow = always\n'
        + "".join(f'[url "{place}"]\n\tinsteadOf = {address}\n' for address, place in addresses.items())
    )
    return {"GIT_CONFIG_GLOBAL": str(config)}
