# SPDX-License-Identifier: Apache-2.0
"""Check a run's results: the files are there, they follow from the traces, the numbers make sense."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

from model_profiling.analysis.checks.ceilings import check_ceilings
from model_profiling.analysis.checks.kernel_launches import check_kernel_launches
from model_profiling.analysis.checks.launches import check_launches
from model_profiling.analysis.checks.recorded_run import Run, read_run
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.summary import AnalysisSummary, ByExperiment, ExperimentSummary
from model_profiling.errors import UserError
from model_profiling.findings import ERROR, Finding, error, ok, warning
from model_profiling.paired_statistics import FASTER, NO_DIFFERENCE, NO_VERDICT, SLOWER
from model_profiling.pipeline.run_directory import RunDirectory

#: Times and the ratio shown with them agree within this share, but for rounding of the last digits in JSON.
RATIO_TOLERANCE = 1e-6
#: Categories must sum to the traced time within this share (a contract of the summary).
SUM_TOLERANCE = 0.01
#: Numbers read back from JSON must equal those derived anew within this share.
NUMBER_TOLERANCE = 1e-9
#: Beyond this, a CPU feature is not what made the difference.
IMPLAUSIBLE_SPEEDUP = 100.0
_AGAIN = "run analyze_results.py --run-dir {} again"


#: Returns what each file of an analyzed run should hold; raises `UserError`.
Derive = Callable[[RunDirectory], Mapping[Path, bytes]]


def check_results(directory: RunDirectory, derive: Derive) -> list[Finding]:
    """Return one finding or more for each check of a run directory."""
    try:
        run = read_run(directory)
    except UserError as problem:
        check = "launches" if str(directory.launches) in problem.where else "manifest"
        return [error(check, f"{problem.what}, {problem.where}", problem.fix)]
    findings = [
        ok("manifest", "the manifest is whole"),
        *check_launches(run),
        *check_ceilings(run),
        *check_kernel_launches(directory, run.manifest, run.config),
    ]
    try:
        derived = derive(directory)
    except UserError as problem:
        return [*findings, error("analysis", f"{problem.what}, {problem.where}", problem.fix)]
    findings += _check_files(run, derived)
    findings += _check_summary(run)
    findings += _check_reports(run)
    return findings


def _check_files(run: Run, derived: Mapping[Path, bytes]) -> Iterator[Finding]:
    """Hold every table and summary against what the traces give today."""
    again, wrong = _AGAIN.format(run.directory.root), 0
    for path, content in derived.items():
        problem = _difference(path, content)
        if problem:
            wrong += 1
            kind = "tables" if path.suffix == ".csv" else "summaries"
            yield error(kind, f"{path.relative_to(run.directory.root)} {problem}", again)
    if not wrong:
        yield ok("tables", f"{len(derived)} files follow from the traces")


def _difference(path: Path, content: bytes) -> str | None:
    """Say what is wrong with a file that should hold `content`; None when nothing is."""
    if not path.is_file():
        return "is missing"
    held = path.read_bytes()
    if held == content:
        return None
    if path.suffix == ".csv":
        return _csv_difference(held, content)
    if path.suffix == ".json":
        return _json_difference(held, content)
    return "does not follow from the traces"


def _csv_difference(held: bytes, content: bytes) -> str:
    try:
        rows, wanted = (list(csv.DictReader(io.StringIO(data.decode("utf-8")))) for data in (held, content))
    except (UnicodeDecodeError, csv.Error) as problem:
        return f"is not a CSV file ({problem})"
    if not rows or list(rows[0]) != list(wanted[0]):
        return "lacks columns or rows"
    if rows[0].get("experiment") != wanted[0].get("experiment"):
        return f"holds the rows of {rows[0].get('experiment')}, not of {wanted[0].get('experiment')}: arms swapped"
    for number, row in enumerate(rows, 2):
        for column in ("duration_us", "median_us", "total_ms_per_run"):
            if column in row and not _plausible(row[column]):
                return f"holds an impossible {column} ({row[column]}) on line {number}"
    if len(rows) != len(wanted):
        return f"has {len(rows)} rows, the traces give {len(wanted)}"
    for number, (row, right) in enumerate(zip(rows, wanted, strict=True), 2):
        for column, value in right.items():
            if row.get(column) != value:
                return f"has {column} {row.get(column)} on line {number}, the traces give {value}"
    return "differs in white space or quoting"


def _plausible(text: str | None) -> bool:
    try:
        value = float(text or "nan")
    except ValueError:
        return False
    return math.isfinite(value) and value >= 0


def _json_difference(held: bytes, content: bytes) -> str | None:
    try:
        value = json.loads(held)
    except ValueError as problem:
        return f"is not JSON ({problem})"
    place = _first_difference(value, json.loads(content), "")
    return None if place is None else f"does not follow from the traces ({place})"


def _first_difference(held: object, wanted: object, path: str) -> str | None:
    """Return where two JSON values differ, numbers compared within `NUMBER_TOLERANCE`."""
    if isinstance(wanted, dict) and isinstance(held, dict):
        for key in [*wanted, *(k for k in held if k not in wanted)]:
            place = f"{path}.{key}" if path else str(key)
            if key not in held or key not in wanted:
                return f"{place} is {'missing' if key not in held else 'not a key of it'}"
            inner = _first_difference(held[key], wanted[key], place)
            if inner:
                return inner
        return None
    if isinstance(wanted, list) and isinstance(held, list) and len(wanted) == len(held):
        places = (_first_difference(f, w, f"{path}[{i}]") for i, (f, w) in enumerate(zip(held, wanted, strict=True)))
        return next((place for place in places if place), None)
    if _is_number(held) and _is_number(wanted):
        same = math.isclose(held, wanted, rel_tol=NUMBER_TOLERANCE, abs_tol=1e-12)
    else:
        same = type(held) is type(wanted) and held == wanted
    return None if same else f"{path} is {_shown(held)}, not {_shown(wanted)}"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


def _check_summary(run: Run) -> Iterator[Finding]:
    """Check that the summary's numbers add up and its comparisons make sense."""
    try:
        summary = AnalysisSummary.read(run.directory)
    except UserError:
        return  # missing, unreadable or of another shape: reported with the files
    problems = [*_experiments(run, summary), *_comparisons(run, summary)]
    passed = "categories sum to the traced time; times have the ratios shown with them; verdicts follow"
    yield from problems or [ok("sums and comparisons", passed)]


