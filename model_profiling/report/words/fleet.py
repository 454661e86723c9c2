# SPDX-License-Identifier: Apache-2.0
"""A fleet in words: who joins and leaves, what is not used and why, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.wording import duration, listed


def joined(device: str) -> str:
    """Say that a device can be measured on."""
    return f"{device}: joined"


def left(device: str) -> str:
    """Say that a device is gone."""
    return f"{device}: left"


def scheduler_lost(device: str, address: str) -> str:
    """Say that a worker has lost its scheduler, and goes on trying."""
    return f"{device}: no scheduler at {address}; trying again until there is one"


def worker_failed(device: str, log: str) -> str:
    """Say that a worker ends by something of its own, and goes on trying."""
    return f"{device}: its worker ended by itself, see {log}; trying again"


def other_version(device: str, theirs: str, ours: str) -> str:
    """Say why a worker is not used: the kit there is another."""
    return f"{device} is not used: it has version {theirs} of the kit, this is {ours}; install this one there"


def claimed(key: str, hosts: Sequence[str]) -> str:
    """Say why a device is not used: several hosts say that it is theirs."""
    return f"{key} is not used: {listed(sorted(hosts))} offer it; disconnect it from all but one"


def clock_differs(host: str, seconds: float) -> str:
    """Say that the times in a host's runs are not those of others."""
    way = "ahead of" if seconds > 0 else "behind"
    return f"the clock of {host} is {duration(abs(seconds))} {way} this one's: so are the times in its runs"


def interrupted(job: str, device: str) -> str:
    """Say that a job lost its worker, and goes on there."""
    return f"{job}: {device} went away; it goes on there as soon as it is back"


def not_offered(device: str, offered: Sequence[str], refused: Sequence[str], waited_s: float) -> str:
    """Say why a cell is not measured: nobody offers its device, or who does is not used."""
    there = "; ".join([f"offered: {', '.join(sorted(offered)) or 'none'}", *refused])
    return f"no worker offers {device}, waited for {duration(waited_s)} ({there})"


def place_gone(device: str, waited_s: float, note: str) -> str:
    """Say why a cell is not gone on with: its device is not there."""
    return (
        f"it was begun on {device}, which is not there, waited for {duration(waited_s)}: connect it and go on with "
        f"--resume, or remove {note} to begin anew on another"
    )


def no_exporter(waited_s: float) -> str:
    """Say why a program is not exported."""
    return f"no worker can export, waited for {duration(waited_s)}: start one where torch and executorch are installed"


def lost_often(times: int, device: str) -> str:
    """Say why a job is given up."""
    return f"its worker {device} went away {times} times while it was done"


def made_certificates(files: Sequence[Path]) -> list[str]:
    """Say what was made, and what is to be done with it."""
    return [
        *(f"  {file}" for file in files),
        "Copy this folder to every host of the fleet, and keep it as you would a password:",
        "whoever has it can run programs on all of them.",
    ]


def scheduler_ready(address: str, encrypted: bool) -> str:
    """Say that a fleet can be formed."""
    return f"scheduler at {address} ({'TLS' if encrypted else 'this machine alone, without TLS'})"
