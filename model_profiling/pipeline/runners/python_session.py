# SPDX-License-Identifier: Apache-2.0
"""One process's work on a model with the wheel's bindings: load, warm up, execute, and again with the tracer.

As the native runner's session (runner/session.h). Imported after the CPU's features are cleared.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import write_bytes, writing
from model_profiling.pipeline.runners.result import WARMUP_AGREEMENT, WARMUP_BLOCK, WARMUP_BLOCKS_COMPARED
from model_profiling.pipeline.runners.wheel import Wheel

#: Warm-up executions at its end by which an execution's time is told.
_LAST_WARM = 5


class Session:
    """Loads a method once without and once with the tracer, never both; times are ns of Method::execute.

    Parameters
    ----------
    program : the .pte, the name of its method, and the .ptd with its weights where they are outside.
    warmup, max_warmup : least and most warm-up executions.
    etdump : where the trace goes; needed for `begin_traced`.
    """

    def __init__(
        self,
        bindings: Any,
        program: tuple[Path, str, Path | None],
        tensors: list[object],
        warmup: int,
        max_warmup: int,
        etdump: Path | None,
    ) -> None:
        self._bindings, self._tensors = bindings, tensors
        self._model, self._method_name, self._data = program
        self._warmup, self._max_warmup, self._etdump = warmup, max_warmup, etdump
        self._program: Any = None
        self._method: Any = None
        self._tracing = False
        self._executions = 0  # of the loaded method, that succeeded
        self.load_ns = 0
        self.warmup_ns: list[int] = []
        self.latency_ns: list[int] = []
        self.traced_warmup_ns: list[int] = []
        self.traced_ns: list[int] = []
        self.peak_rss_bytes: int | None = None
        self.outputs: list[object] | None = None  # of the first execution: a model may keep state

    def begin_timed(self) -> None:
        """Load the untraced method and warm up."""
        start = time.perf_counter_ns()
        self._load(traced=False)
        self.load_ns = time.perf_counter_ns() - start
        with self._execution_errors():
            self.warmup_ns = warm_up(self._warmup, self._max_warmup, self._once)

    def begin_traced(self) -> None:
        """Leave the untraced method, load the traced one, which packs the weights anew, and warm up."""
        self._end_timed()
        self._load(traced=True)
        self._tracing = True
        with self._execution_errors():
            self.traced_warmup_ns = [self._once() for _ in range(self._warmup)]
        # Writing closes the trace and the next execution begins a new one: so warm-up is
        # not in it (the native runner calls the tracer's reset, which bindings lack).
        with self._scratch() as folder:
            self._program.write_etdump_result_to_file(str(folder / "warmup.etdump"))

    def execute(self, count: int) -> list[int]:
        """Execute, and return the times in ns, which the session keeps too."""
        with self._execution_errors():
            times = [self._once() for _ in range(count)]
        (self.traced_ns if self._tracing else self.latency_ns).extend(times)
        return times

    def warm_ns(self) -> int:
        """Return how long an execution took at the end of the warm-up, 0 without one."""
        warmup = self.traced_warmup_ns if self._tracing else self.warmup_ns
        return round(statistics.median(warmup[-_LAST_WARM:])) if warmup else 0

    def finish(self) -> None:
        """Take the outputs, and write the trace. Nothing can be executed afterwards."""
        self._end_timed()
        if self._tracing and self._etdump is not None:
            with self._scratch() as folder:
                self._program.write_etdump_result_to_file(str(folder / "traced.etdump"))
                with writing(self._etdump):
                    os.replace(folder / "traced.etdump", self._etdump)
        self._program = self._method = None

    def _once(self) -> int:
        # An execution may overwrite the planned memory that holds its inputs.
        self._method.set_inputs(self._tensors)
        start = time.perf_counter_ns()
        self._method.execute()
        taken = time.perf_counter_ns() - start
        self._executions += 1
        if self.outputs is None:
            self.outputs = [_copied(output) for output in self._method.get_outputs()]
        return taken

    @contextmanager
    def _execution_errors(self) -> Iterator[None]:
        """Turn the bindings' RuntimeError into the kit's error for a model that fails while running."""
        try:
            yield
        except RuntimeError as error:
            after = f", after {self._executions} that succeeded" if self._executions else ""
            raise MeasurementError(f"{self._model}: the execution failed{after} ({error})") from error

    def _end_timed(self) -> None:
        if self._method is None or self._tracing:
            return
        self.peak_rss_bytes = peak_rss_bytes()
        if self.outputs is None:
            with self._execution_errors():
                self._once()
        self._program = self._method = None

    def _load(self, traced: bool) -> None:
        try:
            self._program = self._bindings._load_program(
                str(self._model),
                enable_etdump=traced,
                program_verification=self._bindings.Verification.InternalConsistency,
                data_path=None if self._data is None else str(self._data),
            )
            self._method = self._program.load_method(self._method_name)
            self._executions = 0
        except RuntimeError as error:
            raise UserError(
                f"ExecuTorch cannot load the model ({error})",
                f"at {self._model}",
                "name the .ptd that belongs to it"
                if self._data
                else "export it again with export_model.py, or name its .ptd",
            ) from error

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        assert self._etdump is not None
        with tempfile.TemporaryDirectory(dir=self._etdump.parent) as folder:
            yield Path(folder)


def _copied(output: object) -> object:
    """Return what stays of an output when the method executes again."""
    import torch

    return output.clone() if isinstance(output, torch.Tensor) else output


def load_bindings(wheel: Wheel) -> Any:
    """Import the bindings' extension module itself: portable_lib around it costs 3 s of imports more."""
    import ctypes

    import torch  # noqa: F401  (the extension needs its libraries loaded)
    from executorch.extension.pybindings import _C

    suffix = "dylib" if sys.platform == "darwin" else "so"
    quantized = wheel.library_dir / f"libexecutorch_kernels_quantized.{suffix}"
    if quantized.exists():
        ctypes.CDLL(str(quantized), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
    return _C


def warm_up(least: int, most: int, execute: Callable[[], int]) -> list[int]:
    """Execute until warm; return every duration. The rule is `result.py`'s, as in runner/warmup.cpp."""
    times: list[int] = []
    most = max(least, most)
    while len(times) < most and (len(times) < least or not _settled(times)):
        times.append(execute())
    return times


def _settled(times: list[int]) -> bool:
    if len(times) % WARMUP_BLOCK or len(times) < WARMUP_BLOCK * WARMUP_BLOCKS_COMPARED:
        return False
    last = times[-WARMUP_BLOCK * WARMUP_BLOCKS_COMPARED :]
    medians = [statistics.median(last[i : i + WARMUP_BLOCK]) for i in range(0, len(last), WARMUP_BLOCK)]
    return max(medians) - min(medians) <= WARMUP_AGREEMENT * min(medians)


def peak_rss_bytes() -> int | None:
    """Return this process's peak resident memory; here it holds Python and torch as well."""
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    # Not getrusage: on Linux its ru_maxrss starts at what the process that forked us had.
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def write_outputs(outputs: list[object], folder: Path) -> list[dict[str, object]]:
    import torch

    entries: list[dict[str, object]] = []
    for output in outputs:
        if not isinstance(output, torch.Tensor):
            continue  # numbers and None are constants of the export
        path = folder / f"output_{len(entries)}.bin"
        raw = output.contiguous().reshape(-1).view(torch.uint8) if output.numel() else output
        write_bytes(path, raw.numpy().tobytes())
        entries.append(
            {"file": str(path), "dtype": str(output.dtype).removeprefix("torch."), "shape": list(output.shape)}
        )
    return entries
