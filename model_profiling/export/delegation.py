# SPDX-License-Identifier: Apache-2.0
"""What XNNPACK took of a model, what it did not, why, and what can be done about it.

The only module that knows. What stayed outside is read from the final program, so it is what the
runtime will execute; the reasons are those that XNNPACK's partitioner logs while it decides.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from model_profiling.export.delegation_hints import hint_for, rewrite_name
from model_profiling.export.program_graph import delegate_of, graphs, is_mark, is_work, lowered_modules
from model_profiling.models.graph_places import ancestors_of, module_of, operator_of, origin_of, source_of

if TYPE_CHECKING:
    import torch

_PARTITIONER_LOGGER = "executorch.backends.xnnpack.partition.config"
_SHAPES = "arithmetic on a dynamic shape"
_BRANCH = "a branch or a loop, which the runtime itself runs"
_IN_BRANCH = "inside of a branch or a loop, where XNNPACK's partitioner does not look"
_ADDED_LATE = "added while the program was serialized: it writes the model's state back, or keeps memory in order"


@dataclass(frozen=True)
class Rejected:
    """One kind of operator that runs outside XNNPACK.

    `operator` is its edge name; `count` how many there are; `module` the submodule's path, with
    ``*`` where several differ in their numbers; `source` "file:line" in the model; `reason` the
    partitioner's, or what is known without it; `hint` what to try, or ""; `origin` the call in the
    model that it is a part of ("roll"), "" where it is a call of its own; `rewrite` the name of the
    rewrite that takes it in, or "".
    """

    operator: str
    count: int
    reason: str
    module: str
    source: str
    hint: str
    origin: str
    rewrite: str = ""


@dataclass(frozen=True)
class Delegation:
    """How a program is divided; `delegated` counts operators by edge name, quantization marks left out."""

    delegates: int
    delegated: dict[str, int]
    not_delegated: tuple[Rejected, ...]

    @property
    def delegated_operators(self) -> int:
        return sum(self.delegated.values())

    @property
    def portable_operators(self) -> int:
        return sum(entry.count for entry in self.not_delegated)

    def to_json(self) -> dict[str, object]:
        return {
            "delegates": self.delegates,
            "delegated_operators": self.delegated_operators,
            "portable_operators": self.portable_operators,
            "delegated": self.delegated,
            "not_delegated": [asdict(entry) for entry in self.not_delegated],
        }


@dataclass(frozen=True)
class _Operator:
    """A node outside the delegates, described before the program's last passes rename its operator."""

    name: str
    module: str
    source: str
    reason: str
    origin: str


