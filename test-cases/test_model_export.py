# SPDX-License-Identifier: Apache-2.0
"""Exports for real: each kit model in each dtype, models of users, and what must be refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from support import warm
from support.export import (
    DTYPES,
    EXPORT_MODEL,
    KIT_MODELS,
    SharedExports,
    export,
    export_here,
    run_command,
    write_model,
)

from model_profiling.errors import MeasurementError, UserError
from model_profiling.export import export_job
from model_profiling.export.export_model import build_parser
from model_profiling.models import contract, discovery, loading, registry

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


LINEAR = """
class Mine:
    def get_eager_model(self): return nn.Linear(8, 4)
    def get_example_inputs(self): return (torch.ones(2, 8),)
"""


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
        "backend",
        "pte",
        "inputs",
        "outputs",
        "parameters",
        "multiply_adds",
        "export_seconds",
        "versions",
        "delegation",
        "agreement",
        "constants",
        "seed",
        "places",
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
        assert list(entry) == ["operator", "count", "reason", "module", "source", "hint", "origin"]
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


# MobileNetV3-Small and its weights ---------------------------------------------------------------


def expected_mobilenet_entries() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's `mobilenet_v3_small`, from the published table alone."""
    entries: dict[str, tuple[int, ...]] = {}

    def conv_norm(prefix: str, out: int, inputs: int, kernel: int) -> None:
        entries[f"{prefix}.0.weight"] = (out, inputs, kernel, kernel)
        entries.update({f"{prefix}.1.{part}": (out,) for part in ("weight", "bias", "running_mean", "running_var")})
        entries[f"{prefix}.1.num_batches_tracked"] = ()

    table = [
        (3, 16, 16, 8),
        (3, 72, 24, 0),
        (3, 88, 24, 0),
        (5, 96, 40, 24),
        (5, 240, 40, 64),
        (5, 240, 40, 64),
        (5, 120, 48, 32),
        (5, 144, 48, 40),
        (5, 288, 96, 72),
        (5, 576, 96, 144),
        (5, 576, 96, 144),
    ]
    conv_norm("features.0", 16, 3, 3)
    channels = 16
    for index, (kernel, expanded, out, squeezed) in enumerate(table, start=1):
        block, at = f"features.{index}.block", 0
        if expanded != channels:
            conv_norm(f"{block}.{at}", expanded, channels, 1)
            at += 1
        conv_norm(f"{block}.{at}", expanded, 1, kernel)
        at += 1
        if squeezed:
            for layer, shape in (("fc1", (squeezed, expanded)), ("fc2", (expanded, squeezed))):
                entries[f"{block}.{at}.{layer}.weight"] = (*shape, 1, 1)
                entries[f"{block}.{at}.{layer}.bias"] = shape[:1]
            at += 1
        conv_norm(f"{block}.{at}", out, expanded, 1)
        channels = out
    conv_norm("features.12", 576, 96, 1)
    for layer, shape in (("0", (1024, 576)), ("3", (1000, 1024))):
        entries[f"classifier.{layer}.weight"] = shape
        entries[f"classifier.{layer}.bias"] = shape[:1]
    return entries


def test_mobilenet_has_torchvisions_entries():
    state = loading.load("mobilenet_v3_small", None).module.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected_mobilenet_entries()


def test_weights_load_strictly(tmp_path):
    import torch

    state = {
        name: torch.full(shape, 0.01) if shape else torch.tensor(1)
        for name, shape in expected_mobilenet_entries().items()
    }
    torch.save({"state_dict": state}, tmp_path / "good.pth")
    module = loading.load("mobilenet_v3_small", None, tmp_path / "good.pth").module
    assert float(module.classifier[3].weight.detach().mean()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("stem.bias"), "1 missing (stem.bias)"),
        (lambda state: state.update({"extra.weight": state["stem.bias"]}), "1 unknown (extra.weight)"),
        (
            lambda state: state.update({"stem.weight": state["stem.weight"][:, :1]}),
            "1 wrong-shaped (stem.weight 32x1x3x3 instead of 32x3x3x3)",
        ),
    ],
)
def test_checkpoint_that_does_not_fit_is_listed(tmp_path, change, told):
    import torch

    state = dict(loading.load("toy_cnn", None).module.state_dict())
    change(state)
    torch.save(state, tmp_path / "bad.pth")
    with pytest.raises(UserError) as raised:
        loading.load("toy_cnn", None, tmp_path / "bad.pth")
    assert told in str(raised.value)


