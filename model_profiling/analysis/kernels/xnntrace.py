# SPDX-License-Identifier: Apache-2.0
"""Reads what XNNPACK logs while a source-built `executor_runner` loads and runs a model.

At level 4 it names each kernel that it writes into a table ("Using gemm microkernel
'...'"), once per table and process, while loading. Such a kernel is registered: a
candidate, not a call. Tables hold variants for other shapes and element types, a variant
may be overwritten by a better one two lines on, and a few tables log nothing. At level 5
there is also one line per operator that runs, which names no kernel.

The messages stand on stderr (kernels) and stdout (operators), or in Android's logcat in
any of its formats; other lines may stand between them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.tables.kernels import REGISTERED, KernelRow
from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import family_of, role_of

_LONGEST_LINE = 1 << 16  # bytes; XNNPACK's own are under 500. Bounds what a log without line ends takes
_KERNEL = re.compile(rb"Using (?P<kind>[a-z0-9_ -]{1,60}?) microkernel '(?P<kernel>[A-Za-z]\w{0,200})'")
_KERNEL_START = re.compile(rb"Using [a-z0-9_ -]{1,60}? microkernel")
# The name is XNNPACK's operator and microkernel: "Fully Connected (NC, PF32) GEMM".
_TEXT = rb"[^()\x00-\x1f\x7f-\xff]"
_OPERATOR = re.compile(
    rb"(?P<skip>skip )?running operator \d+:\d+ \((?P<name>%b{1,100}(?:\(%b{0,60}\)%b{0,60})?)\)"
    % (_TEXT, _TEXT, _TEXT)
)
# logcat's threadtime format has "<pid> <tid> I XNNPACK : ", brief and time have "I/XNNPACK( <pid>): ".
_PROCESS = re.compile(rb"(?:(\d+) +\d+ [VDIWEF] XNNPACK *: |[VDIWEF]/XNNPACK *\( *(\d+)\): )")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BUILD = (
    "give the log of an executor_runner built with -DEXECUTORCH_XNNPACK_LOG_LEVEL=4 "
    "(its stderr; on Android, adb logcat)"
)


@dataclass(frozen=True)
class RegisteredKernel:
    """A kernel that stood in a table: what it is for ("gemm"), its name, how many lines named it."""

    kind: str
    kernel: str
    lines: int


@dataclass(frozen=True)
class XnnTrace:
    """What a log says of kernels and operators.

    `operators` and `skipped` count level 5's lines by operator: calls over all executions,
    warm-up included, and calls that XNNPACK left out because there was nothing to do.
    `cut` counts kernel lines that end before their kernel's name does.
    """

    kernels: tuple[RegisteredKernel, ...]
    operators: dict[str, int]
    skipped: dict[str, int]
    cut: int

    @property
    def lines(self) -> int:
        """Number of lines that name a kernel; duplicates count."""
        return sum(kernel.lines for kernel in self.kernels)

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct kernels; one may be registered for two purposes."""
        return tuple(dict.fromkeys(kernel.kernel for kernel in self.kernels))


def read_xnntrace(paths: Sequence[Path]) -> XnnTrace:
    """Return what the logs of one process say together.

    Raises
    ------
    UserError : a log cannot be read, none names a kernel, or more than one process wrote them.
    """
    trace, processes = _parse(line for path in paths for line in _lines(path))
    where = f"in {', '.join(map(str, paths))}"
    if len(processes) > 1:
        pids = ", ".join(sorted(processes, key=int)[:5])
        raise UserError(
            f"kernel lines of {len(processes)} processes are mixed (pids {pids})",
            where,
            "give the log of one: adb logcat --pid=PID, or adb logcat -c before each run",
        )
    if not trace.kernels:
        raise UserError(_nothing(trace), where, _BUILD)
    return trace


def parse_xnntrace(text: bytes) -> XnnTrace:
    """Return what a log's text says, however it ended; no kernel is no error here."""
    return _parse(text.splitlines())[0]


def kernel_rows(trace: XnnTrace, model_id: str, experiment: str = "") -> tuple[KernelRow, ...]:
    """Return the kernel table of a log: one row for each kernel and purpose, in the log's order.

    A table belongs to no layer and to no operator, so `layer` is empty and `operator` holds
    the table's purpose as XNNPACK writes it ("gemm", "dwconv"). `calls` is unknown, not 0:
    nobody counted, and many of these kernels do run.
    """
    return tuple(
        KernelRow(
            model_id,
            experiment,
            "",
            registered.kind,
            registered.kernel,
            family_of(registered.kernel),
            role_of(registered.kernel),
            None,
            REGISTERED,
        )
        for registered in trace.kernels
    )


def _parse(lines: Iterable[bytes]) -> tuple[XnnTrace, set[str]]:
    kernels: Counter[tuple[str, str]] = Counter()
    operators: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    processes: set[str] = set()
    cut = 0
    for line in lines:
        if b" microkernel" in line:
            named = [(m["kind"].decode(), m["kernel"].decode()) for m in _KERNEL.finditer(line)]
            kernels.update(named)
            cut += max(0, len(_KERNEL_START.findall(line)) - len(named))
            processes |= _process(line) if named else set()
        elif b"running operator" in line:
            for match in _OPERATOR.finditer(line):
                (skipped if match["skip"] else operators)[match["name"].decode("ascii")] += 1
    registered = tuple(RegisteredKernel(kind, kernel, count) for (kind, kernel), count in kernels.items())
    return XnnTrace(registered, dict(operators), dict(skipped), cut), processes


def _process(line: bytes) -> set[str]:
    match = _PROCESS.search(line)
    return {(match[1] or match[2]).decode()} if match else set()


def _lines(path: Path) -> Iterator[bytes]:
    """Yield a log's lines, longer ones in parts."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_LONGEST_LINE)
            if line.startswith(_UTF16):
                raise UserError(
                    "the log is UTF-16 text",
                    f"at {path}",
                    "save it as UTF-8 (PowerShell: ... | Out-File -Encoding utf8)",
                )
            while line:
                yield line
                line = file.readline(_LONGEST_LINE)
    except FileNotFoundError as error:
        raise UserError("the log does not exist", f"at {path}", "correct the path") from error
    except OSError as error:
        raise UserError(f"the log cannot be read ({error.strerror})", f"at {path}", "name a readable file") from error


def _nothing(trace: XnnTrace) -> str:
    if trace.operators:
        return "the log names the operators that ran but no kernel"
    if trace.cut:
        return "the log ends before the name of its first kernel does"
    return "the log names no XNNPACK kernel"
