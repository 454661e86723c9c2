# SPDX-License-Identifier: Apache-2.0
"""Dask distributed as the kit uses it: quiet, moving nothing by itself, and over TLS where it leaves the machine."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
import time
import warnings
from concurrent.futures import CancelledError
from typing import Any

from model_profiling.errors import UserError
from model_profiling.fleet.hosts.address import Address
from model_profiling.fleet.hosts.certificates import Certificates

#: A task of a worker that is gone fails: the kit decides where it goes, and Dask never does. A network that was cut
#: shows after `tcp`, a process that hangs after `worker-ttl`. The profiler samples ten times a second.
_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "15s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.tick.limit": "60s",
}
#: It logs a traceback for every connection that ends, as those of a fleet do.
_SILENT = logging.CRITICAL + 1
_HELLO_S, _AGAIN_S = 5.0, 0.5


def load_distributed() -> Any:
    """Import Dask distributed and set it up; UserError where it is not installed."""
    try:
        import cryptography  # noqa: F401 (that it is there)
        import dask
        import distributed
    except ModuleNotFoundError as error:
        raise UserError(
            f"the Python package {error.name} is missing",
            f"in {sys.prefix}",
            'install what fleets need: setup_repo.sh --with-fleet, or pip install "sme-executorch-profiling[fleet]"',
        ) from error
    dask.config.set(_SETTINGS)
    # Pythons may differ, since texts and bytes alone travel; the kit's own version is compared by the kit.
    warnings.filterwarnings("ignore", category=distributed.versions.VersionMismatchWarning)
    for name in ("distributed", "tornado", "asyncio", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(_SILENT)
    return distributed


def broken_connection() -> tuple[type[Exception], ...]:
    """Return what Dask raises where a scheduler, a worker or the way to it is gone.

    A client that closed itself knows no scheduler (AttributeError), a scheduler no worker that has left (LookupError),
    and what closes refuses further work (RuntimeError, ValueError).
    """
    from distributed.client import ClosedClientError
    from distributed.scheduler import KilledWorker, NoValidWorkerError, NoWorkerError

    return (
        OSError,
        asyncio.TimeoutError,
        CancelledError,
        AttributeError,
        LookupError,
        RuntimeError,
        ValueError,
        ClosedClientError,
        KilledWorker,
        NoValidWorkerError,
        NoWorkerError,
    )


def security(certificates: Certificates | None) -> Any:
    """Return what Dask is told of TLS."""
    from distributed.security import Security

    if certificates is None:
        return Security()
    authority, certificate, key = map(str, certificates.files)
    roles = {
        f"tls_{role}_{what}": value
        for role in ("scheduler", "worker", "client")
        for what, value in (("cert", certificate), ("key", key))
    }
    return Security(require_encryption=True, tls_ca_file=authority, **roles)


def check_answers(address: Address, certificates: Certificates | None, patience_s: float = 0.0) -> None:
    """Raise the `UserError` that says why nothing can be had from a scheduler, where Dask would only wait.

    One that refuses to be called is tried for as long as `patience_s`: it may be starting. Whoever answers has to speak
    first, as Dask's does; with TLS a refused certificate is seen no sooner.
    """
    deadline = time.monotonic() + patience_s
    try:
        with _called(address, deadline) as plain:
            if certificates is None:
                said = plain.recv(64)
                if not said or said[:1] == b"\x15":  # a TLS alert
                    raise _unfit(address, "it does not answer without TLS")
                return
            with _context(certificates).wrap_socket(plain, server_hostname=address.host) as wrapped:
                if not wrapped.recv(1):
                    raise _unfit(address, "it ended the connection")
    except ssl.SSLError as error:
        raise _unfit(address, f"TLS: {error.reason or error}") from error
    except TimeoutError as error:
        raise _absent(address, "no answer") from error
    except ConnectionResetError as error:
        raise _unfit(address, "it ended the connection") from error
    except OSError as error:
        raise _absent(address, error.strerror or str(error)) from error


def _called(address: Address, deadline: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection((address.host, address.port), timeout=_HELLO_S)
        except ConnectionRefusedError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN_S)


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(certificates.authority))
    context.check_hostname = False  # the certificate is the fleet's, not a host's
    try:
        context.load_cert_chain(certificates.certificate, certificates.key)
    except (ssl.SSLError, OSError) as error:
        raise UserError(
            f"the certificate and its key do not fit ({getattr(error, 'reason', None) or error})",
            f"in --certificates {certificates.folder}",
            "copy all three files of one fleet there",
        ) from error
    return context


def _unfit(address: Address, why: str) -> UserError:
    return UserError(
        f"the scheduler does not take this connection ({why})",
        f"at {address}",
        "give it, every worker and every sweep the same --certificates, or none of them any",
    )


def _absent(address: Address, why: str) -> UserError:
    return UserError(
        f"there is no scheduler ({why})",
        f"at {address}",
        "start one there (fleet_worker.py --start-scheduler HOST:PORT), or correct the address",
    )
