# SPDX-License-Identifier: Apache-2.0
"""The process in which `trial` runs a program: its file, its method and a file of flat inputs are the arguments."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path[0:1] = []  # started by its path: this folder must not shadow modules of other packages
    import torch
    from executorch.extension.pybindings.portable_lib import _load_for_executorch
    from executorch.kernels import quantized  # noqa: F401  (registers its operators)

    program, method, inputs = sys.argv[1:]
    _load_for_executorch(program).run_method(method, torch.load(inputs, weights_only=True))
