# SPDX-License-Identifier: Apache-2.0
"""Weights in a `.ptd` beside the program, as ExecuTorch's export makes them."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from support.kit import kit, write_config
from support.launches import BOTH

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.program.external import check_weights
from model_profiling.processes import run_child

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Return program and weights of two networks, and the first's answer to ones in `expected.npy`.

    ExecuTorch 1.5.1 keeps what its XNNPACK delegates hold inside of the program, whatever is asked for.
    """
    import torch
    from executorch.exir import ExecutorchBackendConfig, to_edge_transform_and_lower

    folder = tmp_path_factory.mktemp("split")
    torch.manual_seed(1)
    nets = {
        "net": torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 8)).eval(),
        "other": torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(64, 8)).eval(),
    }
    x = (torch.ones(2, 64),)
    np.save(folder / "expected.npy", nets["net"](*x).detach().numpy())
    made = {}
    for name, net in nets.items():
        program = to_edge_transform_and_lower(torch.export.export(net, x)).to_executorch(
            ExecutorchBackendConfig(external_constants=True)
        )
        (folder / name).mkdir()
        with open(folder / name / "net.pte", "wb") as file:
            program.write_to_file(file)
        program.write_tensor_data_to_file(str(folder / name))
        [weights] = (folder / name).glob("*.ptd")
        made[name] = folder / name / "net.pte", weights
    return made


@pytest.mark.parametrize("kind", BOTH)
def test_weights_are_loaded_when_named(runners, request_for, split, tmp_path: Path, kind: str) -> None:
    model, weights = split["net"]
    np.ones((2, 64), np.float32).tofile(tmp_path / "ones.bin")
    request = request_for(kind, model=model, data=weights, inputs=(tmp_path / "ones.bin",))
    argv, env = runners[kind].command(request)
    measured = runners[kind].read(request, run_child(argv, env=env, timeout_s=120, log=request.log))
    expected = np.load(model.parents[1] / "expected.npy")
    assert np.allclose(np.fromfile(measured.outputs[0].path, np.float32).reshape(2, 8), expected, atol=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_weights_that_lack_or_do_not_fit_are_one_line(runners, request_for, split, tmp_path: Path, kind: str) -> None:
    model, weights = split["net"]
    damaged = tmp_path / "damaged.ptd"
    damaged.write_bytes(b"no weights")
    for number, (data, said) in enumerate(
        (
            (None, "name its .ptd"),
            (damaged, ".ptd"),
            (split["other"][1], "name the .ptd that belongs to it"),
            (tmp_path / "nowhere.ptd", "cannot be read"),
        )
    ):
        request = request_for(f"{kind}{number}", model=model, data=data)
        argv, env = runners[kind].command(request)
        child = run_child(argv, env=env, timeout_s=120, log=request.log)
        assert child.exit_code == 2, request.log.read_text()
        with pytest.raises(MeasurementError) as raised:
            runners[kind].read(request, child)
        assert said in request.log.read_text().strip().splitlines()[-1] and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "the program keeps 0.weight and 3 more weights outside of it, and no file with them is named"),
        ("other", "the weights' file does not hold 0.weight and 3 more weights of"),
        ("none", "the weights' file is damaged or none (it does not begin as a .ptd)"),
        ("short", "the weights' file is damaged or none (it has"),
    ],
)
def test_before_anything_runs(split, tmp_path: Path, given: str | None, said: str) -> None:
    model, weights = split["net"]
    (tmp_path / "none").write_bytes(b"no weights")
    (tmp_path / "short").write_bytes(weights.read_bytes()[:-64])
    files = {"other": split["other"][1], "none": tmp_path / "none", "short": tmp_path / "short"}
    path = write_config(tmp_path, model, **({"data_path": str(files[given])} if given else {}))
    told = kit("scripts/mac_pipeline.py", "--config", path).error_line()
    assert said in told and "--" not in told  # no command has a flag for it
    assert not (tmp_path / "run" / "launches.jsonl").exists()


def test_any_bytes_are_refused_in_one_line(split, tmp_path: Path) -> None:
    """Damaged files, of which some still hold the names: nothing but the kit's own error."""
    model, weights = split["net"]
    good, changed, generator = weights.read_bytes(), tmp_path / "changed.ptd", random.Random(5)
    refused = 0
    for _ in range(2000):
        data = bytearray(good[: generator.choice((len(good), generator.randrange(len(good))))])
        for _ in range(generator.randrange(1, 8)):
            if data:
                data[generator.randrange(min(len(data), 600))] = generator.choice((0, 1, 127, 255))
        changed.write_bytes(data)
        try:
            check_weights(model, None, changed)
        except UserError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 1500


def test_a_run_names_the_weights_and_notices_that_they_changed(split, tmp_path: Path) -> None:
    model, weights = split["net"]
    own = tmp_path / weights.name
    own.write_bytes(weights.read_bytes())
    path = write_config(tmp_path, model, data_path=str(own))
    kit("scripts/mac_pipeline.py", "--config", path).ok()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["model"]["data"] == str(own) and len(manifest["model"]["data_sha256"]) == 64
    own.write_bytes(own.read_bytes() + b" ")
    done = kit("scripts/mac_pipeline.py", "--config", path, "--resume")
    assert f"the model {own} has changed since this run began" in done.error_line()
    own.unlink()
    assert f"the weights' file {own} does not exist" in kit("scripts/mac_pipeline.py", "--config", path).error_line()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
