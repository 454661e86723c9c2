# SPDX-License-Identifier: Apache-2.0
"""Where a fleet's scheduler is: HOST:PORT, and whether that leaves this machine."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from model_profiling.errors import UserError

#: Dask's own.
DEFAULT_PORT = 8786


@dataclass(frozen=True)
class Address:
    """A scheduler's address; `str()` is HOST:PORT."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether nothing leaves this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def url(self, tls: bool) -> str:
        """Return the address as Dask writes it."""
        return f"{'tls' if tls else 'tcp'}://{self}"


def parse_address(text: str, flag: str = "--scheduler") -> Address:
    """Return the address that HOST or HOST:PORT means; UserError where it means none."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9._-]*))(?::(\d{1,5}))?", text)
    port = int(match[3] or DEFAULT_PORT) if match else 0
    if match is None or not 0 < port < 65536:
        raise UserError(f"{text} is no HOST:PORT", f"in {flag}", f"write for example 192.168.1.20:{DEFAULT_PORT}")
    return Address(match[1] or match[2], port)
