# SPDX-License-Identifier: Apache-2.0
"""What the set-up's tests share: a fresh checkout with its own .venv, and cheap copies to damage."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from model_profiling import KIT_ADDRESS
from support.kit import KIT, REPOSITORY

SETUP = KIT / "scripts" / "setup_repo.sh"
#: The Python that made this environment: it lacks the kit.
BARE_PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
#: What setup_repo.sh calls besides python and git.
SHELL_TOOLS = (
    "awk",
    "basename",
    "bash",
    "cat",
    "cksum",
    "df",
    "dirname",
    "getconf",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "sed",
    "sleep",
    "uname",
)


@dataclass(frozen=True)
class Checkout:
    """A clone that was set up as a reader does it; `setup_s` is how long that took."""

    root: Path
    setup_s: float
    setup_output: str

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return next((self.root / ".venv" / "lib").glob("python*/site-packages"))


def redirect(*pairs: tuple[str, object]) -> dict[str, str]:
    """Return the variables that make git read each public address from a local repository."""
    settings = [(f"url.{Path(str(local)).as_uri()}.insteadOf", public) for public, local in pairs]
    settings.append(("protocol.file.allow", "always"))
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": str(value)}
    return variables


def clean_environment(**changes: str) -> dict[str, str]:
    """Return the environment of a new terminal: no virtual environment active, no kit settings."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in ("VIRTUAL_ENV", "KIT_SOURCE", "PYTHONPATH", "SME2_KIT_BOOTSTRAP")
    }
    own_bin = str(Path(sys.prefix) / "bin")
    kept["PATH"] = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own_bin)
    return kept | changes


def run(argv: list[object], **options) -> subprocess.CompletedProcess[str]:
    """Run a command as from a new terminal, capturing its output."""
    options.setdefault("env", clean_environment())
    return subprocess.run(
        list(map(str, argv)), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, **options
    )


def own_program(name: str) -> Path:
    """Return a program that the tests' set-up installs; without it skip, except in CI, where that is an error."""
    found = next(
        (path for path in (Path(sys.prefix) / "bin" / name, Path(shutil.which(name) or "")) if path.is_file()), None
    )
    if found is None:
        reason = f"no {name}: run setup_repo.sh --with-tests"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


def quick_start() -> list[str]:
    """Return the README's quick start, line by line, as it stands."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Quick start\n")[2]
    return re.search(r"```bash\n(.*?)```", section, re.DOTALL)[1].splitlines()


def fresh_checkout(base: Path) -> Checkout:
    """Type the quick start's first two lines in `base`, a new folder."""
    folder = base / "a new place"  # with a blank: paths may have them
    folder.mkdir()
    clone, setup = quick_start()[:2]
    env = clean_environment(**redirect((f"{KIT_ADDRESS}.git", REPOSITORY)), KIT_TORCH_PAGE=_empty_page(base))
    started = time.monotonic()
    done = run(["bash", "-e", "-c", f"{clone}\n{setup}"], cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return Checkout(folder / "executorch_sme2_kit", time.monotonic() - started, done.stdout)


def _empty_page(base: Path) -> str:
    """Return the address of a page that is reachable and lists no wheel, as PyTorch's without a fitting one."""
    page = base / "torch.html"
    page.write_text("<!DOCTYPE html><html><body></body></html>")
    return page.as_uri()


def clone(folder: Path) -> Path:
    """Clone this repository's last commit into `folder`."""
    assert run(["git", "clone", "--quiet", REPOSITORY, folder]).returncode == 0
    return folder


class ShadowVenv:
    """A virtual environment of links into this one, with the kit from another checkout, or without it.

    Made in a moment and cheap to damage: `own` turns the links above a file into folders
    of its own first, so that the real environment is never touched. Packages whose names
    begin with one of `without` are not there.
    """

    def __init__(self, folder: Path, kit: Path | None, without: tuple[str, ...] = ()) -> None:
        self.folder, self.kit = folder, kit
        assert run([BARE_PYTHON, "-m", "venv", "--without-pip", folder]).returncode == 0
        self.python = folder / "bin" / "python"
        self.site_packages = next((folder / "lib").glob("python*/site-packages"))
        real = Path(sysconfig.get_paths()["purelib"])
        for entry in real.iterdir():
            if not entry.name.startswith(("__editable__", "sme_executorch_profiling", *without)):
                (self.site_packages / entry.name).symlink_to(entry)
        for shared in ("bin", "share"):  # programs, manuals; the native runner's builds are not shared
            (folder / shared).mkdir(exist_ok=True)
            for entry in (Path(sys.prefix) / shared).iterdir():
                if not (folder / shared / entry.name).exists() and entry.name != "sme-executorch-profiling":
                    (folder / shared / entry.name).symlink_to(entry)
        if kit is not None:
            self._install_kit(next(real.glob("sme_executorch_profiling-*.dist-info")))

    def _install_kit(self, metadata: Path) -> None:
        target = self.site_packages / metadata.name
        shutil.copytree(metadata, target)
        (self.site_packages / "__editable__.kit.pth").write_text(f"{self.kit}\n")
        names = [f"{metadata.name}/{p.relative_to(target)}" for p in target.rglob("*") if p.is_file()]
        (target / "RECORD").write_text("".join(f"{name},,\n" for name in [*names, "__editable__.kit.pth"]))

    def own(self, name: str) -> Path:
        """Return the path of `name` below site-packages, safe to change or delete."""
        path = self.site_packages
        for part in Path(name).parts:
            path = path / part
            if not path.is_symlink():
                continue
            real = path.resolve()
            path.unlink()
            if real.is_dir():
                path.mkdir()
                for child in real.iterdir():
                    (path / child.name).symlink_to(child)
            else:
                shutil.copy2(real, path)
        return path

    def metadata(self, package: str, file: str) -> Path:
        """Return one file of an installed package's metadata, safe to change or delete."""
        folder = next(self.site_packages.glob(f"{package}-*.dist-info"))
        return self.own(f"{folder.name}/{file}")

    def validate(self, *arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        script = self.kit / "model_profiling" / "scripts" / "validate_setup.py"
        return run([self.python, script, *arguments], env=env or clean_environment())


def tool_folder(folder: Path, *leave_out: str, **stand_ins: str) -> Path:
    """Make a folder of links to the programs that set-up needs, to be the whole PATH.

    `leave_out` names programs that are not there, `stand_ins` shell scripts that replace some.
    """
    folder.mkdir()
    programs = {name: shutil.which(name) for name in (*SHELL_TOOLS, "git", "c++")} | {"python3": str(BARE_PYTHON)}
    for name, path in programs.items():
        if path and name not in leave_out and name not in stand_ins:
            (folder / name).symlink_to(path)
    for name, script in stand_ins.items():
        (folder / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
        (folder / name).chmod(0o755)
    return folder
