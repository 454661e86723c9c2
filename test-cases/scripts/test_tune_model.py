# SPDX-License-Identifier: Apache-2.0
"""tune_model.py on real models: what it leaves, that it goes on where it was killed, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.export import write_model
from support.kit import KIT, REPOSITORY, kit

from model_profiling.analysis.tuning.record import Tuning
from model_profiling.errors import UserError
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.scripts.tuning.folder import TuningFolder

TUNE, VALIDATE = "scripts/tune_model.py", "scripts/validate_results.py"
#: A layer norm, outside XNNPACK, between two layers; and a GELU, which is a rewrite's in float16 alone.
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.norm, self.last = nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 64)
    def forward(self, x):
        return self.last(nn.functional.gelu(self.norm(self.first(x))))
class Model:
    def get_eager_model(self): return Net().eval()
    def get_example_inputs(self): return (torch.rand(1, 16, 16, 64),)
"""
BROKEN = NET.replace("self.norm(self.first(x))", "self.norm(self.first(x)) if x.sum() > 0 else x")


def tune(folder: Path, model: Path, *arguments: object) -> list[str]:
    words = ["--model-file", model, "--outdir", folder, "--dtype", "fp32", "--pairs", 6, "--budget", 20]
    return list(map(str, (*words, "--rewrites", "gelu", "layer-norm", *arguments)))


