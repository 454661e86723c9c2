# SPDX-License-Identifier: Apache-2.0
"""What the ceilings of a machine are measured with: matrix products, copies, updates in place and reads.

Exported in a run's own recipe and run by its own runner. Products come in three sizes, for which one is the fastest
depends on the kernel: seen on x86-64, XNNPACK's product of 512 rows is 1.4 times as fast as that of 1024. Arrays are of
0.5 to 64 MiB, so that the largest are beyond the caches and the others within some of them. They are made in the
program itself, of a few numbers, so that its inputs and outputs stay small.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from model_profiling.models.contract import EagerModel, seeded

SEED = 20090401
#: Rows, inputs and outputs of the products.
PRODUCTS = (256, 512, 1024)
#: Images and channels of an array, which is what its reads are parallel in; and the height and width in float32.
IMAGES, CHANNELS = 8, 64
ARRAYS = ((16, 16), (32, 64), (64, 128), (128, 256))
_FLOAT32_BYTES = 4


class Copy(nn.Module):
    """One array from another."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -x


class Update(nn.Module):
    """An array over itself: XNNPACK computes in place where nothing else reads the input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


class Read(nn.Module):
    """An array to one number for each channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3), keepdim=True)


class CeilingsWork(nn.Module):
    """The products, and for each size of array twice a copy, an update and a read: the first finds cold memory."""

    def __init__(self) -> None:
        super().__init__()
        self.products = nn.ModuleList(nn.Linear(size, size) for size in PRODUCTS)
        self.copy, self.update, self.read = Copy(), Update(), Read()

    def forward(self, seed: torch.Tensor, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        products = [product(x) for product, x in zip(self.products, inputs, strict=True)]
        # Resized, the pixels have channels last, as the layout of what reads them has.
        pixels = functional.interpolate(seed, size=(2, 2), mode="bilinear", align_corners=False)
        read = []
        for height, width in ARRAYS:
            array = functional.pad(pixels, (0, width - 2, 0, height * _FLOAT32_BYTES // seed.element_size() - 2))
            read += [self.read(self.update(self.copy(array))) for _ in range(2)]
        return *products, sum(read[1:], read[0])


class CeilingsProgram(EagerModel):
    def get_eager_model(self) -> nn.Module:
        with seeded(SEED):
            return CeilingsWork().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(SEED)
        products = (torch.rand(size, size, generator=generator) for size in PRODUCTS)
        return torch.rand(IMAGES, CHANNELS, 1, 1, generator=generator), *products
