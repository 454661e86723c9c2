# SPDX-License-Identifier: Apache-2.0
"""What came out against what a page shows: what may differ, and what may not."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.pages.running.outputs import clean, compare, shows

# ---------------------------------------------------------------- outputs


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        ("done in 3.6 s", "done in 12 s"),
        ("speed-up 4.48x, 95 % interval 4.24 to 4.74", "speed-up 1.02x, 95 % interval 0.99 to 1.05"),
        (
            "executorch_sme2_kit/.venv is ready (38 s)",
            "/home/somebody/src/executorch_sme2_kit/.venv is ready (1,038 s)",
        ),
        ("wrote /tmp/a/report.html", "wrote /data/elsewhere/b c/report.html".replace("b c", "bc")),
        ("AVX-512 on over AVX-512 off", "SME2 on over SME2 off"),
        ("commit 3f9a0c1b2d", "commit 00aa11bb22ccdd33ee44ff5566778899aabbccdd"),
        ("AVX-512 on is faster than AVX-512 off: 1.6x", "No difference shown between SME2 off and SME2 on: 1.0x"),
        ("AVX-512 on is faster than AVX-512 off: 1.6x", "SME2 on is slower than SME2 off: 0.9x"),
        ("[1/16] pair 1, 1 thread, mac_sme2_on: 2.6 ms", "[1/16] pair 1, 1 thread, mac_sme2_off: 4.3 ms (void)"),
        ("a\n...\nz", "a\nb\nc\nz"),
        ("...\nz", "a\nz"),
        ("a\n...", "a\nb"),
        ("a\n...\nz", "a\nz"),
        ("median ... ms", "median of 8 pairs: 12.3 ms"),
        ("wrote a/b.json...", "wrote /c/a/b.json, 3 kB"),
        (".../b.json", "/x/b.json"),
        ("name    ms\n-----  ----", "name ms\n---------- -------"),
        ("GEMM ( 9.3 %)", "GEMM (11.7 %)"),
        ("100 %", "\x1b[32m100 %\x1b[0m"),
        ("done", "10 %\r50 %\rdone"),
        ("Convolution (NHWC, F16) IGEMM  CONV", "Convolution (NHWC, F32) IGEMM / Convolution (NHWC, F16) IGEMM  CONV"),
        ("Fully Connected (NC, F32) GEMM  GEMM", "Fully Connected (NC, PF32) GEMM  GEMM"),
    ],
)
def test_what_may_differ_does(shown: str, came: str) -> None:
    assert compare(shown, came) is None


@pytest.mark.parametrize(
    ("shown", "came", "line"),
    [
        ("AVX-512 on is faster than AVX-512 off: 1.6x", "One experiment against itself: 1.0x", 0),
        ("[1/2] on_a, mac_sme2_on: 2.6 ms", "[1/2] on_a, linux_sme2_on: 2.6 ms", 0),
        ("took 2.6 ms", "took 2.6 ms (cold)", 0),
        ("finished", "failed", 0),
        ("toy_cnn_xnnpack_fp16.pte", "toy_cnn_xnnpack_fp32.pte", 0),
        ("a\nb", "a\nx\nb", 0),
        ("a\nb", "a", 1),
        ("a", "a\nb", 0),
        ("a\n...\nq\n...", "a\nb\nc", 2),
        ("...\nb\n...\na", "a\nb", 3),
        ("torch 2.13.0", "torch 2.14.0", 0),
        ("wrote /tmp/a/report.html", "wrote /tmp/a/report.md", 0),
        ("", "a", 0),
        ("12 lines", "many lines", 0),
    ],
)
def test_what_may_not_differ_is_named(shown: str, came: str, line: int) -> None:
    found = compare(shown, came)
    assert found is not None and found.line == line


@pytest.mark.parametrize(
    ("piece", "printed", "there"),
    [
        ("error    package ... its file", "error    package rich            its file rich/console.py is missing", True),
        ("2 of 3", "took 7 of 12 s", True),
        ("no run", "a\nthere is no run directory", True),
        ("no rum", "there is no run", False),
        ("", "a", False),
    ],
)
def test_a_piece_of_a_line_is_found(piece: str, printed: str, there: bool) -> None:
    assert shows(piece, printed) is there


LINES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30),
    min_size=1,
    max_size=6,
)


@given(LINES)
def test_every_output_is_like_itself(lines: list[str]) -> None:
    assert compare("\n".join(lines), "\n".join(lines)) is None


@given(LINES, st.text("abcdefghij", min_size=3, max_size=8).filter(lambda word: any(c not in "abcdef" for c in word)))
def test_a_word_too_many_is_seen(lines: list[str], word: str) -> None:
    came = "\n".join([f"start {word}", *lines])
    shown = came.replace(f"start {word}", f"start {word}k", 1)
    assert compare(shown, came) is not None
    assert clean(shown) != clean(came)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
