# SPDX-License-Identifier: Apache-2.0
"""Exports for real: each kit model in each dtype, and the script by itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from support import warm
from support.export import DTYPES, EXPORT_MODEL, KIT_MODELS, SharedExports, export

from model_profiling.export.export_model import build_parser
from model_profiling.models import contract, loading

pytestmark = pytest.mark.exports

PAIRS = [(model, dtype) for model in KIT_MODELS for dtype in DTYPES]
PARAMETERS = {"toy_cnn": 200_906, "toy_transformer": 893_200, "mobilenet_v3_small": 2_542_856}
# An input of each model's own kind that neither calibration nor the exporter's check has seen.
UNSEEN = {
    "toy_cnn": lambda shape: contract.uniform_images(shape, 1, 7)[0][0],
    "toy_transformer": lambda shape: contract.uniform_images(shape, 1, 7)[0][0] * 2 - 1,
    "mobilenet_v3_small": lambda shape: contract.structured_images(shape, 1, 7)[0][0],
}


@pytest.fixture(scope="session")
def exports(shared_exports: SharedExports) -> SharedExports:
    return shared_exports.fetch(PAIRS)


# Kit models -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "dtype"), PAIRS)
def test_sidecar_says_what_was_exported(exports, model, dtype):
    run = exports[model, dtype]
    about = run.sidecar
    assert list(about) == [
        "schema_version",
        "model",
        "source",
        "dtype",
        "group_size",
        "backend",
        "pte",
        "inputs",
        "outputs",
        "parameters",
        "multiply_adds",
        "export_seconds",
        "versions",
        "delegation",
        "sme2",
        "agreement",
        "constants",
        "seed",
        "places",
        "rewrites",
        "state",
        "notes",
    ]
    assert (about["schema_version"], about["model"], about["source"]) == (1, model, "kit")
    assert (about["dtype"], about["backend"], about["parameters"]) == (dtype, "xnnpack", PARAMETERS[model])
    data = run.pte.read_bytes()
    assert about["pte"] == {"file": run.pte.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert data[4:6] == b"ET"
    taken = "float16" if dtype == "fp16" else "float32"
    assert [given["dtype"] for given in about["inputs"] + about["outputs"]] == [taken, taken]
    assert set(about["inputs"][0]) == {"shape", "dtype", "low", "high"}
    assert about["inputs"][0]["low"] < about["inputs"][0]["high"]
    agreement = about["agreement"]
    assert set(agreement) == {"max_abs_error", "max_rel_error", "cosine", "limit", "passed"}
    assert agreement["passed"] is True and agreement["max_rel_error"] <= agreement["limit"]["max_rel_error"]
    assert agreement["cosine"] >= agreement["limit"]["min_cosine"]
    assert about["versions"]["executorch"].startswith("1.") and len(about["versions"]["executorch_git"]) == 40


@pytest.mark.parametrize(("model", "dtype"), PAIRS)
def test_delegation_adds_up(exports, model, dtype):
    division = exports[model, dtype].sidecar["delegation"]
    assert division["delegates"] >= 1
    assert division["delegated_operators"] == sum(division["delegated"].values())
    assert division["portable_operators"] == sum(entry["count"] for entry in division["not_delegated"])
    for entry in division["not_delegated"]:
        assert list(entry) == ["operator", "count", "reason", "module", "source", "hint", "origin", "rewrite"]
        assert ("--rewrite " in entry["hint"]) == bool(entry["rewrite"])
        assert entry["reason"] and entry["hint"]
        assert entry["source"].startswith(f"model_profiling/models/{model}/model.py:")


@pytest.mark.parametrize(("model", "dtype"), PAIRS)
def test_program_agrees_with_eager_model_when_run_anew(exports, model, dtype):
    """Independent of the exporter's own check: plain numpy, inputs the exporter has not seen."""
    import torch
    from executorch.extension.pybindings.portable_lib import _load_for_executorch
    from executorch.kernels import quantized  # noqa: F401  (registers its operators)

    loaded = loading.load(model, None)
    given = UNSEEN[model](loaded.example_inputs[0].shape)
    with torch.no_grad():
        expected = loaded.module(given).numpy().ravel().astype(float)
    program = _load_for_executorch(str(exports[model, dtype].pte))
    got = program.forward([given.half() if dtype == "fp16" else given])[0].float().numpy().ravel().astype(float)
    error = np.abs(got - expected).max() / np.abs(expected).max()
    assert error < {"fp32": 1e-4, "fp16": 2e-2, "int8": 0.3}[dtype]
    assert np.corrcoef(got, expected)[0, 1] > {"fp32": 0.99999, "fp16": 0.999, "int8": 0.95}[dtype]


