# SPDX-License-Identifier: Apache-2.0
"""The pipeline on a real model with the real runtime: what it leaves, killed, resumed, misused."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.kit import ENOUGH, KIT, kit, write_config

from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.run_directory import RunDirectory, newest_attempts
from model_profiling.pipeline.schedule import plan

pytestmark = pytest.mark.slow

PIPELINE = "scripts/mac_pipeline.py"


def test_a_run_leaves_every_file_of_the_contract(toy_run: Path) -> None:
    directory = RunDirectory(toy_run)
    model = directory.read_manifest().model.id
    expected = [
        directory.manifest,
        directory.launches,
        directory.metrics,
        directory.analysis_summary,
        directory.pipeline_summary_json(model),
        directory.pipeline_summary_md(model),
        directory.report_md,
        directory.report_html,
        directory.timeline_json,
    ]
    expected += [
        directory.table(model, name, 1, kind)
        for name in ("on", "off")
        for kind in ("all_runs_timeline", "run0_timeline", "ops_stats")
    ]
    expected += [
        directory.raw(name, 1, pair, 0, suffix)
        for name in ("on", "off")
        for pair in range(6)
        for suffix in (".etdump", ".log")
    ]
    assert [str(p) for p in expected if not p.is_file()] == []
    assert list(directory.figures.glob("*.svg"))
    assert not directory.work.exists()


def test_the_manifest_says_what_was_measured(toy_run: Path, toy: Path) -> None:
    manifest = RunDirectory(toy_run).read_manifest()
    assert manifest.executorch.version.startswith("1.5.1")
    assert len(manifest.executorch.git_sha) == 40
    assert manifest.seed == 7
    assert manifest.finished > manifest.started
    assert manifest.model.bytes == toy.stat().st_size
    features = cpu_features.detect()
    pair = cpu_features.resolve("auto", features)
    assert manifest.feature.label == pair.label
    if features.architecture == "x86_64":
        assert "SME2" not in manifest.feature.label


def test_launches_follow_the_plan_and_switch_what_they_say(toy_run: Path) -> None:
    directory = RunDirectory(toy_run)
    manifest, launches = directory.read_manifest(), directory.read_launches()
    counted = [launch for launch in launches if launch.counts]
    off = set(manifest.feature.disabled)
    for launch in launches:
        assert len(launch.latency_ns) >= 5, "runs of the configuration, in turns long enough to be timed"
        assert sum(len(turn.counted_ns) for turn in launch.turns if turn.traced) == 3
        assert set(launch.masked_cpu_features) == (off if launch.experiment == "off" else set())
        if launch.experiment == "off":
            assert not off & set(launch.active_cpu_features)
        else:
            assert off <= set(launch.active_cpu_features)
    first_attempts = [(x.pair, x.order, x.experiment) for x in launches if x.attempt == 0]
    config = manifest.config
    assert first_attempts == [
        (pair.index, order, name) for pair in plan(config, 7, 6) for order, name in enumerate(pair.order(7))
    ]
    assert len({x.order for x in launches if x.experiment == "on"}) == 2, "the order within pairs is random"
    assert counted


def test_the_outputs_of_both_arms_are_compared(toy_run: Path) -> None:
    launches = RunDirectory(toy_run).read_launches()
    compared = [a for launch in launches for a in launch.agreement]
    assert len(compared) == len({(x.pair, x.attempt) for x in launches})
    assert all(a["cosine"] > 0.9999 for a in compared)


def test_the_same_seed_gives_the_same_inputs_and_outputs(toy_run: Path, toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=ENOUGH)
    kit(PIPELINE, "--config", config).ok()
    first, second = RunDirectory(toy_run), RunDirectory(tmp_path / "run")
    assert [i.sha256 for i in first.read_manifest().inputs] == [i.sha256 for i in second.read_manifest().inputs]
    outputs = {(x.experiment, x.outputs[0]["sha256"]) for d in (first, second) for x in d.read_launches()}
    assert len(outputs) == 2


def test_python_and_native_runner_agree_on_outputs(toy: Path, tmp_path: Path) -> None:
    arm = {"runs": 5, "warmup": 1, "traced_runs": 2, "threads": [1]}
    config = write_config(
        tmp_path,
        toy,
        experiments=[{"name": "python", "runner": "python", **arm}, {"name": "native", "runner": "native", **arm}],
        analysis={"compare_pairs": [["python", "native"]]},
    )
    kit(PIPELINE, "--config", config).ok()
    launches = RunDirectory(tmp_path / "run").read_launches()
    assert {x.runner for x in launches} == {"python", "native"}
    assert all(a["identical"] for x in launches for a in x.agreement)


@pytest.mark.exports
@pytest.mark.skipif("avx512f" not in cpu_features.detect().names, reason="needs an x86-64 CPU with AVX-512")
def test_mobilenet_is_not_slower_with_avx512_and_labeled_so(exported, tmp_path: Path) -> None:
    """It is faster; a busy machine may be unable to show it."""
    config = write_config(tmp_path, exported("mobilenet_v3_small", "fp32"), pairs=8)
    kit(PIPELINE, "--config", config).ok()
    summary = json.loads((tmp_path / "run/analysis_summary.json").read_text())
    assert summary["feature"] == "AVX-512"
    comparison = summary["comparisons"][0]
    assert comparison["ci95"][1] > 1
    assert comparison["verdict"] in ("faster", "no difference shown")
    assert "SME2 on" not in (tmp_path / "run/report.md").read_text()


def test_killed_at_random_moments_and_resumed(toy: Path, tmp_path: Path) -> None:
    """kill -9 the pipeline again and again: every launch on record stays, and the run ends complete."""
    config = write_config(tmp_path, toy, pairs=12)
    directory = RunDirectory(tmp_path / "run")
    generator, seen, kills = random.Random(11), 0, 0
    argv = [sys.executable, str(KIT / PIPELINE), "--config", str(config)]
    for _ in range(6):
        # Without a manifest nothing can be lost: --resume then begins anew.
        child = subprocess.Popen(
            [*argv, "--resume"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(generator.uniform(0.3, 2.0))
        kills += child.poll() is None
        with contextlib.suppress(ProcessLookupError):  # it may just have ended
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        recorded = directory.read_launches()
        assert len(recorded) >= seen, "a recorded launch was lost"
        seen = len(recorded)
    assert kills
    kit(PIPELINE, "--config", config, "--resume").ok()
    # A kill between the two records of a pair leaves one of them; the pair is then made again as a whole.
    made = newest_attempts(directory.read_launches())
    assert sorted(made) == [(1, pair) for pair in range(12)]
    assert {tuple(sorted(x.experiment for x in pair if x.ok)) for pair in made.values()} == {("off", "on")}
    assert all(len({x.attempt for x in pair}) == 1 for pair in made.values())
    assert directory.is_finished()


def test_a_torn_last_line_is_dropped(toy_run: Path, tmp_path: Path, toy: Path) -> None:
    copy = RunDirectory(shutil.copytree(toy_run, tmp_path / "run"))
    whole = copy.read_launches()
    with open(copy.launches, "ab") as file:
        file.write(b'{"experiment": "on", "thre')
    assert copy.read_launches() == whole
    copy.drop_torn_lines()
    assert copy.launches.read_bytes().endswith(b"}\n")
    assert copy.read_launches() == whole


def test_a_finished_run_is_set_aside_and_said_so(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=ENOUGH)
    kit(PIPELINE, "--config", config).ok()
    first = (tmp_path / "run/launches.jsonl").read_bytes()
    again = kit(PIPELINE, "--config", config).ok()
    assert "An earlier, finished run was set aside: " in again.stdout
    aside = [p for p in tmp_path.iterdir() if p.name.startswith("run.")]
    assert len(aside) == 1 and (aside[0] / "launches.jsonl").read_bytes() == first


def test_resume_refuses_another_configuration(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=ENOUGH)
    kit(PIPELINE, "--config", config).ok()
    before = (tmp_path / "run/manifest.json").read_bytes()
    write_config(tmp_path, toy, pairs=ENOUGH + 1)
    said = kit(PIPELINE, "--config", config, "--resume").error_line()
    assert "the configuration has changed since this run began" in said
    assert (tmp_path / "run/manifest.json").read_bytes() == before


def test_only_one_run_writes_to_a_directory(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=1)
    with RunDirectory(tmp_path / "run").locked():
        assert "another run is writing" in kit(PIPELINE, "--config", config, "--resume").error_line()


def test_analysis_only_launches_nothing(toy_run: Path, toy: Path, tmp_path: Path) -> None:
    shutil.copytree(toy_run, tmp_path / "run")
    config = write_config(tmp_path, toy, pairs=6)
    before = (tmp_path / "run/launches.jsonl").read_bytes()
    (tmp_path / "run/analysis_summary.json").unlink()
    kit(PIPELINE, "--config", config, "--analysis-only").ok()
    assert (tmp_path / "run/launches.jsonl").read_bytes() == before
    assert (tmp_path / "run/analysis_summary.json").is_file()


def test_names_with_spaces_quotes_semicolons_and_unicode(toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s; a "föld\u00e9r" $(x)'
    folder.mkdir()
    model = shutil.copy(toy, folder / "<script>alert(1)<_script>.pte")
    config = write_config(folder, model, pairs=ENOUGH)
    kit(PIPELINE, "--config", config).ok()
    report = (folder / "run/report.html").read_text()
    assert "<script>alert(1)" not in report
    assert "&lt;script&gt;alert(1)" in report


def broken_models() -> list:
    return [
        ("empty", lambda data: b""),
        ("truncated", lambda data: data[: len(data) // 2]),
        ("header only", lambda data: data[:64]),
        ("random bytes", lambda data: random.Random(5).randbytes(5000)),
        ("text", lambda data: b"not a model\n"),
    ]


@pytest.mark.parametrize(("name", "spoil"), broken_models(), ids=[n for n, _ in broken_models()])
def test_a_broken_model_is_one_line_and_leaves_results_alone(name: str, spoil, toy: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pte"
    shutil.copy(toy, model)
    config = write_config(tmp_path, model, pairs=1)
    kept = tmp_path / "run" / "keep.txt"
    model.write_bytes(spoil(toy.read_bytes()))
    said = kit(PIPELINE, "--config", config).error_line()
    assert "model.pte" in said
    assert not kept.parent.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"experiments": [{"name": "off", "disable_cpu_features": ["sme9"]}], "analysis": {}}, "sme9"),
        ({"experiments": [{"name": "a", "runner_path": "/no/such/runner"}], "analysis": {}}, "/no/such/runner"),
        ({"experiments": [{"name": "a", "inputs": ["/no/such/input"]}], "analysis": {}}, "/no/such/input"),
        ({"experiments": [{"name": "a", "cpu_affinity": [4000]}], "analysis": {}}, "4000"),
    ],
)
def test_what_this_machine_cannot_do(change: dict, said: str, toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, **change)
    assert said in kit(PIPELINE, "--config", config).error_line()


def test_an_output_folder_of_somebody_else_is_left_alone(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.tex").write_text("precious")
    said = kit(PIPELINE, "--config", write_config(tmp_path, toy)).error_line()
    assert "holds files that are not of a run (thesis.tex)" in said
    assert (tmp_path / "run/thesis.tex").read_text() == "precious"


def test_an_output_root_below_a_file(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    config = write_config(tmp_path, toy, output_root=str(tmp_path / "file/run"))
    assert "cannot write" in kit(PIPELINE, "--config", config).error_line()


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting a small disk needs root on Linux")
def test_a_full_disk_is_one_line_and_can_be_resumed(toy: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        (disk / "ballast").write_bytes(bytes(40_000))
        config = write_config(tmp_path, toy, pairs=ENOUGH, output_root=str(disk / "run"))
        said = kit(PIPELINE, "--config", config)
        assert said.status in (1, 2) and "Traceback" not in said.stderr
        assert len([x for x in said.stderr.splitlines() if x.startswith("error:")]) == 1
        (disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        kit(PIPELINE, "--config", config, "--resume").ok()
    finally:
        subprocess.run(["umount", disk], check=True)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
