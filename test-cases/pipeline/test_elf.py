# SPDX-License-Identifier: Apache-2.0
"""Programs and libraries as ELF says: machine, loader, what they need."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.elf import read_elf


def test_a_real_program_and_its_libraries() -> None:
    elf = read_elf(Path(sys.executable).resolve())
    assert (
        elf.machine == cpu_features.detect().architecture
        and elf.interpreter
        and any("libc.so" in n for n in elf.needed)
    )
    for line in subprocess.run(["ldd", elf.path], capture_output=True, text=True, check=True).stdout.splitlines():
        if "=>" in line and (path := line.split()[2]).startswith("/"):
            assert read_elf(Path(path)).machine == elf.machine


def test_origin_is_the_programs_own_folder(tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if not compiler:
        pytest.skip("c++ is not installed")
    (tmp_path / "x.cpp").write_text("int main() {}")
    subprocess.run([compiler, "x.cpp", "-o", "x", "-Wl,-rpath,$ORIGIN/lib:/opt/y"], cwd=tmp_path, check=True)
    assert read_elf(tmp_path / "x").runpath == (tmp_path.resolve() / "lib", Path("/opt/y"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_program_is_one_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(Path("/bin/ls").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, min(len(whole), 1 << 11) - 8))
        struct.pack_into("<Q", whole, place, data.draw(st.integers(0, 2**64 - 1)))
    path = tmp_path_factory.mktemp("elf") / "program"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        read_elf(path)
    except UserError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + b"\0" * 60])
def test_what_is_no_program_of_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "program"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no 64-bit Linux or Android program"):
        read_elf(path)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
