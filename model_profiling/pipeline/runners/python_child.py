# SPDX-License-Identifier: Apache-2.0
"""The process that the python runner starts: the native runner's phases on the wheel's bindings.

Everything that need not be measured comes first: mistakes are found before torch is
imported, and the CPU's features are cleared before anything loads XNNPACK.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Started by its path: this folder must not shadow modules of other packages, and the
    # kit's root, which may hold a clone called "executorch", comes after the installed ones.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[3]))

import argparse
import gc
import tempfile
from collections.abc import Callable

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.files import make_folder, write_json, writing
from model_profiling.pipeline.cpu.mask import MaskedFeatures, mask_features
from model_profiling.pipeline.program.inputs import make_inputs
from model_profiling.pipeline.program.signature import Signature, TensorSpec, read_signature
from model_profiling.pipeline.program.workload import Shape, at_shapes, parse_shape
from model_profiling.pipeline.runners import python_session
from model_profiling.pipeline.runners.python_turns import take_turns
from model_profiling.pipeline.runners.result import DEFAULT_MAX_WARMUP, RESULT_SCHEMA_VERSION
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel

_MOST_THREADS = 1024  # more than any CPU has


def build_parser() -> CommandParser:
    parser = CommandParser(prog="python_child.py", description="Execute an ExecuTorch program and time it.")
    parser.add_argument("--model", type=Path, required=True, help="the .pte to run")
    parser.add_argument("--data", type=Path, help="the .ptd with the weights of a program that keeps them outside")
    parser.add_argument("--method", help="the method to execute (default: the program's only one)")
    parser.add_argument(
        "--input-shape", type=_shape, action="append", default=[], help="such as 1x16, once per input, where it varies"
    )
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
    parser.add_argument(
        "--take-turns", action="store_true", help="execute when standard input says so, and answer on standard output"
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    if args.traced_runs and not args.etdump:
        raise UserError("--traced-runs without --etdump", "on the command line", "say where the trace goes")
    signature = read_signature(args.model, args.method)
    if args.input_shape:
        signature = at_shapes(signature, args.input_shape)
    inputs = _input_bytes(args, signature)
    if args.data and not args.data.is_file():
        raise UserError("the weights' file cannot be read (No such file)", f"at {args.data}", "correct the path")
    _check_destinations(args)
    wheel = installed_wheel()
    names = [name for name in args.disable_cpu_features.split(",") if name]
    features = mask_features(names, wheel.library_dir)
    write_json(args.result, _measure(args, signature, inputs, wheel, features))


def _measure(
    args: argparse.Namespace, signature: Signature, inputs: list[bytes], wheel: Wheel, features: MaskedFeatures
) -> dict[str, object]:
    bindings = python_session.load_bindings(wheel)
    bindings._unsafe_reset_threadpool(args.threads)
    tensors = [_tensor(data, spec) for data, spec in zip(inputs, signature.inputs, strict=True)]
    session = python_session.Session(
        bindings, (args.model, signature.method, args.data), tensors, args.warmup, args.max_warmup, args.etdump
    )
    gc.collect()
    gc.disable()  # a collection inside an execution would be timed
    if args.take_turns:
        take_turns(session)
    else:
        session.begin_timed()
        session.execute(args.runs)
        if args.traced_runs:
            session.begin_traced()
            session.execute(args.traced_runs)
    session.finish()
    return {
        "schema_version": RESULT_SCHEMA_VERSION,
        "runner": "python",
        "executorch_version": wheel.version,
        "threads": bindings._threadpool_get_thread_count(),
        "load_ns": session.load_ns,
        "warmup_ns": session.warmup_ns,
        "latency_ns": session.latency_ns,
        "peak_rss_bytes": session.peak_rss_bytes,
        "outputs": python_session.write_outputs(session.outputs or [], args.outputs_dir) if args.outputs_dir else [],
        "traced_warmup_ns": session.traced_warmup_ns,
        "traced_ns": session.traced_ns,
        "traced_warmup": 0,
        "masked_cpu_features": list(features.masked),
        "active_cpu_features": list(features.active),
    }


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
    if not spec.dim_order:
        return tensor
    back = sorted(range(len(shape)), key=spec.dim_order.__getitem__)
    return tensor.permute(spec.dim_order).contiguous().permute(back)


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


def _shape(text: str) -> Shape:
    try:
        return parse_shape(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(low: int, high: int = 10_000_000) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f'a number from {low} to {high} is needed, not "{text}"')
        return int(text)

    return parse


if __name__ == "__main__":
    run_command(main)
