# SPDX-License-Identifier: Apache-2.0
"""Analyzes a run directory: traces to tables, launches to statistics, all to the summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis import summary
from model_profiling.analysis.comparing.arms import Arm, Blocks, collect_arms, counting_blocks
from model_profiling.analysis.comparing.comparison import compare
from model_profiling.analysis.comparing.noise_floor import known_floors, noise_floor
from model_profiling.analysis.kernels.recorded import kernel_tables, kernels_summary, read_recorded
from model_profiling.analysis.kernels.time import EMULATED
from model_profiling.analysis.tables.layers import layers_csv
from model_profiling.analysis.tables.operators import operators_csv
from model_profiling.analysis.tables.timeline import first_run_csv, timeline_csv
from model_profiling.analysis.traces.layers import Layer, layer_stats, model_layers
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.recording import Identity
from model_profiling.files import json_bytes, write_bytes
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.program.layers import read_graph
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.words import kernels as kernel_text
from model_profiling.report.words import summary as text


@dataclass(frozen=True)
class Analysis:
    """What an analysis found: the summary, notes, and each file's content, in writing order.

    `feature` is the sentence that says what was switched between the experiments.
    """

    summary: dict
    feature: str
    notes: tuple[str, ...]
    files: dict[Path, bytes]
    quick: bool


def analyze_run(directory: RunDirectory) -> Analysis:
    """Analyze a run and write its tables and summaries; everything is read before anything is written.

    Raises
    ------
    UserError : no run, no complete pair of launches, a missing or damaged trace.
    """
    analysis = analyze(directory)
    for path, content in analysis.files.items():
        write_bytes(path, content)
    return analysis


def derive(directory: RunDirectory) -> dict[Path, bytes]:
    """Return every file that an analysis writes with its content, writing nothing.

    A validator holds what it finds in a run directory against this.
    """
    return analyze(directory).files


def analyze(directory: RunDirectory) -> Analysis:
    """Analyze a run without writing anything; raises as `analyze_run`."""
    manifest = directory.read_manifest()
    config, launches = manifest.config, directory.read_launches()
    blocks = counting_blocks(launches, config)
    graph = read_graph(directory.model_graph) if directory.model_graph.is_file() else ()
    arms, layers = collect_arms(directory, config, blocks, graph), model_layers(graph)
    # Raw tables are kept of an emulated CPU too; no latency and no ratio is made of its times.
    timed = () if manifest.emulated else arms
    comparisons = _comparisons(config, timed, blocks, layers, known_floors(manifest), manifest.quick)
    found = summary.analysis_summary(manifest, timed, comparisons)
    recorded = read_recorded(directory, config, graph, manifest, arms)
    if recorded:
        found["kernels"] = kernels_summary(recorded)
    compared = config.compare_pairs if timed or not arms else ()
    remarks = [
        *([] if timed or not arms else [EMULATED]),
        *summary.notes(arms, launches, comparisons, compared),
        *(note for r in recorded for note in r.notes()),
    ]
    model = manifest.model.id
    plain = summary.pipeline_summary(manifest, found, remarks)
    files = {path: content for arm in arms for path, content in _tables(directory, model, arm, layers).items()}
    files.update(kernel_tables(directory, model, recorded))
    files[directory.metrics] = json_bytes(summary.metrics(manifest, timed, launches))
    if manifest.calibration:
        files[directory.noise_floor] = json_bytes(noise_floor(manifest, comparisons))
    files[directory.pipeline_summary_json(model)] = json_bytes(plain)
    files[directory.pipeline_summary_md(model)] = _markdown(plain, found).encode("utf-8")
    # Last, because a report takes its presence for a finished analysis.
    files[directory.analysis_summary] = json_bytes(found)
    return Analysis(found, manifest.feature.sentence, tuple(remarks), files, manifest.quick)


def _markdown(plain: dict, found: dict) -> str:
    kernels = kernel_text.kernel_table(found)
    return text.summary_markdown(plain, found, [*([kernels] if kernels else []), *kernel_text.missing_tables(found)])


def _comparisons(
    config: Config, arms: Sequence[Arm], blocks: Blocks, layers: Sequence[Layer], floors: dict[int, float], quick: bool
) -> list[dict]:
    by_name = {(arm.experiment, arm.threads): arm for arm in arms}
    found = []
    for baseline, candidate in config.compare_pairs:
        for threads in config.experiment(baseline).threads:
            sides = by_name.get((baseline, threads)), by_name.get((candidate, threads))
            if all(sides):
                found.append(compare(*sides, blocks, floors.get(threads), quick, layers))
    return [entry for entry in found if entry is not None]


def _tables(directory: RunDirectory, model: str, arm: Arm, layers: Sequence[Layer]) -> dict[Path, bytes]:
    if not arm.recordings:
        return {}
    identity = Identity(model, arm.experiment, arm.threads)
    contents = {
        "all_runs_timeline": timeline_csv(identity, arm.recordings),
        "run0_timeline": first_run_csv(identity, arm.recordings),
        "ops_stats": operators_csv(identity, operator_stats(arm.recordings)),
    }
    if layers:
        contents["layers"] = layers_csv(identity, layer_stats(arm.recordings, layers))
    return {directory.table(model, arm.experiment, arm.threads, kind): content for kind, content in contents.items()}
