# SPDX-License-Identifier: Apache-2.0
"""What stands at the head of a report: the few facts of the run, and what was switched in it."""

from __future__ import annotations

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.words.notes import EMULATED
from model_profiling.wording import count, listed


def switched(run: RunData, naming: Naming) -> tuple[str, ...]:
    """Say plainly what was switched between the experiments, and what the times do not mean."""
    manifest = run.manifest
    if manifest.calibration:
        return (
            "This is an A/A calibration: both names run the same experiment, so a difference between them is noise.",
        )
    sentences = [_sentence(manifest.feature.sentence or "no CPU feature was switched")]
    if naming.label and not naming.is_sme:
        sentences.append(f"These times measure {naming.label} and say nothing about SME2.")
        named = [name for name in run.summary.experiments if "sme" in name.lower()]
        if named:
            sentences.append(
                f"The configuration calls its experiments {listed(named)}; the report calls them by what was switched."
            )
    if manifest.emulated:
        sentences.append(EMULATED)
    return tuple(sentences)


def byline(run: RunData) -> tuple[str, ...]:
    """Return the few facts that stand under the title."""
    manifest = run.manifest
    cpu, host = manifest.cpu, manifest.host
    return (
        f"{cpu.model_name or cpu.architecture}, {count(cpu.cores, 'core')}",
        str(host.get("system") or ""),
        f"ExecuTorch {manifest.executorch.version}",
        manifest.started[:10],
    )


def _sentence(text: str) -> str:
    return (text[:1].upper() + text[1:]).rstrip(".") + "."
