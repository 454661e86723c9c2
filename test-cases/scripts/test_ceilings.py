# SPDX-License-Identifier: Apache-2.0
"""Ceilings of a run: measured through its runner once a day, kept in the run, and never a reason to fail."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.ceilings import measured_side
from support.kit import kit, write_config

from model_profiling.analysis.advice.ceilings import fastest_rates
from model_profiling.errors import MeasurementError
from model_profiling.pipeline.ceilings import COPY, PATTERNS, READ, UPDATE, Ceilings, MeasuredRates, MemoryRate
from model_profiling.pipeline.config import Config, Experiment
from model_profiling.pipeline.cpu.features import FLOAT16_ARITHMETIC
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.launching import PreparedExperiment
from model_profiling.pipeline.program.layers import Node, build_graph
from model_profiling.pipeline.program.movement import Moved
from model_profiling.pipeline.program.workload import Workload
from model_profiling.pipeline.run_directory import RunDirectory, utc_now
from model_profiling.pipeline.runners.python import PythonRunner
from model_profiling.scripts.ceilings import measuring, program
from model_profiling.scripts.ceilings.program import ceilings_program

KIB = 1024


def node(kind: str, module: str, multiply_adds: int, moved: int) -> Node:
    return Node(kind, module, "", "", kind.lower(), (), (), multiply_adds, "fp32", Moved(moved, 0))


#: Two products, and of two sizes of array a copy, an update and a read.
PROGRAM = (
    node("FullyConnected", "products.0", 1_000_000, 0),
    node("FullyConnected", "products.1", 100_000_000, 0),
    *(
        node(kind, module, 0, size)
        for size in (KIB, 64 * KIB)
        for kind, module in (("Negate", "copy"), ("Abs", "update"), ("GlobalAvgPooling2d", "read"))
    ),
)
TIMES = (
    ("Fully Connected (NC, F32) GEMM", 40),
    ("Fully Connected (NC, F32) GEMM", 2000),
    ("Negate (NC)", 1),
    ("Abs (NC)", 0),
    ("Mean (ND) Reduce2", 2),
    ("Negate (NC)", 32),
    ("Abs (NC)", 16),
    ("Mean (ND) Reduce2", 64),
)


def test_the_fastest_product_and_the_fastest_of_each_pattern_count() -> None:
    peak, rates = fastest_rates(measured_side("on", PROGRAM, TIMES))
    assert peak == 100.0, "2 x 100 M operations in 2 ms; the small product reaches 50"
    assert rates == (
        MemoryRate(COPY, KIB, 1.024),
        MemoryRate(COPY, 64 * KIB, 2.048),
        MemoryRate(READ, KIB, 0.512),
        MemoryRate(READ, 64 * KIB, 1.024),
        MemoryRate(UPDATE, 64 * KIB, 4.096),
    ), "an update that the clock does not count has no rate"


def test_a_trace_without_products_or_copies_gives_nothing() -> None:
    with pytest.raises(MeasurementError, match="no products or no copies"):
        fastest_rates(measured_side("on", PROGRAM[2:], TIMES[2:]))
    with pytest.raises(MeasurementError, match="no products or no copies"):
        fastest_rates(measured_side("on", PROGRAM[:2], TIMES[:2]))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(measuring.OFF_VARIABLE)
    return tmp_path / "cache" / "sme-executorch-profiling" / "ceilings"


class Measurer:
    """Stands in for the launches: counts them, and says what each was of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, int]] = []
        monkeypatch.setattr(measuring, "ceilings_program", lambda recipe: Path(f"{recipe}.pte"))
        monkeypatch.setattr(measuring, "measured_rates", self._measure)
        monkeypatch.setattr(measuring, "_recipes", lambda workload: ["8da8w", "fp32"])

    def _measure(self, program: Path, prepared: PreparedExperiment, threads: int, device: object) -> tuple:
        self.asked.append((f"{program.stem}, {'off' if prepared.disabled else 'on'}", threads))
        return 100.0 + len(self.asked), (MemoryRate(COPY, 10**8, 10.0 + len(self.asked)),)


def prepared(name: str, threads: tuple[int, ...] = (1,), disabled: tuple[str, ...] = ()) -> PreparedExperiment:
    return PreparedExperiment(Experiment(name, threads=threads), PythonRunner(), disabled, None)


def config_of(experiments: list[PreparedExperiment], **changes: object) -> Config:
    return replace(Config(Path("m.pte"), Path("run"), tuple(one.experiment for one in experiments)), **changes)


def test_each_side_is_measured_once_a_day(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measurer, sides = Measurer(monkeypatch), [prepared("on"), prepared("twin"), prepared("off", disabled=("avx512f",))]
    found = measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), True)
    assert measurer.asked == [(f"{recipe}, {side}", 1) for side in ("on", "off") for recipe in ("8da8w", "fp32")]
    assert [(s.experiments, s.feature_on, dict(s.peak_gops)) for s in found.sides] == [
        (("on", "twin"), True, {"8da8w": 101.0, "fp32": 102.0}),
        (("off",), False, {"8da8w": 103.0, "fp32": 104.0}),
    ]
    assert found.bandwidth_gb_s(1, True) == 11.0 and found.peak_gops("fp32", 1, False) == 104.0
    assert len(list(cache.glob("*.json"))) == 4 and set(found.conditions) == {p.stem for p in cache.glob("*.json")}
    again = measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), True)
    assert again == found and len(measurer.asked) == 4
    more = [prepared("on", (1, 2))]
    assert [s.threads for s in measuring.run_ceilings(config_of(more), LocalDevice(), more, (), True).sides] == [1, 2]
    assert measurer.asked[4:] == [("8da8w, on", 2), ("fp32, on", 2)]


