# SPDX-License-Identifier: Apache-2.0
"""EdgeTAM's image encoder in tests: its checkpoint's entries, and a stand-in for the original's code."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from model_profiling.models.edgetam_image_encoder.untrained import untrained_state_dict
from support import kit

FIXTURES = kit.FIXTURES / "edgetam"


def checkpoint_entries() -> dict[str, list[int]]:
    """Names and shapes of the official checkpoint's image encoder, without their prefix."""
    return json.loads((FIXTURES / "state_dict.json").read_text())


def recorded_original() -> list[dict]:
    """What the original gave for three images; `made_by` in the file says how it was run."""
    return json.loads((FIXTURES / "original_outputs.json").read_text())["recorded"]


def bare_state() -> dict[str, torch.Tensor]:
    return untrained_state_dict()


def official_layout(state: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """The checkpoint as EdgeTAM publishes it: under "model", with other parts beside the encoder."""
    return {
        "model": {
            "memory_attention.norm.weight": torch.ones(256),
            **{f"image_encoder.{name}": value for name, value in state.items()},
        }
    }


def at_equal_distances(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """Return `count` values of the flattened tensor, first and last included, as the recording took them."""
    flat = tensor.flatten()
    return flat[[index * (flat.numel() - 1) // (count - 1) for index in range(count)]]


# The wrapper is tested on code of the same outward form as the original's, written here: none of the original's
# is kept in this repository. What the original itself gives is in the recorded outputs.
_STAND_IN = {
    "sam2/__init__.py": "raise RuntimeError('the package itself must not be run: it starts hydra')\n",
    "sam2/modeling/__init__.py": "",
    "sam2/modeling/backbones/__init__.py": "",
    "sam2/modeling/position_encoding.py": """
class PositionEmbeddingSine:
    def __init__(self, num_pos_feats):
        assert num_pos_feats == 256
""",
    "sam2/modeling/backbones/timm.py": """
from timm.models import create_model
from torch import nn
class TimmBackbone(nn.Module):
    def __init__(self, name, features):
        super().__init__()
        assert features == ("layer0", "layer1", "layer2", "layer3")
        self.body = create_model(name, pretrained=True)
    def forward(self, x):
        return self.body(x)
""",
    "sam2/modeling/backbones/image_encoder.py": """
from torch import nn
from model_profiling.models.edgetam_image_encoder.architecture import Neck
class FpnNeck(Neck):
    def __init__(self, encoding, d_model, channels, fpn_top_down_levels, fpn_interp_model):
        super().__init__()
        assert (d_model, channels, fpn_top_down_levels) == (256, [384, 192, 96, 48], [2, 3])
        assert fpn_interp_model == "nearest"
class ImageEncoder(nn.Module):
    def __init__(self, trunk, neck, scalp):
        super().__init__()
        self.trunk, self.neck, self.scalp = trunk, neck, scalp
    def forward(self, x):
        maps = self.neck(self.trunk(x))[:-self.scalp]
        return {"vision_features": maps[-1], "vision_pos_enc": [], "backbone_fpn": maps}
""",
}
_PACKAGES = {
    "timm/__init__.py": "",
    "timm/models.py": """
from model_profiling.models.edgetam_image_encoder.architecture import RepVit
def create_model(name, pretrained):
    assert name == "repvit_m1.dist_in1k" and not pretrained, "weights would be downloaded"
    return RepVit()
""",
    "torchvision/__init__.py": "import torch\ntorch.library.register_fake('torchvision::nms')(lambda input: input)\n",
}


def write_stand_in(folder: Path) -> tuple[Path, Path]:
    """Write a checkout and the packages it needs into `folder`; return the two folders."""
    for root, files in (("checkout", _STAND_IN), ("packages", _PACKAGES)):
        for name, text in files.items():
            path = folder / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (folder / "checkout" / "LICENSE").write_text("the license of the stand-in\n")
    return folder / "checkout", folder / "packages"
