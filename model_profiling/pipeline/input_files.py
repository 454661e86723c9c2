# SPDX-License-Identifier: Apache-2.0
"""The input tensors of a run: those that the configuration names, or drawn from the seed, the same for every launch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.manifest import InputFile
from model_profiling.pipeline.program.inputs import make_inputs, read_sidecar, write_inputs
from model_profiling.pipeline.program.signature import Signature, read_signature
from model_profiling.pipeline.run_directory import RunDirectory


def check_model_and_inputs(config: Config) -> None:
    """Raise the `UserError` that says why the model, or what it is to be fed, cannot be run."""
    _given_inputs(config, read_signature(config.model))


def prepare_inputs(config: Config, directory: RunDirectory, seed: int) -> tuple[InputFile, ...]:
    """Write the run's input tensors (or check the given ones) and return them."""
    signature = read_signature(config.model)
    files = _given_inputs(config, signature)
    if not files:
        files = write_inputs(make_inputs(signature, read_sidecar(config.model), seed), directory.inputs)
    return tuple(
        InputFile(str(file), sha256(file), tuple(spec.shape), spec.dtype)
        for file, spec in zip(files, signature.inputs, strict=True)
    )


def _given_inputs(config: Config, signature: Signature) -> list[Path]:
    given = {e.inputs for e in config.experiments}
    if len(given) > 1:
        raise UserError(
            "the experiments name different inputs",
            'in "inputs" of the config',
            "give every experiment the same: arms are only comparable on the same data",
        )
    files = [Path(name) for name in given.pop()]
    if files:
        _check_input_files(files, signature)
    return files


def _check_input_files(files: Sequence[Path], signature: Signature) -> None:
    where = 'in "inputs" of the config'
    if len(files) != len(signature.inputs):
        raise UserError(
            f"{len(files)} input files for a model of {len(signature.inputs)} inputs",
            where,
            "give one file for each input",
        )
    for file, spec in zip(files, signature.inputs, strict=True):
        if not file.is_file():
            raise UserError(f"the input {file} is not a file", where, "correct the path")
        if file.stat().st_size != spec.nbytes:
            raise UserError(
                f"{file} has {file.stat().st_size} bytes, its input {list(spec.shape)} {spec.dtype} "
                f"takes {spec.nbytes}",
                where,
                "write the raw tensor, row-major and little-endian",
            )
