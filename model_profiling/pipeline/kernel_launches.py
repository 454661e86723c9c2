# SPDX-License-Identifier: Apache-2.0
"""The launches that recorded kernels, one line each in `kernel_launches.jsonl`.

They measure nothing and belong to no pair, so they stand apart from launches.jsonl: whoever
reads that one finds timed launches alone. As there, a line is appended when all that the
launch left lies in its place, and the manifest of a finished run holds the file's digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from model_profiling.files import append_json_line
from model_profiling.pipeline.launch_lists import read_launch_list, tuples
from model_profiling.pipeline.run_directory import RunDirectory


@dataclass(frozen=True)
class KernelLaunch:
    """One process that recorded kernels: what ran, how it ended, and what it left.

    `files` holds the SHA-256 of each file by its path within the run directory. `failed`
    says why the launch does not stand, None where it does. Feature names are as in `Launch`;
    an `executor_runner` masks none and does not say which it saw.
    """

    experiment: str
    mode: str
    threads: int
    started: str
    runner: str
    argv: tuple[str, ...]
    exit_code: int | None
    signal: str | None
    duration_s: float
    files: Mapping[str, str] = field(default_factory=dict)
    masked_cpu_features: tuple[str, ...] = ()
    active_cpu_features: tuple[str, ...] = ()
    failed: str | None = None

    @classmethod
    def from_json(cls, plain: object) -> KernelLaunch:
        """Return the launch of one line; ValueError or TypeError where it is none."""
        if not isinstance(plain, dict) or set(plain) - {f.name for f in fields(cls)}:
            raise ValueError("not the keys of a kernel launch")
        values: dict[str, Any] = tuples(plain)
        launch = cls(**values)
        files = launch.files
        if not isinstance(files, dict) or not all(isinstance(text, str) for item in files.items() for text in item):
            raise ValueError("files are not digests by name")
        if not isinstance(launch.experiment, str) or type(launch.threads) is not int:
            raise ValueError("no experiment and thread count")
        return launch


def append_kernel_launch(directory: RunDirectory, launch: KernelLaunch) -> None:
    """Record a launch that has ended."""
    append_json_line(directory.kernel_launches, asdict(launch))


def read_kernel_launches(directory: RunDirectory) -> list[KernelLaunch]:
    """Return the recorded launches in the order they were made; none where nothing recorded kernels.

    Raises
    ------
    UserError : a whole line that is not a launch.
    """
    return read_launch_list(directory.kernel_launches, KernelLaunch.from_json)


def standing(launches: Sequence[KernelLaunch]) -> dict[tuple[str, int], KernelLaunch]:
    """Return the launch that stands for each experiment and thread count that has one."""
    return {(launch.experiment, launch.threads): launch for launch in launches if launch.failed is None}
