# SPDX-License-Identifier: Apache-2.0
"""What advice says a change would save, against what making it saves: one line a change.

Each model is exported as it stands and with the rewrites that its advice names, and the two are measured in pairs of
one run. What operators outside XNNPACK could save, by the advice on the side before, is held against the measured
share. A change that saves more than it could, beyond its interval, is marked: there must be none. What the
first opportunity of each model is stands beside it. Takes one to three minutes a model.

    python test-cases/benchmarks/bench_advice.py --only bert deit mobilenet_v3_small
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.advice.ranking import SMALLEST_SHARE
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.pipeline.run_directory import RunDirectory

_REPOSITORY = Path(__file__).resolve().parents[2]
_KIT = _REPOSITORY / "model_profiling"
_FOREIGN = _REPOSITORY / "test-cases" / "foreign_models"
_ENCODERS, _MODELS = _FOREIGN / "transformer_encoders.py", _FOREIGN / "transformer_models.py"


@dataclass(frozen=True)
class Change:
    """A model, the file that it is in (None: the kit's own), and its recipe."""

    model: str
    file: Path | None
    dtype: str

    @property
    def name(self) -> str:
        return f"{self.model} {self.dtype}"


CHANGES = (
    Change("toy_cnn", None, "fp32"),
    Change("toy_cnn", None, "fp16"),
    Change("toy_transformer", None, "fp32"),
    Change("toy_transformer", None, "fp16"),
    Change("mobilenet_v3_small", None, "fp32"),
    Change("mobilenet_v3_small", None, "fp16"),
    *(Change(name, _ENCODERS, "fp32") for name in ("bert", "deit", "vit", "whisper_encoder")),
    *(Change(name, _MODELS, "fp32") for name in ("distilbert", "clip_text", "clip_image", "wav2vec2", "segformer")),
    Change("mobilevit", _MODELS, "fp32"),
)


def run(script: str, *words: object) -> None:
    done = subprocess.run([sys.executable, str(_KIT / script), *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)


def exported(change: Change, folder: Path, *flags: str) -> Path:
    source = ["--model-file", change.file] if change.file else []
    words = ("--model", change.model, "--dtype", change.dtype, "--outdir", folder)
    run("export/export_model.py", *source, *words, *flags)
    return folder / f"{change.model}_xnnpack_{change.dtype}.pte"


def measured(before: Path, after: Path, folder: Path) -> AnalysisSummary:
    run("scripts/generate_config.py", "--model", after, "--against", before, "--output", folder)
    run("scripts/mac_pipeline.py", "--config", folder / "config.json")
    (root,) = (folder / "runs").iterdir()
    return AnalysisSummary.read(RunDirectory(root))


def line(change: Change, folder: Path) -> str:
    """Return a change's line: its saving as it could be and as it is, in percent of an execution."""
    before, after = exported(change, folder / "before"), exported(change, folder / "after", "--rewrite", "all")
    summary = measured(before, after, folder / "pair")
    (compared,) = summary.comparisons
    advised = [one for one in summary.opportunities if one.experiment == compared.baseline and one.per == "execution"]
    whole = summary.experiments[compared.baseline][compared.threads].time_ms or 0.0
    # All rewrites are applied: what no rewrite takes in may go too, as a transpose next to what one takes in does.
    could = 100 * sum(one.saves_ms for one in advised if one.kind not in ("threads", "below-ceiling")) / whole
    does, low, high = (100 * (1 - 1 / ratio) for ratio in (compared.speedup, *(vars(compared.interval).values())))
    # An opportunity that could save less than a hundredth is not listed.
    mark = "more than it could" if low > could + 100 * SMALLEST_SHARE else ""
    first = advised[0].id if advised else "none"
    return f"| {change.name} | {could:.0f} | {does:.0f} ({low:.0f} to {high:.0f}) | {mark} | {first} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="MODEL")
    args = parser.parse_args()
    print("| change | could save at most (%) | saves (%), 95 % interval | | first opportunity |")
    print("|---|--:|--:|---|---|", flush=True)
    marked = 0
    for change in CHANGES:
        if args.only and change.model not in args.only:
            continue
        with tempfile.TemporaryDirectory() as name:
            told = line(change, Path(name))
        marked += "more than" in told
        print(told, flush=True)
    return int(marked > 0)


if __name__ == "__main__":
    sys.exit(main())
