# SPDX-License-Identifier: Apache-2.0
"""What the example was chosen from: the encoder with one thing done differently, each a model to export.

    python model_profiling/export/export_model.py --model plain_1024 --dtype fp32 \
        --model-file model_profiling/models/edgetam_image_encoder/variants.py

`plain` is the original's architecture exported as it stands; `chosen` is `edgetam_image_encoder`;
every other name is `chosen` with another form of enlarging or of GELU. `tools/measure_edgetam_encoder.py`
exports and measures them against each other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from model_profiling.models.edgetam_image_encoder.architecture import FPN_CHANNELS
from model_profiling.models.edgetam_image_encoder.enlarging import enlarging_forms
from model_profiling.models.edgetam_image_encoder.gelu import gelu_forms
from model_profiling.models.edgetam_image_encoder.model import (
    FULL_SIZE,
    REDUCED_SIZE,
    EdgeTamImageEncoder,
    export_friendly,
    load_encoder,
)
from model_profiling.models.edgetam_image_encoder.untrained import untrained_state_dict
from model_profiling.models.registry import register

PLAIN, CHOSEN = "plain", "chosen"
SIZES = (FULL_SIZE, 512, 256, REDUCED_SIZE)
#: Steps from `PLAIN` to `CHOSEN`, each with all before it.
FOLDED, WITHOUT_ENCODINGS = "folded", "without_encodings"
#: The forms that `CHOSEN` has.
CHOSEN_ENLARGING, CHOSEN_GELU = "broadcast_addition_channels_last", "sigmoid_of_a_cubic"


def variant_names() -> dict[str, list[str]]:
    """Return the names of all variants, without a size, by what they differ in."""
    return {
        "steps": [PLAIN, WITHOUT_ENCODINGS, FOLDED, CHOSEN],
        "enlarging": [_name(form) for form in enlarging_forms(FPN_CHANNELS)],
        "gelu": [_name(form) for form in gelu_forms()],
    }


def program_of(name: str, dtype: str) -> str:
    """Return the variant whose program in `dtype` is that of `name`: forms that were chosen, and GELU but in fp16."""
    if name in (CHOSEN_ENLARGING, CHOSEN_GELU):
        return CHOSEN
    return FOLDED if dtype != "fp16" and name == "upsample_nearest2d" else name


def build(name: str, size: int) -> nn.Module:
    """Return the variant called `name`, ready to export for images of `size` a side."""
    state = untrained_state_dict()
    if name == PLAIN:
        encoder = load_encoder(state, position_encodings=True)
        with torch.no_grad():
            encoder(torch.zeros(1, 3, size, size))  # the original keeps its encodings from the first image on
        return encoder
    encoder = load_encoder(state)
    if name == WITHOUT_ENCODINGS:
        return encoder
    enlarging = {_name(form): module for form, module in enlarging_forms(FPN_CHANNELS).items()}
    gelu = {_name(form): module for form, module in gelu_forms().items()}
    if name == FOLDED:
        return export_friendly(encoder, enlarging["upsample_nearest2d"], gelu["gelu"])
    return export_friendly(encoder, enlarging.get(name), gelu.get(name))


def _name(form: str) -> str:
    return form.replace(",", "").replace(" ", "_")


def _model_class(name: str, size: int) -> type:
    def get_eager_model(self: EdgeTamImageEncoder) -> nn.Module:
        return build(name, size)

    return type("Variant", (EdgeTamImageEncoder,), {"size": size, "samples": 1, "get_eager_model": get_eager_model})


def _register_all(give_name: Callable[[str, type], None]) -> None:
    for names in variant_names().values():
        for name in names:
            for size in SIZES:
                give_name(f"{name}_{size}", _model_class(name, size))


_register_all(register)