@pytest.mark.parametrize(("arithmetic", "recipes"), [([], ["fp16", "fp32"]), (["avx512fp16"], ["fp16"])])
def test_a_cpu_without_float16_arithmetic_may_compute_in_float32(
    arithmetic: list[str], recipes: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measurer, sides, device = Measurer(monkeypatch), [prepared("on")], LocalDevice()
    monkeypatch.setattr(measuring, "_recipes", lambda workload: ["fp16"])
    cpu = device.cpu_features()
    names = cpu.names - FLOAT16_ARITHMETIC | set(arithmetic)
    monkeypatch.setattr(device, "cpu_features", lambda: replace(cpu, names=names))
    (side,) = measuring.run_ceilings(config_of(sides), device, sides, (), True).sides
    assert list(side.peak_gops) == recipes and len(measurer.asked) == len(recipes)


def test_what_is_old_or_damaged_is_measured_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measurer, sides = Measurer(monkeypatch), [prepared("on")]

    def again() -> int:
        before = len(measurer.asked)
        assert measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), True)
        return len(measurer.asked) - before

    assert again() == 2 and again() == 0
    first, second = sorted(cache.glob("*.json"))
    replace(MeasuredRates.read(first), measured="2020-01-01T00:00:00.000Z").write(first)
    assert again() == 1
    second.write_text("{")
    assert again() == 1
    replace(MeasuredRates.read(second), measured="no time").write(second)
    assert again() == 1 and MeasuredRates.read(second).measured <= utc_now()


def test_what_is_to_be_short_takes_what_is_known(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measurer, sides = Measurer(monkeypatch), [prepared("on")]
    assert measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), False) is None and measurer.asked == []
    known = measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), True)
    assert measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), False) == known
    assert measuring.run_ceilings(config_of(sides, ceilings=False), LocalDevice(), sides, (), True) is None
    emulated = LocalDevice()
    emulated.emulated = True
    assert measuring.run_ceilings(config_of(sides), emulated, sides, (), True) is None


def test_a_failure_is_one_line_and_ends_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(recipe: str) -> Path:
        raise MeasurementError("exporting the ceilings' program: python exited with status 1; no torch")

    Measurer(monkeypatch)
    monkeypatch.setattr(measuring, "ceilings_program", fail)
    sides = [prepared("on")]
    assert measuring.run_ceilings(config_of(sides), LocalDevice(), sides, (), True) is None
    assert capsys.readouterr().out.splitlines() == [
        "ceilings are not known: exporting the ceilings' program: python exited with status 1; no torch"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", ["fp16", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("int8", "8da8w", "8da4w"))]
)
def test_their_program_exports_in_every_recipe(recipe: str, cache: Path) -> None:
    made = ceilings_program(recipe)
    assert made.is_file() and made.is_relative_to(cache)
    assert {recipe} == {node.recipe for i in build_graph(Workload(made)) for node in i.nodes if node.is_matrix}


def test_an_export_that_failed_is_not_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program.sys, "executable", "/bin/false")
    for told in (1, 0):
        with pytest.raises(MeasurementError, match="exporting the ceilings' program"):
            ceilings_program("fp32")
        assert capsys.readouterr().out.count("exporting their program") == told


@pytest.mark.slow
def test_a_run_keeps_its_ceilings_and_judges_its_layers(toy: Path, tmp_path: Path) -> None:
    """The real thing: exported, measured through the run's own runner, in tables and report; damaged, it is said."""
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), measuring.OFF_VARIABLE: ""}
    done = kit("scripts/mac_pipeline.py", "--config", write_config(tmp_path, toy, pairs=3), env=env).ok()
    said = [line for line in done.stdout.splitlines() if line.startswith("ceilings")]
    assert [line.partition(":")[0] for line in said] == [
        "ceilings",
        "ceilings of on, 1 thread",
        "ceilings of off, 1 thread",
    ]
    directory = RunDirectory(tmp_path / "run")
    ceilings = Ceilings.read(directory.ceilings)
    for side in ceilings.sides:
        assert side.peak_gops["fp32"] > 1 and {rate.pattern for rate in side.rates} == set(PATTERNS)
    table = next((directory.root / "on").glob("*_layers.csv")).read_text().splitlines()
    assert table[0].endswith("pct_of_run,intensity_ops_per_byte,bound,share_of_ceiling_percent")
    assert any(",compute," in row or ",memory," in row for row in table[1:])
    assert "## Roofline" in directory.report_md.read_text()
    assert kit("scripts/validate_results.py", "--results", directory.root).ok()
    plain = json.loads(directory.ceilings.read_text())
    plain["sides"][0]["peak_gops"]["fp32"] *= 2
    directory.ceilings.write_text(json.dumps(plain))
    checked = kit("scripts/validate_results.py", "--results", directory.root)
    assert checked.status != 0 and "ceilings.json is not what the run began with" in checked.stdout + checked.stderr


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
