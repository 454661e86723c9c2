# SPDX-License-Identifier: Apache-2.0
"""The runners with small requests to them, and a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.adb import ADDRESS, TestDevice, running_device
from support.android import Programs
from support.android_runs import UNHURRIED
from support.launches import BOTH

from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.devices.adb.device import Waits, open_adb
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.pipeline.runners import LaunchRequest, Runner, choose_runner


@pytest.fixture(scope="session")
def runners() -> dict[str, Runner]:
    return {name: choose_runner(name, None) for name in BOTH}


@pytest.fixture
def request_for(tmp_path: Path, toy: Path) -> Callable[..., LaunchRequest]:
    """Return a function that makes a small request, with any of its fields changed."""

    def make(folder: str = "launch", **changes: object) -> LaunchRequest:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        request = LaunchRequest(
            model=toy,
            inputs=(),
            warmup=2,
            runs=4,
            traced_runs=3,
            threads=1,
            disable_cpu_features=(),
            etdump=root / "trace.etdump",
            result=root / "result.json",
            outputs_dir=root / "outputs",
            log=root / "log",
            timeout_s=120,
        )
        return replace(request, **changes)

    return make


@pytest.fixture(scope="module")
def shared_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDevice]:
    with running_device(tmp_path_factory.mktemp("device")) as device:
        yield device


@pytest.fixture
def device(shared_device: TestDevice) -> TestDevice:
    """The module's device, as at its first start."""
    shared_device.reset()
    return shared_device


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def inside(device: TestDevice, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunDirectory]:
    """Return a function that makes a run in this process, without the analysis: a configuration's launches alone."""
    monkeypatch.setenv("PATH", device.environment["PATH"])

    def run(path: Path, waits: Waits = UNHURRIED, resume: bool = False) -> RunDirectory:
        config = load_config(path)
        with open_adb(config, address=ADDRESS, waits=waits) as opened:
            return orchestrator.run(config, opened, RunOptions(path, "test", resume=resume))

    return run
