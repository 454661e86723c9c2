# SPDX-License-Identifier: Apache-2.0
"""Keeping the libraries' own chatter off the screen: warnings, log lines, native messages."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

ERROR_STREAM = 2


@contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Drop what is written to standard error while the body runs, native code included.

    ExecuTorch's runtime, torchao and XNNPACK's CPU detection write to the file descriptor
    itself, so it is redirected there. With `verbose` nothing is touched. The kit's own error line
    is printed after the body, when the descriptor is back.
    """
    if verbose:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(ERROR_STREAM)
    try:
        with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.dup2(sink.fileno(), ERROR_STREAM)
            try:
                # ExecuTorch's bindings write through `sys.stderr`, which a live progress bar replaces.
                with redirect_stderr(os.fdopen(os.dup(sink.fileno()), "w")) as stream, stream:
                    yield
            finally:
                sys.stderr.flush()
                os.dup2(saved, ERROR_STREAM)
    finally:
        os.close(saved)
