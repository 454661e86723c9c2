# SPDX-License-Identifier: Apache-2.0
"""Why a launch on a device probably failed, from how it ended and what the device says."""

from __future__ import annotations

from pathlib import PurePosixPath

from model_profiling.pipeline.cpu.features import CpuFeatures, available_groups
from model_profiling.pipeline.devices.posix.files import free_kib
from model_profiling.pipeline.devices.posix.shell import PosixShell
from model_profiling.processes import ChildResult

#: Less than a trace of the smallest model.
_FULL_KIB = 256


def likely_cause(shell: PosixShell, folder: PurePosixPath, cpu: CpuFeatures, child: ChildResult) -> str:
    """Return the likely cause in a few words, "" where nothing points to one.

    Raises
    ------
    Lost : the connection ended first.
    """
    if child.signal == "SIGILL":
        strongest = next((group.label for group in available_groups(cpu)), "none that the kit knows")
        return (
            f"the runner was built for instructions that this CPU ({cpu.model_name}) lacks; the strongest of its "
            f"features is {strongest}"
        )
    if child.signal == "SIGKILL":
        return "the system ended it, as it does when memory runs out"
    free = free_kib(shell, folder)
    if free is not None and free < _FULL_KIB:
        return f"the device is full: {free} KiB are free at {folder}, so free space on it"
    return ""
