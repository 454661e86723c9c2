# SPDX-License-Identifier: Apache-2.0
"""What a tuning is asked for, and what must be the same for it to be taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.tuning.record import Rewrites, TuningAsked
from model_profiling.export.identity import named, versions
from model_profiling.export.request import ExportRequest


@dataclass(frozen=True)
class TuningRequest:
    """The model and how it is exported, as `ExportRequest` has it; what to try, and how long."""

    model: str | None
    model_file: Path | None
    weights: Path | None
    method: str | None
    dtype: str
    group_size: int
    threads: int
    asked: TuningAsked
    command_line: str

    @property
    def label(self) -> str:
        """The model's name, or its file's."""
        return self.model or Path(str(self.model_file)).name  # one of the two is given

    def export(self, rewrites: Rewrites, outdir: Path) -> ExportRequest:
        """Return the export of a combination; one that disagrees is written too, so that its record can be read."""
        return ExportRequest(
            self.model,
            self.model_file,
            self.weights,
            self.dtype,
            "xnnpack",
            outdir,
            group_size=self.group_size,
            keep_disagreeing=True,
            rewrites=rewrites,
            methods=() if self.method is None else (self.method,),
        )

    def identity(self) -> dict[str, object]:
        """Return all that its results depend on, but for the time that it may take."""
        return {
            "model": self.model,
            "model_file": named(self.model_file),
            "weights": named(self.weights),
            "method": self.method,
            "dtype": self.dtype,
            "group_size": self.group_size,
            "threads": self.threads,
            "rewrites": list(self.asked.rewrites),
            "pairs": self.asked.pairs,
            "aa": self.asked.calibrate,
            "versions": versions(),
        }
