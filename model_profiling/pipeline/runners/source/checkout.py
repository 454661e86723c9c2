# SPDX-License-Identifier: Apache-2.0
"""ExecuTorch's sources with what building `executor_runner` takes: cloned at the pinned tag, or the user's own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import make_folder
from model_profiling.processes import run_child

ADDRESS = "https://github.com/pytorch/executorch.git"
#: Of ExecuTorch's submodules those that the variants compile; the others are several times as large.
SUBMODULES = (
    "backends/xnnpack/third-party/FP16",
    "backends/xnnpack/third-party/FXdiv",
    "backends/xnnpack/third-party/XNNPACK",
    "backends/xnnpack/third-party/cpuinfo",
    "backends/xnnpack/third-party/pthreadpool",
    "kernels/optimized/third-party/eigen",
    "third-party/flatbuffers",
    "third-party/flatcc",
    "third-party/gflags",
    "third-party/json",
    "third-party/pocketfft",
)
XNNPACK = SUBMODULES[2]
KLEIDIAI = "kleidiai"

#: Where XNNPACK names the commit of KleidiAI that it is made for, and its archive's address.
_KLEIDIAI_PIN = "cmake/DownloadKleidiAI.cmake"
_ARCHIVE = re.compile(r"\bURL\s+(?P<address>https://\S+?)(?:/-)?/archive/(?P<commit>[0-9a-f]{40})\b")
_COMPLAINT = re.compile(r"^(?:fatal|error): (.+)$", re.MULTILINE)
_GIT_TIMEOUT_S = 3600.0
_ASK_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Pin:
    """A repository's address and the commit to take."""

    address: str
    commit: str


@dataclass(frozen=True)
class Sources:
    """What is compiled: two folders, ExecuTorch's version, and the commit of every part ("" where git cannot tell)."""

    executorch: Path
    kleidiai: Path
    version: str
    commits: dict[str, str]


def clone_commands(tag: str, folder: Path) -> list[list[str]]:
    """Return the commands that clone ExecuTorch at a tag into `folder`, with the submodules needed."""
    return [
        ["git", "-c", "advice.detachedHead=false", "clone", "--depth", "1", "--branch", tag, ADDRESS, str(folder)],
        submodule_command(folder),
    ]


def submodule_command(folder: Path) -> list[str]:
    """Return the command that fetches the submodules; one that is there already stays as it is."""
    return ["git", "-C", str(folder), "submodule", "update", "--init", "--depth", "1", "--jobs", "4", "--", *SUBMODULES]


def kleidiai_commands(pin: Pin, folder: Path) -> list[list[str]]:
    """Return the commands that fetch one commit of KleidiAI into `folder`."""
    return [
        ["git", "init", "--quiet", str(folder)],
        ["git", "-C", str(folder), "fetch", "--depth", "1", pin.address, pin.commit],
        ["git", "-C", str(folder), "-c", "advice.detachedHead=false", "checkout", "--quiet", "FETCH_HEAD"],
    ]


def kleidiai_folder(folder: Path, pin: Pin) -> Path:
    """Return where a commit of KleidiAI lies below `folder`."""
    return folder / f"{KLEIDIAI}-{pin.commit[:12]}"


def obtain(own: Path | None, folder: Path, tag: str, log: Path) -> Sources:
    """Return the sources, fetching into `folder` what is not there yet; what is there is not fetched again.

    Parameters
    ----------
    own : the user's ExecuTorch, taken instead of a clone and never written to.
    log : what git says.

    Raises
    ------
    UserError : no git, no network, or a folder that is no complete ExecuTorch.
    """
    if own is not None:
        executorch = check_own(own)
    else:
        executorch = folder / tag / "executorch"
        _clone(tag, executorch, log)
    pin = kleidiai_pin(executorch)
    kleidiai = kleidiai_folder(folder, pin)
    _once(kleidiai, lambda partial: kleidiai_commands(pin, partial), log)
    commits = {path: _commit(executorch / path) for path in SUBMODULES}
    return Sources(
        executorch,
        kleidiai,
        version_of(executorch),
        {"executorch": _commit(executorch), **commits, KLEIDIAI: pin.commit},
    )


