# SPDX-License-Identifier: Apache-2.0
"""Models not of this kit, written as their authors would, through the commands from another folder."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.export import run_command
from support.kit import KIT, TESTS, kit

pytestmark = pytest.mark.slow

FOREIGN = TESTS / "foreign_models"
# File, name, operators that stay outside XNNPACK and what stands in the line that each comes from.
MODELS = {
    "detector.py": (
        "detector",
        {
            "aten.topk.default": "best.topk(",
            "aten.upsample_nearest2d.vec": 'mode="nearest"',
            "aten.arange.start_step": "torch.meshgrid(",
            "aten.gather.default": "boxes.gather(",
        },
    ),
    "speech": (
        "speech",
        {
            "aten.native_group_norm.default": "self.norm(",
            "aten._log_softmax.default": ".log_softmax(",
            "aten.log1p.default": "torch.log1p(",
        },
    ),
    "decoder_step.py": (
        "decoder_step",
        {
            "aten.embedding.default": "self.tokens(token)",
            "aten.index_put.default": "index_copy_(",
            "aten.copy_.default": "index_copy_(",
        },
    ),
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Each model exported by the command, started in an empty folder that is not the repository's."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def export(file: str) -> tuple[Path, str]:
        name, _ = MODELS[file]
        run = run_command("--model-file", FOREIGN / file, "--dtype", "fp32", "--explain", cwd=folder)
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
        return folder / f"out_{name}/artifacts/{name}_xnnpack_fp32.pte", run.stdout

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(MODELS, pool.map(export, MODELS), strict=True))


@pytest.mark.parametrize("file", MODELS)
def test_every_operator_outside_is_explained(exports, file: str) -> None:
    name, expected = MODELS[file]
    pte, said = exports[file]
    about = json.loads(pte.with_suffix(".json").read_text(encoding="utf-8"))
    outside = about["delegation"]["not_delegated"]
    assert about["source"] == "file" and about["model"] == name
    assert sum(entry["count"] for entry in outside) == about["delegation"]["portable_operators"] > 10
    for entry in outside:
        assert entry["reason"] and entry["hint"], entry
        assert _line(entry["source"]).strip() and f"source  {entry['source']}" in said, entry
    for operator, text in expected.items():
        assert all(text in _line(entry["source"]) for entry in outside if entry["operator"] == operator), operator
    assert {entry["operator"] for entry in outside} >= set(expected)


def _line(source: str) -> str:
    """Return the line of a foreign model that `source` ("file:line") names, from wherever the file's path begins."""
    file, _, line = source.rpartition(":")
    (found,) = (
        path for path in FOREIGN.rglob("*.py") if path.as_posix().endswith(f"/{file}") or file.endswith(f"/{path.name}")
    )
    return found.read_text(encoding="utf-8").splitlines()[int(line) - 1]


def test_modules_are_named(exports) -> None:
    def modules(file: str) -> dict[str, str]:
        about = json.loads(exports[file][0].with_suffix(".json").read_text(encoding="utf-8"))
        return {entry["operator"]: entry["module"] for entry in about["delegation"]["not_delegated"]}

    assert modules("detector.py")["aten.arange.start_step"] == "heads.*"
    assert modules("speech")["aten.native_group_norm.default"] == "blocks.*.norm"
    assert modules("speech")["aten.log1p.default"] == "front_end"
    decoder = modules("decoder_step.py")
    assert (decoder["aten.embedding.default"], decoder["aten.index_put.default"]) == ("tokens", "layers.*")
    assert "module  the model itself" in exports["detector.py"][1]  # top-k, in the model's own forward()


def test_weight_used_twice_is_told(exports) -> None:
    """The decoder's table is its output layer too: outside for the look-up, inside for the product."""
    pte, said = exports["decoder_step.py"]
    stored = json.loads(pte.with_suffix(".json").read_text(encoding="utf-8"))["constants"]
    assert stored["pte_to_weights"] == round(pte.stat().st_size / stored["weights_bytes"], 3)
    if stored["pte_to_weights"] > 1.2:
        assert [(one["name"], one["copies"]) for one in stored["excess"]] == [
            ("head.weight", 2)
        ] and "stored 2 times" in said


def test_one_of_them_is_profiled_and_reported(exports, tmp_path: Path) -> None:
    """From the export to a report; the cache inside of the decoder step is state that launches keep apart."""
    pte, _ = exports["decoder_step.py"]
    kit("scripts/generate_config.py", "--model", pte, "--output", tmp_path).ok()
    kit("scripts/mac_pipeline.py", "--config", tmp_path / "config.json", "--quick").ok()
    report = (tmp_path / "runs/mac/report.md").read_text(encoding="utf-8")
    lines = (FOREIGN / "decoder_step.py").read_text(encoding="utf-8").splitlines()
    (embedded,) = (number for number, line in enumerate(lines, 1) if "self.tokens(token)" in line)
    assert "## Outside XNNPACK" in report and f"decoder_step.py:{embedded}`" in report
    kit("scripts/validate_results.py", "--results", tmp_path / "runs/mac").ok()


def test_folder_of_models_in_the_search_path(tmp_path: Path) -> None:
    listed = run_command("--list", cwd=tmp_path, env={"SME2_MODEL_PATH": str(FOREIGN)})
    rows = {line.split()[0]: line.split()[1:] for line in listed.stdout.splitlines()}
    assert {name: rows[name] for name in ("detector", "speech", "decoder_step")} == dict.fromkeys(
        ("detector", "speech", "decoder_step"), ["file", "ready"]
    )


def test_nothing_of_them_is_in_the_kit() -> None:
    names = [name for name, _ in MODELS.values()]
    assert not [path for path in KIT.rglob("*") if path.stem in names]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