def test_pickle_that_would_run_code_is_refused(tmp_path):
    import torch

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"stem.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="no checkpoint of tensors alone"):
        loading.load("toy_cnn", None, tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(40), b"\x80\x02."])
def test_file_that_is_no_checkpoint(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError):
        loading.load("toy_cnn", None, tmp_path / "w.pth")


# Multiply-adds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        ("nn.Linear(8, 4)", (3, 8), 3 * 8 * 4),
        ("nn.Conv2d(4, 8, 3, padding=1, groups=2)", (1, 4, 5, 6), 8 * 30 * 2 * 9),
        ("nn.Conv1d(2, 3, 5)", (2, 2, 9), 2 * 3 * 5 * 2 * 5),
        ("nn.ConvTranspose2d(4, 6, 2, stride=2)", (1, 4, 3, 3), 9 * 4 * 6 * 4),
        ("nn.LSTM(4, 5)", (7, 1, 4), 7 * (4 * 5 * 4 + 4 * 5 * 5)),
        ("nn.Sequential(nn.ReLU(), nn.Softmax(-1))", (2, 2), 0),
    ],
)
def test_multiply_adds_follow_their_definition(module, shape, expected):
    import torch
    from torch import nn

    from model_profiling.export import lowering, multiply_adds

    built = eval(module, {"nn": nn}).eval()
    assert multiply_adds.count(lowering.capture(built, (torch.rand(shape),), {}, None)) == expected


def test_attention_counts_both_products():
    import torch

    from model_profiling.export import lowering, multiply_adds

    class Attention(torch.nn.Module):
        def forward(self, q, k, v):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    given = (torch.rand(2, 3, 5, 8), torch.rand(2, 3, 7, 8), torch.rand(2, 3, 7, 8))
    assert multiply_adds.count(lowering.capture(Attention(), given, {}, None)) == 2 * (2 * 3 * 5 * 7 * 8)


# Users' models --------------------------------------------------------------------------------------


def test_integer_inputs_and_state_survive_fp16(tmp_path):
    """A language model block with a cache: ids stay int64 and in their vocabulary, the cache starts empty."""
    path = write_model(
        tmp_path,
        """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(64, 32), nn.Linear(32, 64)
        self.register_buffer("cache", torch.zeros(1, 16, 32))
    def forward(self, token, position):
        self.cache.index_copy_(1, position, self.embed(token))
        return self.out(self.cache.mean(dim=1))
class Mine:
    def get_eager_model(self): return Block()
    def get_example_inputs(self): return (torch.tensor([[5]]), torch.tensor([0]))
    def get_calibration_inputs(self): return [(torch.tensor([[i * 9]]), torch.tensor([i])) for i in range(7)]
""",
    )
    for dtype in ("fp16", "int8"):
        about = export_here(tmp_path / "out", model_file=path, dtype=dtype).sidecar
        assert [(given["dtype"], given["low"], given["high"]) for given in about["inputs"]] == [
            ("int64", 0, 54),
            ("int64", 0, 6),
        ]
        operators = {entry["operator"] for entry in about["delegation"]["not_delegated"]}
        assert "aten.embedding.default" in operators and "" not in operators
        assert about["source"] == "file" and about["model"] == "mine"


