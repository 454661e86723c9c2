# SPDX-License-Identifier: Apache-2.0
"""Every hint, tried: the operator is outside XNNPACK for the row's reason, and with the hint it is not."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from support.hints import CASES, Case
from torch import nn

from model_profiling.export import casting, delegation_hints, replacements, verification
from model_profiling.export.delegation import Rejected
from model_profiling.models import export_friendly

pytestmark = pytest.mark.slow

# Rows about a whole program: tested one by one below.
ALONE = {"bilinear at dynamic size", "slice at dynamic size", "dynamic shape", "state"}
# Nothing that a model should do in their place: their hints name no other form to try.
WITHOUT_FORM = {"random numbers"}


def group_name(index: int) -> str:
    """Return a name without digits: equal operators of modules that differ in digits alone are one entry."""
    return "case_" + "abcdefghij"[index // 10] + "abcdefghij"[index % 10]


@pytest.fixture(scope="module")
def tried() -> dict[int, tuple[list[Rejected], list[Rejected], float]]:
    """For each case what is outside before and after, and how far the program after is from the module before."""
    results = {}
    for dtype in ("fp32", "fp16"):
        chosen = {index: one for index, one in enumerate(CASES) if one.dtype == dtype}
        torch.manual_seed(0)
        before = {index: one.before() for index, one in chosen.items()}
        after = {index: one.after(before[index]) for index, one in chosen.items()}
        inputs = casting.cast_inputs(tuple(torch.rand(one.shape) * 4 - 2 for one in chosen.values()), dtype)
        with torch.no_grad():
            expected = [module.eval()(given.float()) for module, given in zip(before.values(), inputs, strict=False)]
        outside, _ = _export(before, inputs, dtype)
        still_outside, pte = _export(after, inputs, dtype)
        produced = verification.run_program(pte, [inputs], {}, "running the cases")[0]
        for place, index in enumerate(chosen):
            results[index] = (
                outside[group_name(index)],
                still_outside[group_name(index)],
                _difference(expected[place], produced[place]),
            )
    return results


def _export(
    modules: dict[int, nn.Module], inputs: tuple[torch.Tensor, ...], dtype: str
) -> tuple[dict[str, list[Rejected]], bytes]:
    named = {group_name(index): module for index, module in modules.items()}
    division, pte = replacements.lowered(replacements.Together(named), inputs, dtype)
    outside = {
        name: [entry for entry in division.not_delegated if entry.module.split(".")[1:2] == [name]] for name in named
    }
    return outside, pte


def _difference(first: torch.Tensor, second: torch.Tensor) -> float:
    if first.shape != second.shape:
        return float("inf")
    return float((first.float() - second.float()).abs().max())


@pytest.mark.parametrize("index", range(len(CASES)), ids=[f"{case.row}-{case.dtype}" for case in CASES])
def test_hint_is_given_for_its_reason_and_works(tried, index: int) -> None:
    case: Case = CASES[index]
    before, after, difference = tried[index]
    rows = {
        delegation_hints.row_for(entry.operator, entry.reason, entry.origin or entry.operator.split(".")[1])
        for entry in before
    }
    assert case.row in {row.name for row in rows if row}, [(e.operator, e.reason, e.origin) for e in before]
    assert all(entry.hint and entry.reason and entry.source for entry in before), before
    assert sum(entry.count for entry in after) < sum(entry.count for entry in before), after
    if case.same:
        assert difference <= (1e-5 if case.dtype == "fp32" else 5e-3)


def test_every_row_is_tried() -> None:
    names = [row.name for row in delegation_hints.HINTS]
    assert len(names) == len(set(names))
    assert {case.row for case in CASES} | ALONE | WITHOUT_FORM == set(names)


def test_every_replacement_named_exists() -> None:
    named = {name for row in delegation_hints.HINTS for name in re.findall(r"export_friendly\.(\w+)", row.hint)}
    assert named and all(hasattr(export_friendly, name) for name in named)


class Scaled(nn.Module):
    """A convolution and, on a size that the program does not know, something after it."""

    def __init__(self, function) -> None:
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 4, 3, padding=1), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.conv(x))


@pytest.mark.parametrize(
    ("row", "function"),
    [
        ("bilinear at dynamic size", lambda x: nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")),
        ("slice at dynamic size", lambda x: x[:, :, 1:] * 2.0),
        ("dynamic shape", lambda x: x.flatten(2) + 1.0),
    ],
)
def test_dynamic_shapes(row: str, function) -> None:
    inputs = (torch.rand(1, 3, 16, 16),)
    height = torch.export.Dim("height", min=8, max=64)
    dynamic, _ = replacements.lowered(Scaled(function), inputs, "fp32", {"x": {2: height}})
    fixed, _ = replacements.lowered(Scaled(function), inputs, "fp32")
    assert row in {
        delegation_hints.row_for(entry.operator, entry.reason, entry.origin).name for entry in dynamic.not_delegated
    }
    assert all(
        entry.source.startswith("test-cases/export/test_hints.py:")
        for entry in dynamic.not_delegated
        if entry.operator != "aten.sym_size.int"
    )  # torch itself adds it and leaves no line
    assert (fixed.portable_operators, fixed.delegates) == (0, 1)


def test_state_is_written_back_and_named() -> None:
    """A buffer that the model updates costs a copy; as an input and output it costs nothing."""

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("cache", torch.zeros(1, 4, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.cache.copy_(torch.cat([self.cache[:, 1:], x], 1))
            return self.cache * 2.0

    class Outside(nn.Module):
        def forward(self, x: torch.Tensor, cache: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            cache = torch.cat([cache[:, 1:], x], 1)
            return cache * 2.0, cache

    inside, _ = replacements.lowered(Inside(), (torch.rand(1, 1, 8),), "fp32")
    outside, _ = replacements.lowered(Outside(), (torch.rand(1, 1, 8), torch.zeros(1, 4, 8)), "fp32")
    (copied,) = inside.not_delegated
    assert (copied.operator, copied.count) == ("aten.copy_.default", 1)
    assert delegation_hints.row_for(copied.operator, copied.reason).name == "state"
    assert "test_hints.py:" in copied.source
    assert outside.portable_operators == 0


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), lambda x: nn.functional.max_pool2d(x, 2), lambda x: torch.max_pool2d(x, 2)]
)
def test_pooling_without_a_stride_needs_no_hint(pool) -> None:
    division, _ = replacements.lowered(Scaled(pool), (torch.rand(1, 3, 16, 16),), "fp32")
    assert (division.delegates, division.portable_operators) == (1, 0)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
