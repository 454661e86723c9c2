# SPDX-License-Identifier: Apache-2.0
"""What ExecuTorch's runtime logs while it fails: its exceptions carry a number, its log says the cause."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from model_profiling.export.quiet import ERROR_STREAM

#: A line of the runtime's log: "[file.cpp:line] text" as the bindings write it, elsewhere with level, time and path.
_LINE = re.compile(r"^(?:[EF] [\d:.]+ executorch:[\w.]+:\d+\]|\[[\w.]+\.cpp:\d+\]) (.+)$", re.MULTILINE)
#: XNNPACK's own log, as its logging.c writes it.
_XNNPACK_LINE = re.compile(r"^(?:Error|Fatal error) in XNNPACK: (.+)$", re.MULTILINE)
#: Lines about the CPU, and those that only pass on that something failed.
_SAYS_NOTHING = re.compile(
    r"Reading file|Failed to open midr|CPU info|arg \d+ with type|KernelCall failed|CALL_DELEGATE|Check failed .*: $"
)
_ASSERTION = re.compile(r"^Check failed \(.*\): (?=\S)")  # the condition, before what it means
_SHOWN = 2


class RuntimeWords:
    """What was logged; `hearing` fills it."""

    def __init__(self) -> None:
        self.log = ""

    @property
    def cause(self) -> str:
        """The first errors that were logged, "" where none was: what follows them are its consequences."""
        said = [found[1] for pattern in (_XNNPACK_LINE, _LINE) for found in pattern.finditer(self.log)]
        telling = [_ASSERTION.sub("", line).strip() for line in said if not _SAYS_NOTHING.match(line)]
        return "; ".join(list(dict.fromkeys(telling))[:_SHOWN])


@contextmanager
def hearing(words: RuntimeWords) -> Iterator[None]:
    """Put what native code and bindings write to standard error in the body into `words`, then write it there too."""
    sys.stderr.flush()
    saved = os.dup(ERROR_STREAM)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), ERROR_STREAM)
        try:
            with redirect_stderr(os.fdopen(os.dup(sink.fileno()), "w")) as stream, stream:
                yield
        finally:
            os.dup2(saved, ERROR_STREAM)
            os.close(saved)
            sink.seek(0)
            heard = sink.read()
            words.log = heard.decode("utf-8", "replace")
            os.write(ERROR_STREAM, heard)
