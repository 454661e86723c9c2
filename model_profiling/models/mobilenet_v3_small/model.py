# SPDX-License-Identifier: Apache-2.0
"""MobileNetV3-Small as Howard et al. define it ("Searching for MobileNetV3", 2019, table 2).

torchvision cannot be installed everywhere beside a CPU build of PyTorch, so the network is
written out here. Entry names and shapes of its state dict are those of torchvision's
`mobilenet_v3_small`, so the weights PyTorch publishes for it load with `--weights FILE`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from model_profiling.models.contract import EagerModel, seeded, structured_images

SEED = 20190506
INPUT_SHAPE = (1, 3, 224, 224)
CLASSES = 1000
CALIBRATION_SAMPLES = 8
STEM_CHANNELS = 16
LAST_CHANNELS = 1024
# The published weights were trained with these; another epsilon gives other outputs.
BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 0.001, 0.01


@dataclass(frozen=True)
class Row:
    """One line of the paper's table: a bottleneck block ("bneck")."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    hard_swish: bool
    stride: int


TABLE = (
    Row(3, 16, 16, True, False, 2),
    Row(3, 72, 24, False, False, 2),
    Row(3, 88, 24, False, False, 1),
    Row(5, 96, 40, True, True, 2),
    Row(5, 240, 40, True, True, 1),
    Row(5, 240, 40, True, True, 1),
    Row(5, 120, 48, True, True, 1),
    Row(5, 144, 48, True, True, 1),
    Row(5, 288, 96, True, True, 2),
    Row(5, 576, 96, True, True, 1),
    Row(5, 576, 96, True, True, 1),
)


def round_to_eight(channels: float) -> int:
    """Round to a multiple of 8, never more than 10 % down (the paper's channel rule)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class ConvNormActivation(nn.Sequential):
    """Convolution without bias, batch norm, and the activation if there is one."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = None,
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)
        layers: list[nn.Module] = [conv, norm]
        if activation is not None:
            layers.append(activation(inplace=True))
        super().__init__(*layers)


class SqueezeExcitation(nn.Module):
    """Scale each channel by what its mean over the image says (hard sigmoid gate)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = round_to_eight(channels // 4)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = nn.ReLU()
        self.scale_activation = nn.Hardsigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(self.activation(self.fc1(self.avgpool(x))))
        return x * self.scale_activation(gate)


class InvertedResidual(nn.Module):
    """Expand with 1x1, filter depthwise, squeeze, project back; add the input where shapes allow."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        activation = nn.Hardswish if row.hard_swish else nn.ReLU
        layers: list[nn.Module] = []
        if row.expanded != inputs:
            layers.append(ConvNormActivation(inputs, row.expanded, 1, activation=activation))
        layers.append(
            ConvNormActivation(
                row.expanded, row.expanded, row.kernel, stride=row.stride, groups=row.expanded, activation=activation
            )
        )
        if row.squeeze:
            layers.append(SqueezeExcitation(row.expanded))
        layers.append(ConvNormActivation(row.expanded, row.out, 1))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and inputs == row.out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.block(x)
        return result + x if self.residual else result


class MobileNetV3SmallModule(nn.Module):
    """The network; 2,542,856 parameters with 1000 classes."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNormActivation(3, STEM_CHANNELS, 3, stride=2, activation=nn.Hardswish)]
        channels = STEM_CHANNELS
        for row in TABLE:
            layers.append(InvertedResidual(channels, row))
            channels = row.out
        layers.append(ConvNormActivation(channels, 6 * channels, 1, activation=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, LAST_CHANNELS),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=0.2, inplace=True),
            nn.Linear(LAST_CHANNELS, classes),
        )
        self.apply(_initialize)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pooled = self.avgpool(self.features(image))
        return self.classifier(torch.flatten(pooled, 1))


def _initialize(module: nn.Module) -> None:
    """Draw weights that keep the signal's size from layer to layer (He et al., fan-in).

    torchvision starts from fan-out, which shrinks every depthwise layer: untrained, its outputs
    are about 1e-9, where nothing can be compared and int8 has nothing to represent.
    """
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class MobileNetV3Small(EagerModel):
    """`mobilenet_v3_small` as the registry sees it: seeded weights unless `--weights` gives others."""

    def get_eager_model(self) -> nn.Module:
        with seeded(SEED):
            return MobileNetV3SmallModule().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return self.get_calibration_inputs()[0]

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        return structured_images(INPUT_SHAPE, CALIBRATION_SAMPLES, SEED)
