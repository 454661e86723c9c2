# SPDX-License-Identifier: Apache-2.0
"""Products of numbers of two types: what a model computes in float32 by itself meets weights that were cast to float16.

Rotary positions and norms of language models do that. PyTorch refuses such a product, and XNNPACK has none, so the
factors of another type become the recipe's, as the model's own cast would make them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

#: Functions whose floating-point arguments must have one type, by name.
_PRODUCTS = frozenset(
    (
        "scaled_dot_product_attention",
        "linear",
        "matmul",
        "__matmul__",
        "__rmatmul__",
        "bmm",
        "mm",
        "addmm",
        "baddbmm",
        "einsum",
        "conv1d",
        "conv2d",
        "conv_transpose1d",
        "conv_transpose2d",
    )
)


@contextmanager
def products_in(target: torch.dtype) -> Iterator[None]:
    """Have products of mixed floating-point types computed in `target` while the body runs."""
    import torch
    from torch.overrides import TorchFunctionMode

    class OneType(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            given = kwargs or {}
            if getattr(func, "__name__", "") in _PRODUCTS and _mixed((*args, *given.values())):
                args = [_cast(one, target) for one in args]
                given = {name: _cast(one, target) for name, one in given.items()}
            return func(*args, **given)

    if target == torch.float32:
        yield
        return
    with OneType():
        yield


def _floating(values: Sequence[object]) -> Iterator[torch.Tensor]:
    import torch

    for value in values:
        if isinstance(value, torch.Tensor):
            if value.is_floating_point():
                yield value
        elif isinstance(value, (tuple, list)):
            yield from _floating(value)


def _mixed(values: Sequence[object]) -> bool:
    return len({value.dtype for value in _floating(values)}) > 1


def _cast(value: Any, target: torch.dtype) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(target) if value.is_floating_point() else value
    if isinstance(value, (tuple, list)):
        return type(value)(_cast(one, target) for one in value)
    return value
