# SPDX-License-Identifier: Apache-2.0
"""One run of a program in a process of its own: some kernels end the process where a number is of another type.

Seen in ExecuTorch 1.5.1: a quantized model of which operators stay outside XNNPACK aborts in a portable kernel. In the
export's own process that would leave no word of what happened.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.errors import MeasurementError
from model_profiling.export.delegation import Delegation
from model_profiling.export.failures import explain_running
from model_profiling.export.recipe import Recipe
from model_profiling.export.runtime_words import RuntimeWords
from model_profiling.processes import run_child

if TYPE_CHECKING:
    import torch

CHILD = Path(__file__).with_name("trial_child.py")
_LIMIT_S = 600.0  # a program that takes longer is run, and judged, in the export's process


def may_abort(recipe: Recipe, divided: Delegation) -> bool:
    """Tell whether a program may end its process: quantized numbers meet operators outside XNNPACK."""
    return recipe.quantizes and divided.portable_operators > 0


def try_program(pte: bytes, inputs: Sequence[torch.Tensor], method: str, doing: str) -> None:
    """Run a program once on flat inputs, in a process of its own.

    Raises
    ------
    MeasurementError : it ended that process; a failure that the runtime reports is left to the run that follows.
    """
    import torch

    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        program, given = Path(folder) / "program.pte", Path(folder) / "inputs.pt"
        program.write_bytes(pte)
        torch.save(list(inputs), given)
        child = run_child([sys.executable, str(CHILD), str(program), method, str(given)], timeout_s=_LIMIT_S)
    if child.signal is None or child.timed_out:
        return
    words = RuntimeWords()
    words.log = child.output
    advice = explain_running(words)
    said = f": {advice.meaning}" if advice.meaning else ""
    raise MeasurementError(f"{doing} ended the process with {child.signal}{said}; {advice.fix}")
