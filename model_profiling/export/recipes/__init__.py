# SPDX-License-Identifier: Apache-2.0
"""The recipes a model can be exported in: one file each, found by being here. Listing them imports no torch."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Mapping

from model_profiling.errors import UserError, nearest
from model_profiling.export.recipe import Recipe

DEFAULT = "fp16"
#: XNNPACK refuses blocks of other sizes (XNN_MIN_BLOCKSIZE, `check_block_size` of its fully-connected-nc.c).
GROUP_STEP = 32


@functools.cache
def recipes() -> Mapping[str, Recipe]:
    """Return every recipe by its name, in the order in which they are listed."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    ranked: list[Recipe] = sorted((module.RECIPE for module in modules), key=lambda recipe: recipe.rank)
    return {recipe.name: recipe for recipe in ranked}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name, else raise a `UserError` with the nearest."""
    if name not in recipes():
        raise UserError(
            f"there is no dtype {name!r}{nearest(name, recipes())}", "in --dtype", f"use one of {', '.join(recipes())}"
        )
    return recipes()[name]


def find_grouped(name: str, group_size: int) -> Recipe:
    """Return the recipe of that name for a group size, 0 for none; `UserError` where it takes no groups."""
    recipe = find_recipe(name)
    if group_size == 0:
        return recipe
    if recipe.grouped is None:
        grouped = ", ".join(other.name for other in recipes().values() if other.grouped)
        raise UserError(
            f"{name} has no groups of weights", "in --group-size", f"leave it out, or use --dtype {grouped}"
        )
    if group_size < 0 or group_size % GROUP_STEP:
        raise UserError(
            f"XNNPACK takes groups of {GROUP_STEP} weights and multiples of it, not of {group_size}",
            "in --group-size",
            f"use a multiple of {GROUP_STEP}, or 0 for one scale a row",
        )
    return recipe.grouped(group_size)


def label_in(model_id: str) -> str | None:
    """Return the dtype that a file's name ends with, its group size with it; None where it ends with none."""
    found = re.search(rf"_({'|'.join(map(re.escape, recipes()))})(_g\d+)?\Z", model_id)
    return found and found[0][1:]


def floating_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that quantize nothing."""
    return tuple(name for name, recipe in recipes().items() if not recipe.quantizes)
