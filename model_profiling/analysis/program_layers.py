# SPDX-License-Identifier: Apache-2.0
"""The layers of each program of a run, as its run directory keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model_profiling.analysis.traces.layers import Layer, model_layers
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.layers import GraphInstruction, Node, read_graph
from model_profiling.pipeline.program.movement import Moved
from model_profiling.pipeline.run_directory import RunDirectory


@dataclass(frozen=True)
class ProgramLayers:
    """A program's graph, with its layers in execution order; both empty where they are not known."""

    graph: Sequence[GraphInstruction] = ()

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return model_layers(self.graph)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(layer.layer for layer in self.layers)

    @cached_property
    def modules(self) -> tuple[str | None, ...]:
        """Each layer's module, "" for the model itself; None where the export recorded nothing of the layer."""
        return tuple(_module(place) for place in _places(self.graph))

    @cached_property
    def needs(self) -> Mapping[str, tuple[str, Moved | None]]:
        """By each layer's name the recipe that its number types are of, and what it moves at least."""
        places = zip(self.names, _places(self.graph), strict=True)
        return {name: (place.recipe, place.moved) for name, place in places}


def _places(graph: Sequence[GraphInstruction]) -> Iterator[GraphInstruction | Node]:
    """Yield what each layer is of, as `model_layers` has them."""
    for instruction in graph:
        yield from instruction.nodes or (instruction,)


def _module(place: GraphInstruction | Node) -> str | None:
    recorded = place.module or place.source or (isinstance(place, Node) and place.operator)
    return place.module if recorded else None


#: Of a program whose layers are not known.
NO_LAYERS = ProgramLayers()


def read_programs(directory: RunDirectory, manifest: Manifest) -> dict[str, ProgramLayers]:
    """Return the layers of each experiment's program; one value where two executed the same.

    Raises
    ------
    UserError : a file with layers is there and damaged.
    """
    files = [directory.graph(number) for number in range(len(manifest.every_program))]
    programs = [ProgramLayers(read_graph(file)) if file.is_file() else NO_LAYERS for file in files]
    return {e.name: programs[manifest.program_number(e.name)] for e in manifest.config.experiments}
