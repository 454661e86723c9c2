# SPDX-License-Identifier: Apache-2.0
"""EdgeTAM's image encoder as its papers define it, module by module, before anything is fused.

The trunk is RepViT-M1 (Wang et al., "RepViT: Revisiting Mobile CNN From ViT Perspective", CVPR
2024) cut after each of its four stages; the neck is the feature pyramid of SAM 2 (Ravi et al.,
2024) with EdgeTAM's settings (Zhou et al., "EdgeTAM: On-Device Track Anything Model", CVPR 2025).
Modules carry the names that the official checkpoint's entries have, so the names are the
checkpoint's and not of our choosing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from model_profiling.models.edgetam_image_encoder.position_encoding import sine_position_encoding

KERNEL = 3
MLP_RATIO = 2
SQUEEZE_RATIO = 4
#: Squeezed channels are a multiple of this.
SQUEEZE_DIVISOR = 8
FPN_CHANNELS = 256
#: Levels, finest first, whose output has the next coarser level added to it; the coarsest has none.
TOP_DOWN_LEVELS = (2, 3)
#: How many of the coarsest maps the encoder computes and does not return.
SCALP = 1


@dataclass(frozen=True)
class Stage:
    """One stage of RepViT: its channels and how many blocks follow its downsampling."""

    channels: int
    blocks: int


REPVIT_M1 = (Stage(48, 2), Stage(96, 2), Stage(192, 14), Stage(384, 2))


class ConvNorm(nn.Module):
    """Convolution without bias, then batch norm; `c` and `bn` in the checkpoint."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.c(x))


class TokenMixer(nn.Module):
    """Depthwise 3x3 and 1x1 convolutions side by side with the identity, added up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvNorm(channels, channels, KERNEL, groups=channels)
        self.conv1 = ConvNorm(channels, channels, 1, groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + self.conv1(x) + x


class SqueezeExcitation(nn.Module):
    """Scale each channel by what its mean over the image says (sigmoid gate)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = squeezed_channels(channels)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


class ChannelMixer(nn.Module):
    """Widen with 1x1, GELU, project back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, MLP_RATIO * channels)
        self.act = nn.GELU()
        self.conv2 = ConvNorm(MLP_RATIO * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.act(self.conv1(x)))


class Block(nn.Module):
    """RepViT block: token mixer, squeeze-and-excitation in every other one, residual channel mixer."""

    def __init__(self, channels: int, squeeze: bool) -> None:
        super().__init__()
        self.token_mixer = TokenMixer(channels)
        self.se = SqueezeExcitation(channels) if squeeze else nn.Identity()
        self.channel_mixer = ChannelMixer(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.se(self.token_mixer(x))
        return x + self.channel_mixer(x)


class Downsample(nn.Module):
    """Halve height and width and widen: a block, depthwise stride 2, 1x1, residual feed-forward."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pre_block = Block(inputs, squeeze=False)
        self.spatial_downsample = ConvNorm(inputs, inputs, KERNEL, stride=2, groups=inputs)
        self.channel_downsample = ConvNorm(inputs, outputs)
        self.ffn = ChannelMixer(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.channel_downsample(self.spatial_downsample(self.pre_block(x)))
        return x + self.ffn(x)


class Stem(nn.Module):
    """Two 3x3 convolutions of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, channels // 2, KERNEL, stride=2)
        self.act1 = nn.GELU()
        self.conv2 = ConvNorm(channels // 2, channels, KERNEL, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.act1(self.conv1(x)))


class RepVitStage(nn.Module):
    """The downsampling (none in the first stage) and the blocks of one stage."""

    def __init__(self, inputs: int, stage: Stage) -> None:
        super().__init__()
        self.downsample = nn.Identity() if inputs == stage.channels else Downsample(inputs, stage.channels)
        self.blocks = nn.Sequential(*(Block(stage.channels, squeeze=index % 2 == 0) for index in range(stage.blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.downsample(x))


class RepVit(nn.Module):
    """The trunk; returns each stage's map, finest first."""

    def __init__(self, stages: tuple[Stage, ...] = REPVIT_M1) -> None:
        super().__init__()
        channels = stages[0].channels
        self.stem = Stem(channels)
        self.depth = len(stages)
        for index, stage in enumerate(stages):
            self.add_module(f"stages_{index}", RepVitStage(channels, stage))
            channels = stage.channels

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x, maps = self.stem(x), []
        for index in range(self.depth):
            x = self.get_submodule(f"stages_{index}")(x)
            maps.append(x)
        return maps


class Trunk(nn.Module):
    """Holds the backbone under the name that the checkpoint has for it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = RepVit()

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return self.body(x)


class Lateral(nn.Module):
    """A 1x1 convolution to the pyramid's channels, one level down in the names."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, FPN_CHANNELS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Neck(nn.Module):
    """Feature pyramid: lateral convolutions, coarser maps enlarged and added on the top-down levels."""

    def __init__(self) -> None:
        super().__init__()
        # The checkpoint numbers them from the coarsest level.
        self.convs = nn.ModuleList(Lateral(stage.channels) for stage in reversed(REPVIT_M1))

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        coarsest = len(maps) - 1
        outputs: list[torch.Tensor] = [None] * len(maps)  # type: ignore[list-item]  # filled below
        for level in range(coarsest, -1, -1):
            lateral = self.convs[coarsest - level](maps[level])
            if level in TOP_DOWN_LEVELS and level != coarsest:
                # The original computes the enlarged map in float32 whatever the model's type.
                enlarged = nn.functional.interpolate(
                    outputs[level + 1].to(torch.float32), scale_factor=2.0, mode="nearest"
                )
                lateral = lateral + enlarged
            outputs[level] = lateral
        return outputs


class ImageEncoder(nn.Module):
    """The encoder as it was trained; the reference that the export-friendly one is measured against.

    Parameters
    ----------
    position_encodings : also return what the original returns beside the maps, which does not
        depend on the image and is therefore baked into an exported program.
    """

    def __init__(self, position_encodings: bool = False) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.neck = Neck()
        self.position_encodings = position_encodings
        self._encoded: dict[tuple[int, int], torch.Tensor] = {}

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the neck's maps, finest first; with `position_encodings` theirs as well, in that order.

        Parameters
        ----------
        image : (batch, 3, height, width), height and width multiples of 32.
        """
        maps = self.neck(self.trunk(image))
        kept = tuple(maps[: len(maps) - SCALP])
        if not self.position_encodings:
            return kept
        return (*kept, *(self._encoding(level) for level in kept))

    def _encoding(self, level: torch.Tensor) -> torch.Tensor:
        # The original keeps encodings by size, and so they are constants in whatever is exported after a first run.
        size = (level.shape[-2], level.shape[-1])
        if size not in self._encoded:
            self._encoded[size] = sine_position_encoding(*size, FPN_CHANNELS)
        return self._encoded[size][None].repeat(level.shape[0], 1, 1, 1).to(level.dtype)


def squeezed_channels(channels: int) -> int:
    """Return the inner width of squeeze-and-excitation: a quarter, rounded to a multiple of 8."""
    return max(
        SQUEEZE_DIVISOR, int(channels / SQUEEZE_RATIO + SQUEEZE_DIVISOR / 2) // SQUEEZE_DIVISOR * SQUEEZE_DIVISOR
    )
