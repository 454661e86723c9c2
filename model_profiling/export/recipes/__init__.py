# SPDX-License-Identifier: Apache-2.0
"""The recipes a model can be exported in: one file each, found by being here. Listing them imports no torch."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from model_profiling.errors import UserError, nearest
from model_profiling.export.recipe import Recipe

DEFAULT = "fp16"


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


def floating_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that quantize nothing."""
    return tuple(name for name, recipe in recipes().items() if recipe.quantizer is None)