def test_several_outputs_and_reasons(tmp_path):
    path = write_model(
        tmp_path,
        """
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.up = nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2, mode="nearest")
    def forward(self, image):
        score, label = self.up(self.conv(image)).flatten(2).max(dim=1)
        return {"score": score, "label": label}
class Mine:
    def get_eager_model(self): return Head()
    def get_example_inputs(self): return (torch.rand(1, 3, 8, 8),)
""",
    )
    result = export_here(tmp_path / "out", model_file=path)
    assert [made["dtype"] for made in result.sidecar["outputs"]] == ["float32", "int64"]
    upsample = next(entry for entry in result.delegation.not_delegated if "upsample" in entry.operator)
    assert upsample.module == "up" and upsample.source.endswith("mine.py:9")
    assert "does not know" in upsample.reason and "UpsampleNearest2d" in upsample.hint


def test_portable_backend(tmp_path):
    path = write_model(tmp_path, LINEAR)
    for dtype in DTYPES:
        result = export_here(tmp_path / "out", model_file=path, dtype=dtype, backend="portable")
        assert result.paths.pte.name == f"mine_portable_{dtype}.pte" and result.delegation.delegates == 0


def test_executorchs_class_and_registry(tmp_path):
    path = write_model(
        tmp_path,
        """
from executorch.examples.models.model_base import EagerModelBase
class Theirs(EagerModelBase):
    def get_eager_model(self): return nn.Linear(8, 4)
    def get_example_inputs(self): return (torch.ones(2, 8),)
""",
    )
    assert export_here(tmp_path / "out", model_file=path).sidecar["parameters"] == 36
    about = export_here(tmp_path / "out", model="conv1d").sidecar
    assert about["source"] == "executorch" and about["parameters"] == 160


def test_package_with_relative_import_and_weights_hook(tmp_path):
    import torch

    package = tmp_path / "models" / "my_package"
    write_model(
        package,
        "from .vendor.layers import Layer\nclass Packed:\n"
        "    def get_eager_model(self): return Layer()\n"
        "    def get_example_inputs(self): return (torch.ones(2, 8),)\n"
        "    def load_weights(self, module, state):\n"
        "        module.linear.weight.data.copy_(state['theirs']); return module\n",
        "model.py",
    )
    write_model(
        package / "vendor",
        "class Layer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.linear = nn.Linear(8, 4)\n    def forward(self, x): return self.linear(x)\n",
        "layers.py",
    )
    (package / "__init__.py").write_text(
        "from model_profiling.models.registry import register\nregister('packed', f'{__name__}.model:Packed')\n"
    )
    torch.save({"theirs": torch.full((4, 8), 2.0)}, tmp_path / "w.pth")
    for given in (package, package / "model.py", package / "__init__.py"):
        entry, _ = registry.entry_for_file(given, None)
        assert entry.name in ("packed", "my_package")
    loaded = loading.load(None, package, tmp_path / "w.pth")
    assert float(loaded.module.linear.weight.detach().min()) == 2.0


