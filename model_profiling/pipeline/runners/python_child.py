# SPDX-License-Identifier: Apache-2.0
"""The process that the python runner starts: the native runner's phases on the wheel's bindings.

Everything that need not be measured comes first: mistakes are found before torch is
imported, and the CPU's features are cleared before anything loads XNNPACK.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Started by its path: this folder must not shadow modules of other packages, and the
    # kit's root, which may hold a clone called "executorch", comes after the installed ones.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[3]))

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import make_folder, write_bytes, write_json, writing
from model_profiling.pipeline.cpu.mask import MaskedFeatures, mask_features
from model_profiling.pipeline.program.inputs import make_inputs
from model_profiling.pipeline.program.signature import Signature, TensorSpec, read_signature
from model_profiling.pipeline.runners.result import (
    DEFAULT_MAX_WARMUP,
    RESULT_SCHEMA_VERSION,
    WARMUP_AGREEMENT,
    WARMUP_BLOCK,
    WARMUP_BLOCKS_COMPARED,
)
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel

_MOST_THREADS = 1024  # more than any CPU has
_CHANNELS_LAST = (0, 2, 3, 1)


def build_parser() -> CommandParser:
    parser = CommandParser(prog="python_child.py", description="Execute an ExecuTorch program and time it.")
    parser.add_argument("--model", type=Path, required=True, help="the .pte to run")
    parser.add_argument("--input", type=Path, action="append", default=[], help="raw tensor bytes, once per input")
    parser.add_argument("--warmup", type=_count(0), default=3, help="least number of warm-up executions")
    parser.add_argument(
        "--max-warmup", type=_count(0), default=DEFAULT_MAX_WARMUP, help="most, where times never settle"
    )
    parser.add_argument("--runs", type=_count(0), default=20, help="untraced executions to time")
    parser.add_argument("--traced-runs", type=_count(0), default=10, help="executions recorded in the ETDump")
    parser.add_argument("--threads", type=_count(1, _MOST_THREADS), default=1, help="threads of the pool")
    parser.add_argument("--disable-cpu-features", default="", help="CPU features to clear, separated by commas")
    parser.add_argument("--seed", type=_count(0, 2**64 - 1), default=0, help="seed of the inputs")
    parser.add_argument("--etdump", type=Path, help="where to write the trace")
    parser.add_argument("--result", type=Path, required=True, help="where to write the result as JSON")
    parser.add_argument("--outputs-dir", type=Path, help="where to write the outputs' bytes")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    if args.traced_runs and not args.etdump:
        raise UserError("--traced-runs without --etdump", "on the command line", "say where the trace goes")
    signature = read_signature(args.model)
    inputs = _input_bytes(args, signature)
    _check_destinations(args)
    wheel = installed_wheel()
    names = [name for name in args.disable_cpu_features.split(",") if name]
    features = mask_features(names, wheel.library_dir)
    write_json(args.result, _measure(args, signature, inputs, wheel, features))


def _measure(
    args: argparse.Namespace, signature: Signature, inputs: list[bytes], wheel: Wheel, features: MaskedFeatures
) -> dict[str, object]:
    bindings = _load_bindings(wheel)
    bindings._unsafe_reset_threadpool(args.threads)
    tensors = [_tensor(data, spec) for data, spec in zip(inputs, signature.inputs, strict=True)]
    gc.collect()
    gc.disable()  # a collection inside an execution would be timed
    untraced = _untraced(bindings, args, tensors)
    return {
        "schema_version": RESULT_SCHEMA_VERSION,
        "runner": "python",
        "executorch_version": wheel.version,
        "threads": bindings._threadpool_get_thread_count(),
        **untraced,
        **_traced(bindings, args, tensors),
        "traced_warmup": 0,
        "masked_cpu_features": list(features.masked),
        "active_cpu_features": list(features.active),
    }


def _load_bindings(wheel: Wheel) -> Any:
    """Import the bindings' extension module itself: portable_lib around it costs 3 s of imports more."""
    import ctypes

    import torch  # noqa: F401  (the extension needs its libraries loaded)
    from executorch.extension.pybindings import _C

    suffix = "dylib" if sys.platform == "darwin" else "so"
    quantized = wheel.library_dir / f"libexecutorch_kernels_quantized.{suffix}"
    if quantized.exists():
        ctypes.CDLL(str(quantized), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
    return _C


class _Executions:
    """Executions of one method on the same inputs; only Method::execute is timed, as in the native runner."""

    def __init__(self, method: Any, tensors: list[object]) -> None:
        self._method, self._tensors = method, tensors

    def one(self) -> int:
        # An execution may overwrite the planned memory that holds its inputs.
        self._method.set_inputs(self._tensors)
        start = time.perf_counter_ns()
        self._method.execute()
        return time.perf_counter_ns() - start

    def many(self, count: int) -> list[int]:
        return [self.one() for _ in range(count)]


def _untraced(bindings: Any, args: argparse.Namespace, tensors: list[object]) -> dict[str, object]:
    start = time.perf_counter_ns()
    program, method = _load(bindings, args.model, traced=False)
    load_ns = time.perf_counter_ns() - start
    executions = _Executions(method, tensors)
    with _execution_errors(args.model):
        warmup = warm_up(args.warmup, args.max_warmup, executions.one)
        latency = executions.many(args.runs)
        peak = peak_rss_bytes()
        if not warmup and not latency:
            executions.one()  # outputs need one execution
        outputs = _write_outputs(method.get_outputs(), args.outputs_dir) if args.outputs_dir else []
    return {"load_ns": load_ns, "warmup_ns": warmup, "latency_ns": latency, "peak_rss_bytes": peak, "outputs": outputs}


def _traced(bindings: Any, args: argparse.Namespace, tensors: list[object]) -> dict[str, object]:
    """Trace in a program of its own, which packs the weights anew: the untraced one is gone by now."""
    if not args.traced_runs:
        return {"traced_warmup_ns": [], "traced_ns": []}
    program, method = _load(bindings, args.model, traced=True)
    executions = _Executions(method, tensors)
    with _execution_errors(args.model), tempfile.TemporaryDirectory(dir=args.etdump.parent) as folder:
        warmup = executions.many(args.warmup)
        # Writing closes the trace and the next execution begins a new one: so warm-up is
        # not in it (the native runner calls the tracer's reset, which bindings lack).
        program.write_etdump_result_to_file(str(Path(folder) / "warmup.etdump"))
        traced = executions.many(args.traced_runs)
        written = Path(folder) / "traced.etdump"
        program.write_etdump_result_to_file(str(written))
        with writing(args.etdump):
            os.replace(written, args.etdump)
    return {"traced_warmup_ns": warmup, "traced_ns": traced}


def _load(bindings: Any, model: Path, traced: bool) -> tuple[Any, Any]:
    try:
        program = bindings._load_program(
            str(model), enable_etdump=traced, program_verification=bindings.Verification.InternalConsistency
        )
        return program, program.load_method(program.get_method_name(0))
    except RuntimeError as error:
        raise UserError(
            f"ExecuTorch cannot load the model ({error})", f"at {model}", "export it again with export_model.py"
        ) from error


class _execution_errors:
    """Turn the bindings' RuntimeError into the kit's error for a model that fails while running."""

    def __init__(self, model: Path) -> None:
        self._model = model

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RuntimeError):
            raise MeasurementError(f"{self._model}: the execution failed ({error})") from error


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


