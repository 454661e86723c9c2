# SPDX-License-Identifier: Apache-2.0
"""Something on the network that only begins to speak adb's protocol (its protocol.txt).

``unauthorized`` answers every key with another challenge, as a phone does whose question on the
screen nobody has answered; ``offline`` accepts the connection and never says a word. Prints its port.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading

_HEADER = struct.Struct("<6I")
_AUTH, _TOKEN, _PUBLIC_KEY = 0x48545541, 1, 3
_TOKEN_BYTES = b"x" * 20


def challenge(connection: socket.socket) -> None:
    connection.sendall(
        _HEADER.pack(_AUTH, _TOKEN, 0, len(_TOKEN_BYTES), sum(_TOKEN_BYTES), _AUTH ^ 0xFFFFFFFF) + _TOKEN_BYTES
    )


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def serve(connection: socket.socket, silent: bool) -> None:
    with connection, contextlib.suppress(OSError):
        while True:
            command, kind, _, length, _, _ = _HEADER.unpack(receive(connection, _HEADER.size))
            receive(connection, length)
            if not silent and (command, kind) != (_AUTH, _PUBLIC_KEY):
                challenge(connection)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, sys.argv[1] == "offline"), daemon=True).start()


if __name__ == "__main__":
    main()
