# SPDX-License-Identifier: Apache-2.0
"""What a run keeps of its programs' exports and previews: only of these very bytes, and of a preview made later too."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.kit import kit

from model_profiling.errors import UserError
from model_profiling.numeric_gap import LayerGap, NumericGap
from model_profiling.pipeline.preview_folder import PreviewFolder
from model_profiling.pipeline.program_records import KeptReach, keep_records, read_records
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.signal_error import Fidelity


@pytest.fixture
def run(toy_run: Path, toy: Path, tmp_path: Path) -> RunDirectory:
    """A run of a model that lies with its record in a folder of its own, so that tests may change what is there."""
    directory = RunDirectory(Path(shutil.copytree(toy_run, tmp_path / "out" / "run")))
    model = tmp_path / "out" / "artifacts" / toy.name
    model.parent.mkdir()
    for suffix in (".pte", ".json"):
        shutil.copy(toy.with_suffix(suffix), model.with_suffix(suffix))
    manifest = directory.read_manifest()
    directory.write_manifest(replace(manifest, model=replace(manifest.model, path=str(model))))
    directory.program_records.unlink(missing_ok=True)
    return directory


def model_of(run: RunDirectory) -> Path:
    return Path(run.read_manifest().model.path)


def kept(run: RunDirectory):
    keep_records(run, run.read_manifest())
    [record] = read_records(run, run.read_manifest())
    return record


def write_preview(run: RunDirectory, folder: Path | None = None, **changes: object) -> Path:
    """Write a preview as preview_sme2.py leaves it, of one layer that calls SME2 kernels and one that only packs."""
    model = model_of(run)
    plain = {
        "model": {"id": model.stem, "sha256": run.read_manifest().model.sha256},
        "executorch": {"version": "1.5.1", "git_sha": ""},
        "variants": {"sme2": {}, "no_sme": {}},
        "matrix_layers": [
            {"layer": "0.0 stem", "multiply_adds": 300, "kernels": {"sme2": {"kai_run_x_sme2_mopa": 4}}},
            {"layer": "0.1 head", "multiply_adds": 100, "kernels": {"sme2": {"kai_run_lhs_pack_x_sme2": 4}}},
        ],
        **changes,
    }
    file = PreviewFolder(model, folder).json
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plain))
    return file


def test_a_run_keeps_what_its_export_recorded(toy_run: Path, toy: Path) -> None:
    run = RunDirectory(toy_run)
    [record], told = read_records(run, run.read_manifest()), json.loads(toy.with_suffix(".json").read_text())
    assert record.model == "toy_cnn" and record.agreement is not None and record.exported is not None
    assert record.agreement.to_json() == told["agreement"]
    assert (record.agreement.max_rel_limit, record.agreement.min_cosine) == (1e-3, 0.9999)
    assert record.exported.share == pytest.approx(told["sme2"]["share_of_multiply_adds"], abs=1e-6)
    assert [one.module for one in record.exported.layers] == [one["module"] for one in told["sme2"]["layers"]]


def test_it_is_kept_where_the_model_is_not(run: RunDirectory) -> None:
    before = kept(run)
    shutil.rmtree(model_of(run).parent)
    assert kept(run) == before and before.agreement is not None


def test_where_accuracy_is_lost_is_kept_when_it_was_measured_after_the_run(run: RunDirectory) -> None:
    assert kept(run).gap is None
    noisy = Fidelity(0.01, 0.99)
    gap = NumericGap(2, noisy, noisy, (LayerGap("conv2d", "conv2d", "stem", "model.py:7", noisy, noisy),))
    file = model_of(run).with_suffix(".json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "numeric_gap": gap.to_json()}))
    assert kept(run).gap == gap
    file.unlink()
    assert kept(run).gap == gap


def test_of_a_program_made_elsewhere_nothing_is_kept(run: RunDirectory) -> None:
    model_of(run).with_suffix(".json").unlink()
    assert not kept(run).known and not run.program_records.exists()


def test_a_record_of_other_bytes_is_none(run: RunDirectory) -> None:
    manifest = run.read_manifest()
    run.write_manifest(replace(manifest, model=replace(manifest.model, sha256="0" * 64)))
    assert not kept(run).known


@pytest.mark.parametrize("place", ["beside the model", "in the folder of previews", "in the run directory"])
def test_a_preview_that_was_made_since_is_taken_up(run: RunDirectory, place: str) -> None:
    assert kept(run).previewed is None
    folders = {"in the folder of previews": model_of(run).parent.parent / "preview"}
    write_preview(run, {**folders, "in the run directory": run.root / "preview"}.get(place))
    record = kept(run)
    assert record.previewed is not None and record.previewed.share == 0.75
    assert [one.reaches for one in record.previewed.called] == [True, False]
    assert record.exported is not None


def test_analyzing_again_takes_it_up_and_the_run_stays_whole(run: RunDirectory) -> None:
    write_preview(run)
    kit("scripts/analyze_results.py", "--run-dir", run.root, "--quiet").ok()
    assert read_records(run, run.read_manifest())[0].previewed is not None
    kit("scripts/validate_results.py", "--results", run.root).ok()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"sha256": "0" * 64}},
        {"variants": {"no_sme": {}}},
        {"matrix_layers": [{"layer": "0.0 stem"}]},
        {"executorch": None},
    ],
)
def test_a_preview_of_something_else_is_left_alone(run: RunDirectory, changes: dict[str, object]) -> None:
    write_preview(run, **changes)
    assert kept(run).previewed is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "at "),
        ('{"schema_version": 2}', "another version"),
        ('{"schema_version": 1, "programs": [{"sha256": "1", "model": ""}]}', "of another run"),
        ('{"schema_version": 1, "programs": [{}]}', "sha256"),
    ],
)
def test_a_damaged_file_is_refused(run: RunDirectory, content: str, words: str) -> None:
    run.program_records.write_text(content)
    with pytest.raises(UserError) as refused:
        keep_records(run, run.read_manifest())
    assert words in str(refused.value) and str(run.program_records) in str(refused.value)


def test_a_damaged_file_is_one_line(run: RunDirectory) -> None:
    run.program_records.write_text("[]")
    line = kit("scripts/analyze_results.py", "--run-dir", run.root).error_line()
    assert str(run.program_records) in line and "remove it" in line


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(), st.text(max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    key=st.sampled_from(["agreement", "sme2", "model", "numeric_gap"]),
    inner=st.sampled_from(["", "limit", "layers"]),
    value=JSON,
)
def test_a_record_that_went_bad_only_takes_its_facts_along(run: RunDirectory, key: str, inner: str, value) -> None:
    file = model_of(run).with_suffix(".json")
    whole = json.loads(file.read_text())
    try:
        changed = {**whole, key: {**whole.get(key, {}), inner: value} if inner and key != "model" else value}
        file.write_text(json.dumps(changed))
        run.program_records.unlink(missing_ok=True)
        record = kept(run)
        assert record.sha256 == run.read_manifest().model.sha256
        assert record.exported is None or isinstance(record.exported, KeptReach)
    finally:
        file.write_text(json.dumps(whole))


def test_an_unknown_layer_leaves_no_share(run: RunDirectory) -> None:
    file = model_of(run).with_suffix(".json")
    whole = json.loads(file.read_text())
    whole["sme2"]["layers"][0]["reaches"] = None
    file.write_text(json.dumps(whole))
    record = kept(run)
    assert record.exported is not None and record.exported.share is None


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
