# SPDX-License-Identifier: Apache-2.0
"""Wait for a hot device, visibly and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from model_profiling.console import say
from model_profiling.errors import MeasurementError
from model_profiling.pipeline.devices.adb.state import heat


@dataclass(frozen=True)
class Cooling:
    """How long to wait, in seconds: at most `limit_s`, looking every `poll_s`, with a line every `say_s`."""

    limit_s: float = 900.0
    poll_s: float = 5.0
    say_s: float = 15.0

    def wait(self, read: Callable[[], dict[str, object]], hot: Callable[[dict[str, object]], str | None]) -> None:
        """Return when `hot` finds no reason in what `read` returns.

        Raises
        ------
        MeasurementError : it is still hot at the limit.
        """
        state = read()
        if not hot(state):
            return
        started = said = time.monotonic()
        say(f"waiting for the device to cool ({hot(state)}; {heat(state)}): at most {_clock(self.limit_s)}")
        while reason := hot(state):
            now = time.monotonic()
            left = started + self.limit_s - now
            if left <= 0:
                raise MeasurementError(
                    f"the device did not cool down in {_clock(self.limit_s)} ({reason}; {heat(state)}): "
                    "let it cool, out of its case and the sun"
                )
            if now - said >= self.say_s:
                said = now
                say(f"  still {reason}; {heat(state)}; {_clock(left)} left")
            time.sleep(min(self.poll_s, max(left, 0.0)))
            state = read()
        say(f"  cool again after {_clock(time.monotonic() - started)} ({heat(state)})")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
