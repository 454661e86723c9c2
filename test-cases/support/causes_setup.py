# SPDX-License-Identifier: Apache-2.0
"""What makes set-up and builds fail: the failure tables of skills 01 and 02, and of 03 where it lacks set-up.

Each row gets a clone of its own, whose environment is of links into this one (`ShadowVenv`), so that
it can be damaged and costs no download. Set-up from nothing is tested in test_setup.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

from support.causes_run import children, not_activated
from support.setup import BARE_PYTHON, ShadowVenv, clone, run, tool_folder
from support.skill_failures import Desk, Typed, cause

SETUP = "bash model_profiling/scripts/setup_repo.sh"
BUILD = "bash model_profiling/scripts/build_runners.sh"
NOTHING_TO_DO = f"{SETUP} | grep 'nothing to do'"
#: Sizes in MB as `df` tells them: enough without PyTorch (1,800 MB), too little with it (3,500 MB).
SMALL_DISK = "echo Filesystem 1024-blocks Used Available Capacity Mounted; echo disk 9 9 2097152 1% /"
OLD_PYTHON = f'case "$2" in *version_info*) echo 3.8 ;; *) exec "{BARE_PYTHON}" "$@" ;; esac'


def own_clone(desk: Desk, *, ready: bool = True, begin: tuple[str, ...] = ()) -> ShadowVenv:
    """Put the reader into a fresh clone; where it is `ready`, set-up has been done there."""
    artifacts = desk.root / "out_toy_cnn/artifacts"
    root = clone(desk.root.with_name("clone"))
    shutil.copytree(artifacts, root / "out_toy_cnn/artifacts")
    desk.root, desk.begin = root, begin
    desk.environment["KIT_TORCH_PAGE"] = (root / "no_such_page.html").as_uri()
    venv = ShadowVenv(root / ".venv", root)
    checksum = run(["sh", "-c", "cksum <pyproject.toml"], cwd=root).stdout
    (venv.folder / "setup.stamp").write_text(f"kit from {root}\n{checksum}with export\n", encoding="utf-8")
    if not ready:
        venv.folder.rename(desk.root.with_name("environment"))
    return venv


def put_first(desk: Desk, **programs: str) -> None:
    """Put stand-ins for programs first on the reader's PATH."""
    folder = desk.root.with_name("stand_ins")
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!{shutil.which('bash')}\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    desk.environment["PATH"] = os.pathsep.join([str(folder), desk.variables()["PATH"]])


def environment_is_downloaded(desk: Desk) -> None:
    """Let `python3 -m venv` bring every package with it, as a warm cache would: pip has nothing to fetch."""
    ready = desk.root.with_name("environment")
    put_first(
        desk,
        python3=f'if [ "$1 $2" = "-m venv" ]; then rm -rf "$3" && exec cp -a "{ready}" "$3"; fi\n'
        f'exec "{BARE_PYTHON}" "$@"',
    )


# ---------------------------------------------------------------- 01: set-up


@cause("01", "missing  python           3.10 to 3.14 is needed")
def old_python(desk: Desk) -> Typed:
    own_clone(desk)
    put_first(desk, python38=OLD_PYTHON)
    return Typed(f"{SETUP} --python python38", then=NOTHING_TO_DO)


@cause("01", "MB free in ..., 3500 MB needed")
def little_disk(desk: Desk) -> Typed:
    venv = own_clone(desk)
    for entry in venv.site_packages.glob("torch*"):
        entry.unlink()
    put_first(desk, df=SMALL_DISK)
    return Typed(SETUP, then=".venv/bin/python -c 'import executorch, model_profiling'")


@cause("01", "is there but is no virtual environment")
def something_else_there(desk: Desk) -> Typed:
    own_clone(desk, ready=False)
    (desk / ".venv").mkdir()
    (desk / ".venv/thesis.txt").write_text("mine", encoding="utf-8")
    environment_is_downloaded(desk)
    return Typed(SETUP, then="test -s venv_before/thesis.txt && " + NOTHING_TO_DO)


@cause("01", "interrupted: run it again to go on")
def ended_half_way(desk: Desk) -> Typed:
    _break_rich(own_clone(desk))  # so that pip has work to do

    def end_it(shell: subprocess.Popen) -> None:
        log = desk / ".venv/setup.log"
        while shell.poll() is None and not (log.is_file() and "== packages" in log.read_text(encoding="utf-8")):
            time.sleep(0.01)
        for process in children(shell.pid):
            os.kill(process, signal.SIGTERM)

    return Typed(SETUP, then=NOTHING_TO_DO, meanwhile=end_it, status=(130,))


@cause("01", "this Python lacks the kit")
def not_activated_yet(desk: Desk) -> Typed:
    return not_activated(desk)


@cause("01", "error    package ... its file ... is missing")
def damaged_package(desk: Desk) -> Typed:
    _break_rich(own_clone(desk, begin=("source .venv/bin/activate",)))
    return Typed(
        "python model_profiling/scripts/validate_setup.py --model out_toy_cnn/artifacts/toy_cnn_xnnpack_fp16.pte"
    )


def _break_rich(venv: ShadowVenv) -> None:
    """Take a file of a package away, in this environment alone."""
    venv.metadata("rich", "RECORD")  # pip will delete the package's metadata: they have to be this environment's own
    venv.own("rich/console.py").unlink()


# ---------------------------------------------------------------- 02 and 03: runners, and no environment


@cause("03", ".venv/bin/activate: No such file or directory")
def not_set_up(desk: Desk) -> Typed:
    own_clone(desk, ready=False)
    environment_is_downloaded(desk)
    return Typed("source .venv/bin/activate")


def few_programs(desk: Desk, *leave_out: str, **stand_ins: str) -> None:
    """Leave the reader what set-up and a build of the native runner need; other compilers cost time."""
    tools = tool_folder(desk.root.with_name("tools"), *leave_out, **stand_ins)
    for name in ("as", "ld", "env", "tr", "cp", "grep"):
        if not (tools / name).exists() and shutil.which(name):
            (tools / name).symlink_to(shutil.which(name))
    desk.environment["PATH"] = str(tools)


@cause("02", "error: no Python with the kit")
def no_environment(desk: Desk) -> Typed:
    own_clone(desk, ready=False)
    few_programs(desk)
    environment_is_downloaded(desk)
    return Typed(BUILD)


@cause("02", "error: no C++ compiler is installed")
def no_compiler(desk: Desk) -> Typed:
    """Everything but a compiler is on PATH; the stand-in for apt puts it there."""
    own_clone(desk)
    few_programs(
        desk,
        "c++",
        sudo=f'[ "$*" = "apt install g++ make" ] && exec {shutil.which("ln")} -s {shutil.which("c++")} '
        f"{desk.root.with_name('tools')}/c++",
    )
    return Typed(BUILD)


@cause("02", "error: building the native runner failed")
def broken_compiler(desk: Desk) -> Typed:
    own_clone(desk)
    few_programs(desk)
    desk.environment["CXX"] = str(desk.root.with_name("stand_ins") / "broken-c++")
    put_first(desk, **{"broken-c++": '[ "$1" = --version ] && echo "broken-c++ 14.0" || exit 1'})
    return Typed(BUILD)


@cause("02", "names no variant")
def misspelt_variant(desk: Desk) -> Typed:
    return Typed(f"{BUILD} --source host-sme2-onn", then=f"{BUILD} --source host-sme2-on-timing --dry-run")
