# SPDX-License-Identifier: Apache-2.0
"""Small models after public reports (`fixtures/cases/public/`) in each recipe: how they are divided, or what is said.

`public.json` beside them holds, by file and recipe, delegates and operators outside, or how the error line begins.
What each should be was worked out once by hand; a release of ExecuTorch may change it, and then it is looked at again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.export import DTYPES, run_command

from model_profiling.export.artifacts import ArtifactPaths

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "public"
EXPECTED: dict[str, dict[str, list[int] | str]] = json.loads((CASES / "public.json").read_text(encoding="utf-8"))


def outcome(name: str, dtype: str, folder: Path) -> list[int] | str:
    """Export a case by the command; return its delegates and operators outside, or its error line."""
    done = run_command("--model-file", CASES / f"{name}.py", "--dtype", dtype, "--outdir", folder)
    if done.returncode:
        return done.stderr.removeprefix("error: ").removesuffix("\n")
    record = json.loads(ArtifactPaths(folder, name, "xnnpack", dtype).sidecar.read_text(encoding="utf-8"))
    return [record["delegation"]["delegates"], record["delegation"]["portable_operators"]]


def test_every_case_has_its_expectation() -> None:
    assert sorted(EXPECTED) == sorted(path.stem for path in CASES.glob("*.py"))
    assert all(sorted(by_dtype) == sorted(DTYPES) for by_dtype in EXPECTED.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_comes_out_as_it_should(name: str, dtype: str, tmp_path: Path) -> None:
    expected, found = EXPECTED[name][dtype], outcome(name, dtype, tmp_path)
    if isinstance(expected, str):
        assert isinstance(found, str) and found.startswith(expected) and "\n" not in found
    else:
        assert found == expected


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
