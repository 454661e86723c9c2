# SPDX-License-Identifier: Apache-2.0
"""The input tensors of a run: those that the configuration names, or drawn from the seed, the same for every launch.

Programs that are compared get the same bytes where they take the same types, and else the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.given_inputs import WHERE, check_given, raw_files
from model_profiling.pipeline.measured_programs import InputFile
from model_profiling.pipeline.program.inputs import (
    Range,
    draw_inputs,
    example_values,
    input_ranges,
    is_floating,
    shared_ranges,
    write_inputs,
)
from model_profiling.pipeline.program.signature import Signature, TensorSpec
from model_profiling.pipeline.program.workload import Resolved, Workload, resolve
from model_profiling.pipeline.run_directory import RunDirectory


@dataclass(frozen=True)
class _Fed:
    """What is executed, with what it takes, and the files that the configuration names for it."""

    resolved: Resolved
    given: tuple[Path, ...]

    @property
    def signature(self) -> Signature:
        return self.resolved.signature

    @property
    def form(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Type and shape of each input: those of the same form are fed the same files."""
        return tuple((spec.dtype, spec.shape) for spec in self.signature.inputs)

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(spec.dtype for spec in self.signature.inputs)


def check_model_and_inputs(config: Config) -> None:
    """Raise the `UserError` that says why a model, or what it is to be fed, cannot be run."""
    _fed_programs(config)


def prepare_inputs(config: Config, directory: RunDirectory, seed: int) -> dict[Workload, tuple[InputFile, ...]]:
    """Write the run's input tensors (or check the given ones) and return those of each program."""
    fed = _fed_programs(config)
    prepared: dict[Workload, tuple[InputFile, ...]] = {}
    written = 0
    for together in _compared_together(config):
        ranges, kept = _ranges([fed[workload] for workload in together]), _is_shared([fed[one] for one in together])
        files_of_form: dict[object, list[Path]] = {}
        for workload in together:
            one = fed[workload]
            if not one.given and one.form not in files_of_form:
                written += 1
                folder = directory.inputs if written == 1 else directory.inputs / str(written)
                values = example_values(one.signature, one.resolved.record) if kept else ()
                files_of_form[one.form] = write_inputs(draw_inputs(one.signature, ranges, seed, values), folder)
            if one.given:
                files = raw_files(one.given, one.signature, directory.inputs / f"given_{len(prepared)}")
            else:
                files = files_of_form[one.form]
            prepared[workload] = tuple(
                InputFile(str(file), sha256(file), tuple(spec.shape), spec.dtype)
                for file, spec in zip(files, one.signature.inputs, strict=True)
            )
    return prepared


def _fed_programs(config: Config) -> dict[Workload, _Fed]:
    """Return what each program is fed, having checked that programs which are compared can be fed the same."""
    fed = {workload: _Fed(resolve(workload), _given(config, names)) for workload, names in config.workloads.items()}
    for one in fed.values():
        if one.given:
            check_given(one.given, one.signature, one.resolved.record)
    for names in config.compare_pairs:
        first, second = (fed[config.workload(name)] for name in names)
        if first is not second:
            _check_alike(names, first, second)
    for together in _compared_together(config):
        _ranges([fed[workload] for workload in together])
    return fed


def _given(config: Config, names: Sequence[str]) -> tuple[Path, ...]:
    given = {config.experiment(name).inputs for name in names}
    if len(given) > 1:
        raise _other_inputs()
    return tuple(map(Path, given.pop()))


def _other_inputs() -> UserError:
    return UserError(
        "the experiments name different inputs",
        WHERE,
        "give every experiment the same: arms are only comparable on the same data",
    )


def _check_alike(names: Sequence[str], first: _Fed, second: _Fed) -> None:
    """Raise the `UserError` where two programs that are compared cannot be fed the same."""
    takes = [one.signature.inputs for one in (first, second)]
    if len(takes[0]) != len(takes[1]) or not all(map(_same_values, *takes)):
        shown = " against ".join(", ".join(map(_shown, specs)) or "none" for specs in takes)
        raise UserError(
            f"the programs of {names[0]} and {names[1]} take different inputs ({shown})",
            'in "model" of the config',
            "compare programs that take the same inputs, or leave the two out of analysis.compare_pairs",
        )
    same_types = first.types == second.types
    if first.given != second.given if same_types else bool(first.given) != bool(second.given):
        raise _other_inputs()


def _same_values(first: TensorSpec, second: TensorSpec) -> bool:
    """Whether two inputs can hold the same numbers: one shape, and one type or two floating-point ones."""
    alike = first.dtype == second.dtype or (is_floating(first.dtype) and is_floating(second.dtype))
    return alike and (first.shape, first.dim_order) == (second.shape, second.dim_order)


def _shown(spec: TensorSpec) -> str:
    return f"{list(spec.shape)} {spec.dtype}"


def _ranges(together: Sequence[_Fed]) -> list[Range | None]:
    """Return the ranges of drawn inputs that fit all of these programs; not used where files are given."""
    drawn = [one for one in together if not one.given]
    if not drawn:
        return []
    ranges = shared_ranges([input_ranges(one.signature, one.resolved.record) for one in drawn])
    for number, limits in enumerate(ranges):
        if limits is not None and limits[0] > limits[1]:
            raise UserError(
                f"no values of input {number} are in the range of all programs that are compared",
                f"in the export records of {' and '.join(one.resolved.workload.model.name for one in drawn)}",
                'name files in "inputs" of the config',
            )
    return ranges


def _is_shared(together: Sequence[_Fed]) -> bool:
    """Tell whether the records of all of these programs keep the same values of the example's inputs."""
    kept = [
        [(entry.get("values"), entry.get("shape")) for entry in (one.resolved.record or {}).get("inputs", [])]
        for one in together
        if not one.given
    ]
    return all(one == kept[0] for one in kept)


def _compared_together(config: Config) -> list[list[Workload]]:
    """Group the programs that are compared with each other, directly or through others."""
    group_of = {workload: [workload] for workload in config.workloads}
    for names in config.compare_pairs:
        first, second = (group_of[config.workload(name)] for name in names)
        if first is not second:
            first += second
            group_of.update(dict.fromkeys(second, first))
    groups: list[list[Workload]] = []
    for group in group_of.values():
        if group not in groups:
            groups.append(group)
    return groups
