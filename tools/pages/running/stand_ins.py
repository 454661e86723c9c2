# SPDX-License-Identifier: Apache-2.0
"""Programs in front of all others for what cannot be had here: each notes its call and does no harm."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from model_profiling import KIT_ADDRESS
from tools.pages.reading import known_programs

_STAND_IN = Path(__file__).with_name("stand_in_program.py")


def make(folder: Path, checkout: Path) -> None:
    """Write a stand-in for each program that needs something which is not here, below `folder`."""
    programs_of(folder).mkdir(parents=True, exist_ok=True)
    (folder / "stand_ins.json").write_text(
        json.dumps(
            {
                "calls": str(folder / "stand_in_calls"),
                "programs": str(programs_of(folder)),
                "checkout": str(checkout.resolve()),
                "raw": KIT_ADDRESS.replace("https://github.com/", "https://raw.githubusercontent.com/"),
                "archive": f"{KIT_ADDRESS}/archive/refs/heads/",
                "name": KIT_ADDRESS.rpartition("/")[2],
            }
        ),
        encoding="utf-8",
    )
    for name, program in known_programs.known().items():
        if program.stand_in:
            path = programs_of(folder) / name
            path.write_text(
                f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", str(_STAND_IN), name])} "$@"\n', encoding="utf-8"
            )
            path.chmod(0o755)


def programs_of(folder: Path) -> Path:
    """Return the folder of the stand-ins, to be put first into PATH."""
    return folder / "bin"


def variables(folder: Path) -> Mapping[str, str]:
    """Return what the stand-ins need in the environment."""
    return {"PAGE_STAND_INS": str(folder / "stand_ins.json")}
