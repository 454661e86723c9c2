# SPDX-License-Identifier: Apache-2.0
"""Which layers of a model reach SME2 kernels, from previews on an emulated CPU."""

from __future__ import annotations

from typing import Any

from model_profiling.pipeline.kernel_names import family_of, role_of
from model_profiling.report.svg import Drawing
from tools.figures.card import MARGIN, SMALL, WIDTH, Card
from tools.figures.data import load

DTYPES = ("fp32", "int8", "fp16")
_PANEL, _PLOT = 150, 84


def kernel_evidence(alt: str) -> Drawing:
    """Draw every matrix layer as a bar as high as its multiply-adds, in the color of what it reached."""
    previews = {dtype: load(f"preview_mobilenet_v3_small_{dtype}") for dtype in DTYPES}
    card = Card(118 + _PANEL * len(previews) + 34)
    card.heading(
        30,
        "MobileNetV3-Small: which layers call SME2 kernels",
        f"Recorded calls on an emulated CPU ({previews['fp32']['emulator']}); no times",
    )
    card.legend(82, [("on", "calls an SME2 kernel"), ("off", "does not")])
    highest = max(layer["multiply_adds"] for held in previews.values() for layer in held["matrix_layers"])
    for number, (dtype, held) in enumerate(previews.items()):
        _panel(card, 112 + number * _PANEL, dtype, held, highest)
    card.text(
        MARGIN,
        118 + _PANEL * len(previews) + 8,
        "Left to right: layers in order. Height: multiply-adds.",
        size=SMALL,
        role="muted",
    )
    return card.finish("kernel-evidence", alt)


def _panel(card: Card, y: float, dtype: str, preview: dict[str, Any], highest: int) -> None:
    coverage = preview["variants"]["sme2"]["coverage"]["sme2"]
    card.text(MARGIN, y + 16, dtype, size=16, bold=True)
    card.text(
        WIDTH - MARGIN,
        y + 16,
        f"{coverage['layers']} of {coverage['all_layers']} layers, "
        f"{100 * coverage['share_of_multiply_adds']:.0f} % of the multiply-adds",
        size=15,
        right=True,
    )
    layers = preview["matrix_layers"]
    pitch = (WIDTH - 2 * MARGIN) / len(layers)
    base = y + 32 + _PLOT
    for number, layer in enumerate(layers):
        height = max(3.0, _PLOT * layer["multiply_adds"] / highest)
        card.box(MARGIN + number * pitch, base - height, pitch - 2, height, "on" if _reached(layer) else "off")
    card.line(MARGIN, base + 0.5, WIDTH - MARGIN, base + 0.5, "rule")


def _reached(layer: dict[str, Any]) -> bool:
    """Return whether a layer called an SME2 kernel that computes."""
    called = layer["kernels"].get("sme2", {})
    return any(family_of(kernel) == "sme2" and role_of(kernel) == "compute" for kernel in called)
