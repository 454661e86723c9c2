# SPDX-License-Identifier: Apache-2.0
"""A sweep's connection to the scheduler of a fleet: who is there, what they are to do, files to and from them."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from model_profiling.errors import KitError, UserError
from model_profiling.fleet.hosts import errands
from model_profiling.fleet.hosts.address import Address
from model_profiling.fleet.hosts.certificates import Certificates
from model_profiling.fleet.hosts.dask_parts import broken_connection, check_answers, load_distributed, security
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.sent_files import SentFile
from model_profiling.fleet.hosts.store import CHUNK, ArrivingFile, batches, piece
from model_profiling.json_objects import JsonObject

#: So many files are on their way at once, which bounds the memory; a worker that says nothing is gone after so long.
_TRANSFERS, _ERRAND_S, _LOOK_S = 4, 120.0, 2.0
_CONNECT_S = 20.0


class WorkerGone(Exception):
    """A worker has left, or is not heard any more: what it was asked for may be done or not."""


class Connection:
    """The client's end; every method may be called by several threads at once.

    Raises
    ------
    UserError : there is no scheduler, or it does not take the certificates.
    """

    def __init__(self, address: Address, certificates: Certificates | None) -> None:
        distributed = load_distributed()
        check_answers(address, certificates)
        self._address = address
        try:
            self._client: Any = distributed.Client(
                address.url(certificates is not None),
                security=security(certificates),
                timeout=_CONNECT_S,
                set_as_default=False,
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(
                f"the scheduler cannot be used ({error})", f"at {address}", "start it anew with this version of the kit"
            ) from error
        self._sender = uuid.uuid4().hex[:12]
        self._addresses: dict[str, str] = {}
        self._slots = threading.BoundedSemaphore(_TRANSFERS)
        self._gone = threading.Event()

    def close(self) -> None:
        self._gone.set()
        self._client.close(timeout=2)

    def offers(self) -> list[Offer] | None:
        """Return what is offered now, None where the scheduler does not answer."""
        try:
            told = self._client.sync(self._client.scheduler.identity, n_workers=-1, callback_timeout=_CONNECT_S)
        except broken_connection():
            return None
        found, addresses = [], {}
        for address, worker in told["workers"].items():
            if "offer" in worker:  # else a worker of somebody else's
                plain = json.loads(json.dumps(worker["offer"]))
                try:
                    offer = Offer.from_json(JsonObject(plain, f"at {address}", "install this version there"))
                except UserError:
                    continue
                found.append(offer)
                addresses[offer.worker] = address
        self._addresses = addresses
        return found

    def do(self, offer: Offer, task: Callable[[str], str], words: str, over: Callable[[], bool]) -> str:
        """Have a worker do something that takes long, and return its answer; it does one such thing at a time.

        `over` is asked now and then whether waiting is of no use any more.

        Raises
        ------
        WorkerGone : it has left before it answered.
        """
        ended = threading.Event()
        future = self._client.submit(
            task,
            words,
            key=f"{task.__name__}-{uuid.uuid4().hex}",
            workers=[self._address_of(offer)],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        future.add_done_callback(lambda _: ended.set())
        try:
            while not ended.wait(_LOOK_S):
                if self._gone.is_set() or over():
                    raise WorkerGone(offer.called)
            if future.status != "finished":
                raise WorkerGone(f"{offer.called}: {future.status}")
            return str(self._broken(lambda: future.result(timeout=_ERRAND_S), offer))
        finally:
            future.cancel(force=True)

    def ask(self, offer: Offer, errand: Callable[..., Any], *words: object, limit_s: float = _ERRAND_S) -> Any:
        """Have a worker do something that takes no time, whatever else it does; `WorkerGone` as of `do`."""
        address = self._address_of(offer)
        return self._broken(
            lambda: self._client.sync(self._client._run, errand, *words, workers=[address], callback_timeout=limit_s)[
                address
            ],
            offer,
        )

    def send(self, offer: Offer, root: Path, files: Iterable[SentFile]) -> None:
        """Send those of the files that a worker's host does not have.

        Raises
        ------
        KitError : it cannot keep them.
        WorkerGone : it has left.
        """
        by_digest = {file.sha256: file for file in files}
        asked = json.dumps({"files": [file.to_json() for file in by_digest.values()]})
        for digest in json.loads(self.ask(offer, errands.missing, asked)):
            file = by_digest[digest]
            with self._slots:
                for offset in range(0, file.size or 1, CHUNK):
                    words = json.dumps(file.to_json())
                    refused = self.ask(offer, errands.put, self._sender, words, offset, piece(root / file.path, offset))
                    if refused:
                        raise KitError(refused)

    def fetch(self, offer: Offer, sweep: str, job: str, files: Iterable[tuple[SentFile, Path]]) -> None:
        """Fetch files that a job left to their places; each is there whole, or not at all. Raises as `send`."""
        arriving = {file: ArrivingFile(place, file) for file, place in files}
        with self._slots:
            for batch in batches(arriving):
                asked = json.dumps([[file.path, offset, length] for file, offset, length in batch])
                data = self.ask(offer, errands.get, sweep, job, asked)
                if not isinstance(data, bytes):
                    raise KitError(str(data))
                begin = 0
                for file, offset, length in batch:
                    arriving[file].add(data[begin : begin + length])
                    begin += length
                    if offset + length == file.size:
                        arriving[file].finish()

    def clock_ahead_s(self, offer: Offer) -> float:
        """Return how far a host's clock is ahead of this one's, in seconds."""
        before = time.time()
        theirs = float(self.ask(offer, errands.clock))
        return theirs - (before + time.time()) / 2

    def _address_of(self, offer: Offer) -> str:
        try:
            return self._addresses[offer.worker]
        except KeyError as error:
            raise WorkerGone(offer.called) from error

    def _broken(self, call: Callable[[], Any], offer: Offer) -> Any:
        """Return what a call through Dask gives; a connection that is broken means that the worker is gone.

        Errands raise nothing themselves.
        """
        try:
            return call()
        except broken_connection() as error:
            raise WorkerGone(f"{offer.called}: {error!r}") from error
