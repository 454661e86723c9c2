# SPDX-License-Identifier: Apache-2.0
"""What an event's recorded name stands for: an operator and its category, by exact name (`operator_names`).

XNNPACK names an operator "<operator> (<layout, element types>) <microkernel>", and
ExecuTorch's XNNPACK delegate appends " #<n>" for the n-th of that name in its delegate.
Operators outside a delegate are recorded as "native_call_<kernel>.<overload>". Only the
operator or kernel itself decides, compared as a whole: a part of a name misleads
("Convert" is no convolution, "Resize Bilinear" is not linear).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from model_profiling.analysis.traces.operator_names import KERNELS, MICROKERNELS, OTHER, XNNPACK_OPERATORS

#: Time of a method that none of its operators accounts for. Derived, never an event's category.
FRAMEWORK_OVERHEAD = "Framework overhead"
#: Category column of events that enclose operators or only steer the program.
CONTAINER = "container"

METHOD, DELEGATE_CALL, OPERATOR_CALL = "Method::execute", "DELEGATE_CALL", "OPERATOR_CALL"
#: Instructions that run no operator: jump if false, move, free (executorch/runtime/executor/method.cpp).
CONTROL_INSTRUCTIONS = ("JF_CALL", "MOVE_CALL", "FREE_CALL")
#: Loading, recorded outside executions, and a method's single-stepping.
OTHER_RUNTIME_EVENTS = ("Method::init", "Method::step", "Program::load_method")
CONTAINERS = frozenset((METHOD, DELEGATE_CALL, OPERATOR_CALL, *CONTROL_INSTRUCTIONS, *OTHER_RUNTIME_EVENTS))

NATIVE_PREFIX = "native_call_"
#: The operator that XNNPACK inserts to pack the left-hand side of a matrix product for SME2.
PACKING = "Pack LH"
XNNPACK, PORTABLE, UNKNOWN_DELEGATE = "XNNPACK", "portable", "unknown"

_XNNPACK_CATEGORY = {name: category for category, names in XNNPACK_OPERATORS.items() for name in names}
_KERNEL_CATEGORY = {name: category for category, names in KERNELS.items() for name in names}

_WITHOUT_LAYOUT = frozenset(("Invalid", "Invalid Binary Op", "Invalid Unary Op"))

_ORDINAL = re.compile(r" #\d+\Z")
_XNNPACK_NAME = re.compile(
    r"(?P<operator>[^()]+) \((?P<layout>[^(),]*)[^()]*\)"
    rf"(?P<microkernel> (?:{'|'.join(re.escape(name) for name in MICROKERNELS)}))?\Z"
)


@dataclass(frozen=True)
class Operator:
    """What a recorded name stands for.

    `operator` is the bare operator or kernel; `mapped` is False where the table lacks it
    and `category` is therefore "Other".
    """

    operator: str
    category: str
    backend: str
    mapped: bool


@functools.lru_cache(maxsize=4096)
def delegated_operator(name: str) -> Operator:
    """Return what a delegate's event name stands for; XNNPACK is the delegate this kit knows."""
    bare = _ORDINAL.sub("", name)
    match = _XNNPACK_NAME.match(bare)
    operator = match["operator"] if match else bare
    category = _XNNPACK_CATEGORY.get(operator) if match or bare in _WITHOUT_LAYOUT else None
    if category is None:
        return Operator(bare, OTHER, UNKNOWN_DELEGATE, mapped=False)
    return Operator(operator, category, XNNPACK, mapped=True)


@functools.lru_cache(maxsize=4096)
def runtime_event(name: str) -> Operator:
    """Return what an event that no delegate recorded stands for: a kernel, or a container.

    Only kernels are operators. A range that a kernel or a program marked for itself lies
    inside one or between two of them, and must not count a second time: a container too.
    """
    if not name.startswith(NATIVE_PREFIX):
        return Operator(name, CONTAINER, "", mapped=name in CONTAINERS)
    kernel = name[len(NATIVE_PREFIX) :]
    category = _KERNEL_CATEGORY.get(kernel) or _KERNEL_CATEGORY.get(kernel.rpartition(".")[0])
    return Operator(kernel, category or OTHER, PORTABLE, mapped=category is not None)


def classify(name: str, delegated: bool) -> Operator:
    """Return what the event `name` stands for; `delegated` says whether a delegate recorded it."""
    return delegated_operator(name) if delegated else runtime_event(name)


def kind(name: str) -> str:
    """Return `name` without what two runs of the same program may differ in.

    SME2 changes the element types of an operator ("F32" to "PF32", "QC8" to "PQS8, QS8, QC8W"),
    and as a delegate counts operators by their full name, the ordinals with them.
    """
    bare = _ORDINAL.sub("", name)
    match = _XNNPACK_NAME.match(bare)
    return f"{match['operator']} ({match['layout']}){match['microkernel'] or ''}" if match else bare
