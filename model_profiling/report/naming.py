# SPDX-License-Identifier: Apache-2.0
"""What experiments are called in a report: by what they differ in, not by what the config named them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from model_profiling.pipeline.manifest import Manifest
from model_profiling.report.words.programs import program_names


class Naming:
    """Names and colors of a run's experiments.

    Experiments may carry any name ("mac_sme2_on" on a CPU without SME2), so a report
    calls them by the switched feature's label from the manifest where that is unambiguous.
    Experiments of different programs are called by these, with the feature where that differs too.
    """

    def __init__(self, manifest: Manifest | None, names: Sequence[str], baselines: Sequence[str]) -> None:
        self.label: str | None = manifest.feature.label if manifest else None
        disabled = manifest.disabled if manifest else {}
        left_out = manifest.feature.off if manifest else ()  # of builds: nothing is switched at run time
        off = [name for name in names if disabled.get(name) or name in left_out]
        on = [name for name in names if name not in off]
        self._sides: dict[str, str] = {}
        self._of_programs = bool(manifest and manifest.programs)
        if manifest and manifest.programs:
            self._sides = _by_program(manifest, names, off)
        elif self.label and len(off) == 1 and len(on) == 1:
            self._sides = {off[0]: f"{self.label} off", on[0]: f"{self.label} on"}
        elif self.label:
            self._sides = {name: f"{name} ({self.label} {'off' if name in off else 'on'})" for name in names}
        self._in_programs = _compared_within(manifest) if manifest and manifest.programs else {}
        # Baselines first: gray is theirs in every figure.
        self._order = [*dict.fromkeys(b for b in baselines if b in names), *(n for n in names if n not in baselines)]

    def side(self, experiment: str) -> str:
        """Return what a reader should call the experiment, e.g. "AVX-512 on"."""
        return self._sides.get(experiment, experiment)

    def compared(self, baseline: str, candidate: str) -> tuple[str, str, str]:
        """Return what two compared experiments are called, and what both are of: ("prefill, ", "AVX-512 off", ...).

        The first is "" where their names have nothing in common that could be said once.
        """
        names = self.side(baseline), self.side(candidate)
        common = names[0].removesuffix(f"{self.label} off")
        if self.label and common and names == (f"{common}{self.label} off", f"{common}{self.label} on"):
            return common, f"{self.label} off", f"{self.label} on"
        return "", *names

    def under(self, experiment: str) -> str:
        """Return the experiment as a circumstance: "with AVX-512 on", or "in <name>"."""
        plain = self.label and self.side(experiment) in (f"{self.label} on", f"{self.label} off")
        return f"{'with' if plain or self._of_programs else 'in'} {self.side(experiment)}"

    def series(self, experiment: str) -> int:
        """Return the experiment's place in the order of colors; of several programs each has the same two."""
        return self._in_programs.get(experiment, self._order.index(experiment))

    @property
    def is_sme(self) -> bool:
        return self.label is not None and self.label.upper().startswith("SME")


def _compared_within(manifest: Manifest) -> dict[str, int]:
    """Return 0 for baselines and 1 for candidates, where each program's own two experiments are compared."""
    pairs = manifest.config.compare_pairs
    places = {name: place for pair in pairs for place, name in enumerate(pair)}
    alone = len(places) == 2 * len(pairs) and all(manifest.same_program(*pair) for pair in pairs)
    return places if alone else {}


def _by_program(manifest: Manifest, names: Sequence[str], off: Sequence[str]) -> dict[str, str]:
    """Return each experiment's program, with the feature where it differs, with its own name where that is needed."""
    programs, label = program_names(manifest.programs), manifest.feature.label
    sides = {name: programs[manifest.program_number(name)] for name in names}
    if label and 0 < len(off) < len(names):
        sides = {name: f"{side}, {label} {'off' if name in off else 'on'}" for name, side in sides.items()}
    shared = Counter(sides.values())
    return {name: side if shared[side] == 1 else f"{side} ({name})" for name, side in sides.items()}
