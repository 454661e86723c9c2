# SPDX-License-Identifier: Apache-2.0
"""Blocks that are no commands, and text: configurations, JSON, Python, what a page names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.pages import REPOSITORY

from tools.pages.checks.checker import Checker, opt_outs
from tools.pages.reading.lexer import read_document
from tools.pages.reading.problems import Position


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


def check(text: str, checker: Checker, path: Path = REPOSITORY / "page.md") -> list[str]:
    """Return the problems of a page that lies in the repository's root and has this text."""
    return [str(problem) for problem in checker.check([read_document(path, path.name, text)])]


# ---------------------------------------------------------------- other blocks and text


CONFIG = {
    "model": "m.pte",
    "output_root": "out",
    "experiments": [{"name": "a"}, {"name": "b"}],
    "analysis": {"compare_pairs": [["a", "b"]]},
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({**CONFIG, "pair": 8}, '"pair" is not a key of the config (did you mean pairs?)'),
        ({**CONFIG, "pairs": "many"}, '"many" is not valid'),
        ({**CONFIG, "pairs": 0}, "0 is not valid"),
        ({**CONFIG, "analysis": {"compare_pairs": [["a", "c"]]}}, "c"),
        ({"output_root": "x", "experiments": [{"name": "a"}]}, '"model" is missing'),
        (
            {**CONFIG, "experiments": [{"name": "a", "model": "a.onnx"}, {"name": "b"}]},
            '"model" names no .pte file: a.onnx',
        ),
        ({"name": "a", "mode": "timings"}, "no valid part of a configuration: 'timings' is not one of"),
        ({"name": "a", "wramup": 3, "runs": 1}, "'wramup' was unexpected"),
        ({"analysis": {"pairs": []}}, "'pairs' was unexpected"),
    ],
)
def test_configurations_fit_their_schema(value: dict, told: str, checker: Checker) -> None:
    problems = check(f"```json\n{json.dumps(value, indent=2)}\n```\n", checker)
    assert len(problems) == 1 and told in problems[0], problems


def test_other_json_is_json_and_no_configuration(checker: Checker) -> None:
    assert check('```json\n{"speedup": 1.8, "ci95": [1.7, 1.9]}\n```\n', checker) == []
    assert check('```json\n{"speedup": 1.8 "pairs": 8}\n```\n', checker) == [
        "page.md:2:17: error: this is not JSON: Expecting ',' delimiter"
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print(1", "page.md:2:6: error: the Python code does not compile: '(' was never closed"),
        ("import torhc", "page.md:2:1: error: the module torhc cannot be imported"),
        ("from torch import nnn", "torch has no nnn"),
        ("from model_profiling.errors import UserEror", "model_profiling.errors has no UserEror"),
        ("import torch\n\ntohrc.rand(1)", "page.md:4:1: error: tohrc is not defined (did you mean torch?)"),
    ],
)
def test_python_compiles_and_its_imports_resolve(code: str, told: str, checker: Checker) -> None:
    problems = check(f"```python\n{code}\n```\n", checker)
    assert len(problems) == 1 and told in problems[0], problems


@pytest.mark.parametrize(
    "code",
    [
        "import torch.nn.functional as F\nfrom torch import nn\nfrom torch.export import export\nprint(F, nn, export)",
        "import json, os.path\nfrom pathlib import Path\nprint(json, os, Path)",
        "from model_profiling.pipeline import config\n"
        "from model_profiling.models.registry import find\nprint(config, find)",
    ],
)
def test_right_imports_raise_no_alarm(code: str, checker: Checker) -> None:
    assert check(f"```python\n{code}\n```\n", checker) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("See [the licence](LICENCE).", "page.md:1:5: error: LICENCE is not there (did you mean LICENSE?)"),
        ("See [below](#nowhere).", "#nowhere is no heading of page.md"),
        (
            "See [the quick start](README.md#quick-strat).",
            "#quick-strat is no heading of README.md (did you mean quick-start?)",
        ),
        (
            "See [XNNPACK](https://github.com/google/XNPACK).",
            "https://github.com/google/XNPACK is not a known address (did you mean https://github.com/google/XNNPACK?)",
        ),
        (
            "See [the code](https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling/blob/main/tols).",
            "tols is not in the repository (did you mean tools?)",
        ),
        ("See [here](README.md).", 'the link\'s text "here" does not say where it leads'),
        (
            "![A report](images/reprt.svg)",
            "page.md:1:1: error: images/reprt.svg is not there (did you mean report.svg?)",
        ),
        ("![](images/report.svg)", "the image has no alternative text"),
        ("Use `--onyl`.", "page.md:1:6: error: --onyl is not a flag of any command (did you mean --only?)"),
        ("Run `mac_pipeline.py --onyl X`.", "--onyl is not a flag of mac_pipeline.py (did you mean --only?)"),
        (
            "Export with `--modle-file my_model.py`.",
            "--modle-file is not a flag of any command (did you mean --model-file?)",
        ),
        (
            "Look into `model_profiling/models/edgetam_image_encoder/MAESURED.md`.",
            "MAESURED.md is not in the repository (did you mean ",
        ),
        ("Run `mac_pipelines.py`.", "mac_pipelines.py is not there (did you mean mac_pipeline.py?)"),
        (
            "Look into `model_profiling/scriptz`.",
            "model_profiling/scriptz is not in the repository (did you mean model_profiling/scripts?)",
        ),
        ("<!-- check: skpi this -->\n", "is not understood"),
        ("<!-- check: skip -->\n```bash\nls\n```", "gives no reason"),
        ("<!-- check: exits 2 -->\nNo block.", "stands before no code block"),
        ("Text.\n\n<!-- check: save-as x.json -->\n```json\n{}\n```", "the reader is not told to save this as x.json"),
        ("```bash\nls", "the code fence is never closed"),
    ],
)
def test_text_names_what_is_there(text: str, told: str, checker: Checker) -> None:
    problems = check(text + "\n", checker)
    assert len(problems) == 1 and told in problems[0], problems


def test_what_is_skipped_is_not_checked_and_counted(checker: Checker) -> None:
    text = (
        "<!-- check: skip it shows a mistake -->\n```bash\npyhton x\n```\n\n"
        "<!-- check: no-run it takes hours -->\n```bash\nls\n```\n"
    )
    assert check(text, checker) == []
    told = opt_outs([read_document(REPOSITORY / "page.md", "page.md", text)])
    assert [(o.what, o.reason, o.place) for o in told] == [
        ("not checked", "it shows a mistake", Position(1, 1)),
        ("not run", "it takes hours", Position(6, 1)),
    ]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
