# SPDX-License-Identifier: Apache-2.0
"""The folder that a preview of a model's kernels leaves: what its files are called."""

from __future__ import annotations

from pathlib import Path

#: The CPUs of a preview as its files' names have them: with SME2, with SME alone, with neither.
PREVIEW_VARIANTS = SME2_VARIANT, SME_VARIANT, NO_SME_VARIANT = "sme2", "sme_only", "no_sme"


class PreviewFolder:
    """Names of what a preview of a model's kernels leaves in `root`; `part` tells of what part of the model."""

    def __init__(self, model: Path, root: Path | None = None, part: str = "") -> None:
        self._model = "_".join(filter(None, (model.stem, part)))
        self.root = root or model.with_name(f"{self._model}_sme2_preview")
        self.json = self.root / f"{self._model}_sme2_preview.json"
        self.markdown = self.root / f"{self._model}_sme2_preview.md"

    def kernels(self, variant: str) -> Path:
        """Return the kernel table of one of the CPUs that the preview ran."""
        return self.root / f"{self._model}_{variant}_kernels.csv"

    def files(self) -> tuple[Path, ...]:
        """Return every file of a preview that ran all variants."""
        return (*map(self.kernels, PREVIEW_VARIANTS), self.json, self.markdown)
