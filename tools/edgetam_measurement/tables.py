# SPDX-License-Identifier: Apache-2.0
"""Samples to results, and results to the example's page material."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from model_profiling.analysis.traces.breakdown import PARTS
from model_profiling.export.recipes import recipes
from model_profiling.export.sidecar import versions
from model_profiling.models.edgetam_image_encoder.variants import (
    CHOSEN,
    FOLDED,
    PLAIN,
    WITHOUT_ENCODINGS,
    program_of,
    variant_names,
)
from model_profiling.paired_statistics import estimate, verdict
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.run_directory import utc_now
from model_profiling.report.words.table import Table
from model_profiling.wording import count
from tools.edgetam_measurement.launches import MeasurementSettings, Sample
from tools.edgetam_measurement.programs import ExportedVariant

SCHEMA_VERSION = 1
#: A part of measured.json.
Results = Mapping[str, Any]
_MEGA = 1e6
#: What each step changes and why, beside what it was measured to gain.
STEPS = {
    PLAIN: "The original architecture exported as it stands, after a first image has filled its cache of position "
    "encodings.",
    WITHOUT_ENCODINGS: "Position encodings leave the program. They depend on the image's size alone, and as constants "
    "they are most of the file.",
    FOLDED: "Batch norm is folded and each token mixer's three branches become one depthwise convolution: at inference "
    "they are one linear map, and the other two read and write every activation again. The conversion to float32 "
    "before enlarging, which changes nothing there, is left out too.",
    CHOSEN: "Enlarging is part of the addition, so that no operator of it is outside XNNPACK; in fp16, GELU is a "
    "sigmoid of a cubic, made of operators that XNNPACK has.",
}


def results_of(
    dtype: str, programs: Mapping[str, ExportedVariant], samples: Mapping[str, Sequence[Sample]]
) -> dict[str, Any]:
    """Return what is known of each program in `dtype`, and every comparison of it."""
    return {
        "dtype": dtype,
        "measured": utc_now(),
        "programs": {name: _program(programs[name], samples[name]) for name in programs},
        "comparisons": [_comparison(PLAIN, name, samples) for name in programs if name != PLAIN]
        + [_comparison(CHOSEN, name, samples) for name in programs if name not in (PLAIN, CHOSEN)],
    }


def _program(program: ExportedVariant, samples: Sequence[Sample]) -> dict[str, Any]:
    about = program.sidecar
    return {
        "bytes": about["pte"]["bytes"],
        "sha256": about["pte"]["sha256"],
        "parameters": about["parameters"],
        "delegates": about["delegation"]["delegates"],
        "portable_operators": about["delegation"]["portable_operators"],
        "agreement": {key: about["agreement"][key] for key in ("max_rel_error", "cosine")},
        "latency_ms": [round(sample.latency_ms, 3) for sample in samples],
        "enlarging_ms": [round(sample.enlarging_ms, 3) for sample in samples],
        "categories_ms": {part: round(statistics.median(s.categories_ms[part] for s in samples), 3) for part in PARTS},
    }


def _comparison(baseline: str, candidate: str, samples: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    def entry(values: Mapping[str, list[float]]) -> dict[str, Any]:
        compared = estimate(values[baseline], values[candidate])
        return {
            "speedup": compared.speedup,
            "ci95": None if compared.low is None else [compared.low, compared.high],
            "p_value": compared.p_value,
            "verdict": verdict(compared),
        }

    chosen = (baseline, candidate)
    return {
        "baseline": baseline,
        "candidate": candidate,
        "blocks": len(samples[baseline]),
        "model": entry({name: [s.latency_ms for s in samples[name]] for name in chosen}),
        "enlarging": entry({name: [s.enlarging_ms for s in samples[name]] for name in chosen}),
    }


def measured(settings: MeasurementSettings, of_dtypes: Sequence[Results]) -> dict[str, Any]:
    """Return all results with where they come from."""
    cpu = cpu_features.detect()
    order = {dtype: index for index, dtype in enumerate(recipes())}
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": versions(),
        "machine": {
            "cpu": cpu.model_name,
            "architecture": cpu.architecture,
            "cores": cpu.cores,
            "features": sorted(cpu.names),
            **LocalDevice().describe(),
        },
        "settings": {
            "image": [1, 3, settings.size, settings.size],
            "blocks": settings.blocks,
            "runs": settings.runs,
            "threads": settings.threads,
            "seed": settings.seed,
        },
        "dtypes": sorted(of_dtypes, key=lambda entry: order[entry["dtype"]]),
    }


def markdown(results: Results) -> str:
    """Return the results as the example's page material."""
    machine, settings, made = results["machine"], results["settings"], results["versions"]
    parts = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n# EdgeTAM's image encoder: what each change gained\n",
        "Made by `python tools/measure_edgetam_encoder.py`; "
        "the same numbers, launch by launch, are in `measured.json`.\n\n"
        f"- Measured {_dates(results)} on {machine['cpu']} ({machine['architecture']}, {machine['cores']} cores, "
        f"{machine['system']}), ExecuTorch {made['executorch']}, torch {made['torch']}. This CPU "
        f"{'has' if 'sme2' in machine['features'] else 'has no'} SME2: other CPUs give other times.\n"
        f"- Image {'x'.join(map(str, settings['image']))}, {count(settings['threads'], 'thread')}, "
        f"{settings['blocks']} launches of each program in randomized "
        f"blocks, each the median of {settings['runs']} executions. Ratios are of launches in the same block, "
        f"with a 95 % interval; "
        f'"no difference shown" is no proof of equality. Times by category come from '
        f'traced executions, and so does "enlarging": the operators that enlarge and add, with all transpositions '
        f"between layouts, since a form outside XNNPACK has every map that is there at that point transposed twice.\n"
        f"- Weights are drawn, not trained: speed does not depend on them, agreement in int8 does.\n",
        "## The changes\n\n" + "\n".join(f"- `{name}`: {text}" for name, text in STEPS.items()) + "\n",
    ]
    for entry in results["dtypes"]:
        parts += [_steps(entry).markdown(), _categories(entry).markdown()]
        if _keeps_float32(entry):
            parts.append(
                "The weights of this program's convolutions are in float32: ExecuTorch stores them so, and the "
                "runtime converts them while it loads the program.\n"
            )
        parts += [_forms(entry, group).markdown() for group in ("enlarging", "gelu") if _has_forms(entry, group)]
    return "\n".join(parts)


