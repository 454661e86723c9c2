# SPDX-License-Identifier: Apache-2.0
"""The process of one device of a host: a Dask worker of one thread, which does one thing at a time.

Started by `host.py` with what it offers as JSON. It ends where the scheduler has gone, and where it is told to leave
(SIGUSR1) as soon as nothing is being done; what it has started ends with it, and what was measured is in files.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from model_profiling.command import run_command
from model_profiling.files import make_folder
from model_profiling.fleet.hosts.certificates import Certificates
from model_profiling.fleet.hosts.dask_parts import load_distributed, security
from model_profiling.fleet.hosts.errands import Serving, begin_serving
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.store import Store
from model_profiling.json_objects import JsonObject

#: What tells its host that a worker is known to the scheduler, on standard output.
JOINED = "joined"
#: Its exit statuses: the scheduler has gone, or there is none; and something of its own, which is on standard error.
NO_SCHEDULER, DEFECT = 0, 3
_LOOK_S, _JOIN_S = 0.5, 20.0


def words_for(url: str, certificates: Certificates | None, folder: Path, offer: Offer) -> str:
    """Return what the process is started with."""
    kept = str(certificates.folder) if certificates else ""
    return json.dumps({"url": url, "certificates": kept, "folder": str(folder), "offer": offer.to_json()})


async def _serve(url: str, security: Any, serving: Serving) -> None:
    distributed = load_distributed()
    leaving, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, leaving.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, os._exit, 0)  # what it has started sees that, and puts everything back
    offer = serving.offer
    worker = distributed.Worker(
        url,
        nthreads=1,
        name=f"{offer.called} {offer.worker}",
        resources=offer.resources,
        memory_limit=0,
        security=security,
        local_directory=str(serving.store.scratch(offer.worker)),
        dashboard_address="127.0.0.1:0",
        death_timeout=_JOIN_S,
        startup_information={"offer": lambda _: offer.to_json()},
    )
    await worker
    print(JOINED, flush=True)
    while worker.status is distributed.Status.running and (serving.job or not leaving.is_set()):
        await asyncio.sleep(_LOOK_S)
    if worker.status is distributed.Status.running:
        await worker.close(executor_wait=False, reason="the device has left")


def main() -> int:
    load_distributed()
    held = JsonObject(json.loads(sys.argv[1]), "on the command line", "start fleet_worker.py", what="the offer")
    store = Store(make_folder(Path(held.text("folder"))))
    serving = begin_serving(Offer.from_json(held.within("offer")), store)
    folder = held.text("certificates")
    certificates = Certificates(Path(folder)) if folder else None
    status = DEFECT
    try:
        asyncio.run(_serve(held.text("url"), security(certificates), serving))
        status = NO_SCHEDULER
    except OSError:  # it cannot be reached, or ended the connection
        status = NO_SCHEDULER
    finally:
        if status == DEFECT:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status)  # a thread that waits for a measurement would hold this process: that one ends with it


if __name__ == "__main__":
    run_command(main)
