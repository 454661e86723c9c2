# SPDX-License-Identifier: Apache-2.0
"""What experiments are called in a report: by what was switched, not by what the config named them."""

from __future__ import annotations

from collections.abc import Sequence

from model_profiling.pipeline.manifest import Manifest


class Naming:
    """Names and colors of a run's experiments.

    Experiments may carry any name ("mac_sme2_on" on a CPU without SME2), so a report
    calls them by the switched feature's label from the manifest where that is unambiguous.
    """

    def __init__(self, manifest: Manifest | None, names: Sequence[str], baselines: Sequence[str]) -> None:
        self.label: str | None = manifest.feature.label if manifest else None
        disabled = manifest.disabled if manifest else {}
        left_out = manifest.feature.off if manifest else ()  # of builds: nothing is switched at run time
        off = [name for name in names if disabled.get(name) or name in left_out]
        on = [name for name in names if name not in off]
        self._sides: dict[str, str] = {}
        if self.label and len(off) == 1 and len(on) == 1:
            self._sides = {off[0]: f"{self.label} off", on[0]: f"{self.label} on"}
        elif self.label:
            self._sides = {name: f"{name} ({self.label} {'off' if name in off else 'on'})" for name in names}
        # Baselines first: gray is theirs in every figure.
        self._order = [*dict.fromkeys(b for b in baselines if b in names), *(n for n in names if n not in baselines)]

    def side(self, experiment: str) -> str:
        """Return what a reader should call the experiment, e.g. "AVX-512 on"."""
        return self._sides.get(experiment, experiment)

    def under(self, experiment: str) -> str:
        """Return the experiment as a circumstance: "with AVX-512 on", or "in <name>"."""
        plain = self.label and self.side(experiment) in (f"{self.label} on", f"{self.label} off")
        return f"{'with' if plain else 'in'} {self.side(experiment)}"

    def series(self, experiment: str) -> int:
        """Return the experiment's place in the order of colors."""
        return self._order.index(experiment)

    @property
    def is_sme(self) -> bool:
        return bool(self.label) and self.label.upper().startswith("SME")