def _input_bytes(args: argparse.Namespace, signature: Signature) -> list[bytes]:
    if not args.input:
        return [array.tobytes() for array in make_inputs(signature, None, args.seed)]
    if len(args.input) != len(signature.inputs):
        raise UserError(
            f"{len(args.input)} input files for a model of {len(signature.inputs)} inputs",
            "in --input",
            "give one file per input, or none for seeded ones",
        )
    return [_read_input(path, spec) for path, spec in zip(args.input, signature.inputs, strict=True)]


def _read_input(path: Path, spec: TensorSpec) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"the input cannot be read ({error.strerror})", f"at {path}", "correct the path") from error
    if len(data) != spec.nbytes:
        raise UserError(
            f"the input has {len(data)} bytes, and the model takes {spec.nbytes}",
            f"at {path}",
            "give the raw bytes of the model's input",
        )
    return data


def _tensor(data: bytes, spec: TensorSpec) -> object:
    import torch

    shape = spec.shape
    tensor = (
        torch.frombuffer(bytearray(data), dtype=getattr(torch, spec.dtype)).reshape(shape)
        if data
        else torch.empty(shape, dtype=getattr(torch, spec.dtype))
    )
    if spec.dim_order == _CHANNELS_LAST:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


def _write_outputs(outputs: list[object], folder: Path) -> list[dict[str, object]]:
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


def _check_destinations(args: argparse.Namespace) -> None:
    """Find out now, not after the measurement, that a result could not be written."""
    if args.outputs_dir:
        make_folder(args.outputs_dir)
    for path in filter(None, (args.etdump, args.result, args.outputs_dir and args.outputs_dir / "output_0.bin")):
        with writing(path):
            if path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            with tempfile.TemporaryFile(dir=path.parent):
                pass


def _count(low: int, high: int = 10_000_000) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f'a number from {low} to {high} is needed, not "{text}"')
        return int(text)

    return parse


if __name__ == "__main__":
    run_command(main)
