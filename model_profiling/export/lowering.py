# SPDX-License-Identifier: Apache-2.0
"""From a module to an ExecuTorch program: capture, lower to XNNPACK (or nothing), serialize."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from model_profiling.errors import UserError, nearest
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch
    from executorch.exir import EdgeProgramManager, ExecutorchProgramManager
    from executorch.exir.backend.partitioner import Partitioner

    from model_profiling.export.recipe import Recipe
    from model_profiling.models.contract import DynamicShapes

BACKENDS = ("xnnpack", "portable")
#: Of larger weights no ETRecord is made: exporting 0.4 GB took 5.7 GB of memory with one.
ETRECORD_LIMIT_BYTES = 250_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a ZIP entry can have


def check_backend(name: str) -> str:
    """Return `name` if it is one of `BACKENDS`, else raise a `UserError` with the nearest."""
    if name not in BACKENDS:
        raise UserError(
            f"there is no backend {name!r}{nearest(name, BACKENDS)}",
            "in --backend",
            f"use one of {', '.join(BACKENDS)}",
        )
    return name


def check_recipe(backend: str, recipe: Recipe) -> None:
    """Raise a `UserError` where a backend has no kernels for what a recipe writes: torchao's marks of quantization."""
    if backend == "portable" and recipe.weights is not None:
        raise UserError(
            f"ExecuTorch's portable kernels do not know {recipe.name} in groups of weights",
            "in --backend",
            "use --backend xnnpack, or leave --group-size out",
        )


def capture(
    module: torch.nn.Module, inputs: tuple[object, ...], kwargs: dict[str, object], dynamic_shapes: DynamicShapes
) -> torch.export.ExportedProgram:
    """Return the module's graph at the shapes of `inputs`.

    Where PyTorch cannot prove for every size what it assumes of one (whether a reshape is a view, say), it assumes it
    all the same: `torch.export` refuses that unless asked to leave the check to the program, which ExecuTorch drops.
    """
    import torch
    from torch._dynamo.exc import UserError as ExportUserError

    with torch.no_grad():
        try:
            return torch.export.export(module, inputs, kwargs or None, dynamic_shapes=dynamic_shapes)
        except ExportUserError as error:
            if not dynamic_shapes or "satisfy the generated guard" not in str(error):
                raise
        return torch.export.export(
            module,
            inputs,
            kwargs or None,
            dynamic_shapes=dynamic_shapes,
            prefer_deferred_runtime_asserts_over_guards=True,
        )


def lower(
    programs: Mapping[str, torch.export.ExportedProgram],
    backend: str,
    recipe: Recipe,
    announce: Callable[[str], None] = lambda method: None,
    etrecord: bool = True,
) -> EdgeProgramManager:
    """Return `programs`, by the names of their methods, in the edge dialect, with all that XNNPACK takes handed to it.

    The compile configuration and passes are ExecuTorch's own for XNNPACK, so that a model measured
    here is the model its documentation's recipe makes.

    Parameters
    ----------
    announce : told of a method's name before the partitioner decides about it.
    etrecord : whether to keep what an ETRecord is made of: two more copies of the whole program.
    """
    from executorch.backends.xnnpack.utils.configs import get_transform_passes, get_xnnpack_edge_compile_config
    from executorch.exir import to_edge, to_edge_transform_and_lower

    asked = {name: _asked(recipe, partial(announce, name)) for name in programs} if backend == "xnnpack" else {}
    if any(map(_has_branches, programs.values())):
        # ExecuTorch 1.5.1 keeps layers whole for XNNPACK inside of branches too, and then refuses them there:
        # decomposed first, they run inside or outside of it.
        edge = to_edge(dict(programs), compile_config=get_xnnpack_edge_compile_config(), generate_etrecord=etrecord)
        edge = edge.transform(get_transform_passes())
        for of_methods in zip(*asked.values(), strict=True):
            edge = edge.to_backend(dict(zip(asked, of_methods, strict=True)))
        return edge
    return to_edge_transform_and_lower(
        dict(programs),
        partitioner=asked or None,
        transform_passes=get_transform_passes(),
        compile_config=get_xnnpack_edge_compile_config(),
        generate_etrecord=etrecord,
    )


