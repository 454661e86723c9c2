# SPDX-License-Identifier: Apache-2.0
"""The list of models names each one, its source and what it lacks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.export import KIT_MODELS, run_command, write_model

from model_profiling.models import discovery

pytestmark = pytest.mark.exports


# The list ---------------------------------------------------------------------------------------------


def test_list_names_every_model_its_source_and_what_it_lacks(tmp_path):
    (tmp_path / "broken.py").write_text(
        "from model_profiling.models.registry import register\nregister('broken', 1 / 0)\n", encoding="utf-8"
    )
    run = run_command("--list", env={"SME2_MODEL_PATH": str(tmp_path)})
    assert (run.returncode, run.stderr) == (0, "")
    rows = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    assert {name for name, source, _ in rows if source == "kit"} >= set(KIT_MODELS)
    # Only what was imported is ready: this file looks as the others do.
    states = {name: state for name, _, state in rows}
    assert states.pop("broken").startswith("fails: importing broken failed")
    assert all(state == "ready" or state.startswith("needs ") for state in states.values())
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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