def killed_after(lines: int, arguments: list[str], folder: Path) -> None:
    """Start the command, and kill it at once where its journal has this many lines."""
    journal = folder / "tuning_journal.jsonl"
    process = subprocess.Popen(
        [sys.executable, str(KIT / TUNE), *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.poll() is None and (not journal.is_file() or journal.read_bytes().count(b"\n") < lines):
            time.sleep(0.05)
        assert process.poll() is None, "it ended before it was killed"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_tuned_to_the_end_after_a_kill(tmp_path: Path) -> None:
    model, folder = write_model(tmp_path, NET, "net.py"), tmp_path / "tuned"
    killed_after(1, tune(folder, model), folder)
    journal = folder / "tuning_journal.jsonl"
    before = journal.read_bytes()
    (plain,) = folder.glob("programs/plain/*.pte")
    made = plain.stat().st_mtime_ns
    with open(journal, "ab") as file:
        file.write(b'{"program": {"rewr')  # a line that the kill tore
    assert "the folder holds a tuning" in kit(TUNE, *tune(folder, model)).error_line()
    assert "had another rewrites" in kit(TUNE, *tune(folder, model)[:-1], "--resume").error_line()

    said = kit(TUNE, *tune(folder, model, "--resume")).ok().stdout
    assert journal.read_bytes().startswith(before) and plain.stat().st_mtime_ns == made
    assert "exporting plain" not in said and "exporting all rewrites" in said

    tuning = Tuning.from_json(JsonObject.read(folder / "tuning.json", "tune again"))
    first, final = tuning.tried.trials[0], tuning.final
    assert [one.rewrites for one in tuning.tried.programs] == [(), ("layer-norm", "gelu")]
    plain_program, rewritten = tuning.tried.programs
    assert (plain_program.delegates, plain_program.outside, rewritten.delegates, rewritten.outside) == (2, 1, 1, 0)
    assert plain_program.takes_in == {"layer-norm": 1, "gelu": 0} == rewritten.applied
    assert first.pairs >= 5 and first.gains_ms["layer-norm"] > 0 and first.gains_ms["gelu"] == 0
    if final is not None:  # as good as always: this machine may be too busy to tell
        kit(VALIDATE, "--results", folder / "before_after").ok()
        assert (folder / "before_after" / "report.html").is_file()
        assert RunDirectory(folder / "before_after").read_manifest().pairs == 6
    record = json.loads((folder / "net_xnnpack_fp32.json").read_text())
    kept = {name for name in record["rewrites"] if record["rewrites"][name]}
    assert kept == {n for n in tuning.outcome.chosen if tuning.tried.program(tuning.outcome.chosen).applied[n]}
    assert record["agreement"]["passed"] and isinstance(record["agreement"]["cosine"], float)
    assert (folder / "net_xnnpack_fp32.pte").stat().st_size == record["pte"]["bytes"]
    told = (folder / "TUNING.md").read_text()
    assert told.startswith("<!-- SPDX-License-Identifier: Apache-2.0 -->\n# net in fp32") and "## Programs" in told

    again = kit(TUNE, *tune(folder, model, "--resume")).ok().stdout
    assert "exporting" not in again and "comparing" not in again, "all of it is there"


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("lines", [2, 3, 4])
def test_goes_on_after_a_kill_at_any_line(lines: int, tmp_path: Path) -> None:
    model, folder = write_model(tmp_path, NET, "net.py"), tmp_path / "tuned"
    killed_after(lines, tune(folder, model), folder)
    before = (folder / "tuning_journal.jsonl").read_bytes()
    kit(TUNE, *tune(folder, model, "--resume")).ok()
    assert (folder / "tuning_journal.jsonl").read_bytes().startswith(before)


@pytest.mark.slow
@pytest.mark.nightly
def test_the_noise_floor_is_that_of_every_comparison(tmp_path: Path) -> None:
    model, folder = write_model(tmp_path, NET, "net.py"), tmp_path / "tuned"
    for _ in range(3):  # one calibration in twenty fails
        done = kit(TUNE, *tune(folder, model, "--aa", *(["--resume"] if folder.exists() else [])))
        if done.status != 1:
            break
    done.ok()
    first, *others = Tuning.from_json(JsonObject.read(folder / "tuning.json", "tune again")).tried.trials
    assert first.stage == "calibration" and first.noise_floor_percent > 0 and others
    assert {one.noise_floor_percent for one in others} == {first.noise_floor_percent}


@pytest.mark.exports
@pytest.mark.nightly
@pytest.mark.parametrize(
    ("model", "dtype", "least"), [("mobilenet_v3_small", "fp16", 1.0), ("deit", "fp32", 1.2), ("bert", "fp32", 1.2)]
)
def test_a_real_model_gets_faster(model: str, dtype: str, least: float, tmp_path: Path) -> None:
    """How much is the machine's; that something is found, and the limits, hold on every one with XNNPACK."""
    encoders = REPOSITORY / "test-cases" / "foreign_models" / "transformer_encoders.py"
    where = ["--model", model] if model == "mobilenet_v3_small" else ["--model", model, "--model-file", encoders]
    kit(TUNE, *where, "--dtype", dtype, "--outdir", tmp_path / "tuned", "--budget", 10, timeout=3000).ok()
    tuning = Tuning.from_json(JsonObject.read(tmp_path / "tuned" / "tuning.json", "tune again"))
    assert tuning.final is not None and tuning.final.speedup > least and tuning.outcome.chosen


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no model is named"),
        (["--model", "toy_cmn"], "did you mean toy_cnn?"),
        (
            ["--model", "toy_cnn", "--rewrites", "gelo"],
            "there is no rewrite 'gelo' (did you mean gelu?), in --rewrites",
        ),
        (["--model", "toy_cnn", "--rewrites", "none"], "there is nothing to try, in --rewrites"),
        (["--model", "toy_cnn", "--dtype", "fp61"], "fp16"),
        (["--model", "toy_cnn", "--budget", "soon"], "soon is no number of minutes above 0"),
        (["--model", "toy_cnn", "--budget", "nan"], "nan is no number of minutes above 0"),
        (["--model", "toy_cnn", "--pairs", "4"], "4 pairs give no verdict, in --pairs: give 6 or more"),
        (["--model", "toy_cnn", "--threads", "0"], "0 is no number of threads, in --threads"),
        (["--model-file", "gone.py"], "gone.py does not exist, in --model-file"),
        (["--model", "toy_cnn", "--weights", "gone.pt"], "gone.pt does not exist, in --weights"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    assert told in kit(TUNE, *arguments, "--outdir", tmp_path / "tuned").error_line()
    assert not (tmp_path / "tuned").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    said = kit(TUNE, "--model", "toy_cnn", "--outdir", tmp_path).error_line()
    assert "the folder holds files that are not of a tuning (notes.txt)" in said
    assert "is a file, in --outdir" in kit(TUNE, "--model", "toy_cnn", "--outdir", tmp_path / "notes.txt").error_line()


@pytest.mark.parametrize("line", ["no JSON", "[]", "{}", '{"program": {"rewrites": 1}}', '{"trial": {"stage": "x"}}'])
def test_a_damaged_line_of_the_journal_is_named(line: str, tmp_path: Path) -> None:
    folder = TuningFolder(tmp_path)
    folder.journal.write_text(line + "\n" + "torn by a kill")
    with pytest.raises(UserError, match="tuning_journal.jsonl:1: name another --outdir to begin anew"):
        folder.tried()


@pytest.mark.slow
def test_a_model_that_cannot_be_exported_says_why(tmp_path: Path) -> None:
    model, folder = write_model(tmp_path, BROKEN, "broken.py"), tmp_path / "tuned"
    assert "depends on a tensor's values" in kit(TUNE, *tune(folder, model)).error_line()
    assert not (folder / "tuning_request.json").exists() and not list(folder.glob("*.pte"))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
