# SPDX-License-Identifier: Apache-2.0
"""What an experiment executes: a method of a program, on inputs of given shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.pipeline.program.dimensions import Dimension, read_dimensions, solve
from model_profiling.pipeline.program.external import check_weights
from model_profiling.pipeline.program.records import method_record, read_sidecar
from model_profiling.pipeline.program.signature import Signature, TensorSpec, read_signature
from model_profiling.pipeline.program.varying_shapes import Sizes

Shape = tuple[int, ...]
_WHERE = 'in "input_shapes" of the config'
_MOST_DIGITS = 10  # of an extent on the command line


@dataclass(frozen=True)
class Workload:
    """A method of the program `model` at given shapes of its inputs.

    Without a `method` it is the program's only one; without `input_shapes` the inputs have the shapes of the export's
    example, which are the only ones of most programs. `data` is a `.ptd` with weights that the program does not hold.
    """

    model: Path
    method: str | None = None
    input_shapes: tuple[Shape, ...] = ()
    data: Path | None = None

    @property
    def label(self) -> str:
        """What tells it, in a file's name, from other workloads of its program: "prefill_1x16_16"."""
        return "_".join([*([self.method] if self.method else []), *map(shape_word, self.input_shapes)])

    def __str__(self) -> str:
        shapes = " and ".join(str(list(shape)) for shape in self.input_shapes)
        data = "" if self.data is None else str(self.data)
        return ", ".join(filter(None, (str(self.model), data, self.method, shapes and f"inputs {shapes}")))


@dataclass(frozen=True)
class Resolved:
    """A workload with what its program and the record beside it say.

    `signature` has the shapes that run. `record` is that of the method, None without one; it may be of other bytes.
    `sizes` are the values of the program's dimensions that vary, and those that its delegates may be written for.
    """

    workload: Workload
    signature: Signature
    record: Mapping[str, Any] | None
    sizes: Sizes

    @property
    def shapes_to_tell(self) -> tuple[Shape, ...]:
        """The shapes that a runner has to be told: none where the program has them itself."""
        return tuple(spec.shape for spec in self.signature.inputs) if self.signature.dynamic else ()


def resolve(workload: Workload) -> Resolved:
    """Read the program, and give its inputs the shapes that the workload asks for.

    Raises
    ------
    UserError : the program or its record cannot be read, it has no such method, or cannot take these shapes, or its
        weights are not where it is told.
    """
    signature, whole = read_signature(workload.model, workload.method), read_sidecar(workload.model)
    check_weights(workload.model, workload.method, workload.data)
    record = None if whole is None else method_record(whole, signature.method)
    expressions, dimensions = read_dimensions(record)
    shapes = workload.input_shapes or _examples(signature, record)
    at = at_shapes(signature, shapes)
    run = _sizes(expressions, dimensions, shapes)
    example = _sizes(expressions, dimensions, _examples(signature, record)) if expressions else {}
    sizes = Sizes(run, [{name: one.high for name, one in dimensions.items()}, example])
    return Resolved(workload, at, record, sizes)


def at_shapes(signature: Signature, shapes: Sequence[Shape]) -> Signature:
    """Return a signature whose inputs have these shapes.

    Raises
    ------
    UserError : the program cannot take them, by what it says itself.
    """
    if len(shapes) != len(signature.inputs):
        raise UserError(
            f"{len(shapes)} shapes for a method of {len(signature.inputs)} inputs", _WHERE, "give one for each input"
        )
    for number, (spec, shape) in enumerate(zip(signature.inputs, shapes, strict=True)):
        _check(number, spec, shape)
    inputs = tuple(replace(spec, shape=shape) for spec, shape in zip(signature.inputs, shapes, strict=True))
    return replace(signature, inputs=inputs)


def parse_shapes(words: str | None) -> tuple[Shape, ...]:
    """Return the shapes of all inputs that ``--input-shapes`` gives, none where it is not there.

    Raises
    ------
    UserError : a word is no shape.
    """
    try:
        return tuple(map(parse_shape, words.split(","))) if words else ()
    except ValueError as error:
        raise UserError(str(error), "in --input-shapes", "separate the shapes of several inputs by commas") from error


