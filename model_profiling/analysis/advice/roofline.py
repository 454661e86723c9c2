# SPDX-License-Identifier: Apache-2.0
"""Placeholder until the room's roofline is there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerCeiling:
    intensity: float | None
    bound: str | None = None
    floor_ms: float | None = None
    share: float | None = None
