# SPDX-License-Identifier: Apache-2.0
"""The files of an analyzed run: tables, metrics and summaries, values and words put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.analysis.comparing.noise_floor import noise_floor
from model_profiling.analysis.run import Analysis, analyze
from model_profiling.analysis.summary import SCHEMA_VERSION
from model_profiling.analysis.tables.opportunities import opportunities_csv
from model_profiling.files import json_bytes, write_bytes
from model_profiling.pipeline.program_records import keep_records
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.words.advice import opportunity_json
from model_profiling.report.words.kernels import kernel_entry_json
from model_profiling.report.words.notes import run_notes
from model_profiling.report.words.summary import summary_markdown


def analyze_run(directory: RunDirectory) -> Analysis:
    """Analyze a run and write its files; everything is read before anything is written. Raises as `analyze`."""
    analysis = analyze_anew(directory)
    write(analysis)
    return analysis


def analyze_anew(directory: RunDirectory) -> Analysis:
    """Analyze a run with what lies beside its models by now, as a preview that was made since. Raises as `analyze`."""
    keep_records(directory, directory.read_manifest())
    return analyze(directory)


def write(analysis: Analysis) -> tuple[Path, ...]:
    """Write the files of an analyzed run, and return them."""
    return tuple(write_bytes(path, content) for path, content in files_of(analysis).items())


def derive(directory: RunDirectory) -> dict[Path, bytes]:
    """Return every file that an analysis writes with its content, writing nothing.

    A validator holds what it finds in a run directory against this.
    """
    return files_of(analyze(directory))


def files_of(analysis: Analysis) -> dict[Path, bytes]:
    """Return the content of each file of an analyzed run, in writing order."""
    directory, model, manifest = analysis.directory, analysis.summary.model, analysis.manifest
    plain = pipeline_summary(analysis, run_notes(analysis))
    files = dict(analysis.tables)
    files[directory.metrics] = json_bytes(analysis.metrics.to_json())
    if analysis.summary.opportunities:
        files[directory.opportunities] = opportunities_csv(map(opportunity_json, analysis.summary.opportunities))
    if manifest.calibration:
        files[directory.noise_floor] = json_bytes(noise_floor(manifest, analysis.summary.comparisons))
    files[directory.pipeline_summary_json(model)] = json_bytes(plain)
    files[directory.pipeline_summary_md(model)] = summary_markdown(analysis).encode("utf-8")
    # Last, because a report takes its presence for a finished analysis.
    files[directory.analysis_summary] = json_bytes(summary_json(analysis))
    return files


def summary_json(analysis: Analysis) -> dict[str, object]:
    """Return the content of analysis_summary.json."""
    return analysis.summary.to_json(kernel_entry_json, opportunity_json)


def pipeline_summary(analysis: Analysis, notes: Sequence[str]) -> dict[str, object]:
    """Return the content of `<model>_pipeline_summary.json`: a run on one page."""
    manifest, summary = analysis.manifest, analysis.summary
    return {
        "schema_version": SCHEMA_VERSION,
        "model": manifest.model.id,
        "feature": manifest.feature.to_json(),
        "executorch": manifest.executorch.to_json(),
        "cpu": manifest.cpu.model_name,
        "seed": manifest.seed,
        "quick": manifest.quick,
        "started": manifest.started,
        "finished": manifest.finished,
        "experiments": summary.experiments.to_json(
            lambda experiment: {
                "time_ms": experiment.time_ms,
                "median_ms": experiment.latency_ms.median,
                "p90_ms": experiment.latency_ms.p90,
                "launches": experiment.launches,
                "executions": experiment.executions,
            }
        ),
        "comparisons": [
            {key: value for key, value in comparison.to_json().items() if key != "operators"}
            for comparison in summary.comparisons
        ],
        "notes": list(notes),
    }
