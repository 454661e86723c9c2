# SPDX-License-Identifier: Apache-2.0
"""A model's own accuracy: both are judged by it, its limit takes the recipe's place, and every misuse is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.export import export_here, run_command, write_model

from model_profiling.errors import MeasurementError, UserError
from model_profiling.recorded_agreement import RecordedAgreement

pytestmark = pytest.mark.slow

#: Signs of sums: the eager model has them all right.
MODEL = """
class Signs:
    def get_eager_model(self):
        layer = nn.Linear(4, 1, bias=False)
        with torch.no_grad():
            layer.weight.fill_(1.0)
        return layer.eval()

    def get_example_inputs(self):
        return (torch.tensor([[1.0, 2.0, 3.0, 0.5]]),)

    def evaluation_data(self):
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            x = torch.randn(1, 4, generator=generator)
            yield (x,), bool(x.sum() > 0)

    def evaluate(self, outputs, labels):
        return 100 * sum(bool(y > 0) == label for (y,), label in zip(outputs, labels)) / len(labels)
"""


def written(folder: Path, old: str = "", new: str = "", more: str = "") -> Path:
    assert old in MODEL
    return write_model(folder, (MODEL.replace(old, new) if old else MODEL) + more)


def test_both_are_judged_by_the_model(tmp_path: Path) -> None:
    result = export_here(tmp_path / "out", model_file=written(tmp_path, more="\n    accuracy_loss_limit = 5\n"))
    agreement = RecordedAgreement.of(result.sidecar)
    assert agreement.passed and agreement.by_accuracy and not agreement.loose
    assert (agreement.accuracy.eager, agreement.accuracy.program, agreement.accuracy.loss) == (100, 100, 0)
    assert (agreement.accuracy.items, agreement.accuracy.limit) == (20, 5)
    assert result.sidecar["agreement"]["limit"] == {"max_rel_error": 1e-3, "min_cosine": 0.9999}


#: An output that only its sign is asked of, in float16 far from the eager one's.
FAR = ("layer.weight.fill_(1.0)", "layer.weight.fill_(3e4)")


def test_limit_of_the_model_takes_the_recipes_place(tmp_path: Path) -> None:
    """The sums are beyond float16: infinite, of the right sign."""
    model = written(tmp_path, *FAR, more="\n    accuracy_loss_limit = 0\n")
    result = export_here(tmp_path / "out", model_file=model, dtype="fp16")
    agreement = RecordedAgreement.of(result.sidecar)
    assert agreement.max_rel_error is None and agreement.passed and agreement.accuracy.program == 100


def test_loss_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    worse = "100 * sum(bool(y > 0) == label for (y,), label in zip(outputs, labels)) / len(labels)"
    by_kind = "100.0 if outputs[0][0].isfinite().all() else 10.0"
    model = written(tmp_path, *FAR, more="\n    accuracy_loss_limit = 2.5\n")
    model.write_text(model.read_text().replace(worse, by_kind).replace("torch.randn(1, 4", "3 + torch.randn(1, 4"))
    with pytest.raises(MeasurementError) as raised:
        export_here(tmp_path / "out", model_file=model, dtype="fp16")
    told = str(raised.value)
    assert "in fp16 loses 90 of its accuracy (limit 2.5)" in told and "\n" not in told
    assert "100 for the eager model and 10 for the program" in told and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("return 100 * sum(", "return 'good' or sum(", "evaluate() returned a str for the eager model"),
        ("return 100 * sum(", "return float('nan') * sum(", "evaluate() returned nan for the eager model"),
        (
            "return 100 * sum(",
            "return outputs[99] or sum(",
            "evaluate() of mine on the outputs of the eager model failed",
        ),
        ("range(20)", "range(0)", "evaluation_data() has no items"),
        ("yield (x,), bool(x.sum() > 0)", "yield x", "item 0 of evaluation_data() is no pair of inputs and labels"),
        ("yield (x,), bool", "yield x, bool", "evaluation_data()[0] returned a bare tensor"),
        ("yield (x,), bool", "yield (x.long(),), bool", "evaluation_data()[0] differs from the example inputs"),
        ("yield (x,), bool", "yield (x[:, :3],), bool", "running mine on its evaluation_data() failed"),
        ("yield (x,), bool", "yield (x / 0 * 0,), bool", "evaluation_data()[0] holds NaNs"),
        ("x = torch", "x = self.missing + torch", "getting item 0 of evaluation_data() of mine failed"),
        ("def evaluate(", "def evaluates(", "it is evaluated without evaluate()"),
        ("def evaluation_data(", "def data(", "it is evaluated without evaluation_data()"),
        ("    def evaluate(", "    accuracy_loss_limit = -1\n\n    def evaluate(", "accuracy_loss_limit is -1"),
        ("    def evaluate(", "    accuracy_loss_limit = '1 %'\n\n    def evaluate(", "accuracy_loss_limit is '1 %'"),
    ],
)
def test_misuse_is_one_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        export_here(tmp_path / "out", model_file=written(tmp_path, old, new))
    assert told in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_command_shows_accuracy_and_calls_loose_limits_loose(tmp_path: Path) -> None:
    file = written(tmp_path)
    run = run_command("--model-file", file, "--dtype", "int8", "--outdir", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "of the eager model, a loss of" in run.stdout and "(no accuracy_loss_limit), over 20 items" in run.stdout
    assert "these limits are loose" in run.stdout


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
