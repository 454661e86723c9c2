# SPDX-License-Identifier: Apache-2.0
"""What a preview on an emulated CPU shows, in JSON and Markdown: which layers reach SME2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from model_profiling.agreement import Agreement
from model_profiling.analysis.kernels.preview import PreviewVariant
from model_profiling.analysis.kernels.uses import KernelUse, compute_kernels, matrix_layers, missing
from model_profiling.analysis.traces.layers import Layer
from model_profiling.pipeline.kernel_names import SME, SME2
from model_profiling.report.words.kernels import coverage_sentence
from model_profiling.report.words.markup import printed
from model_profiling.report.words.table import Table

SCHEMA_VERSION = 1
_NO_KERNEL = "none of KleidiAI's"
_NOTE = (
    "The CPU is emulated: this shows which kernels run and what they compute, and says nothing about how fast a "
    "device runs them. A layer with none of KleidiAI's kernels runs one of XNNPACK's own, which this record does not "
    "name."
)


def sentence(layers: Sequence[Layer], variant: PreviewVariant) -> str:
    """Return the one sentence of a preview, about its first variant."""
    said = coverage_sentence(variant.coverage(layers, SME2))
    return said if variant.name == SME2 else f"The CPU {variant.cpu} has no SME2: {said[:1].lower()}{said[1:]}"


def disagreements(variants: Sequence[PreviewVariant]) -> tuple[str, ...]:
    """Return a sentence for each variant whose outputs are others than those without SME."""
    return tuple(
        f"The outputs of {v.title} do not agree with those without SME: {_agreement(v.agreement)}"
        for v in variants
        if v.disagrees
    )


def preview_json(
    about: Mapping[str, object], layers: Sequence[Layer], variants: Sequence[PreviewVariant]
) -> dict[str, object]:
    """Return the preview as plain JSON values; `about` says what ran on what."""
    kernels = [compute_kernels(v.uses) for v in variants]
    return {
        "schema_version": SCHEMA_VERSION,
        **about,
        "sentence": sentence(layers, variants[0]),
        "disagreements": list(disagreements(variants)),
        "variants": {v.name: _variant_json(layers, v) for v in variants},
        "matrix_layers": [
            {
                "layer": layer.layer,
                "multiply_adds": layer.multiply_adds,
                "kernels": {
                    v.name: {use.kernel: use.calls for use in held.get(layer.layer, ())}
                    for v, held in zip(variants, kernels, strict=True)
                },
            }
            for layer in layers
            if layer.matrix
        ],
    }


def _variant_json(layers: Sequence[Layer], variant: PreviewVariant) -> dict[str, object]:
    return {
        "title": variant.title,
        "cpu": variant.cpu,
        "disabled_cpu_features": list(variant.disabled),
        "kernel_calls": variant.calls,
        "compute_calls": variant.compute_calls(),
        "coverage": {
            family: {**asdict(reach), "share_of_multiply_adds": reach.share}
            for family in (SME2, SME)
            for reach in [variant.coverage(layers, family)]
        },
        "agreement": variant.agreement and variant.agreement.to_json(),
    }


def preview_markdown(model_id: str, layers: Sequence[Layer], variants: Sequence[PreviewVariant]) -> str:
    """Return the preview for people: the sentence, the variants, the layers that miss SME2, every matrix layer."""
    parts = [
        f"# SME2 preview of {printed(model_id)}\n",
        f"**{sentence(layers, variants[0])}.**\n",
        f"{_NOTE}\n",
        *(f"**{told}.**\n" for told in disagreements(variants)),
        _variants_table(layers, variants).markdown(),
    ]
    if variants[0].name == SME2:
        parts.append(_missing_table(layers, variants[0]).markdown())
    parts.append(_kernels_table(layers, variants).markdown())
    return "\n".join(parts)


def _variants_table(layers: Sequence[Layer], variants: Sequence[PreviewVariant]) -> Table:
    rows = []
    for v in variants:
        reach = [v.coverage(layers, family) for family in (SME2, SME)]
        rows.append((v.title, str(v.calls), *(f"{c.layers} of {c.all_layers}" for c in reach), _agreement(v.agreement)))
    columns = (
        "CPU",
        "KleidiAI calls",
        "layers on SME2 kernels",
        "layers on SME kernels",
        "outputs against those without SME",
    )
    return Table("Variants", columns, tuple(rows), frozenset(columns[1:4]))


def _agreement(agreement: Agreement | None) -> str:
    if agreement is None:
        return "the reference"
    if agreement.identical:
        return "identical"
    if agreement.max_rel_error is None or agreement.cosine is None:
        return "not comparable: NaN or infinite values"
    return (
        f"differ by at most {100 * agreement.max_rel_error:.2g} % of the largest value, cosine {agreement.cosine:.6f}"
    )


def _missing_table(layers: Sequence[Layer], variant: PreviewVariant) -> Table:
    """Return the matrix layers that compute without SME2, the largest first, with the operators that they ran as."""
    rows = tuple(
        (x.layer, f"{x.multiply_adds:,}", " + ".join(x.operators) or "not run")
        for x in missing(matrix_layers(layers, variant.uses))
    )
    return Table(
        "Matrix layers that do not reach SME2",
        ("layer", "multiply-adds", "ran as"),
        rows,
        frozenset(("multiply-adds",)),
    )


def _kernels_table(layers: Sequence[Layer], variants: Sequence[PreviewVariant]) -> Table:
    kernels = [compute_kernels(v.uses) for v in variants]
    rows = tuple(
        (layer.layer, f"{layer.multiply_adds:,}", *(_kernel_cell(held.get(layer.layer, ())) for held in kernels))
        for layer in layers
        if layer.matrix
    )
    return Table(
        "Kernels of every matrix layer",
        ("layer", "multiply-adds", *(v.title for v in variants)),
        rows,
        frozenset(("multiply-adds",)),
    )


def _kernel_cell(uses: Sequence[KernelUse]) -> str:
    return ", ".join(f"{use.kernel.removeprefix('kai_run_')} x {use.calls}" for use in uses) or _NO_KERNEL