def test_search_path_adds_and_replaces(tmp_path, monkeypatch):
    write_model(tmp_path, LINEAR, "toy_cnn.py")
    write_model(tmp_path, "import not_installed_anywhere\n" + LINEAR, "other.py")
    monkeypatch.setenv(registry.SEARCH_PATH_VARIABLE, str(tmp_path))
    found = {entry.name: entry for entry in registry.entries()}
    assert (found["toy_cnn"].source, found["other"].missing) == ("file", ("not_installed_anywhere",))
    assert loading.load("toy_cnn", None).example_inputs[0].shape == (2, 8)
    monkeypatch.setenv(registry.SEARCH_PATH_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(UserError, match="SME2_MODEL_PATH"):
        registry.entries()


# The list ---------------------------------------------------------------------------------------------


def test_list_names_every_model_its_source_and_what_it_lacks():
    run = run_command("--list")
    assert (run.returncode, run.stderr) == (0, "")
    rows = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    assert {name for name, source, _ in rows if source == "kit"} >= set(KIT_MODELS)
    assert all(state == "ready" or state.startswith("needs ") for _, _, state in rows)
    assert len([name for name, source, _ in rows if source == "executorch"]) > 30


def test_list_is_honest(tmp_path):
    """What reading the imports says is what importing does: in both directions, for each of ExecuTorch's."""
    script = tmp_path / "imports.py"
    script.write_text("""
import importlib, json, sys
from model_profiling.models import registry
result = {}
for entry in registry.entries():
    if entry.source == "executorch":
        try:
            importlib.import_module(entry.target.partition(":")[0])
            result[entry.name] = [list(entry.missing), None]
        except ModuleNotFoundError as error:
            result[entry.name] = [list(entry.missing), error.name.split(".")[0]]
        except (ImportError, RuntimeError) as error:
            result[entry.name] = [list(entry.missing), str(error)]
json.dump(result, open(sys.argv[1], "w"))
""")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", script, tmp_path / "out.json"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for name, (missing, failure) in json.loads((tmp_path / "out.json").read_text()).items():
        assert bool(missing) == (failure is not None), (name, missing, failure)
        assert failure is None or any(package in failure for package in missing), (name, missing, failure)


def test_optional_imports_are_not_missing(tmp_path):
    path = write_model(
        tmp_path,
        "try:\n    import nope_a\nexcept ImportError:\n    nope_a = None\n"
        "try:\n    import nope_b\nexcept ImportError:\n    raise\n"
        "def later():\n    import nope_c\n",
    )
    assert discovery.missing_packages(path, "mine") == ("nope_b",)


# Bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no model is named"),
        (("--model", "toy_cn"), "did you mean toy_cnn?"),
        (("--model", "toy_cnn", "--dtype", "fp61"), "did you mean fp16?"),
        (("--model", "toy_cnn", "--backend", "xnpack"), "did you mean xnnpack?"),
        (("--model", "toy_cnn", "--quantize", "--dtype", "fp16"), "--quantize means int8"),
        (("--modle", "toy_cnn"), "did you mean --model?"),
        (("--model", "../../etc"), "there is no model"),
        (("--model", "toy_cnn", "--outdir", "/dev/full"), "cannot write"),
        (("--model", "toy_cnn", "--weights", "nowhere.pth"), "does not exist"),
        (("--model-file", "nowhere.py"), "does not exist"),
    ],
)
def test_bad_command_lines(tmp_path, arguments, told):
    run = run_command(*arguments, cwd=tmp_path)
    assert run.returncode == 2 and "Traceback" not in run.stderr
    assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1 and told in run.stderr
    assert list(tmp_path.iterdir()) == []


