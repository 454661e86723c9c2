# SPDX-License-Identifier: Apache-2.0
"""Turn `cpu_affinity` into core numbers: "prime", "big", a mask in hexadecimal, or a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_profiling.errors import UserError

_WHERE = 'in "cpu_affinity" of the config'


def mask(cores: Sequence[int]) -> str:
    """Return the mask of cores in hexadecimal, as `taskset` reads it."""
    return f"{sum(1 << core for core in set(cores)):x}"


def resolve(wanted: str | tuple[int, ...] | None, max_frequency_khz: Mapping[int, int]) -> tuple[int, ...] | None:
    """Return the cores to pin to, or None for no pinning.

    Parameters
    ----------
    wanted : "prime" (the cores with the highest maximum frequency), "big" (all above
        the lowest), a hexadecimal mask such as "f0", or core numbers.
    max_frequency_khz : each core's maximum frequency in kHz; may be empty.

    Raises
    ------
    UserError : "prime" or "big" where frequencies are unknown, or an empty mask.
    """
    if wanted is None or isinstance(wanted, tuple):
        return wanted
    if wanted in ("prime", "big"):
        if not max_frequency_khz:
            raise UserError(
                f'"{wanted}" needs the cores\' maximum frequencies, which this system does not report',
                _WHERE,
                "name core numbers instead, such as [0]",
            )
        limit = max(max_frequency_khz.values())
        slowest = min(max_frequency_khz.values())
        if wanted == "big" and slowest < limit:
            return tuple(sorted(c for c, f in max_frequency_khz.items() if f > slowest))
        return tuple(sorted(c for c, f in max_frequency_khz.items() if f == limit))
    mask = int(wanted, 16)
    if mask == 0:
        raise UserError("the mask is empty", _WHERE, "set at least one bit")
    return tuple(bit for bit in range(mask.bit_length()) if mask >> bit & 1)
