# SPDX-License-Identifier: Apache-2.0
"""The steps of fleet_worker.py: certificates, the scheduler, a host's workers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import cache_folder, make_folder
from model_profiling.fleet.hosts import certificates
from model_profiling.fleet.hosts.dask_parts import check_answers, load_distributed, security
from model_profiling.fleet.hosts.host import HostOptions, serve_host
from model_profiling.fleet.hosts.offer import this_host
from model_profiling.fleet.hosts.store import Store
from model_profiling.fleet.names import as_name
from model_profiling.report.words.fleet import made_certificates, scheduler_ready
from model_profiling.scripts.fleet_flags import Fleet

#: A scheduler may be starting as its hosts do.
_PATIENCE_S = 30.0


def make_certificates(folder: Path) -> None:
    """Make a fleet's certificates, and say what to do with them.

    Raises
    ------
    UserError : there are some already, or the package that makes them is missing.
    """
    load_distributed()
    for line in made_certificates(certificates.make_certificates(folder).files):
        say(line)


def start_scheduler(fleet: Fleet | None) -> None:
    """Be the scheduler of a fleet until the process is told to end.

    Raises
    ------
    UserError : the address is not this machine's, or in use.
    """
    asyncio.run(_schedule(_required(fleet, "--start-scheduler")))


def serve(fleet: Fleet | None, devices: str, name: str | None, folder: Path | None) -> None:
    """Offer this host's devices until the process is told to end.

    Raises
    ------
    UserError : there is no scheduler, it does not take the certificates, or there is no adb for phones.
    """
    found = _required(fleet, "--scheduler")
    load_distributed()
    check_answers(found.address, found.certificates, _PATIENCE_S)
    kept = make_folder((folder or cache_folder() / "fleet").resolve())
    Store(kept).tidy()
    serve_host(HostOptions(found.address, found.certificates, kept, as_name(name or this_host()), devices))


async def _schedule(fleet: Fleet) -> None:
    distributed = load_distributed()
    try:
        scheduler = await distributed.Scheduler(
            host=fleet.address.host,
            port=fleet.address.port,
            security=security(fleet.certificates),
            protocol="tls" if fleet.certificates else "tcp",
            dashboard=False,
            dashboard_address="127.0.0.1:0",
        )
    except OSError as error:
        raise UserError(
            f"cannot listen ({error.strerror or error})",
            f"at {fleet.address} (--start-scheduler)",
            "name an address of this machine and a port that is free",
        ) from error
    say(scheduler_ready(str(fleet.address), fleet.certificates is not None))
    try:
        await scheduler.finished()
    finally:
        await scheduler.close()


def _required(fleet: Fleet | None, flag: str) -> Fleet:
    if fleet is None:
        raise UserError("local is no scheduler of a fleet", f"in {flag}", "name one as HOST:PORT")
    return fleet
