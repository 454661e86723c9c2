# SPDX-License-Identifier: Apache-2.0
"""The packages of this environment for set-ups in a reader's home: hard links, so nothing is downloaded or unpacked.

Set-up runs as it is typed: it finds the packages there, in the versions that it asks for, and
installs the kit of the reader's clone.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from model_profiling.errors import UserError

#: Where packages put files, besides their programs.
_LENT = ("lib/python*/site-packages", "share/man", "include/site")
#: What is the kit's own, or belongs to one environment alone.
_NOT_LENT = ("__editable__", "sme_executorch_profiling")
_HOOK = """\
#!/bin/sh
if [ -d model_profiling ] && [ ! -e .venv ]; then {python} -I {script} {prefix} .venv; fi
"""


def add_lending(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the tools that run what a reader types."""
    parser.add_argument(
        "--lend-packages",
        action="store_true",
        help="let set-up in the new home find this environment's packages, as hard links, instead of downloading them",
    )


def hook_folder(folder: Path) -> Path:
    """Make a template for git in which each new clone of the kit is lent the packages; return the folder.

    Raises
    ------
    UserError : the running Python is of no virtual environment.
    """
    if sys.prefix == sys.base_prefix:
        raise UserError(
            "no virtual environment is active, so there are no packages to lend",
            f"with {sys.executable}",
            "run the tool with the checkout's .venv/bin/python",
        )
    hook = folder / "hooks" / "post-checkout"
    hook.parent.mkdir(parents=True)
    words = {"python": sys.executable, "script": str(Path(__file__).resolve()), "prefix": sys.prefix}
    hook.write_text(_HOOK.format(**{name: shlex.quote(word) for name, word in words.items()}), encoding="utf-8")
    hook.chmod(0o755)
    return folder


def lend(lender: Path, venv: Path) -> None:
    """Make the virtual environment `venv` with what `lender` has, all but the kit; none where links cannot be made."""
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    subprocess.run([base, "-m", "venv", "--without-pip", venv], check=True, timeout=300)
    try:
        for folder in (folder for place in _LENT for folder in lender.glob(place)):
            for entry in folder.iterdir():
                if not entry.name.startswith(_NOT_LENT):
                    _link(entry, venv / folder.relative_to(lender) / entry.name)
        for program in (lender / "bin").iterdir():
            _lend_program(program, lender, venv)
    except OSError:  # another file system: set-up then does all the work
        shutil.rmtree(venv)


def _link(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)


def _lend_program(program: Path, lender: Path, venv: Path) -> None:
    target = venv / "bin" / program.name
    if target.exists() or program.is_symlink() or not program.is_file():
        return
    content = program.read_bytes()
    if content.startswith(b"#!"):  # it names its environment's Python
        first, end, rest = content.replace(os.fsencode(lender), os.fsencode(venv)).partition(b"\n")
        target.write_bytes((_with_blank(first[2:]) if b" " in first else first) + end + rest)
        target.chmod(program.stat().st_mode)
    else:
        os.link(program, target)


def _with_blank(python: bytes) -> bytes:
    """Return first lines that start a Python whose path the kernel would end at its blank, as pip writes them."""
    return b"#!/bin/sh\n'''exec' \"" + python + b'" "$0" "$@"\n\' \'\'\''


if __name__ == "__main__":
    lend(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
