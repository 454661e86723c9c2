# SPDX-License-Identifier: Apache-2.0
"""What was changed after a run that recorded kernels is found."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kit import kit

from model_profiling.analysis.checks.kernel_launches import check_kernel_launches
from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.findings import ERROR
from model_profiling.pipeline.kernel_launches import read_kernel_launches, standing
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.exports


def errors(directory: RunDirectory) -> list[str]:
    manifest = directory.read_manifest()
    return [f.message for f in check_kernel_launches(directory, manifest, manifest.config) if f.level == ERROR]


def edit_line(directory: RunDirectory, number: int, **changes: object) -> None:
    lines = directory.kernel_launches.read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes)
    rewrite(directory, lines)


def rewrite(directory: RunDirectory, lines: list[str]) -> None:
    """Write the list anew with its digest, as somebody would who wants to hide it."""
    directory.kernel_launches.write_text("".join(f"{line}\n" for line in lines))
    directory.write_manifest(
        replace(directory.read_manifest(), kernel_launches_sha256=sha256(directory.kernel_launches))
    )


def lines_of(directory: RunDirectory) -> list[str]:
    return directory.kernel_launches.read_text().splitlines()


CORRUPTIONS: dict[str, tuple[Callable[[RunDirectory], object], str]] = {
    "log changed": (lambda r: r.raw("log_on", 1, 0, 0, ".log").open("a").write("x"), "is not what its launch left"),
    "trace of the other side": (
        lambda r: shutil.copy(r.raw("log_off", 1, 0, 0, ".etdump"), r.raw("log_on", 1, 0, 0, ".etdump")),
        "log_on_t1_p0.etdump is not what its launch left",
    ),
    "trace missing": (lambda r: r.raw("log_off", 1, 0, 0, ".etdump").unlink(), "log_off_t1_p0.etdump is missing"),
    "foreign record": (
        lambda r: r.raw("log_on", 2, 0, 0, ".kernels").write_bytes(b"SMEKERN1"),
        "was left by no launch",
    ),
    "list missing": (lambda r: r.kernel_launches.unlink(), "kernel_launches.jsonl is missing or was edited"),
    "list edited": (
        lambda r: r.kernel_launches.write_text(
            r.kernel_launches.read_text().replace('"exit_code": 0', '"exit_code": 1')
        ),
        "missing or was edited after the run",
    ),
    "launch removed": (lambda r: rewrite(r, lines_of(r)[:1]), "log_off recorded no kernels at 1 threads"),
    "launch twice": (lambda r: rewrite(r, [*lines_of(r), lines_of(r)[0]]), "is recorded 2 times"),
    "launch of another mode": (lambda r: edit_line(r, 0, mode="kernels"), "was never planned"),
    "launch of another experiment": (lambda r: edit_line(r, 0, experiment="log_of"), "was never planned"),
    "features switched off": (
        lambda r: edit_line(r, 0, masked_cpu_features=["sme2"]),
        "with other features switched off",
    ),
    "file left out of the list": (lambda r: edit_line(r, 0, files={}), "log_on_t1_p0.log is missing"),
    "no JSON": (lambda r: rewrite(r, ["{}}", *lines_of(r)]), "a line is not a launch"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_was_changed_after_a_run_is_found(name: str, logged_run: RunDirectory) -> None:
    assert errors(logged_run) == []
    spoil, told = CORRUPTIONS[name]
    spoil(logged_run)
    assert any(told in message for message in errors(logged_run)), errors(logged_run)


def test_the_command_tells_of_kernel_launches(logged_run: RunDirectory) -> None:
    logged_run.raw("log_on", 1, 0, 0, ".log").open("a").write("x")
    said = kit("scripts/validate_results.py", "--results", logged_run.root)
    assert said.status == 2 and re.search(
        r"error +kernel launches +\S+log_on_t1_p0.log is not what its launch left", said.stdout
    )


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                lambda value: json.dumps(value).encode(),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: (
                        st.lists(inner, max_size=3)
                        | st.dictionaries(
                            st.sampled_from(["experiment", "mode", "threads", "files", "argv", "failed", "x"]),
                            inner,
                            max_size=5,
                        )
                    ),
                    max_leaves=8,
                ),
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_list_of_launches_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    directory = RunDirectory(tmp_path_factory.mktemp("fuzz"))
    directory.kernel_launches.write_bytes(b"\n".join(lines))
    try:
        standing(read_kernel_launches(directory))
    except UserError as problem:
        assert "\n" not in str(problem)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