def test_quantized_programs_are_smaller(exports):
    for model in KIT_MODELS:
        sizes = {dtype: exports[model, dtype].sidecar["pte"]["bytes"] for dtype in DTYPES}
        assert sizes["int8"] < 0.4 * sizes["fp32"] and sizes["fp16"] < sizes["fp32"]


def test_summary_is_for_people(exports):
    run = exports["toy_cnn", "fp16"]
    assert run.stderr == ""
    assert "[5/5]" in run.stdout and "\x1b" not in run.stdout
    assert f"Next: python model_profiling/scripts/generate_config.py --model {run.pte}" in run.stdout
    assert "191.4 million multiply-adds" in run.stdout


def test_etrecord_opens(exports):
    from executorch.devtools import parse_etrecord

    record = parse_etrecord(str(exports["toy_cnn", "fp32"].etrecord))
    assert record.edge_dialect_program is not None and record._debug_handle_map


def test_same_command_gives_same_bytes_and_explains(exports, tmp_path, monkeypatch):
    """Other flags change what is told about a program, never the program; a Python started anew gives the same."""
    monkeypatch.setenv(warm.FRESH, "1")
    run = export("toy_cnn", "fp16", tmp_path, "--explain", "--save-graph")
    assert run.pte.read_bytes() == exports["toy_cnn", "fp16"].pte.read_bytes()
    assert "1 x aten.mean.dim" in run.stdout and "only supports averaging 4D tensors" in run.stdout
    graph = (tmp_path / "toy_cnn_xnnpack_fp16.graph.txt").read_text(encoding="utf-8")
    assert "# torch.export" in graph and "executorch_call_delegate" in graph
    again = export("toy_transformer", "int8", tmp_path)
    assert again.pte.read_bytes() == exports["toy_transformer", "int8"].pte.read_bytes()


# The script alone -----------------------------------------------------------------------------------------


def test_parser_has_the_designs_flags():
    flags = {flag for action in build_parser()._actions for flag in action.option_strings}
    assert flags == {
        "-h",
        "--help",
        "--model",
        "--model-file",
        "--method",
        "--dtype",
        "--group-size",
        "--quantize",
        "--backend",
        "--outdir",
        "--weights",
        "--save-graph",
        "--explain",
        "--keep-disagreeing",
        "--keep-float",
        "--numeric-gap",
        "--list-rewrites",
        "--rewrite",
        "--list",
        "--verbose",
    }


def test_python_without_the_kit_says_what_to_do(tmp_path):
    script = tmp_path / "export_model.py"
    script.write_bytes(EXPORT_MODEL.read_bytes())
    run = subprocess.run(
        [sys.executable, "-S", "-I", script, "--list"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "SME2_KIT_BOOTSTRAP": "1"},
    )
    assert run.returncode == 2 and run.stderr.startswith("error: ") and run.stderr.count("\n") == 1


def test_help_does_not_import_torch():
    run = subprocess.run([sys.executable, "-X", "importtime", EXPORT_MODEL, "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    assert not [line for line in run.stderr.splitlines() if line.endswith(("| torch", " torch"))]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
