# SPDX-License-Identifier: Apache-2.0
"""What commands print while they work, where there is no terminal."""

from __future__ import annotations

import sys

import pytest

from model_profiling.console import Steps, TimedSteps


def test_long_work_says_now_and_then_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Six steps of 50 s: what is left is said after the first, then no more often than every 60 s."""
    seconds = iter(range(0, 1000, 50))
    steps = Steps(6, clock=lambda: float(next(seconds)))
    for number in range(6):
        steps.advance(f"pair {number + 1}")
    assert capsys.readouterr().out.splitlines() == [
        "[1/6] pair 1",
        "about 4 min left",
        "[2/6] pair 2",
        "[3/6] pair 3",
        "about 2 min left",
        "[4/6] pair 4",
        "[5/6] pair 5",
        "[6/6] pair 6",
    ]


def test_short_work_says_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(100))
    steps = Steps(8, clock=lambda: float(next(seconds)))
    for _ in range(8):
        steps.advance("step")
    assert "left" not in capsys.readouterr().out


def test_jobs_of_different_lengths_say_what_the_caller_expects(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(0, 100, 45))
    steps = TimedSteps(3, clock=lambda: float(next(seconds)))
    steps.begin("exporting a")
    steps.advance("a: exported", 150)
    steps.advance("a_t1: 2.1x", 100)
    steps.advance("a_t2: 1.9x", 0)
    told = ["[1/3] a: exported", "about 2 min left", "[2/3] a_t1: 2.1x", "[3/3] a_t2: 1.9x"]
    assert capsys.readouterr().out.splitlines() == told


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
