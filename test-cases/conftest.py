# SPDX-License-Identifier: Apache-2.0
"""What tests share: the real commands, and real artifacts and runs made once for all of them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import needs
from support.browser import browser, open_page  # noqa: F401  (fixtures of every test of pages)
from support.export import SharedExports
from support.kit import kit, write_config
from support.shared import alone, shared_folder

from model_profiling.pipeline.leases import SHARE_VARIABLE
from model_profiling.scripts.ceilings.measuring import OFF_VARIABLE

# A shell that starts the tests in the background has its children ignore Ctrl-C, and a program cannot tell
# that from a user's wish: the programs that tests interrupt get the usual handling.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Runners are built in many homes from the same files: ccache compiles each of them once. Files of
# packages lie in another place in each home, so their paths count from the file that includes them.
if CCACHE := shutil.which("ccache"):
    CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ccache"
    for name, value in {
        "CMAKE_C_COMPILER_LAUNCHER": CCACHE,
        "CMAKE_CXX_COMPILER_LAUNCHER": CCACHE,
        "CCACHE_DIR": str(CACHE),
        "CCACHE_BASEDIR": "/",
        "CCACHE_NOHASHDIR": "1",
    }.items():
        os.environ.setdefault(name, value)

# Test processes measure beside each other.
os.environ.setdefault(SHARE_VARIABLE, "1")
# Thousands of small runs need no ceilings: tests of these switch them on.
os.environ.setdefault(OFF_VARIABLE, "1")

#: Files whose few tests take minutes, the longest first (see `pytest_collection_modifyitems`).
LONG_FILES = (
    "test_all_pages_run.py",
    "test_skills.py",
    "test_quick_start.py",
    "test_android_trouble.py",
    "test_use_cases.py",
    "test_fleet.py",
    "test_sweep_command.py",
    "test_android_pipeline.py",
    "test_model_export.py",
    "test_edgetam_encoder.py",
    "test_ways_of_getting.py",
    "test_skill_failures.py",
    "test_preview_sme2.py",
    "test_model_cases.py",
    "test_setup.py",
    "test_action.py",
    "test_native_source_builds.py",
    "test_disagreement.py",
    "test_page_faults.py",
    "test_transformers.py",
    "test_matrix_cases.py",
    "test_lockstep_runs.py",
    "test_kernel_mode.py",
)


WATCH = needs.Watch()


def pytest_addoption(parser: pytest.Parser) -> None:
    needs.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    needs.register(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    WATCH.begin()
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail a test that needs more than it says (see support/needs.py)."""
    yield
    if lacking := list(dict.fromkeys(WATCH.lacking(item))):
        pytest.fail("\n".join(lacking), pytrace=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--fast` does; put the longest files first, then those with most tests.

    Whole files are dealt out to the processes in this order.
    """
    needs.leave_out(config, items)
    names = [item.path.name for item in items]
    counts = {name: names.count(name) for name in set(names)}
    items.sort(
        key=lambda item: (
            LONG_FILES.index(item.path.name) if item.path.name in LONG_FILES else len(LONG_FILES),
            -counts[item.path.name],
            item.path.name,
        )
    )


@pytest.fixture(scope="session")
def shared_exports(tmp_path_factory: pytest.TempPathFactory) -> SharedExports:
    """Kit models by (model, dtype), exported by the real command once a session. Not to be changed."""
    return SharedExports(shared_folder(tmp_path_factory, "exported"))


@pytest.fixture(scope="session")
def exported(shared_exports: SharedExports) -> Callable[[str, str], Path]:
    """Return a function (model, dtype) -> .pte of `shared_exports`."""
    return lambda model, dtype: shared_exports[model, dtype].pte


@pytest.fixture(scope="session")
def toy(exported: Callable[[str, str], Path]) -> Path:
    """The exported `toy_cnn` in fp32."""
    return exported("toy_cnn", "fp32")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, toy: Path) -> Path:
    """A finished run directory of `toy_cnn`. Tests that change it work on a copy."""
    folder = shared_folder(tmp_path_factory, "toy_run")
    with alone(folder, "run"):
        if not (folder / "made").is_file():
            kit("scripts/mac_pipeline.py", "--config", write_config(folder, toy, pairs=6)).ok()
            (folder / "made").touch()
    return folder / "run"
