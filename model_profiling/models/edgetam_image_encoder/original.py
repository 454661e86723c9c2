# SPDX-License-Identifier: Apache-2.0
"""The second route: wrap the original code instead of writing the architecture out.

`vendor/fetch_original.sh` clones it; nothing of it is part of the kit. Wrapping somebody's
repository for export takes what is shown here, whatever the model:

- importing only the modules that are needed, not the package with its configuration framework;
- patching what reaches for the network or does not export;
- normalizing inputs inside the wrapper, so that a program takes an image and not a recipe;
- turning a dictionary of outputs into a tuple of tensors.

What it does not change is the architecture: batch norm, the parallel branches and
`upsample_nearest2d` stay as they are, and so does what they cost.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from model_profiling.errors import UserError
from model_profiling.models import weights
from model_profiling.models.contract import EagerModel, uniform_images
from model_profiling.models.edgetam_image_encoder.architecture import FPN_CHANNELS, REPVIT_M1, SCALP, TOP_DOWN_LEVELS
from model_profiling.models.edgetam_image_encoder.model import CALIBRATION_SAMPLES, FULL_SIZE, PREFIX
from model_profiling.models.edgetam_image_encoder.untrained import SEED, untrained_state_dict

#: Names a checkout elsewhere.
CHECKOUT_VARIABLE = "EDGETAM_CHECKOUT"
FETCH = Path(__file__).with_name("vendor") / "fetch_original.sh"
PACKAGES = ("timm", "torchvision")
#: The torchvision made for the pinned torch; another would bring another torch with it.
INSTALL = "pip install timm==1.0.31 torchvision==0.28.0"
#: ImageNet's, which the original's image predictor applies to values between 0 and 1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Operators of torchvision's compiled part. timm imports torchvision, whose Python part describes these and
# fails where that part does not fit torch; EdgeTAM's encoder calls none of them.
_TORCHVISION_OPERATORS = (
    "nms",
    "qnms",
    "roi_align",
    "roi_pool",
    "ps_roi_align",
    "ps_roi_pool",
    "deform_conv2d",
    "_roi_align_backward",
    "_roi_pool_backward",
    "_ps_roi_align_backward",
    "_ps_roi_pool_backward",
    "_deform_conv2d_backward",
)
_declared: list[torch.library.Library] = []  # an operator lives as long as the library that declared it


class WrappedEncoder(nn.Module):
    """The original encoder with the input and outputs that a program should have."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the three maps of the neck, finest first.

        Parameters
        ----------
        image : (batch, 3, height, width), RGB between 0 and 1.
        """
        # Position encodings, which the dictionary also holds, are dropped with it: unused, they are not exported.
        return tuple(self.encoder((image - self.mean) / self.deviation)["backbone_fpn"])


def original_encoder() -> nn.Module:
    """Return the original's image encoder as its configuration file describes it, without weights of its own.

    Raises
    ------
    UserError : the checkout, timm or torchvision is missing; it says how to get them.
    """
    checkout = find_checkout()
    with _modules_of(checkout):
        backbones = _import("sam2.modeling.backbones.timm", checkout)
        image_encoder = _import("sam2.modeling.backbones.image_encoder", checkout)
        encodings = _import("sam2.modeling.position_encoding", checkout)
        trunk = _without_download(
            backbones,
            lambda: backbones.TimmBackbone(
                "repvit_m1.dist_in1k", tuple(f"layer{level}" for level in range(len(REPVIT_M1)))
            ),
        )
    neck = image_encoder.FpnNeck(
        encodings.PositionEmbeddingSine(FPN_CHANNELS),
        FPN_CHANNELS,
        [stage.channels for stage in reversed(REPVIT_M1)],
        fpn_top_down_levels=list(TOP_DOWN_LEVELS),
        fpn_interp_model="nearest",
    )
    return image_encoder.ImageEncoder(trunk, neck, scalp=SCALP).eval()


def find_checkout() -> Path:
    """Return the folder of the original's checkout, or raise the `UserError` that says what is missing."""
    named = os.environ.get(CHECKOUT_VARIABLE)
    folder = Path(named) if named else FETCH.with_name("EdgeTAM")
    lacking = (
        []
        if (folder / "sam2" / "modeling" / "backbones" / "image_encoder.py").is_file()
        else [f"the original's checkout at {folder}"]
    )
    packages = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking or packages:
        steps = [f"bash {FETCH}" if not named else f"bash {FETCH} {folder}"] * bool(lacking) + [INSTALL] * bool(
            packages
        )
        raise UserError(
            f"edgetam_original needs {', '.join([*lacking, *packages])}", "not found here", f"run {' and '.join(steps)}"
        )
    return folder


@contextmanager
def _modules_of(checkout: Path) -> Iterator[None]:
    """Make ``import sam2.modeling...`` find the checkout, without running ``sam2/__init__.py``.

    That file starts hydra, a configuration framework that the encoder's classes do not use.
    """
    _make_torchvision_importable()
    stand_in = ModuleType("sam2")
    stand_in.__path__ = [str(checkout / "sam2")]
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "sam2"}
    for name in before:
        del sys.modules[name]
    sys.modules["sam2"] = stand_in
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "sam2"]:
            del sys.modules[name]
        sys.modules.update(before)


def _import(name: str, checkout: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"the original's {name} cannot be imported ({error})",
            f"from {checkout}",
            f"{INSTALL}, or fetch it again with {FETCH}",
        ) from error


def _make_torchvision_importable() -> None:
    try:
        importlib.import_module("torchvision")
    except RuntimeError:  # its compiled part does not fit this torch (a CUDA build beside a CPU torch)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # torch gives it no types
        for operator in _TORCHVISION_OPERATORS:
            library.define(f"{operator}(Tensor input) -> Tensor")  # type: ignore[no-untyped-call]  # the same
        _declared.append(library)
        importlib.import_module("torchvision")


def _without_download(backbones: ModuleType, build: Callable[[], nn.Module]) -> nn.Module:
    """Call `build` with timm's ``create_model`` kept from fetching ImageNet weights that a checkpoint replaces."""
    names = vars(backbones)
    create = names["create_model"]
    names["create_model"] = lambda name, **options: create(name, **{**options, "pretrained": False})
    try:
        return build()
    finally:
        names["create_model"] = create


class OriginalEdgeTamImageEncoder(EagerModel):
    """`edgetam_original` as the registry sees it."""

    def get_eager_model(self) -> nn.Module:
        encoder = original_encoder()
        encoder.load_state_dict(untrained_state_dict(), strict=True)
        return WrappedEncoder(encoder)

    def load_weights(self, module: nn.Module, state_dict: Mapping[str, torch.Tensor]) -> nn.Module:
        entries = {name.removeprefix(PREFIX): value for name, value in state_dict.items() if name.startswith(PREFIX)}
        weights.load_strictly(
            module.get_submodule("encoder"), entries or dict(state_dict), "the checkpoint of the image encoder"
        )
        return module

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return self.get_calibration_inputs()[0]

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        return uniform_images((1, 3, FULL_SIZE, FULL_SIZE), CALIBRATION_SAMPLES, SEED)
