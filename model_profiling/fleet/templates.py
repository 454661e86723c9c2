# SPDX-License-Identifier: Apache-2.0
"""The kit's own configuration of a sweep to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from model_profiling.files import read_json
from model_profiling.fleet.wanted_device import ADB, LOCAL
from model_profiling.pipeline.config_templates import TEMPLATES

#: The device of a sweep on a platform.
_DEVICES = {"mac": LOCAL, "android": ADB}


def sweep_template(models: Sequence[str], platform: str, folder: Path) -> dict[str, Any]:
    """Return the configuration of a sweep of these models into `folder`."""
    template = cast(dict[str, Any], read_json(TEMPLATES / "sweep_template.json", "template"))
    own = {"output_root": str(folder / "sweep"), "models": list(models), "devices": [_DEVICES[platform]]}
    return {**template, **own}
