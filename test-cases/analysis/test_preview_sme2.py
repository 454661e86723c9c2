# SPDX-License-Identifier: Apache-2.0
"""preview_sme2.py on every kit model and dtype, on real emulated CPUs."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.emulation import MOBILENET, emulated
from support.export import DTYPES, KIT_MODELS
from support.kit import Finished, kit

from model_profiling.analysis.kernels.uses import LOADING
from model_profiling.analysis.tables.kernels import read_kernels

pytestmark = pytest.mark.emulator

PREVIEW = "scripts/preview_sme2.py"
VARIANTS = ("sme2", "sme_only", "no_sme")


MOST_SECONDS = 20.0


@dataclass(frozen=True)
class Previewed:
    folder: Path
    command: Finished
    seconds: float
    found: dict
    markdown: str


@pytest.fixture(scope="session")
def previewed(exported, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Previewed]:
    """Return a function (model, dtype) -> what the command left, made once a session."""
    made: dict[tuple[str, str], Previewed] = {}

    def preview(model: str, dtype: str) -> Previewed:
        if (model, dtype) not in made:
            emulated()
            pte, folder = exported(model, dtype), tmp_path_factory.mktemp("preview")
            start = time.monotonic()
            command = kit(PREVIEW, "--model", pte, "--output-dir", folder).ok()
            seconds = time.monotonic() - start
            found = json.loads((folder / f"{pte.stem}_sme2_preview.json").read_text())
            made[model, dtype] = Previewed(
                folder, command, seconds, found, (folder / f"{pte.stem}_sme2_preview.md").read_text()
            )
        return made[model, dtype]

    return preview


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", KIT_MODELS)
def test_every_kit_model_reaches_sme2_and_agrees(model: str, dtype: str, previewed) -> None:
    p = previewed(model, dtype)
    found = p.found["variants"]
    assert tuple(found) == VARIANTS
    assert found["sme2"]["compute_calls"].get("sme2", 0) > 0 and "sme" not in found["sme2"]["compute_calls"]
    assert found["sme_only"]["compute_calls"].get("sme", 0) > 0 and "sme2" not in found["sme_only"]["compute_calls"]
    assert not {"sme", "sme2"} & found["no_sme"]["compute_calls"].keys()
    assert found["no_sme"]["agreement"] is None and p.found["disagreements"] == []
    assert all(found[name]["agreement"]["cosine"] >= 0.99 for name in VARIANTS[:2])
    assert p.command.stdout.splitlines()[-1] == p.found["sentence"] + "."
    assert re.fullmatch(
        r"\d+ of \d+ matrix layers, (over |under )?\d+ % of multiply-adds, reach SME2 kernels", p.found["sentence"]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", KIT_MODELS)
def test_tables_add_up_to_the_record(model: str, dtype: str, previewed) -> None:
    p = previewed(model, dtype)
    for name in VARIANTS:
        table = read_kernels(next(p.folder.glob(f"*_{name}_kernels.csv")))
        assert {row.experiment for row in table} == {name}
        assert sum(use.calls for use in table) == p.found["variants"][name]["kernel_calls"]
        assert all(use.layer for use in table if use.operator != LOADING)
        by_layer = {row["layer"]: row["kernels"][name] for row in p.found["matrix_layers"]}
        for use in table:
            if use.role == "compute":
                assert by_layer[use.layer][use.kernel] > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", KIT_MODELS)
def test_the_export_foretold_what_every_layer_runs_as(model: str, dtype: str, previewed, exported) -> None:
    told = json.loads(exported(model, dtype).with_suffix(".json").read_text())["sme2"]
    ran = previewed(model, dtype).found
    coverage = ran["variants"]["sme2"]["coverage"]["sme2"]
    assert (told["reaching_layers"], told["matrix_layers"]) == (coverage["layers"], coverage["all_layers"])
    assert told["share_of_multiply_adds"] == pytest.approx(coverage["share_of_multiply_adds"], abs=1e-6)
    foretold = [(layer["multiply_adds"], {layer["kernel"]} - {""}) for layer in told["layers"] if layer["delegated"]]
    happened = [(layer["multiply_adds"], set(layer["kernels"]["sme2"])) for layer in ran["matrix_layers"]]
    assert sorted(foretold, key=str) == sorted(happened, key=str)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mobilenet_in_numbers(dtype: str, previewed) -> None:
    p = previewed("mobilenet_v3_small", dtype)
    layers, calls, kernel = MOBILENET[dtype]
    assert p.found["sentence"].startswith(f"{layers} of 54 matrix layers, ")
    uses = read_kernels(next(p.folder.glob("*_sme2_kernels.csv")))
    assert sum(use.calls for use in uses if use.kernel.endswith(kernel) and use.role == "compute") == calls
    if dtype == "fp16":  # what misses SME2 are the 1x1 convolutions, which XNNPACK runs as fully connected
        missed = p.markdown.partition("## Matrix layers that do not reach SME2")[2].partition("\n## ")[0]
        assert missed.count("| Fully Connected (NC, F16) GEMM |") == 40
    else:
        assert p.seconds < MOST_SECONDS


def test_no_emulated_time_is_told(previewed) -> None:
    p = previewed("toy_cnn", "fp32")

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {k for v in value.values() for k in keys(v)}
        return {k for v in value for k in keys(v)} if isinstance(value, list) else set()

    assert not [key for key in keys(p.found) if re.search(r"(_|^)(ns|us|ms|s|latency|seconds|duration)$", key)]
    for text in (p.markdown, p.command.stdout):
        assert not re.search(r"\d\s*(ns|us|ms|s|seconds)\b|speed-?up|faster|latency", text)
    assert "says nothing about how fast" in p.markdown


def test_a_cpu_without_sme2(toy: Path, tmp_path: Path) -> None:
    emulated()
    done = kit(PREVIEW, "--model", toy, "--output-dir", tmp_path, "--cpu", "neoverse-n1").ok()
    assert done.stdout.splitlines()[-1] == (
        "The CPU neoverse-n1 has no SME2: 0 of 8 matrix layers, 0 % of multiply-adds, reach SME2 kernels."
    )
    assert [p.name for p in tmp_path.glob("*.csv")] == [f"{toy.stem}_no_sme_kernels.csv"]


def test_any_file_name_and_the_default_folder(toy: Path, tmp_path: Path) -> None:
    emulated()
    hostile = tmp_path / "a b;'<script>|$(x).pte"
    shutil.copy(toy, hostile)
    kit(PREVIEW, "--model", hostile, "--cpu", "cortex-a76", cwd=tmp_path).ok()
    markdown = next((tmp_path / f"{hostile.stem}_sme2_preview").glob("*.md")).read_text()
    assert "<script>" not in markdown and "\\<script\\>" in markdown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--model"),
        (("--model", "none.pte"), "none.pte"),
        (("--model", "text.pte"), "text.pte"),
        (("--model", "."), "folder"),
        (("--model", "{toy}", "--output-dir", "text.pte"), "--output-dir: name a folder"),
        (("--model", "{toy}", "--cpu", "pentium"), "cannot emulate the CPU pentium"),
        (("--model", "{toy}", "--cpus", "max"), "did you mean --cpu"),
    ],
)
def test_what_the_user_can_fix_is_one_line(arguments: tuple[str, ...], told: str, toy: Path, tmp_path: Path) -> None:
    emulated()
    (tmp_path / "text.pte").write_text("this is no model")
    said = kit(PREVIEW, *(a.format(toy=toy) for a in arguments), cwd=tmp_path).error_line()
    assert told in said
    assert [p.name for p in tmp_path.iterdir()] == ["text.pte"], "nothing half written"


def test_a_model_that_is_damaged_inside(toy: Path, tmp_path: Path) -> None:
    emulated()
    data = bytearray(toy.read_bytes())
    (tmp_path / "cut.pte").write_bytes(bytes(data[: len(data) // 2]))
    done = kit(PREVIEW, "--model", tmp_path / "cut.pte")
    assert done.status in (1, 2)
    done.error_line(done.status)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