def shape_word(shape: Sequence[int]) -> str:
    """Return a shape as commands take it and reports show it: "1x16", "scalar" without dimensions."""
    return "x".join(map(str, shape)) or "scalar"


def parse_shape(word: str) -> Shape:
    """Return the shape that a word on the command line gives: "1x16", "scalar" without dimensions.

    Raises
    ------
    ValueError : it is none.
    """
    parts = [] if word == "scalar" else word.split("x")
    if not all(part.isascii() and part.isdecimal() and len(part) < _MOST_DIGITS for part in parts):
        raise ValueError(f'a shape such as 1x16 is needed, not "{word}"')
    return tuple(map(int, parts))


def _examples(signature: Signature, record: Mapping[str, Any] | None) -> tuple[Shape, ...]:
    """Return the shapes of the export's example; they are the program's own where nothing varies."""
    if not signature.dynamic:
        return tuple(spec.shape for spec in signature.inputs)
    entries = (record or {}).get("inputs")
    shapes = [entry.get("shape") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if len(shapes) == len(signature.inputs) and all(map(_is_shape, shapes)):
        return tuple(tuple(shape or ()) for shape in shapes)
    number, spec = next((n, spec) for n, spec in enumerate(signature.inputs) if spec.dynamic)
    raise UserError(
        f"input {number} has a shape that varies (up to {list(spec.shape)}), and no export record says which is usual",
        "in the model",
        'name the shapes to measure in "input_shapes" of the config',
    )


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in value)


def _check(number: int, spec: TensorSpec, shape: Shape) -> None:
    """Refuse a shape that the program cannot take, by what the program itself says."""
    most = list(spec.shape)
    if len(shape) != len(spec.shape):
        raise UserError(
            f"the shape {list(shape)} of input {number} has {len(shape)} dimensions, the program's {len(most)}",
            _WHERE,
            f"use shapes of up to {most}",
        )
    if not spec.dynamic and shape != spec.shape:
        raise UserError(
            f"the shape {list(shape)} of input {number} is not the program's, {most}, which does not vary",
            _WHERE,
            "leave input_shapes out, or export with get_dynamic_shapes()",
        )
    if any(extent > limit for extent, limit in zip(shape, spec.shape, strict=True)):
        raise UserError(
            f"the shape {list(shape)} of input {number} is larger than the program takes", _WHERE, f"use up to {most}"
        )


def _sizes(
    expressions: Sequence[Sequence[int | str]], dimensions: Mapping[str, Dimension], shapes: Sequence[Shape]
) -> dict[str, int]:
    """Return the value of each dimension that varies, checked against what the export recorded of it."""
    if not expressions:
        return {}
    sizes: dict[str, int] = {}
    for number, (described, shape) in enumerate(zip(expressions, shapes, strict=False)):
        for axis, (extent, given) in enumerate(zip(described, shape, strict=False)):
            solved = solve(extent, given, sizes, dimensions)
            if solved is None:
                raise UserError(
                    f"dimension {axis} of input {number} is {given}, where the program takes {extent}"
                    f"{_with(sizes, extent)}",
                    _WHERE,
                    f"use shapes of the form {' and '.join(_form(one) for one in expressions)}",
                )
            sizes |= solved
    for name, size in sizes.items():
        known = dimensions.get(name)
        if known and not known.low <= size <= known.high:
            raise UserError(
                f"{name} is {size}, and the program was exported for {known.low} to {known.high}",
                _WHERE,
                "use a size within, or export with another range",
            )
    return sizes


def _with(sizes: Mapping[str, int], extent: int | str) -> str:
    told = [f"{name} {size}" for name, size in sizes.items() if name in str(extent)]
    return f" with {', '.join(told)}" if told else ""


def _form(extents: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, extents))}]"
