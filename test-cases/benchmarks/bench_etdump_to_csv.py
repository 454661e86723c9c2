#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare etdump_to_csv.py with ExecuTorch's Inspector on one trace, each as a whole process.

Both sides start from a fresh interpreter, read the same ETDump and write their table. The
best of several rounds is taken, rounds alternating, so that a busy moment does not decide.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.processes import run_child

_TIMEOUT_S = 600
_TOOL = PACKAGE_DIR / "tools" / "etdump_to_csv.py"
_EXPORT = PACKAGE_DIR / "export" / "export_model.py"
_MODEL = "mobilenet_v3_small"

_INSPECTOR = """
import sys
from executorch.devtools import Inspector
Inspector(etdump_path=sys.argv[1]).to_dataframe().to_csv(sys.argv[2], index=False)
"""

_RECORD = """
import sys
import torch
from executorch.extension.pybindings.portable_lib import _load_for_executorch
program = _load_for_executorch(sys.argv[1], enable_etdump=True)
meta = program.method_meta("forward")
inputs = []
for index in range(meta.num_inputs()):
    info = meta.input_tensor_meta(index)
    kinds = {6: torch.float32, 5: torch.float16, 4: torch.int64, 3: torch.int32}
    inputs.append(torch.zeros(tuple(info.sizes()), dtype=kinds[info.dtype()]))
for _ in range(int(sys.argv[3])):
    program.forward(inputs)
program.write_etdump_result_to_file(sys.argv[2])
"""

# Peak memory of a process is not in its exit status, so a small parent asks for it.
_MEASURED = """
import os, resource, sys, time
started = time.perf_counter()
status = os.spawnv(os.P_WAIT, sys.argv[1], sys.argv[1:])
elapsed = time.perf_counter() - started
sys.stdout.flush()
print("MEASURED", elapsed, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="bench_etdump_to_csv.py", description=__doc__.splitlines()[0])
    parser.add_argument("--etdump", type=Path, metavar="F", help="use this trace")
    parser.add_argument("--model", type=Path, metavar="PTE", help=f"record this model (default: export {_MODEL})")
    parser.add_argument("--executions", type=int, default=1000, metavar="N", help="executions to record (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements of each side (default 3)")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    if args.rounds < 1 or args.executions < 1:
        raise UserError("--rounds and --executions count from 1", "on the command line", "give positive numbers")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        etdump = args.etdump or _record(args.model or _export(work), work, args.executions)
        sides = {
            "etdump_to_csv": [str(_TOOL), "--etdump", str(etdump), "--out-dir", str(work), "--model-id", "m"],
            "Inspector": ["-c", _INSPECTOR, str(etdump), str(work / "inspector.csv")],
        }
        best = {name: (float("inf"), 0.0) for name in sides}
        for _ in range(args.rounds):
            for name, command in sides.items():
                best[name] = min(best[name], _measure(command))
        _report(etdump, best)


def _export(work: Path) -> Path:
    print(f"exporting {_MODEL} ...", flush=True)
    run_child(
        [sys.executable, str(_EXPORT), "--model", _MODEL, "--dtype", "fp32", "--outdir", str(work)],
        timeout_s=_TIMEOUT_S,
    ).require_ok("exporting the model")
    return work / f"{_MODEL}_xnnpack_fp32.pte"


def _record(model: Path, work: Path, executions: int) -> Path:
    print(f"recording {executions} executions of {model.name} ...", flush=True)
    etdump = work / "recorded.etdump"
    run_child(
        [sys.executable, "-c", _RECORD, str(model), str(etdump), str(executions)], timeout_s=_TIMEOUT_S
    ).require_ok("recording the trace")
    return etdump


def _measure(command: list[str]) -> tuple[float, float]:
    """Return one run's seconds and its peak memory in MB."""
    child = run_child([sys.executable, "-c", _MEASURED, sys.executable, *command], timeout_s=_TIMEOUT_S)
    line = child.require_ok("measuring").output.strip().splitlines()[-1]
    _, elapsed, peak = line.split()
    unit = 1 if platform.system() == "Darwin" else 1024  # ru_maxrss is bytes on macOS, KiB on Linux
    return float(elapsed), float(peak) * unit / 1e6


def _report(etdump: Path, best: dict[str, tuple[float, float]]) -> None:
    size = os.path.getsize(etdump) / 1e6
    print(f"{etdump.name}: {size:.1f} MB")
    for name, (seconds, peak) in best.items():
        print(f"  {name:<14} {seconds:8.3f} s  {peak:7.0f} MB")
    print(f"  ratio {best['Inspector'][0] / best['etdump_to_csv'][0]:.1f}")


if __name__ == "__main__":
    run_command(main)
