# SPDX-License-Identifier: Apache-2.0
"""Flags of the commands of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_profiling.command import CommandParser
from model_profiling.fleet.hosts.address import Address, parse_address
from model_profiling.fleet.hosts.certificates import Certificates, find_certificates

#: What --scheduler is without a fleet.
LOCAL_SCHEDULER = "local"


@dataclass(frozen=True)
class Fleet:
    """A fleet's scheduler, and how to reach it."""

    address: Address
    certificates: Certificates | None


def add_certificates(parser: CommandParser) -> None:
    """Add the flag that names a fleet's certificates."""
    parser.add_argument(
        "--certificates",
        type=Path,
        metavar="DIR",
        help="the fleet's certificates (fleet_worker.py --make-certificates); needed beyond this machine",
    )


def fleet_of(scheduler: str, certificates: Path | None, flag: str = "--scheduler") -> Fleet | None:
    """Return the fleet that is meant, None where this machine alone is.

    Raises
    ------
    UserError : no address, or certificates are needed and not there.
    """
    if scheduler == LOCAL_SCHEDULER:
        return None
    address = parse_address(scheduler, flag)
    return Fleet(address, find_certificates(certificates, address, flag))
