# SPDX-License-Identifier: Apache-2.0
"""What `support.warm` has in memory before it forks: the libraries of the kit's commands, and one export of each kind.

Exporting once imports what PyTorch and ExecuTorch import late, and traces the patterns that XNNPACK's passes look
for. None of the kit's modules is imported here: every command reads its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import logging
import os
import warnings

_LIBRARIES = "numpy scipy.stats jinja2 jsonschema markdown_it yaml torch torchao executorch.exir executorch.devtools"


def use_all_threads() -> None:
    """Undo in a fork what keeps PyTorch from starting threads in this process: no thread survives a fork."""
    import torch

    torch.set_num_threads(_THREADS)


def _export_once(quantized: bool) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.devtools import generate_etrecord  # noqa: F401  (what exporting imports late)
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    inputs = (torch.zeros(1, 4),)
    program = torch.export.export(torch.nn.Linear(4, 4).eval(), inputs, strict=False)
    if quantized:
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config())
        prepared = prepare_pt2e(program.module(), quantizer)
        prepared(*inputs)
        program = torch.export.export(convert_pt2e(prepared), inputs, strict=False)
    lowered = to_edge_transform_and_lower(
        program, partitioner=[XnnpackPartitioner()], compile_config=EdgeCompileConfig(_check_ir_validity=False)
    )
    lowered.to_executorch()


with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), open(os.devnull, "w") as nothing:
    warnings.simplefilter("ignore")
    logging.disable()
    kept = os.dup(2)
    os.dup2(nothing.fileno(), 2)  # libraries in C++ have their say too
    for library in _LIBRARIES.split():
        importlib.import_module(library)
    import torch

    _THREADS = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        for quantized in (False, True):
            _export_once(quantized)
    os.dup2(kept, 2)
    os.close(kept)
    logging.disable(logging.NOTSET)
gc.collect()
gc.freeze()  # a fork's collections leave these objects' pages shared
