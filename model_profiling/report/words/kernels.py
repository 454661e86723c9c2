# SPDX-License-Identifier: Apache-2.0
"""Recorded kernels in sentences, and as tables of text for the terminal and the Markdown summary."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.kernels.entries import (
    CalledKernels,
    Coverage,
    KernelEntry,
    RegisteredKernels,
    TimeCoverage,
)
from model_profiling.analysis.kernels.side_by_side import KernelView
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.pipeline.kernel_names import COMPUTE, FAMILY_TITLES, SME, SME2
from model_profiling.report.words.table import NONE, Table
from model_profiling.wording import count, percent


def coverage_sentence(coverage: Coverage, what: str = FAMILY_TITLES[SME2]) -> str:
    """Return "42 of 54 matrix layers, 97 % of multiply-adds, reach SME2 kernels"."""
    if not coverage.all_layers:
        return f"The model has no matrix layers, so nothing of it can reach {what} kernels"
    return f"{_counts(coverage)}, reach {what} kernels"


def _counts(coverage: Coverage) -> str:
    return f"{coverage.layers} of {coverage.all_layers} matrix layers, {percent(coverage.share)} of multiply-adds"


def time_sentence(shares: TimeCoverage, where: str) -> str:
    """Say how much of the time passes in layers that reach SME2; `where` names the experiment that was timed."""
    return (
        f"Layers that call {FAMILY_TITLES[SME2]} kernels take {percent(shares.matrix_share)} of the matrix layers' "
        f"time and {percent(shares.execution_share)} of an execution (traced in {where})"
    )


def kernel_sentences(entry: KernelEntry) -> tuple[str, ...]:
    """Return what a launch that recorded kernels shows, the main thing first."""
    if isinstance(entry, CalledKernels):
        times = (time_sentence(shares, name) for name, shares in entry.time.items())
        return (_called_sentence(entry), *times)
    return (_registered_sentence(entry), *([_packed_sentence(entry.packed_for_sme)] if entry.packed_for_sme else []))


def _called_sentence(entry: CalledKernels) -> str:
    if entry.coverage is None:
        return "The model's layers are not known, and so neither is how many reach SME2"
    return coverage_sentence(entry.coverage)


def _registered_sentence(entry: RegisteredKernels) -> str:
    return (
        f"XNNPACK registered {entry.kernels} kernels while loading, {entry.computing(SME2) or 'none'} of them "
        f"{FAMILY_TITLES[SME2]}: candidates, not calls"
    )


def _packed_sentence(packed: Coverage) -> str:
    return (
        f"{_counts(packed)}, ran with element types (PF32, PF16, PQS8) that XNNPACK packs for SME and SME2 alone; "
        "they do not tell one from the other"
    )


def kernel_entry_json(entry: KernelEntry) -> dict[str, object]:
    """Return an entry of `kernels` in analysis_summary.json, with its sentences where readers look for them."""
    sentences = kernel_sentences(entry)
    plain = {"evidence": entry.evidence, "sentence": sentences[0], **entry.to_json()}
    if isinstance(entry, CalledKernels):
        told = zip(entry.time.items(), sentences[1:], strict=True)
        plain["sme2_time"] = {name: {**shares.to_json(), "sentence": said} for (name, shares), said in told}
    elif entry.packed_for_sme:
        plain["packed_for_sme"] = {**entry.packed_for_sme.to_json(), "sentence": sentences[1]}
    return plain


def view_notes(view: KernelView) -> Iterator[str]:
    """Yield what a reader of two kernel tables side by side might otherwise take for a result."""
    if view.computes(SME2, 1) and not view.computes(SME2, 0):
        yield "The off side has SME2 kernels and the on side has none: the two tables may be swapped."
    elif view.computes(SME2, 1) or view.computes(SME, 1):
        names = " and ".join(FAMILY_TITLES[family] for family in (SME2, SME) if view.computes(family, 1))
        yield f"The off side still has {names} kernels: it does not show the model without SME."
    if len(view.evidence) > 1:
        yield "The tables mix two kinds of evidence: numbers of the one do not compare with numbers of the other."
    if len(view.models) > 1:
        yield "The tables name different models: differences need not come from the CPU's features."
    if view.uncounted:
        yield "Some called kernels come without a number of calls; sums leave them out."


def kernel_table(summary: AnalysisSummary) -> Table | None:
    """Return one row for each launch that recorded kernels; None where none did."""
    columns = (
        "experiment",
        "threads",
        "evidence",
        "SME2 kernels",
        "matrix layers on them",
        "multiply-adds on them",
        "calls of all kernels",
    )
    rows = []
    for name, threads, entry in summary.kernels.entries():
        called = entry if isinstance(entry, CalledKernels) else None
        coverage = called.coverage if called else None
        rows.append(
            (
                name,
                str(threads),
                entry.evidence,
                str(entry.families.get(SME2, {}).get(COMPUTE, 0)),
                f"{coverage.layers} of {coverage.all_layers}" if coverage else NONE,
                percent(coverage.share) if coverage else NONE,
                f"{called.kernel_calls:,}" if called else NONE,
            )
        )
    return Table("Kernels", columns, tuple(rows), frozenset(columns[3:])) if rows else None


def missing_tables(summary: AnalysisSummary) -> Iterator[Table]:
    """Yield, of each launch that called SME2 kernels, the matrix layers that reach none, the largest first."""
    columns = ("layer", "multiply-adds", "ran as")
    for name, threads, entry in summary.kernels.entries():
        layers = entry.matrix_layers if isinstance(entry, CalledKernels) else ()
        missing = sorted((layer for layer in layers if not layer.reached), key=lambda layer: -layer.multiply_adds)
        if missing and len(missing) < len(layers):
            rows = tuple(
                (layer.layer, f"{layer.multiply_adds:,}", " + ".join(layer.operators) or "not run") for layer in missing
            )
            title = f"Matrix layers that do not reach SME2: {name}, {count(threads, 'thread')}"
            yield Table(title, columns, rows, frozenset(("multiply-adds",)))
