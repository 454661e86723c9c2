# SPDX-License-Identifier: Apache-2.0
"""A recipe is one file: what asks for dtypes finds it there, and the export follows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.export import DTYPES, EXPORT_TIMEOUT_S
from support.kit import KIT, REPOSITORY

from model_profiling.errors import UserError
from model_profiling.export.recipe import Limit
from model_profiling.export.recipes import find_recipe, recipes

pytestmark = pytest.mark.slow

NEW = '''# SPDX-License-Identifier: Apache-2.0
"""float16 under another name, judged by another limit, its linear layers left outside XNNPACK."""

from model_profiling.export.recipe import Limit, Recipe


def convolutions():
    from executorch.backends.xnnpack.partition.config.gemm_configs import ConvolutionConfig
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return [XnnpackPartitioner(configs=[ConvolutionConfig])]


RECIPE = Recipe("half", 25, Limit(max_rel_error=0.25, min_cosine=0.75), floating="float16", partitioners=convolutions)
'''


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=EXPORT_TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's code with one file more: a recipe."""
    tree = tmp_path_factory.mktemp("recipe")
    shutil.copytree(
        KIT, tree / "model_profiling", ignore=shutil.ignore_patterns("__pycache__", "build", "vendor", "out_*")
    )
    (tree / "model_profiling/export/recipes/half.py").write_text(NEW, encoding="utf-8")
    return tree


def test_recipes_are_listed_by_rank_with_what_they_are_judged_by() -> None:
    assert tuple(recipes()) == (*DTYPES, "8da8w", "8da4w")
    assert [recipe.limit for recipe in recipes().values()] == [
        Limit(max_rel_error=1e-3, min_cosine=0.9999),
        Limit(max_rel_error=5e-2, min_cosine=0.999),
        Limit(max_rel_error=5e-1, min_cosine=0.95),
        Limit(max_rel_error=2e-1, min_cosine=0.99),
        Limit(max_rel_error=7.5e-1, min_cosine=0.9),
    ]
    assert find_recipe("int8").quantizer and not find_recipe("fp16").quantizer


def test_a_recipe_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(
        UserError, match=r"no dtype 'fp61' \(did you mean fp16\?\).*use one of fp32, fp16, int8, 8da8w, 8da4w"
    ):
        find_recipe("fp61")


def test_listing_recipes_imports_neither_torch_nor_executorch() -> None:
    code = "import sys, model_profiling.export.export_model as e; e.build_parser(); print('torch' in sys.modules)"
    assert run(REPOSITORY, "-c", code).stdout == "False\n"


def test_one_new_file_shows_wherever_dtypes_are_named(scratch: Path) -> None:
    helped = run(scratch, "model_profiling/export/export_model.py", "--help").stdout
    assert "fp32, fp16, half, int8, 8da8w or 8da4w (default fp16)" in " ".join(helped.split())
    wrong = run(scratch, "model_profiling/export/export_model.py", "--model", "toy_cnn", "--dtype", "halv")
    assert wrong.returncode == 2 and "did you mean half?" in wrong.stderr and "fp16, half, int8" in wrong.stderr
    code = (
        "from model_profiling.export.recipes import find_recipe, recipes; print(find_recipe('half').name, *recipes())"
    )
    assert run(scratch, "-c", code).stdout == "half fp32 fp16 half int8 8da8w 8da4w\n"


def test_one_new_file_is_exported_with_its_own_limit_type_and_partitioners(scratch: Path) -> None:
    done = run(
        scratch, "model_profiling/export/export_model.py", "--model", "toy_cnn", "--dtype", "half", "--outdir", "out"
    )
    assert done.returncode == 0, done.stderr
    about = json.loads((scratch / "out/toy_cnn_xnnpack_half.json").read_text(encoding="utf-8"))
    assert about["dtype"] == "half" and about["inputs"][0]["dtype"] == "float16"
    assert about["agreement"]["limit"] == {"max_rel_error": 0.25, "min_cosine": 0.75}
    assert set(about["delegation"]["delegated"]) == {"aten.convolution.default", "aten.relu.default"}


def test_nothing_but_the_recipes_lists_dtypes() -> None:
    """A second list in the code would leave a new recipe out."""
    for path in [*KIT.glob("export/*.py"), *KIT.glob("report/**/*.py"), *KIT.glob("scripts/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not ('"fp32"' in text and '"int8"' in text), path
