# SPDX-License-Identifier: Apache-2.0
"""Ask the device several things in one command: a round trip costs more than any of the answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from model_profiling.pipeline.devices.posix.shell import PosixShell

_TITLE = "kit-section"


def ask(shell: PosixShell, commands: Mapping[str, str]) -> dict[str, str]:
    """Run each command and return what it printed by its name; a command that failed printed what it did.

    Raises
    ------
    Lost : the connection ended first.
    """
    steps = [f"echo; echo {_TITLE}:{name}\n{{\n{command}\n}} 2>/dev/null" for name, command in commands.items()]
    return parse(shell.shell("\n".join(steps)).text, commands)


def parse(text: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return the sections of `text` by name; those that are not there are empty."""
    parts = re.split(rf"^{_TITLE}:(\w+)\r?\n", text, flags=re.MULTILINE)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {name: texts.get(name, "").strip() for name in names}


def numbers_by_core(text: str) -> dict[int, int]:
    """Return the numbers of lines such as ``7 3302400``: a core, and what is said of it."""
    return {int(core): int(value) for core, value in re.findall(r"^(\d+) (\d+)\s*$", text, re.MULTILINE)}


def each_core(file: str) -> str:
    """Return the command that prints, for each core, its number and the number in a file of its cpufreq folder."""
    return (
        "for d in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do n=${d#/sys/devices/system/cpu/cpu}; "
        f'echo "${{n%/cpufreq}} $(cat $d/{file})"; done'
    )
