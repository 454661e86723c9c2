# SPDX-License-Identifier: Apache-2.0
"""A model with each kind of matrix layer at each number of rows, every one on an input of its own.

The submodule's name is the cell of the table: `linear_8` is a linear layer of 8 rows. A convolution's rows are
the positions of its output (transposed, of its input), as its matrix product has them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from model_profiling.export.matrix_layers import CONV_1X1, CONV_3X3, DEPTHWISE, GROUPED, LINEAR, PRODUCT, TRANSPOSED
from model_profiling.models.contract import EagerModel, seeded

SEED = 19
#: Rows of each matrix product: a decoder's step, a small batch, a prompt.
ROWS = (1, 8, 128)
CHANNELS = 64  # in and out: two groups of 32, and more than any kernel's step
_GROUPS = 4
_HEIGHTS = {1: 1, 8: 2, 128: 8}
_CALIBRATION_SAMPLES = 2


class Product(nn.Module):
    """A product of two inputs, as attention has them."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left @ right


def _rows_of_numbers(rows: int) -> tuple[torch.Tensor, ...]:
    return (torch.randn(1, rows, CHANNELS),)


def _image(rows: int) -> tuple[torch.Tensor, ...]:
    height = _HEIGHTS[rows]
    return (torch.randn(1, CHANNELS, height, rows // height),)


def _pair(rows: int) -> tuple[torch.Tensor, ...]:
    return torch.randn(2, rows, CHANNELS), torch.randn(2, CHANNELS, CHANNELS)


#: Kind of layer -> how to make one, and what it takes for a number of rows.
_LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], tuple[torch.Tensor, ...]]]] = {
    LINEAR: (lambda: nn.Linear(CHANNELS, CHANNELS), _rows_of_numbers),
    CONV_1X1: (lambda: nn.Conv2d(CHANNELS, CHANNELS, 1), _image),
    CONV_3X3: (lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), _image),
    GROUPED: (lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=_GROUPS), _image),
    DEPTHWISE: (lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS), _image),
    TRANSPOSED: (lambda: nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, stride=2), _image),
    PRODUCT: (Product, _pair),
}
#: Every cell of the table: a submodule's name, its kind and its rows.
CELLS = {f"{kind.replace(' ', '_')}_{rows}": (kind, rows) for kind in _LAYERS for rows in ROWS}


class EveryLayerModule(nn.Module):
    """One submodule a cell; each takes its own inputs, in the cells' order."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleDict({name: _LAYERS[kind][0]() for name, (kind, _) in CELLS.items()})

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        left = list(inputs)
        return tuple(
            cell(*[left.pop(0) for _ in range(2 if isinstance(cell, Product) else 1)]) for cell in self.cells.values()
        )


class EveryLayer(EagerModel):
    """The model as the export takes it."""

    def get_eager_model(self) -> nn.Module:
        with seeded(SEED):
            return EveryLayerModule().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        with seeded(SEED):
            return self._draw()

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        with seeded(SEED + 1):
            return [self._draw() for _ in range(_CALIBRATION_SAMPLES)]

    def _draw(self) -> tuple[torch.Tensor, ...]:
        return tuple(tensor for kind, rows in CELLS.values() for tensor in _LAYERS[kind][1](rows))
