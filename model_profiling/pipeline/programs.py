# SPDX-License-Identifier: Apache-2.0
"""The programs of a run while it is made: what the manifest says of each, its layers kept, one that changed found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.measured_programs import InputFile, MeasuredProgram, ModelFile, ProgramFiles
from model_profiling.pipeline.program.dimensions import evaluate
from model_profiling.pipeline.program.export_facts import disagrees, export_facts, record_of
from model_profiling.pipeline.program.layers import build_graph, write_graph
from model_profiling.pipeline.program.workload import Workload, resolve
from model_profiling.pipeline.run_directory import RunDirectory


def measured_programs(config: Config, inputs: Mapping[Workload, tuple[InputFile, ...]]) -> tuple[MeasuredProgram, ...]:
    """Return the programs of a run that begins now; `inputs` has those of each."""
    digests = {path: sha256(path) for path in config.programs}
    programs = []
    for workload, names in config.workloads.items():
        path, record = workload.model, record_of(workload, digests[workload.model])
        data = (str(workload.data), sha256(workload.data)) if workload.data else ()
        model = ModelFile(path.stem, str(path), digests[path], path.stat().st_size, disagrees(record), *data)
        facts = export_facts(record)
        given = workload.method, workload.input_shapes
        programs.append(MeasuredProgram(model, names, inputs[workload], facts, None, *given))
    return tuple(programs)


def tokens_computed(config: Config) -> dict[str, int]:
    """Return how many tokens an execution computes, by experiment, where the export's record says so.

    Raises
    ------
    UserError : it says it by a dimension that the program does not have.
    """
    computed: dict[str, int] = {}
    for workload, names in config.workloads.items():
        resolved = resolve(workload)
        said = (resolved.record or {}).get("tokens")
        if said is None:
            continue
        try:
            tokens = evaluate(said, resolved.sizes.run)
        except ValueError as error:
            raise UserError(
                f"the export record says of tokens what cannot be told ({error})",
                f"beside {workload.model}",
                "correct the model's get_tokens() and export it again",
            ) from error
        computed |= dict.fromkeys(names, tokens)
    return computed


def launched_programs(config: Config, manifest: Manifest) -> dict[str, ProgramFiles]:
    """Return what the launches of each experiment are given."""
    told = {workload: resolve(workload).shapes_to_tell for workload in config.workloads}
    launched = {}
    for experiment in config.experiments:
        workload, program = config.workload(experiment.name), manifest.program(experiment.name)
        inputs = tuple(Path(item.file) for item in program.inputs)
        launched[experiment.name] = ProgramFiles(
            Path(program.model.path), inputs, workload.method, told[workload], workload.data
        )
    return launched


def changed_programs(manifest: Manifest, config: Config) -> Iterator[Path]:
    """Yield the programs of a configuration that are not those which a run of it executed."""
    digests = {path: sha256(path) for path in config.programs}
    for experiment in config.experiments:
        workload, measured = config.workload(experiment.name), manifest.program(experiment.name).model
        if measured.sha256 != digests[workload.model]:
            yield workload.model
        if workload.data is not None and measured.data_sha256 != sha256(workload.data):
            yield workload.data


def keep_graphs(config: Config, directory: RunDirectory) -> None:
    """Write the layers of each program into the run directory, unless they are there already.

    A .pte whose graph this version cannot read is profiled all the same: its operators
    are then reported without their layers.
    """
    for number, workload in enumerate(config.workloads):
        file = directory.graph(number)
        if file.is_file():
            continue
        try:
            graph = build_graph(workload)
        except UserError as problem:
            say(f"note: layers are not reported: {problem}")
            continue
        write_graph(file, graph)