def _dates(results: Results) -> str:
    days = sorted({entry["measured"][:10] for entry in results["dtypes"]})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _steps(entry: Results) -> Table:
    rows = []
    for name in variant_names()["steps"]:
        program = entry["programs"][name]
        rows.append(
            (
                f"{name}",
                f"{program['bytes'] / _MEGA:.2f}",
                str(program["delegates"]),
                str(program["portable_operators"]),
                f"{statistics.median(program['latency_ms']):.1f}",
                _ratio(entry, PLAIN, name),
                f"{program['agreement']['max_rel_error']:.2g}",
            )
        )
    return Table(
        f"{entry['dtype']}: step by step",
        ("program", "MB", "delegates", "outside XNNPACK", "ms", "times as fast as plain", "relative error"),
        tuple(rows),
        frozenset({"MB", "delegates", "outside XNNPACK", "ms", "relative error"}),
    )


def _categories(entry: Results) -> Table:
    first, last = entry["programs"][PLAIN]["categories_ms"], entry["programs"][CHOSEN]["categories_ms"]
    rows = tuple((part, f"{first[part]:.1f}", f"{last[part]:.1f}") for part in PARTS)
    return Table(f"{entry['dtype']}: ms by category", ("category", PLAIN, CHOSEN), rows, frozenset({PLAIN, CHOSEN}))


def _keeps_float32(entry: Results) -> bool:
    """Tell whether an fp16 program is too large for weights of two bytes each."""
    chosen = entry["programs"][CHOSEN]
    return bool(entry["dtype"] == "fp16" and chosen["bytes"] > 3 * chosen["parameters"])


def _has_forms(entry: Results, group: str) -> bool:
    """Tell whether forms of `group` were measured in this dtype, beside those that the steps have."""
    programs = {program_of(form, entry["dtype"]) for form in variant_names()[group]}
    return (
        programs <= set(entry["programs"])
        and not programs <= set(variant_names()["steps"])
        and (group != "gelu" or entry["dtype"] == "fp16")
    )


def _forms(entry: Results, group: str) -> Table:
    rows = []
    for form in variant_names()[group]:
        name = program_of(form, entry["dtype"])
        program = entry["programs"][name]
        rows.append(
            (
                form,
                str(program["delegates"]),
                str(program["portable_operators"]),
                f"{program['bytes'] / _MEGA:.2f}",
                f"{statistics.median(program['latency_ms']):.1f}",
                f"{statistics.median(program['enlarging_ms']):.2f}",
                _ratio(entry, CHOSEN, name),
                _ratio(entry, CHOSEN, name, "enlarging"),
                f"{program['agreement']['max_rel_error']:.2g}",
            )
        )
    return Table(
        f"{entry['dtype']}: forms of {'GELU' if group == 'gelu' else group}",
        (
            "form",
            "delegates",
            "outside XNNPACK",
            "MB",
            "ms",
            "enlarging ms",
            "times as fast as chosen",
            "enlarging: times as fast as chosen",
            "relative error",
        ),
        tuple(rows),
        frozenset({"delegates", "outside XNNPACK", "MB", "ms", "enlarging ms", "relative error"}),
    )


def _ratio(entry: Results, baseline: str, candidate: str, of: str = "model") -> str:
    if baseline == candidate:
        return "1"
    compared = next(c for c in entry["comparisons"] if (c["baseline"], c["candidate"]) == (baseline, candidate))[of]
    interval = f" ({compared['ci95'][0]:.3f} to {compared['ci95'][1]:.3f})" if compared["ci95"] else ""
    return f"{compared['speedup']:.3f}{interval}, {compared['verdict']}"
