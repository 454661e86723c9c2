# SPDX-License-Identifier: Apache-2.0
"""From a module to an ExecuTorch program: capture, lower to XNNPACK (or nothing), serialize."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from model_profiling.errors import UserError, nearest

if TYPE_CHECKING:
    import torch
    from executorch.exir import EdgeProgramManager, ExecutorchProgramManager

    from model_profiling.export.recipe import Recipe
    from model_profiling.models.contract import DynamicShapes

BACKENDS = ("xnnpack", "portable")
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


def capture(
    module: torch.nn.Module, inputs: tuple[object, ...], kwargs: dict[str, object], dynamic_shapes: DynamicShapes
) -> torch.export.ExportedProgram:
    """Return the module's graph at the shapes of `inputs`."""
    import torch

    with torch.no_grad():
        return torch.export.export(module, inputs, kwargs or None, dynamic_shapes=dynamic_shapes)


def lower(program: torch.export.ExportedProgram, backend: str, recipe: Recipe) -> EdgeProgramManager:
    """Return `program` in the edge dialect, with all that XNNPACK takes handed to it.

    The compile configuration and passes are ExecuTorch's own for XNNPACK, so that a model measured
    here is the model its documentation's recipe makes.
    """
    from executorch.backends.xnnpack.utils.configs import get_transform_passes, get_xnnpack_edge_compile_config
    from executorch.exir import to_edge_transform_and_lower

    return to_edge_transform_and_lower(
        program,
        partitioner=list(recipe.partitioners()) if backend == "xnnpack" else None,
        transform_passes=get_transform_passes(),
        compile_config=get_xnnpack_edge_compile_config(),
        generate_etrecord=True,
    )


def serialize(edge: EdgeProgramManager) -> ExecutorchProgramManager:
    """Return the program as the runtime takes it; its ``.buffer`` holds the ``.pte``'s bytes."""
    # Quantize and dequantize operators outside XNNPACK need their runtime variants registered.
    import executorch.kernels.quantized  # noqa: F401  (registers its operators)
    from executorch.backends.xnnpack.utils.configs import get_xnnpack_executorch_backend_config

    return edge.to_executorch(get_xnnpack_executorch_backend_config())


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
