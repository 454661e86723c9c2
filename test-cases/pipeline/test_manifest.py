#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A run's manifest as it is read back: of older runs, and of another shape."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.analysis import make_run

from model_profiling.errors import UserError
from model_profiling.files import json_bytes
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.manifest import Manifest, manifest_digest


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "emulated"},
        {"device": "adb, emulator"},
        {"host": {"system": "Linux (emulated)", "emulated_on": "x86_64"}},
        {"host": {"emulated_on": "x86_64"}},
    ],
)
def test_a_manifest_of_before_says_that_its_cpu_is_emulated(tmp_path: Path, changes: dict) -> None:
    plain = make_run(tmp_path / "run", {}).read_manifest().to_json()

    def emulated(**others: object) -> bool:
        return Manifest.from_json(JsonObject(plain | others, "in a test", "mend it")).emulated

    assert not emulated() and emulated(emulated=True)
    del plain["emulated"]
    assert not emulated() and emulated(**changes)
    assert not emulated(**changes, emulated=False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": "7"}, '"seed" is not a whole number'),
        ({"quick": 1}, '"quick" is not true or false'),
        ({"model": {"id": "m"}}, 'the manifest lacks "model.path"'),
        ({"cpu": None}, '"cpu" is not an object'),
        ({"disabled": {"on": "sme2"}}, '"disabled.on" is not a list'),
        ({"inputs": [{"file": 1}]}, '"inputs[0].file" is not a text'),
        ({"config": {}}, '"config" is no configuration'),
    ],
)
def test_a_manifest_of_another_shape_is_one_line(tmp_path: Path, changes: dict, said: str) -> None:
    directory = make_run(tmp_path / "run", {})
    plain = directory.read_manifest().to_json() | changes
    directory.manifest.write_bytes(json_bytes({**plain, "digest": manifest_digest(plain)}))
    with pytest.raises(UserError) as refused:
        directory.read_manifest()
    assert refused.value.what.startswith(said) and str(directory.manifest) in refused.value.where


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