def _asked(recipe: Recipe, announce: Callable[[], None]) -> list[Partitioner]:
    """Return the recipe's partitioners, each of which announces itself: what it logs does not name its program."""
    from executorch.exir.backend.partitioner import Partitioner

    class Announced(Partitioner):  # type: ignore[misc]  # ExecuTorch ships no types
        def __init__(self, inner: Partitioner) -> None:
            super().__init__()
            self._inner = inner

        def partition(self, exported_program: torch.export.ExportedProgram) -> object:
            announce()
            return self._inner.partition(exported_program)

        def ops_to_not_decompose(self, ep: torch.export.ExportedProgram) -> object:
            announce()
            return self._inner.ops_to_not_decompose(ep)

        def transform_for_pre_decomposition(self, program: torch.export.ExportedProgram) -> object:
            return self._inner.transform_for_pre_decomposition(program)

    return [Announced(inner) for inner in recipe.partitioners()]


def _has_branches(program: torch.export.ExportedProgram) -> bool:
    """Tell whether parts of the graph run only sometimes, or several times (`torch.cond`, `while_loop`, `map`)."""
    import torch

    return any(isinstance(child, torch.fx.GraphModule) for child in program.graph_module.children())


def serialize(edge: EdgeProgramManager) -> ExecutorchProgramManager:
    """Return the program as the runtime takes it; its ``.buffer`` holds the ``.pte``'s bytes."""
    # Quantize and dequantize operators outside XNNPACK need their runtime variants registered.
    import executorch.kernels.quantized  # noqa: F401  (registers its operators)
    from executorch.backends.xnnpack.utils.configs import get_xnnpack_executorch_backend_config
    from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass

    # Else the runtime starts every state at zero.
    states = [name for method in edge.methods for name in _states_with_values(edge.exported_program(method))]
    started = InitializedMutableBufferPass(states)
    return edge.to_executorch(get_xnnpack_executorch_backend_config([started]))


def _states_with_values(program: torch.export.ExportedProgram) -> list[str]:
    """Return the inputs of the graph that are buffers which the model changes, and which begin with other than 0."""
    signature = program.graph_signature
    changed = set(signature.buffers_to_mutate.values())
    return [
        name
        for name, buffer in signature.inputs_to_buffers.items()
        if buffer in changed and bool(_initial(program, buffer).any())
    ]


def _initial(program: torch.export.ExportedProgram, buffer: str) -> torch.Tensor:
    kept = program.state_dict if buffer in program.state_dict else program.constants  # those that are not persistent
    value: torch.Tensor = kept[buffer]
    return value


def etrecord_bytes(program: ExecutorchProgramManager) -> bytes:
    """Return the program's ETRecord with the times of its ZIP entries fixed.

    Its bytes still differ from one export to the next: ExecuTorch stores memory addresses in it.
    """
    raw, fixed = io.BytesIO(), io.BytesIO()
    program.get_etrecord().save(raw)
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name, _EPOCH), source.read(name))
    return fixed.getvalue()


def etrecord_or_why(final: ExecutorchProgramManager, kept: bool) -> tuple[bytes, list[str]]:
    """Return the ETRecord, or nothing and why: ExecuTorch runs programs that it cannot save one of.

    Parameters
    ----------
    kept : whether the program was lowered with what it is made of.
    """
    if not kept:
        size = f"{ETRECORD_LIMIT_BYTES / 1e6:,.0f} MB"
        return b"", [
            f"written without an .etrecord, which takes two more copies of the weights in memory: they are over {size}"
        ]
    try:
        with ForeignCode("saving its ETRecord", ""):
            return etrecord_bytes(final), []
    except UserError as error:
        return b"", [f"written without an .etrecord: {error}"]
