# SPDX-License-Identifier: Apache-2.0
"""The methods and shapes at which a configuration has a program measured, and how they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.program.dimensions import Dimension, evaluate, read_dimensions
from model_profiling.pipeline.program.records import method_record, read_sidecar
from model_profiling.pipeline.program.signature import read_methods, read_signature
from model_profiling.pipeline.program.workload import Shape, Workload, parse_shapes, resolve

_IN_DIMENSION = "in --dimension"


@dataclass(frozen=True)
class Variation:
    """A method and shapes; `label` tells it from the others of its configuration, "" where there are none."""

    label: str
    method: str | None = None
    input_shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What the command line asks for: `methods` (all where empty), `shapes` as "1x16,16", `dimension` as "rows=1,2"."""

    methods: Sequence[str] = ()
    shapes: Sequence[str] = ()
    dimension: str | None = None


def variations(model: Path, asked: Asked) -> list[Variation]:
    """Return what to measure of a program: each method asked for at each of the shapes.

    Raises
    ------
    UserError : the program has no such method or dimension, or cannot take such a shape.
    """
    found = []
    methods = _methods(model, asked.methods)
    for method in methods:
        named = method if len(methods) > 1 or asked.methods else ""
        for label, shapes in _shapes(model, method, asked):
            resolve(Workload(model, method, shapes))
            found.append(Variation("_".join(filter(None, (named, label))), method, shapes))
    return found


def _methods(model: Path, asked: Sequence[str]) -> Sequence[str | None]:
    if asked:
        return list(dict.fromkeys(read_signature(model, name).method for name in asked))
    several = read_methods(model)
    return several if len(several) > 1 else [None]


def _shapes(model: Path, method: str | None, asked: Asked) -> Iterator[tuple[str, tuple[Shape, ...]]]:
    if asked.dimension:
        yield from _of_dimension(model, method, asked.dimension)
    for words in asked.shapes:
        yield words.replace(",", "_"), parse_shapes(words)
    if not asked.dimension and not asked.shapes:
        yield "", ()


def _of_dimension(model: Path, method: str | None, asked: str) -> Iterator[tuple[str, tuple[Shape, ...]]]:
    """Yield the shapes at each value of a dimension, the others at what they are in the example."""
    name, _, values = asked.partition("=")
    words = values.split(",")
    if not name or not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise UserError(f"{asked!r} names no values of a dimension", _IN_DIMENSION, "write for example rows=1,8,128")
    inputs, known = _dimensions(model, method)
    if name not in known:
        told = f"use {' or '.join(known)}" if known else "export with get_dynamic_shapes(), by export_model.py"
        raise UserError(f"no dimension {name!r} of {model} varies{nearest(name, list(known))}", _IN_DIMENSION, told)
    example = resolve(Workload(model, method)).sizes.run
    for value in map(int, words):
        sizes = {**example, name: value}
        yield f"{name}{value}", tuple(tuple(evaluate(extent, sizes) for extent in one) for one in inputs)


def _dimensions(model: Path, method: str | None) -> tuple[tuple[tuple[int | str, ...], ...], Mapping[str, Dimension]]:
    record, signature = read_sidecar(model), read_signature(model, method)
    return read_dimensions(None if record is None else method_record(record, signature.method))
