# SPDX-License-Identifier: Apache-2.0
"""Exports that must be refused: one line, and nothing half written."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.export import export_here, run_command, write_model

from model_profiling.errors import MeasurementError, UserError
from model_profiling.export import export_job
from model_profiling.export.request import ExportRequest

pytestmark = pytest.mark.exports


LINEAR = """
class Mine:
    def get_eager_model(self): return nn.Linear(8, 4)
    def get_example_inputs(self): return (torch.ones(2, 8),)
"""


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
    "number input": (LINEAR.replace("(torch.ones(2, 8),)", "(1,)"), "must be Tensor, not int"),
    "nested number": (LINEAR.replace("(torch.ones(2, 8),)", "((1, 2),)"), "holds a int instead of a tensor"),
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

    request = ExportRequest(None, write_model(tmp_path, LINEAR), None, "fp32", "xnnpack", tmp_path / "out")
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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
