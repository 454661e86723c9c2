# SPDX-License-Identifier: Apache-2.0
"""The kit's own configurations to begin from, one for each platform."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, cast

from model_profiling import PACKAGE_DIR
from model_profiling.files import read_json

PLATFORMS = ("mac", "android")
TEMPLATES = PACKAGE_DIR / "configs" / "templates"


class RunnerKeys(TypedDict, total=False):
    """The runner that an experiment, or all of them, may name."""

    runner_path: str


class ExperimentKeys(RunnerKeys, total=False):
    """What this command reads and writes of an experiment."""

    name: str
    model: str
    runs: int | str
    threads: list[int]
    method: str
    input_shapes: list[list[int]]


class Template(RunnerKeys):
    """What this command reads and writes of a template; its other keys stay as they are."""

    model: str
    output_root: str
    pairs: int
    experiments: list[ExperimentKeys]
    analysis: dict[str, list[list[str]]]


def run_template(platform: str) -> Template:
    """Return the template for a platform: for Android that of the runners that are built, first of the one with both.

    Where none is built it is the native runner's: one build, and both sides are the same bytes.
    """
    names = (platform, f"{platform}_builds") if platform == "android" else (platform,)
    # The kit's own files, which tests validate.
    templates = [cast(Template, read_json(TEMPLATES / f"{name}_template.json", "template")) for name in names]
    return next((template for template in templates if not missing_runners(template)), templates[0])


def missing_runners(config: Template) -> list[str]:
    """Return the runners that a configuration names and that are not built, each once."""
    named = [keys["runner_path"] for keys in (config, *config["experiments"]) if "runner_path" in keys]
    return [path for path in dict.fromkeys(named) if not Path(path).is_file()]
