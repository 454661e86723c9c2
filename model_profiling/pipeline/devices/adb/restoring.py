# SPDX-License-Identifier: Apache-2.0
"""Change a device's settings so that they are put back whatever happens.

Before a setting is changed, its value goes into a journal on this host, in the run directory.
The journal is the only thing that restoring reads, so a run that was killed, or whose device
went away, leaves behind all that a later start needs to put the device right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import read_json, write_json, writing
from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.adb.modes import KNOWN_SETTINGS, MODES, Setting

_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Change:
    """One setting of one device (its own serial), and its value before the run."""

    device: str
    name: str
    before: str


class Journal:
    """The settings that are still to be put back, on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Change]:
        """Return what is still to be put back; raises `UserError` for a damaged file."""
        if not self.path.is_file():
            return []
        plain: Any = read_json(self.path, "journal of the device's settings")
        try:
            if plain["schema_version"] != _SCHEMA_VERSION:
                raise ValueError(plain["schema_version"])
            changes = [Change(*(str(item[key]) for key in ("device", "name", "before"))) for item in plain["changes"]]
            if any(change.name not in KNOWN_SETTINGS for change in changes):
                raise ValueError("an unknown setting")
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"the journal of the device's settings is damaged ({error})",
                f"at {self.path}",
                "put the settings back by hand, then remove the file",
            ) from error
        return changes

    def write(self, changes: list[Change]) -> None:
        if changes:
            write_json(self.path, {"schema_version": _SCHEMA_VERSION, "changes": [vars(c) for c in changes]})
        else:
            with writing(self.path):
                self.path.unlink(missing_ok=True)


def apply_mode(adb: Adb, device: str, mode: str, journal: Journal) -> dict[str, str]:
    """Change what `mode` changes; return what became of each setting, for the record.

    Raises
    ------
    Lost : the connection ended first; what was changed is in the journal.
    """
    became = {}
    for setting, value in MODES[mode]:
        before = setting.read(adb)
        if before is None:
            became[setting.name] = "not there"
            continue
        if before == value:
            became[setting.name] = value
            continue
        # Still in the journal from a run that could not put it back: that value is the true one.
        held = journal.read()
        if not any((c.device, c.name) == (device, setting.name) for c in held):
            journal.write([*held, Change(device, setting.name, before)])
        refusal = setting.write(adb, value)
        became[setting.name] = f"refused: {refusal}" if refusal else value
        if refusal:
            say(f"note: the device refuses {setting.name} ({refusal})")
            journal.write(held)
    return became


def restore(adb: Adb, device: str, journal: Journal) -> list[str]:
    """Put back all of this device's settings in the journal, the last one first; return their names.

    Raises
    ------
    Lost : the connection ended first; what remains stays in the journal.
    """
    done = []
    for change in reversed([c for c in journal.read() if c.device == device]):
        refusal = Setting(change.name).write(adb, change.before)
        if refusal:
            say(f"note: the device refuses to have {change.name} put back to {change.before} ({refusal})")
        journal.write([c for c in journal.read() if c != change])
        done.append(change.name)
    return done
