# SPDX-License-Identifier: Apache-2.0
"""What `build_runners.sh --list` and `--dry-run` print of the variants; nothing here builds."""

from __future__ import annotations

import shlex
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.runners.source import checkout, recipe
from model_profiling.pipeline.runners.source.job import places_of, runner_path, work_folder
from model_profiling.pipeline.runners.source.records import VERSION_FILE, find_built
from model_profiling.pipeline.runners.source.variants import ALL, Variant
from model_profiling.pipeline.runners.wheel import installed_wheel

#: Stands where only the sources, once fetched, tell: XNNPACK's file names it.
_PINNED = checkout.Pin("https://gitlab.arm.com/kleidi/kleidiai.git", "COMMIT_THAT_XNNPACK_NAMES")


def commands(variant: Variant, own: Path | None, jobs: int | None) -> list[str]:
    """Return every command that building a variant runs, as lines for a shell; this host need not be able to."""
    version = installed_wheel().release
    own, tag, folder = own or checkout.standing(version), f"v{version}", work_folder() / "sources"
    executorch = checkout.check_own(own) if own else folder / tag / "executorch"
    pin = checkout.kleidiai_pin(executorch) if executorch.is_dir() else _PINNED
    kleidiai = checkout.kleidiai_folder(folder, pin)
    places, programs = places_of(variant, kleidiai), recipe.programs_for_show()
    lines = [] if own else checkout.clone_commands(tag, executorch)
    lines += checkout.kleidiai_commands(pin, kleidiai)
    lines += [
        ["mkdir", "-p", str(places.view.parent), str(runner_path(variant).parent)],
        ["cp", "-al", str(executorch), str(places.view)],
        recipe.configure_command(variant, places, programs),
        recipe.build_command(variant, places, programs, jobs),
        ["nm", str(recipe.proven_file(variant, places))],
    ]
    kept = runner_path(variant).parent
    lines += [
        ["cp", str(file), str(kept / name)] for name, file in recipe.products_of(variant, places, programs).items()
    ]
    return [f"# {variant.name}", *map(shlex.join, lines)]


def listing() -> list[str]:
    """Return a line for each variant: where it is and what was proven of it, or why it cannot be built here."""
    return [f"{variant.name:<32} {_state(variant)}" for variant in ALL]


def _state(variant: Variant) -> str:
    runner = runner_path(variant)
    built = find_built(runner)
    if built:
        record = built.record
        return f"{runner} (ExecuTorch {record.executorch_version}, {record.compiler}; {record.sentence()})"
    if runner.exists():
        return f"changed since it was built, or without its {VERSION_FILE}: build it again"
    try:
        recipe.check_platform(variant)
    except UserError as error:
        return f"not built yet; {error.what}"
    return "not built yet"
