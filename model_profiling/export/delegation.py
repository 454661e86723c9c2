# SPDX-License-Identifier: Apache-2.0
"""What XNNPACK took of a model, what it did not, why, and what can be done about it.

The only module that knows. What stayed outside is read from the final program, so it is what the
runtime will execute; the reasons are those that XNNPACK's partitioner logs while it decides.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from model_profiling.export.delegation_hints import hint_for
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch

_PARTITIONER_LOGGER = "executorch.backends.xnnpack.partition.config"
# Nodes that are bookkeeping and no work: unpacking a delegate's results, planning memory.
_BOOKKEEPING = {"getitem", "alloc", "view", "executorch_call_delegate", "free"}
# In a quantized graph these only mark scales; XNNPACK folds them into the operators between them.
_QUANTIZATION_MARKS = ("quantize_per", "dequantize_per", "quantize_affine", "dequantize_affine", "choose_qparams")
_ADDED_LATE = "added while the program was serialized: it writes the model's state back, or keeps memory in order"


@dataclass(frozen=True)
class Rejected:
    """One kind of operator that runs outside XNNPACK.

    `operator` is its edge name; `count` how many there are; `module` the submodule's path, with
    ``*`` where several differ in their numbers; `source` "file:line" in the model; `reason` the
    partitioner's, or what is known without it; `hint` what to try, or "".
    """

    operator: str
    count: int
    reason: str
    module: str
    source: str
    hint: str


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
        return {"delegates": self.delegates, "delegated_operators": self.delegated_operators,
                "portable_operators": self.portable_operators, "delegated": self.delegated,
                "not_delegated": [asdict(entry) for entry in self.not_delegated]}


@dataclass(frozen=True)
class _Operator:
    """A node outside the delegates, described before the program's last passes rename its operator."""

    name: str
    module: str
    source: str
    reason: str


class ReasonRecorder(logging.Handler):
    """Collects why the partitioner refuses nodes, by the node's name; the first reason stands."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.reasons: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        node, reason = getattr(record.msg, "node", None), getattr(record.msg, "reason", "")
        if node is not None and reason:
            self.reasons.setdefault(node.name, str(reason))


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


def describe_edge(graph_module: torch.fx.GraphModule, recorder: ReasonRecorder,
                  backend: str) -> dict[str, _Operator]:
    """Describe each node outside the delegates; to be called before the program is serialized.

    Serializing replaces operators by their out-variants in the same graph, under the same node names.
    """
    supported = _supported_operators() if backend == "xnnpack" else None
    return {node.name: _Operator(operator_of(node), module_of(node), source_of(node),
                                 _reason(node, recorder, supported))
            for graph in _graphs(graph_module) for node in graph.nodes if is_work(node)}


def read_program(graph_module: torch.fx.GraphModule, described: dict[str, _Operator]) -> Delegation:
    """Return how the serialized program is divided, with `described` from `describe_edge`."""
    delegated: Counter[str] = Counter()
    delegates = 0
    for lowered in _lowered_modules(graph_module):
        delegates += 1
        delegated.update(operator_of(node) for node in lowered.original_module.graph.nodes
                         if is_work(node) and not is_mark(node))
    left = [described.get(node.name) or _Operator(operator_of(node), module_of(node), source_of(node),
                                                  _ADDED_LATE)
            for graph in _graphs(graph_module) for node in graph.nodes if is_work(node)]
    return Delegation(delegates, dict(sorted(delegated.items(), key=lambda item: (-item[1], item[0]))), _grouped(left))


def _grouped(operators: list[_Operator]) -> tuple[Rejected, ...]:
    groups: dict[tuple[str, ...], list[_Operator]] = {}
    for operator in operators:
        key = (operator.name, operator.reason, operator.source, re.sub(r"\d+", "#", operator.module))
        groups.setdefault(key, []).append(operator)
    rejected = [Rejected(name, len(members), reason, _common_path([member.module for member in members]), source,
                         hint_for(name, reason))
                for (name, reason, source, _), members in groups.items()]
    return tuple(sorted(rejected, key=lambda entry: -entry.count))


def _common_path(modules: list[str]) -> str:
    """Return module paths that differ only in numbers as one, with ``*`` where they differ."""
    parts = zip(*(module.split(".") for module in modules))
    return ".".join(part[0] if len(set(part)) == 1 else "*" for part in parts)


def _graphs(graph_module: torch.fx.GraphModule) -> Iterator[torch.fx.Graph]:
    """Yield the graph and those of its branches and loops, but not the delegates' own."""
    import torch

    yield graph_module.graph
    for _, child in graph_module.named_children():
        if isinstance(child, torch.fx.GraphModule):
            yield from _graphs(child)


def _lowered_modules(graph_module: torch.fx.GraphModule) -> Iterator[torch.nn.Module]:
    for _, child in graph_module.named_children():
        if hasattr(child, "original_module") and hasattr(child, "backend_id"):
            yield child
        elif hasattr(child, "graph"):
            yield from _lowered_modules(child)


def is_work(node: torch.fx.Node) -> bool:
    """Tell whether a node computes something, at run time or as a mark of quantization."""
    return node.op == "call_function" and getattr(node.target, "__name__", "") not in _BOOKKEEPING


def is_mark(node: torch.fx.Node) -> bool:
    """Tell whether a node marks a quantization that XNNPACK folds into its neighbors."""
    return getattr(node.target, "__name__", "").split(".", 1)[-1].startswith(_QUANTIZATION_MARKS) or getattr(
        node.target, "__name__", "").startswith(_QUANTIZATION_MARKS)


def _supported_operators() -> set[str]:
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS

    return {config.target_name for config in ALL_PARTITIONER_CONFIGS}


def _reason(node: torch.fx.Node, recorder: ReasonRecorder, supported: set[str] | None) -> str:
    if supported is None:
        return "exported with --backend portable"
    types = " and ".join(_input_types(node))
    recorded = next((recorder.reasons[name] for name in _ancestry(node) if name in recorder.reasons), "")
    if recorded:
        return f"{recorded} ({types})" if recorded == "invalid dtype" and types else recorded
    name = operator_of(node).split(".", 1)[-1]
    if name not in supported:
        return "XNNPACK's partitioner does not know this operator"
    return f"the partitioner gives no reason; its inputs are {types or 'no tensors'}"


def _ancestry(node: torch.fx.Node) -> list[str]:
    """Return the names this node had, newest first: an operator refused whole may have been decomposed."""
    names, sources = [node.name], list(node.meta.get("from_node") or ())
    while sources:
        source = sources.pop(0)
        names.append(source.name)
        sources.extend(getattr(source, "from_node", None) or ())
    return names


def _input_types(node: torch.fx.Node) -> list[str]:
    values = [source.meta.get("val") for source in node.all_input_nodes]
    return sorted({str(value.dtype).removeprefix("torch.") for value in values if hasattr(value, "dtype")})