def _experiments(run: Run, summary: AnalysisSummary) -> Iterator[Finding]:
    again = _AGAIN.format(run.directory.root)
    for name, threads, experiment in summary.experiments.entries():
        where = f"{name} at {threads} threads"
        yield from (error(check, f"{where}: {what}", again) for check, what in _experiment_problems(experiment))
        if experiment.traced and experiment.traced.unmapped_operators:
            operators = ", ".join(experiment.traced.unmapped_operators)
            yield warning("categories", f"{where}: {operators} counted as Other")


def _experiment_problems(experiment: ExperimentSummary) -> Iterator[tuple[str, str]]:
    latency = experiment.latency_ms
    if not 0 < latency.min <= latency.median <= latency.max or not latency.min <= latency.mean <= latency.max:
        yield "latency", "minimum, median, mean and maximum are not in order"
    if experiment.traced is None:
        return
    times, traced = experiment.traced.categories_ms.values(), experiment.traced.time_ms
    if abs(sum(times) - traced) > SUM_TOLERANCE * traced:
        yield "sums", f"categories sum to {sum(times):.4f} ms, a traced execution takes {traced:.4f} ms"
    if any(value < -SUM_TOLERANCE * traced for value in times):
        yield "sums", "a category has a negative time"


def _comparisons(run: Run, summary: AnalysisSummary) -> Iterator[Finding]:
    again = _AGAIN.format(run.directory.root)
    compare_pairs = () if run.manifest.emulated else run.config.compare_pairs
    wanted = {
        (b, c, t)
        for b, c in compare_pairs
        for t in set(run.config.experiment(b).threads) & set(run.config.experiment(c).threads)
    }
    held = {(c.baseline, c.candidate, c.threads) for c in summary.comparisons}
    for missing in sorted(wanted - held):
        yield error("comparisons", f"{missing[0]} against {missing[1]} at {missing[2]} threads is missing", again)
    for extra in sorted(held - wanted):
        yield error("comparisons", f"{extra[0]} against {extra[1]} at {extra[2]} threads was never asked for", again)
    for c in summary.comparisons:
        where = f"{c.baseline} against {c.candidate} at {c.threads} threads"
        problems = (*_comparison_problems(c), *_contradictions(c, summary.experiments))
        yield from (error("comparisons", f"{where}: {problem}", again) for problem in problems)


def _contradictions(comparison: Comparison, experiments: ByExperiment[ExperimentSummary]) -> Iterator[str]:
    """Yield where times that are shown do not have the ratio that is shown with them."""
    names = (comparison.baseline, comparison.candidate)
    if not all(comparison.threads in experiments.get(name, {}) for name in names):
        return
    before, after = (experiments[name][comparison.threads].time_ms for name in names)
    shown: list[tuple[str, float | None, float | None, float | None]]
    shown = [("the whole model", before, after, comparison.speedup)]
    shown += [
        (o.name, o.baseline.ms if o.baseline else None, o.candidate.ms if o.candidate else None, o.speedup)
        for o in comparison.operators
    ]
    shown += [(layer.layer, layer.baseline_us, layer.candidate_us, layer.speedup) for layer in comparison.layers]
    for what, before, after, ratio in shown:
        if before and after and ratio and abs(before / after / ratio - 1) > RATIO_TOLERANCE:
            yield f"{what}: {before:g} over {after:g} is not the ratio {ratio:g}"


def _comparison_problems(comparison: Comparison) -> Iterator[str]:
    speedup, interval, verdict = comparison.speedup, comparison.interval, comparison.verdict
    if not 1 / IMPLAUSIBLE_SPEEDUP < speedup < IMPLAUSIBLE_SPEEDUP:
        yield f"a speed-up of {speedup:g} is not plausible"
    if verdict not in (FASTER, SLOWER, NO_DIFFERENCE, NO_VERDICT):
        yield f"{verdict!r} is not a verdict"
    if interval is None:
        return
    if speedup not in interval:
        yield f"the speed-up {speedup:g} lies outside its interval"
    if verdict == FASTER and interval.low <= 1 or verdict == SLOWER and interval.high >= 1:
        yield f"the verdict {verdict} does not follow from the interval"


def _check_reports(run: Run) -> Iterator[Finding]:
    directory, again = run.directory, f"run generate_report.py --run-dir {run.directory.root} again"
    missing = [p.name for p in (directory.report_md, directory.report_html, directory.timeline_json) if not p.is_file()]
    if missing or (run.config.timed and not any(directory.figures.glob("*.svg"))):
        yield error("report", f"{', '.join(missing) or 'figures'} missing", again)
    elif (
        directory.analysis_summary.is_file()
        and directory.report_html.stat().st_mtime < directory.analysis_summary.stat().st_mtime - 1
    ):
        yield warning("report", "the report is older than the analysis", again)
    else:
        yield ok("report", "report and figures are there")


def has_errors(findings: list[Finding]) -> bool:
    """Return whether any finding is an error."""
    return any(f.level == ERROR for f in findings)
