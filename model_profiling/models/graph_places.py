# SPDX-License-Identifier: Apache-2.0
"""Where in the model's own code a node of its graph comes from, and what its operator is called."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_FRAME = re.compile(r'File "(.+?)", line (\d+)')
_WRAPPED = re.compile(r"<EdgeOpOverload: ([\w.]+)>")
_KIT = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple(
    {
        Path(os.path.realpath(path))
        for path in (
            *site.getsitepackages(),
            sysconfig.get_path("purelib"),
            sysconfig.get_path("platlib"),
            sysconfig.get_path("stdlib"),
        )
    }
)


def operator_of(node: torch.fx.Node) -> str:
    """Return an operator's name with its namespace, as in ``aten.mean.dim``."""
    target: Any = node.target  # the edge dialect's class has no types
    while type(target).__name__ == "EdgeOpOverload":  # the edge dialect's wrapper prints its whole schema
        target = target._op
    wrapped = _WRAPPED.match(str(target))  # arithmetic on sizes is wrapped once more
    if wrapped:
        return wrapped[1]
    return str(target) if hasattr(target, "_schema") else getattr(target, "__name__", str(target))


def ancestors_of(node: torch.fx.Node) -> list[torch.fx.traceback.NodeSource]:
    """Return the nodes that `node` was made from by earlier passes, newest first."""
    ancestors, pending = [], list(node.meta.get("from_node") or ())
    while pending:
        source = pending.pop(0)
        ancestors.append(source)
        pending.extend(getattr(source, "from_node", None) or ())
    return ancestors


def origin_of(node: torch.fx.Node) -> str:
    """Return the call that `node` is a part of, as captured from the model ("roll"), "" where unknown.

    Lowering takes composite calls apart; the model's author knows only the call.
    """
    targets = [str(source.target) for source in ancestors_of(node)]
    return targets[-1].split(".")[1] if targets and targets[-1].count(".") >= 1 else ""


def module_of(node: torch.fx.Node) -> str:
    """Return the path of the submodule that `node` was captured in, "" for the model itself."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return "" if path.startswith("_empty_nn_module_stack") else path  # what torch gives nodes that it adds itself


def source_of(node: torch.fx.Node) -> str:
    """Return the innermost "file:line" of the model's own code, else of the library it calls, else ""."""
    frames = [frame for frame in _FRAME.findall(node.meta.get("stack_trace") or "") if not _is_compilers(frame[0])]
    own = [frame for frame in frames if is_model_code(frame[0])] or frames
    return f"{short_path(own[-1][0])}:{own[-1][1]}" if own else ""


def _is_compilers(file: str) -> bool:
    """Tell whether code was made by torch's compiler ("<eval_with_key>.3"), or is a pass of it that added a node."""
    return file.startswith("<") or short_path(file).startswith("torch/fx/")


def is_model_code(file: str) -> bool:
    """Tell whether `file` belongs to a model: neither a library's nor the kit's own machinery."""
    path = Path(os.path.realpath(file))
    if path.is_relative_to(_KIT):
        return path.is_relative_to(_KIT / "models") and len(path.relative_to(_KIT).parts) > 2
    return not any(path.is_relative_to(library) for library in _LIBRARIES)


def short_path(file: str) -> str:
    """Return `file` from the kit's, a library's or the current folder on, else whole."""
    path = Path(os.path.realpath(file))
    if path.is_relative_to(_KIT):
        return str(path.relative_to(_KIT.parent))
    for base in (*_LIBRARIES, Path.cwd(), *(Path(entry) for entry in sys.path if entry)):
        if base != Path(base.anchor) and path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)