BAD_FILES = {
    "syntax": ("def broken(:\n", "mine.py:3"),
    "import": ("import no_such_package_anywhere\n", "no_such_package_anywhere"),
    "exits": ("raise SystemExit(0)\n", "SystemExit"),
    "nothing": ("x = 1\n", "registers no model"),
    "several": (LINEAR + "class Other(Mine): pass\n", "several models: Mine, Other"),
    "not a module": (LINEAR.replace("nn.Linear(8, 4)", "len"), "not a torch.nn.Module"),
    "bare tensor": (LINEAR.replace("(torch.ones(2, 8),)", "torch.ones(2, 8)"), "return a tuple of tensors"),
    "number input": (LINEAR.replace("(torch.ones(2, 8),)", "(1,)"), "holds a int instead of a tensor"),
    "nan input": (LINEAR.replace("torch.ones(2, 8)", "torch.full((2, 8), float('nan'))"), "NaNs"),
    "missing input": (
        "class Net(nn.Module):\n    def forward(self, a, b): return a + b\n"
        + LINEAR.replace("nn.Linear(8, 4)", "Net()"),
        "missing 1 required positional argument: 'b'",
    ),
    "not a tensor": (
        "class Net(nn.Module):\n    def forward(self, a): return a, 'label'\n"
        + LINEAR.replace("nn.Linear(8, 4)", "Net()"),
        "returns a str",
    ),
    "nan output": (
        "class Net(nn.Module):\n    def forward(self, a): return a / 0 - a / 0\n"
        + LINEAR.replace("nn.Linear(8, 4)", "Net()"),
        "output has NaNs",
    ),
    "registers a number": ("from model_profiling.models.registry import register\nregister('n', 3)\n", "not a class"),
    "bad name": (
        "from model_profiling.models.registry import register\n" + LINEAR + "register('../evil', Mine)\n",
        "cannot be part of a file's name",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_model_files(tmp_path, case):
    body, told = BAD_FILES[case]
    with pytest.raises(UserError) as raised:
        export_here(tmp_path / "out", model_file=write_model(tmp_path, body))
    assert told in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_export_failure_names_module_and_line_and_keeps_the_trace(tmp_path):
    path = write_model(
        tmp_path,
        """
class Branch(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x
class Mine:
    def get_eager_model(self): return nn.Sequential(nn.Linear(8, 8), Branch())
    def get_example_inputs(self): return (torch.ones(2, 8),)
""",
    )
    with pytest.raises(UserError) as raised:
        export_here(tmp_path / "out", model_file=path)
    assert "module 1 at" in str(raised.value) and "mine.py:6" in str(raised.value)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine_xnnpack_fp32.export.log"]
    assert "Traceback" in (tmp_path / "out" / "mine_xnnpack_fp32.export.log").read_text()


def test_disagreement_is_told_with_both_numbers_and_leaves_old_files(tmp_path):
    """One 1e6 among ones: fp16 cannot hold it, so the outputs differ without bound."""
    path = write_model(
        tmp_path,
        "class Net(nn.Module):\n    def forward(self, x): return x * 70000.0\n"
        + LINEAR.replace("nn.Linear(8, 4)", "Net()"),
    )
    export_here(tmp_path / "out", model_file=path, dtype="fp32")
    (tmp_path / "out" / "mine_xnnpack_fp16.pte").write_bytes(b"older")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    with pytest.raises(MeasurementError) as raised:
        export_here(tmp_path / "out", model_file=path, dtype="fp16")
    assert "relative error" in str(raised.value) and "absolute error" in str(raised.value)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize(("full_from", "told"), [("ran", "cannot write"), ("captured", "no space was left")])
def test_full_disk_leaves_nothing_half_written(tmp_path, full_from, told):
    """From one step on every file ends at 1000 bytes, as on a full disk: the outdir's, or the compiler's own."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(text: str) -> None:
        if text.startswith(full_from):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))

    request = export_job.ExportRequest(None, write_model(tmp_path, LINEAR), None, "fp32", "xnnpack", tmp_path / "out")
    try:
        with pytest.raises(UserError, match=told):
            export_job.export(request, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "out").exists()


def test_any_name_and_any_folder(tmp_path):
    body = "from model_profiling.models.registry import register\n" + LINEAR + "register(\"<script>'x' ü\", Mine)\n"
    outdir = tmp_path / "a b;'c\" ü"
    run = run_command("--model-file", write_model(tmp_path / "in 'put", body), "--outdir", outdir)
    assert run.returncode == 0, run.stderr
    stem = "<script>'x' ü_xnnpack_fp16"
    assert {file.name for file in outdir.iterdir()} == {f"{stem}.pte", f"{stem}.etrecord", f"{stem}.json"}
    assert json.loads((outdir / f"{stem}.json").read_text(encoding="utf-8"))["model"] == "<script>'x' ü"
    follow = run.stdout.split("Next: ")[1].strip()
    words = subprocess.run(["bash", "-c", f"printf '%s\\n' {follow}"], capture_output=True, text=True).stdout
    assert str(outdir / f"{stem}.pte") in words.splitlines()


# The script alone -----------------------------------------------------------------------------------------


def test_parser_has_the_designs_flags():
    flags = {flag for action in build_parser()._actions for flag in action.option_strings}
    assert flags == {
        "-h",
        "--help",
        "--model",
        "--model-file",
        "--dtype",
        "--quantize",
        "--backend",
        "--outdir",
        "--weights",
        "--save-graph",
        "--explain",
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


def test_help_and_list_do_not_import_torch():
    for flag in ("--help", "--list"):
        run = subprocess.run([sys.executable, "-X", "importtime", EXPORT_MODEL, flag], capture_output=True, text=True)
        assert run.returncode == 0 and not [
            line for line in run.stderr.splitlines() if line.endswith(("| torch", " torch"))
        ]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
