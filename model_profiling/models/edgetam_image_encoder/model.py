# SPDX-License-Identifier: Apache-2.0
"""EdgeTAM's image encoder, changed for export: same weights, same outputs, one XNNPACK delegate.

What was changed, why, and what each change gained is measured in MEASURED.md beside this file
(`tools/measure_edgetam_encoder.py` makes it again):

- batch norm is folded, and RepViT's parallel branches are one convolution (`fusion`);
- position encodings, which do not depend on the image, are not in the program (`position_encoding`);
- enlarging the coarsest map is part of the addition that follows it (`enlarging`);
- GELU in float16, which XNNPACK does not have, is made of operators that it has (`gelu`).

The official checkpoint loads with `--weights edgetam.pt`. Without it the weights are drawn from
their names: they segment nothing, and run as fast.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from model_profiling.models import weights
from model_profiling.models.contract import EagerModel, structured_images
from model_profiling.models.edgetam_image_encoder.architecture import SCALP, ImageEncoder
from model_profiling.models.edgetam_image_encoder.enlarging import BroadcastAddChannelsLast
from model_profiling.models.edgetam_image_encoder.fusion import fuse
from model_profiling.models.edgetam_image_encoder.gelu import CUBIC, GeluFor16, SigmoidGelu
from model_profiling.models.edgetam_image_encoder.untrained import SEED, untrained_state_dict

#: What the official checkpoint has before each of this encoder's entries; the rest is EdgeTAM's other parts.
PREFIX = "image_encoder."
#: Height and width that EdgeTAM was trained at, and a size that an emulated CPU runs in seconds.
FULL_SIZE, REDUCED_SIZE = 1024, 64
CALIBRATION_SAMPLES = 4


class ExportNeck(nn.Module):
    """The neck with a form of enlarging to choose; computes the maps that are returned and no other."""

    def __init__(self, convs: nn.ModuleList, top_down: nn.Module) -> None:
        super().__init__()
        self.convs = convs
        self.top_down = top_down

    def forward(self, maps: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        laterals = [conv(level) for conv, level in zip(self.convs, reversed(maps), strict=True)]
        laterals[SCALP] = self.top_down(laterals[0], laterals[SCALP])  # the only level with a coarser one to add
        return tuple(reversed(laterals[SCALP:]))


class ExportImageEncoder(nn.Module):
    """Trunk and neck of a loaded encoder, folded for inference.

    Parameters
    ----------
    encoder : with its weights loaded; it is taken apart.
    top_down : a form of `enlarging`.
    gelu : what takes the place of every GELU.
    """

    def __init__(self, encoder: ImageEncoder, top_down: nn.Module, gelu: nn.Module) -> None:
        super().__init__()
        self.trunk = _with_gelu(fuse(encoder.trunk), gelu)
        self.neck = ExportNeck(encoder.neck.convs, top_down)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return three maps of 256 channels at 1/4, 1/8 and 1/16 of the image's size, finest first.

        Parameters
        ----------
        image : (batch, 3, height, width), normalized with ImageNet's mean and deviation; height and
            width multiples of 32.
        """
        return self.neck(self.trunk(image))


def load_encoder(state_dict: Mapping[str, torch.Tensor], position_encodings: bool = False) -> ImageEncoder:
    """Return the encoder as it was trained, with the checkpoint's entries in it.

    Parameters
    ----------
    state_dict : the official checkpoint's entries, whose names begin with ``image_encoder.`` (those
        of EdgeTAM's other parts are left alone), or the encoder's own without that.

    Raises
    ------
    UserError : entries are missing, unknown or of another shape.
    """
    entries = {name.removeprefix(PREFIX): value for name, value in state_dict.items() if name.startswith(PREFIX)}
    with torch.device("meta"):  # every value comes from the checkpoint: nothing has to be drawn before
        encoder = ImageEncoder(position_encodings)
    encoder = encoder.to_empty(device="cpu").eval()
    weights.load_strictly(encoder, entries or dict(state_dict), "the checkpoint of the image encoder")
    return encoder


def load_from_state_dict(state_dict: Mapping[str, torch.Tensor]) -> nn.Module:
    """Return the export-friendly encoder with the checkpoint's entries folded in; see `load_encoder`."""
    return export_friendly(load_encoder(state_dict))


def export_friendly(
    encoder: ImageEncoder, top_down: nn.Module | None = None, gelu: nn.Module | None = None
) -> nn.Module:
    """Return `encoder` folded, with the forms that were measured to be the fastest unless others are given."""
    return ExportImageEncoder(
        encoder, top_down or BroadcastAddChannelsLast(), gelu or GeluFor16(SigmoidGelu(CUBIC))
    ).eval()


def _with_gelu(module: nn.Module, gelu: nn.Module) -> nn.Module:
    for name, child in list(module.named_children()):
        if isinstance(child, nn.GELU):
            setattr(module, name, gelu)
        else:
            _with_gelu(child, gelu)
    return module


class EdgeTamImageEncoder(EagerModel):
    """`edgetam_image_encoder` as the registry sees it: weights drawn by name unless `--weights` gives others."""

    size = FULL_SIZE
    samples = CALIBRATION_SAMPLES

    def get_eager_model(self) -> nn.Module:
        return load_from_state_dict(untrained_state_dict())

    def load_weights(self, module: nn.Module, state_dict: Mapping[str, torch.Tensor]) -> nn.Module:
        return load_from_state_dict(state_dict)

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return self.get_calibration_inputs()[0]

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        return structured_images((1, 3, self.size, self.size), self.samples, SEED)


class ReducedEdgeTamImageEncoder(EdgeTamImageEncoder):
    """The same encoder for small images: every layer, a 256th of the work."""

    size = REDUCED_SIZE
