# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin: which lines each test runs, in every process, and how long it took.

Used with coverage measuring all processes (`COVERAGE_PROCESS_START`, a configuration with `parallel = true` and
``context = ${PYTEST_CURRENT_TEST-}``, so that a child names the test that started it; `coverage combine` afterwards).
The tests' own process has one context a test, by its id. `MUTATION_DURATIONS` names a file of JSON lines: id, seconds,
passed. `MUTATION_EXPORTS` names a folder that stands for the session's exported models, so that one session's serve
the next.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _exports_of_another_session(tmp_path_factory: pytest.TempPathFactory) -> None:
    exports = os.environ.get("MUTATION_EXPORTS")
    if exports:
        shared = tmp_path_factory.getbasetemp() / "shared"
        shared.mkdir()
        (shared / "exported").symlink_to(exports, target_is_directory=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the order of `MUTATION_ORDER`, a JSON list of ids, whatever others have sorted by."""
    order = {test: place for place, test in enumerate(json.loads(os.environ.get("MUTATION_ORDER", "[]")))}
    items.sort(key=lambda item: order.get(item.nodeid, len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    coverage = sys.modules.get("coverage")  # there since the process began, where it measures
    measuring = coverage.Coverage.current() if coverage else None
    if measuring is not None:
        measuring.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        if measuring is not None:
            measuring.switch_context("")


class _Test:
    seconds: float = 0
    passed: bool = True


_tests: dict[str, _Test] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    test = _tests.setdefault(report.nodeid, _Test())
    test.seconds += report.duration
    test.passed = test.passed and report.passed
    if report.when == "teardown" and "MUTATION_DURATIONS" in os.environ:
        line = {"test": report.nodeid, "seconds": round(test.seconds, 3), "passed": test.passed}
        with open(os.environ["MUTATION_DURATIONS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
