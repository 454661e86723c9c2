# SPDX-License-Identifier: Apache-2.0
"""The plausible ranges of the skills: a real run lies inside them, and a broken one does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.export import SharedExports
from support.kit import FIXTURES
from support.skill_failures import SKILLS

from tools.pages.reading.lexer import read_document
from tools.pages.reading.skill_form import Metric, read_form
from tools.skills.metrics import value_of

SUMMARY = "out_toy_cnn/runs/mac/analysis_summary.json"
METRICS = {
    (path.name[:2], metric.name): metric
    for path in sorted(SKILLS.glob("[0-9][0-9]_*.md"))
    for metric in read_form(read_document(path, path.name)).metrics()
}
OF_RUNS = [key for key, metric in METRICS.items() if "out_toy_cnn/runs/mac/" in metric.command]
OF_EXPORTS = [key for key, metric in METRICS.items() if "out_toy_cnn/artifacts/" in metric.command]


def read(metric: Metric, folder: Path) -> float | None:
    """Type a metric's command in `folder` and return what the engine takes for its value."""
    done = subprocess.run(["bash", "-c", metric.command], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return value_of(done.stdout)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """A folder in which the run of the repository lies where the skills' run does."""
    shutil.copytree(FIXTURES / "reference_run" / "mac", tmp_path / "out_toy_cnn/runs/mac")
    return tmp_path


@pytest.mark.parametrize("key", OF_RUNS, ids=" ".join)
def test_the_reference_run_is_plausible(key: tuple[str, str], reference: Path) -> None:
    value = read(METRICS[key], reference)
    assert value is not None and METRICS[key].plausible.holds(value), value


@pytest.mark.parametrize("key", OF_EXPORTS, ids=" ".join)
def test_an_export_is_plausible(key: tuple[str, str], shared_exports: SharedExports, tmp_path: Path) -> None:
    record = shared_exports["toy_cnn", "fp16"].paths.sidecar
    (tmp_path / "out_toy_cnn/artifacts").mkdir(parents=True)
    shutil.copy(record, tmp_path / "out_toy_cnn/artifacts" / record.name)
    value = read(METRICS[key], tmp_path)
    assert value is not None and METRICS[key].plausible.holds(value), value


def put(summary: dict, where: str, value: float) -> None:
    """Put `value` at a place of a summary such as ``comparisons.0.speedup``."""
    *path, last = where.split(".")
    for step in path:
        summary = summary[int(step)] if isinstance(summary, list) else summary[step]
    summary[last] = value


ON = "experiments.mac_sme2_on.1"


@pytest.mark.parametrize(
    ("skill", "name", "where", "value"),
    [
        ("04", "speed-up", "comparisons.0.speedup", 250.0),
        ("04", "speed-up", "comparisons.0.speedup", 0.02),
        ("04", "pairs that count", "comparisons.0.pairs", 3),
        ("04", "latency, feature on", f"{ON}.latency_ms.median", 0.0),
        ("04", "latency, feature on", f"{ON}.latency_ms.median", 2600.0),
        ("04", "cost of the tracer", f"{ON}.tracer_overhead_percent", 95.0),
        ("05", "convolutions, feature on", f"{ON}.categories_ms.CONV", 0.0),
        ("05", "operator time tied to a layer", f"{ON}.attributed_percent", 12.0),
        ("05", "share of the largest category, feature off", "comparisons.0.bottleneck.baseline.percent", 21.0),
        ("05", "time in portable kernels", f"{ON}.portable_ms", 36.0),
        ("05", "framework overhead", f"{ON}.categories_ms.Framework overhead", -3.0),
    ],
)
def test_a_broken_run_is_not_plausible(skill: str, name: str, where: str, value: float, reference: Path) -> None:
    """What a wrong unit, a lost switch, an unread operator or a foreign model leaves is outside."""
    path = reference / SUMMARY
    summary = json.loads(path.read_text(encoding="utf-8"))
    put(summary, where, value)
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False), encoding="utf-8")
    seen = read(METRICS[skill, name], reference)
    assert seen == pytest.approx(value) and not METRICS[skill, name].plausible.holds(seen)


@pytest.mark.parametrize("key", METRICS, ids=" ".join)
def test_every_range_leaves_something_out(key: tuple[str, str]) -> None:
    plausible = METRICS[key].plausible
    assert plausible is not None and not all(map(plausible.holds, (-1e6, 0.0, 1e6)))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