def check_own(folder: Path) -> Path:
    """Return the user's folder, made absolute; UserError where it is no ExecuTorch with its submodules."""
    where = f"in {folder} (--executorch-dir)"
    if not (folder / "CMakeLists.txt").is_file() or not (folder / "version.txt").is_file():
        raise UserError("there are no sources of ExecuTorch", where, "name the folder that its git clone made")
    empty = _missing(folder)
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise UserError(
            f"the submodule {empty[0]}{more} is not there",
            where,
            f"git -C {folder} submodule update --init -- {' '.join(empty)}",
        )
    return folder.resolve()


def standing(version: str) -> Path | None:
    """Return the sources that ``setup_repo.sh --from-source`` cloned, of this version and complete; else None."""
    for folder in (Path.cwd() / "executorch", PACKAGE_DIR.parent / "executorch"):
        if (folder / "version.txt").is_file() and version_of(folder) == version and not _missing(folder):
            return folder
    return None


def version_of(executorch: Path) -> str:
    """Return the version that the sources say they are."""
    return (executorch / "version.txt").read_text(encoding="utf-8").strip()


def kleidiai_pin(executorch: Path) -> Pin:
    """Return the KleidiAI that this ExecuTorch's XNNPACK is made for; UserError where it does not say."""
    path = executorch / XNNPACK / _KLEIDIAI_PIN
    match = _ARCHIVE.search(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
    if not match:
        raise UserError(
            "XNNPACK does not say which KleidiAI it takes",
            f"in {path}",
            "use the sources of the ExecuTorch that the kit pins: leave --executorch-dir out",
        )
    return Pin(f"{match['address']}.git", match["commit"])


def _missing(executorch: Path) -> list[str]:
    return [path for path in SUBMODULES if not any((executorch / path).glob("*"))]


def link_view(source: Path, view: Path) -> None:
    """Make `view` a copy of `source` by hard links, without git's own files.

    A build writes into its sources (flatcc puts its libraries there, for whichever CPU was
    built last), so each variant gets a view of its own; the files themselves are shared.
    """
    shutil.rmtree(view, ignore_errors=True)
    make_folder(view.parent)
    shutil.copytree(source, view, symlinks=True, copy_function=_link, ignore=shutil.ignore_patterns(".git"))


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, destination)


def _clone(tag: str, executorch: Path, log: Path) -> None:
    clone, submodules = clone_commands(tag, executorch)
    _once(executorch, lambda partial: [[*clone[:-1], str(partial)]], log)
    if _missing(executorch):
        say(f"fetching {len(SUBMODULES)} submodules of ExecuTorch")
    _git(submodules, log)


def _once(folder: Path, commands: Callable[[Path], list[list[str]]], log: Path) -> None:
    """Fill a folder by commands unless it is there; one that was left half filled is begun anew."""
    if folder.is_dir():
        return
    say(f"fetching {folder.name} into {folder}")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(folder.parent)
    for command in commands(partial):
        _git(command, log)
    os.rename(partial, folder)


def _git(command: list[str], log: Path) -> None:
    if shutil.which("git") is None:
        raise UserError(
            "git is not installed", "for the sources of ExecuTorch", "install git, or give --executorch-dir"
        )
    child = run_child(command, timeout_s=_GIT_TIMEOUT_S, env={"GIT_TERMINAL_PROMPT": "0"}, log=log)
    if not child.ok:
        said = _COMPLAINT.findall(log.read_text(encoding="utf-8", errors="replace"))
        raise UserError(
            f"git {child.outcome()} while fetching sources{f' ({said[-1]})' if said else ''}",
            f"in {log}",
            "mend that and run this again, or name sources that you have with --executorch-dir",
        )


def _commit(folder: Path) -> str:
    if not (folder / ".git").exists():
        return ""
    child = run_child(["git", "-C", str(folder), "rev-parse", "HEAD"], timeout_s=_ASK_TIMEOUT_S)
    return child.output.strip() if child.ok else ""
