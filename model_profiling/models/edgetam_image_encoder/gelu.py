# SPDX-License-Identifier: Apache-2.0
"""GELU for float16, where XNNPACK has none.

ExecuTorch hands GELU to XNNPACK in float32 only. In float16 each of the encoder's 27 stays a portable
operator and cuts the program there. The forms here are made of operators that XNNPACK takes in
float16. GELU is x Phi(x), and Phi, the normal distribution function, is a sigmoid of an odd
function of x; the forms take the first terms of that function.
"""

from __future__ import annotations

import torch
from torch import nn

#: sigmoid(x (a + b x^2)), fitted for the smallest largest error over the real line: see `ERROR_BOUNDS`.
CUBIC = (1.60026914, 0.0694223)
#: sigmoid(x (a + b x^2 + c x^4)), likewise.
QUINTIC = (1.59501160, 0.0740150827, -0.000703649307)
#: x^2 is held at this, before the quintic's negative last term turns it; beyond |x| = 6 GELU is 0 or x
#: to within 1e-8, and the sigmoid is too.
SQUARE_LIMIT = 36.0
#: Largest |form - GELU| over all x in exact arithmetic; half a float16 step is 2.4e-4 at 0.5 and 4.9e-4 at 1.
ERROR_BOUNDS = {"cubic": 2.8e-4, "quintic": 2.6e-5}


class SigmoidGelu(nn.Module):
    """GELU as x sigmoid(x p(x^2)), with `coefficients` of p from the constant up.

    The coefficients are tensors of the module: a Python number would enter the graph as an
    integer or a float32 constant with a conversion that XNNPACK does not take.
    """

    coefficient_0: torch.Tensor

    def __init__(self, coefficients: tuple[float, ...]) -> None:
        super().__init__()
        self.terms = len(coefficients)
        for power, value in enumerate(coefficients):
            self.register_buffer(f"coefficient_{power}", torch.full((1, 1, 1, 1), value), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        square = x * x
        if self.terms > 2:
            square = torch.clamp(square, 0.0, SQUARE_LIMIT)
        series = square * self.get_buffer(f"coefficient_{self.terms - 1}")
        for power in range(self.terms - 2, 0, -1):
            series = (series + self.get_buffer(f"coefficient_{power}")) * square
        return x * torch.sigmoid(x * (series + self.coefficient_0))


class GeluFor16(nn.Module):
    """PyTorch's GELU in float32, where XNNPACK has it; `form` in float16."""

    def __init__(self, form: nn.Module) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.form(x) if x.dtype is torch.float16 else nn.functional.gelu(x)


def gelu_forms() -> dict[str, nn.Module]:
    """Return every form by name, in the order in which they are reported."""
    return {
        "gelu": nn.GELU(),
        "sigmoid of a cubic": GeluFor16(SigmoidGelu(CUBIC)),
        "sigmoid of a quintic": GeluFor16(SigmoidGelu(QUINTIC)),
    }