class ReasonRecorder(logging.Handler):
    """Collects why the partitioner refuses nodes of each method, by the node's name; the first reason stands."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._by_method: dict[str, dict[str, str]] = {}
        self._method = ""

    def begin(self, method: str) -> None:
        """Take what is said from now on for one of `method`."""
        self._method = method

    def reasons(self, method: str) -> Mapping[str, str]:
        """Return why nodes of `method` were refused, by their names."""
        return self._by_method.get(method, {})

    def emit(self, record: logging.LogRecord) -> None:
        node, reason = getattr(record.msg, "node", None), getattr(record.msg, "reason", "")
        if node is not None and reason:
            self._by_method.setdefault(self._method, {}).setdefault(node.name, str(reason))


@contextmanager
def recording_reasons() -> Iterator[ReasonRecorder]:
    """Yield a recorder that hears the partitioner while the body lowers a program."""
    logger, recorder = logging.getLogger(_PARTITIONER_LOGGER), ReasonRecorder()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # the root's handlers would print every one of them
    try:
        yield recorder
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
        logger.propagate = propagate


def describe_edge(
    graph_module: torch.fx.GraphModule, reasons: Mapping[str, str], backend: str
) -> dict[tuple[str, ...], _Operator]:
    """Describe each node outside the delegates; to be called before the program is serialized.

    Serializing replaces operators by their out-variants and numbers nodes anew, so they are found
    again by what they were made from.

    Parameters
    ----------
    reasons : the partitioner's, by the names of nodes.
    """
    supported = _supported_operators() if backend == "xnnpack" else None
    return {
        _identity(node): _described(
            node, _IN_BRANCH if supported and graph is not graph_module.graph else _reason(node, reasons, supported)
        )
        for graph in graphs(graph_module)
        for node in graph.nodes
        if is_work(node)
    }


def read_program(graph_module: torch.fx.GraphModule, described: dict[tuple[str, ...], _Operator]) -> Delegation:
    """Return how the serialized program is divided, with `described` from `describe_edge`."""
    delegated: Counter[str] = Counter()
    delegates = 0
    for lowered in lowered_modules(graph_module):
        delegates += 1
        delegated.update(
            operator_of(node) for node in lowered.original_module.graph.nodes if is_work(node) and not is_mark(node)
        )
    left = [
        described.get(_identity(node)) or _described(node, _SHAPES if _is_shape_arithmetic(node) else _ADDED_LATE)
        for graph in graphs(graph_module)
        for node in graph.nodes
        if is_work(node)
    ]
    return Delegation(delegates, dict(sorted(delegated.items(), key=lambda item: (-item[1], item[0]))), _grouped(left))


def _identity(node: torch.fx.Node) -> tuple[str, ...]:
    """Return what stays the same of a node from the edge dialect to the serialized program."""
    packet = operator_of(node).rpartition(".")[0]
    return (packet, *([source.name for source in ancestors_of(node)] or [node.name]))


def _described(node: torch.fx.Node, reason: str) -> _Operator:
    placed = _with_source(node)
    origin = origin_of(node)
    own = operator_of(node).split(".")
    return _Operator(
        operator_of(node),
        module_of(node) or module_of(placed),
        source_of(placed),
        reason,
        "" if origin in own else origin,
    )


def _with_source(node: torch.fx.Node) -> torch.fx.Node:
    """Return `node`, or the nearest one before or after it that has a line of the model."""
    for step in (_givers, lambda one: list(one.users)):
        seen, pending = set(), [node]
        while pending:
            candidate = pending.pop(0)
            if source_of(candidate):
                return candidate
            if candidate not in seen:
                seen.add(candidate)
                pending.extend(step(candidate))
    return node


def _givers(node: torch.fx.Node) -> list[torch.fx.Node]:
    # A copy's last argument is what it writes; a delegate's value is made inside of it.
    return _made_inside(node) or list(reversed(node.all_input_nodes))


def _made_inside(node: torch.fx.Node) -> list[torch.fx.Node]:
    """Return the node inside a delegate that makes the result which `node` unpacks."""
    call = node.all_input_nodes[0] if getattr(node.target, "__name__", "") == "getitem" else None
    if call is None or getattr(call.target, "__name__", "") != "executorch_call_delegate":
        return []
    output = next(inner for inner in delegate_of(call).original_module.graph.nodes if inner.op == "output")
    results = cast("Sequence[torch.fx.Node]", output.args[0])
    return [results[cast("int", node.args[1])]]


def _grouped(operators: list[_Operator]) -> tuple[Rejected, ...]:
    groups: dict[tuple[str, ...], list[_Operator]] = {}
    for operator in operators:
        key = (operator.name, operator.reason, operator.source, operator.origin, re.sub(r"\d+", "#", operator.module))
        groups.setdefault(key, []).append(operator)
    return tuple(sorted(map(_rejected, groups, groups.values()), key=lambda entry: -entry.count))


def _rejected(key: tuple[str, ...], members: Sequence[_Operator]) -> Rejected:
    name, reason, source, origin, _ = key
    made_of = origin or name.split(".")[1 if "." in name else 0]
    return Rejected(
        name,
        len(members),
        reason,
        _common_path([member.module for member in members]),
        source,
        hint_for(name, reason, made_of),
        origin,
        rewrite_name(name, reason, made_of),
    )


def _common_path(modules: list[str]) -> str:
    """Return module paths that differ only in numbers as one, with ``*`` where they differ."""
    parts = zip(*(module.split(".") for module in modules), strict=True)  # of one shape: only numbers differ
    return ".".join(part[0] if len(set(part)) == 1 else "*" for part in parts)


def _supported_operators() -> set[str]:
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS

    return {config.target_name for config in ALL_PARTITIONER_CONFIGS}


def _reason(node: torch.fx.Node, reasons: Mapping[str, str], supported: set[str] | None) -> str:
    if supported is None:
        return "exported with --backend portable"
    types = " and ".join(_input_types(node))
    # An operator refused whole may have been decomposed: its newest ancestor with a reason stands for it.
    names = [node.name, *(source.name for source in ancestors_of(node))]
    recorded = next((reasons[name] for name in names if name in reasons), "")
    if recorded == "invalid dtype" and types:
        recorded = f"{recorded} ({types})"
    if recorded:
        return recorded + (" (of a single number)" if _is_number(node) else "")
    if type(node.target).__module__.startswith("torch._higher_order_ops"):
        return _BRANCH
    if _is_shape_arithmetic(node):
        return _SHAPES
    if operator_of(node).split(".", 1)[-1] not in supported:
        return "XNNPACK's partitioner does not know this operator"
    return f"the partitioner gives no reason; its inputs are {types or 'no tensors'}"


def _is_shape_arithmetic(node: torch.fx.Node) -> bool:
    name = operator_of(node)
    return "." not in name or name.startswith("executorch_prim.") or ".sym_" in name


def _is_number(node: torch.fx.Node) -> bool:
    """Tell whether a conversion of type has a tensor without dimensions, as a number in the model becomes."""
    values = [source.meta.get("val") for source in node.all_input_nodes]
    return "to_" in operator_of(node) and len(values) == 1 and getattr(values[0], "shape", None) == ()


def _input_types(node: torch.fx.Node) -> list[str]:
    types = [getattr(source.meta.get("val"), "dtype", None) for source in node.all_input_nodes]
    return sorted({str(dtype).removeprefix("torch.") for dtype in types if dtype is not None})
