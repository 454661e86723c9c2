# SPDX-License-Identifier: Apache-2.0
"""Quantizing a model as its recipe says: a captured graph by PT2E, or the weights of a module by torchao."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from model_profiling.errors import UserError
from model_profiling.export import keeping_float
from model_profiling.export.program_graph import graphs, is_mark
from model_profiling.wording import count

if TYPE_CHECKING:
    import torch
    from torchao.core.config import AOBaseConfig
    from torchao.quantization.pt2e.quantizer import Quantizer

    from model_profiling.export.recipe import Recipe


def quantize(
    program: torch.export.ExportedProgram,
    samples: Sequence[tuple[object, ...]],
    kwargs: Mapping[str, object],
    quantizer: Quantizer,
    dynamic: bool,
) -> torch.nn.Module:
    """Return `program` as a module with quantize and dequantize operators at calibrated scales.

    Parameters
    ----------
    program : the captured float32 graph.
    samples : input tuples to calibrate on; every one is run, since the range of one random sample
        says little about the next.
    kwargs : inputs passed by name with each sample.
    dynamic : whether scales of activations are found while the model runs.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    module = program.module()
    _keep_whole_numbers(module)
    initial = {name: value.detach().clone() for name, value in module.named_buffers()}
    prepared = prepare_pt2e(module, quantizer)
    with torch.no_grad():
        for sample in samples:  # copies: a model may write into its inputs
            prepared(*copy.deepcopy(sample), **copy.deepcopy(kwargs))
        # A cache that the model updates must not be exported as calibration left it.
        for name, value in prepared.named_buffers():
            if name in initial:
                value.copy_(initial[name])
    converted = convert_pt2e(prepared)
    if dynamic:
        # Layers that share an input (query, key, value) share the nodes that quantize it, and the partitioner would
        # cut the graph there. ExecuTorch's export of language models gives each layer its own, by this pass.
        from executorch.backends.transforms.duplicate_dynamic_quant_chain import DuplicateDynamicQuantChainPass

        DuplicateDynamicQuantChainPass()(converted)
    quantized: torch.nn.Module = converted
    return quantized


def _keep_whole_numbers(module: torch.fx.GraphModule) -> None:
    """Make numbers that are added to, or multiplied with, integer tensors tensors of that type.

    XNNPACK's quantizer makes each number of such an operator a float32 tensor (`_convert_scalars_to_attrs` of its
    `xnnpack_quantizer_utils.py`, ExecuTorch 1.5.1), so positions and ids become fractions that index nothing.
    """
    import torch

    targets = (torch.ops.aten.add.Tensor, torch.ops.aten.mul.Tensor)
    for number, node in enumerate(module.graph.nodes):
        made = node.meta.get("val")
        if node.op != "call_function" or node.target not in targets or made.is_floating_point():
            continue
        for place, given in enumerate(node.args):
            if isinstance(given, torch.fx.Node):
                continue
            name, value = f"_whole_number_{number}_{place}", torch.tensor(given, dtype=made.dtype)
            module.register_buffer(name, value)
            with module.graph.inserting_before(node):
                constant = module.graph.get_attr(name)
            constant.meta["val"] = made.fake_mode.from_tensor(value, static_shapes=True)
            node.update_arg(place, constant)
    module.recompile()


def quantize_weights(
    module: torch.nn.Module, config: AOBaseConfig, group_size: int, kept_float: Sequence[str] = ()
) -> torch.nn.Module:
    """Return `module` with the weights of its linear layers quantized in place, by torchao, but for those kept.

    Raises
    ------
    UserError : a row of some layer is no whole number of groups, or there is no such layer to keep.
    """
    import torch
    from torchao.quantization import quantize_

    keeping_float.check_modules(module, kept_float)
    layers = {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear) and not keeping_float.is_kept(name, kept_float)
    }
    uneven = {name: layer.in_features for name, layer in layers.items() if layer.in_features % group_size}
    if uneven:
        name, length = next(iter(uneven.items()))
        others = f" (and {count(len(uneven) - 1, 'other layer')})" if len(uneven) > 1 else ""
        raise UserError(
            f"groups of {group_size} weights do not divide the rows of {name or 'the model'}, which are {length} "
            f"long{others}",
            "in --group-size",
            "use a divisor of every row's length, or 0 for one scale a row",
        )
    quantize_(module, config, lambda layer, name: name in layers)
    return module


def check_quantized(program: torch.export.ExportedProgram, recipe: Recipe, model: str) -> None:
    """Raise a `UserError` where the recipe found nothing to quantize: its name would promise what is not there."""
    if any(is_mark(node) for graph in graphs(program.graph_module) for node in graph.nodes):
        return
    raise UserError(
        f"{recipe.name} found nothing to quantize in {model}: its program would be that of fp32",
        "in --dtype",
        "export in fp32, or in another recipe",
    )
