# SPDX-License-Identifier: Apache-2.0
"""What stands at the head of a report: the few facts of the run, and what was switched in it."""

from __future__ import annotations

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.words.notes import EMULATED, disagreeing
from model_profiling.report.words.programs import programs_sentence
from model_profiling.wording import count, listed

#: Experiments that are named one by one.
_MOST_NAMED = 4


def switched(run: RunData, naming: Naming) -> tuple[str, ...]:
    """Say plainly what was switched between the experiments, and what the times do not mean."""
    manifest = run.manifest
    wrong = disagreeing(manifest)
    if manifest.calibration:
        return (
            *wrong,
            "This is an A/A calibration: both names run the same experiment, so a difference between them is noise.",
        )
    programs = programs_sentence(manifest)
    sentences = [*wrong, programs] if programs else [*wrong]
    sentences.append(_sentence(manifest.feature.sentence or "no CPU feature was switched"))
    if naming.label and not naming.is_sme:
        sentences.append(f"These times measure {naming.label} and say nothing about SME2.")
        named = [name for name in run.summary.experiments if "sme" in name.lower()]
        if named:
            more = [f"{len(named) - _MOST_NAMED} others"] if len(named) > _MOST_NAMED + 1 else named[_MOST_NAMED:]
            sentences.append(
                f"The configuration calls its experiments {listed([*named[:_MOST_NAMED], *more])}; "
                "the report calls them by what was switched."
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
