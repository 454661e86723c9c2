# SPDX-License-Identifier: Apache-2.0
"""What a timed pair claims to compare, held against the CPU that it is about to run on.

A pair that masks features in one program claims what it masks. A pair of source-built runners
claims SME2 when its builds differ in it (`build_pairs`).
"""

from __future__ import annotations

from collections.abc import Iterable

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu.features import CpuFeatures


def check_claim(switched: Iterable[str], features: CpuFeatures, virtual: str) -> None:
    """Refuse to time SME2 where there is none, or only an emulated one.

    Parameters
    ----------
    switched : the features that the pair switches, by masking or by its builds.
    virtual : what shows that the CPU is not real hardware, as in `Device`.

    Raises
    ------
    UserError : SME is among them, and the CPU lacks it or is not real hardware.
    """
    names = [name for name in switched if name.startswith("sme")]
    if not names:
        return
    label = "SME" if names == ["sme"] else "SME2"
    if virtual:
        raise UserError(
            f"the device is an emulator ({virtual}), whose times say nothing about {label}",
            "in the experiments of the config",
            'use a device, or mode "kernels", which times nothing',
        )
    if label.lower() not in features.names:
        raise UserError(
            f"the pair compares {label} on and off, and this CPU ({features.model_name}) has none",
            "in the experiments of the config",
            f"use a device whose CPU has {label}",
        )
