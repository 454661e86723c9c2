# SPDX-License-Identifier: Apache-2.0
"""What every command shares: a parser that fails in one line, and the exit-status contract."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from model_profiling.errors import KitError, UserError, nearest, one_line

INTERRUPTED = 130  # 128 + SIGINT, what shells report
#: Set for a command by the process that it belongs to, to that one's number: the command ends where that one has gone.
OWNER_VARIABLE = "SME2_OWNER_PROCESS"
_LOOK_EVERY_S = 1.0


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors are one `UserError` line, with the nearest flag named.

    Abbreviated flags are refused: pages and skills are checked against full names.
    """

    def __init__(self, *, allow_abbrev: bool = False, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=allow_abbrev, **kwargs)

    def error(self, message: str) -> NoReturn:
        where = f"on the command line of {self.prog}"
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown and unknown[1].startswith("-"):
            flags = [flag for action in self._actions for flag in action.option_strings]
            flag = unknown[1].split("=")[0]
            raise UserError(f"{flag} is not a flag{nearest(flag, flags)}", where, f"see {self.prog} --help")
        raise UserError(message, where, f"see {self.prog} --help")


def run_command(main: Callable[[], int | None]) -> NoReturn:
    """Run a command's `main` and end the process with the kit's exit statuses.

    0 done; 1 the measured program failed; 2 the user can fix it; 130 interrupted.
    SIGTERM and SIGHUP are taken as Ctrl-C, so that children are ended and settings put back.
    Only `KitError`, a missing package of others, `KeyboardInterrupt` and a closed standard
    output are caught: any other exception is a defect of the kit and keeps its traceback.
    """
    _end_with_owner()
    for ended_from_outside in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ended_from_outside) is not signal.SIG_IGN:  # nohup
            signal.signal(ended_from_outside, signal.default_int_handler)
    try:
        status = main() or 0
        sys.stdout.flush()
    except KitError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        status = error.exit_code
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "model_profiling":
            raise  # a defect of the kit
        print(
            f"error: the Python package {error.name} is missing, in {sys.prefix}: "
            "run model_profiling/scripts/setup_repo.sh again",
            file=sys.stderr,
        )
        status = UserError.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone: point stdout elsewhere so that the
        # interpreter's own flush at exit does not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    sys.exit(status)


def _end_with_owner() -> None:
    """Have this process end, as if it were told to, once its owner was killed: nobody waits for its results."""
    owner = os.environ.pop(OWNER_VARIABLE, "")  # programs that it starts are its own
    if owner.isdecimal():
        threading.Thread(target=_watch_owner, args=(int(owner),), daemon=True).start()


def _watch_owner(owner: int) -> None:
    while os.getppid() == owner:
        time.sleep(_LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
