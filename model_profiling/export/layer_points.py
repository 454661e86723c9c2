# SPDX-License-Identifier: Apache-2.0
"""The layers that a model's graph in float32 and the graph of its program have in common, one result each.

Quantizing folds a batch norm into the convolution before it, and rewrites replace operators by others. Both leave
the module that an operator stands in, so operators are matched by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.export.program_graph import is_mark
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch

#: Operators that XNNPACK computes as a part of the one before them.
_JOINED = frozenset(("batch_norm", "relu", "relu6", "hardtanh", "clamp", "clamp_min", "_native_batch_norm_legit"))
#: Operators that only lay values out anew: no error arises in them.
_MOVES = frozenset(
    (
        "view reshape _unsafe_view flatten unflatten permute transpose t unsqueeze squeeze expand slice select narrow "
        "split split_with_sizes chunk getitem contiguous clone dropout detach alias lift_fresh_copy to _to_copy "
        "unbind numpy_T mT"
    ).split()
)
#: Operators that a layer is called by where it has several.
_MATRIX = frozenset("conv1d conv2d conv3d conv_transpose2d convolution linear addmm mm bmm matmul baddbmm".split())
#: Operators that choose among values: XNNPACK's quantizer gives their result the scale of what they take.
_PASSED_ON = frozenset(("max_pool2d", "upsample_nearest2d", "constant_pad_nd", "pad"))
_STATIC = "quantized_decomposed.quantize_per_tensor.default"


@dataclass(frozen=True)
class LayerPoint:
    """A layer, at the operator that gives its result.

    Attributes
    ----------
    name : that operator in the program's graph.
    reference : the one in float32 that gives the same.
    observed : where the program's graph has the result as the layers after it take it: past what quantizes it, else
        the operator itself.
    called : the operator that it is called by, as the graph in float32 names it.
    operators, module, source : what it is made of, and where that stands.
    before : names of the points that it takes its inputs from.
    """

    name: str
    reference: str
    observed: tuple[str, ...]
    called: str
    operators: str
    module: str
    source: str
    before: frozenset[str]

    @property
    def quantized(self) -> bool:
        """Whether its result is quantized at a range that calibration found."""
        return self.observed != (self.name,)

    @property
    def kind(self) -> str:
        """Its last operator."""
        return self.operators.rpartition(" ")[2]


@dataclass(frozen=True)
class LayerPair:
    """An operator of both graphs: `node` gives what `same` does, of which the one that `node` was made of is `origin`.

    The two are one, but for a convolution whose batch norm was folded into it.
    """

    node: torch.fx.Node
    origin: torch.fx.Node
    same: torch.fx.Node


def matched(reference: torch.fx.Graph, graph: torch.fx.Graph) -> dict[str, LayerPair]:
    """Return the operators of `graph` that give what one of `reference` does but for rounding, by name, in order.

    They have one kind, one module and one shape, and are as many there.
    """
    there, here = _by_place(reference.nodes), _by_place(graph.nodes)
    pairs: dict[str, LayerPair] = {}
    for key, nodes in here.items():
        others = there.get(key, [])
        if len(others) != len(nodes):
            continue
        for node, other in zip(nodes, others, strict=True):
            same = _folded_norm(other, here) or other
            if _shape(node) == _shape(same):
                pairs[node.name] = LayerPair(node, other, same)
    return {node.name: pairs[node.name] for node in graph.nodes if node.name in pairs}


def points(reference: torch.fx.Graph, graph: torch.fx.Graph) -> tuple[LayerPoint, ...]:
    """Return the layers of both graphs in the order of `graph`."""
    pairs = matched(reference, graph)
    ends = {name: pair for name, pair in pairs.items() if _ends_a_layer(pair.node)}
    return tuple(_point(pair, pairs, ends) for pair in ends.values())


def kind_of(node: torch.fx.Node) -> str:
    """Return an operator's name without its namespace, its overload and what marks it as in place."""
    name = operator_of(node)
    parts = name.split(".")
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("_") or name


def _by_place(nodes: Iterable[torch.fx.Node]) -> Mapping[tuple[str, str], list[torch.fx.Node]]:
    """Return operators of floating-point results by their kind and module."""
    places: dict[tuple[str, str], list[torch.fx.Node]] = {}
    for node in nodes:
        value = node.meta.get("val")
        if node.op == "call_function" and not is_mark(node) and getattr(value, "is_floating_point", bool)():
            places.setdefault((module_of(node), kind_of(node)), []).append(node)
    return places


def _folded_norm(node: torch.fx.Node, here: Mapping[tuple[str, str], list[torch.fx.Node]]) -> torch.fx.Node | None:
    users = list(node.users)
    if len(users) != 1 or "batch_norm" not in kind_of(users[0]):
        return None
    return None if (module_of(users[0]), kind_of(users[0])) in here else users[0]


def _shape(node: torch.fx.Node) -> tuple[str, ...]:
    return tuple(map(str, node.meta["val"].shape))


def _ends_a_layer(node: torch.fx.Node) -> bool:
    if kind_of(node) in _MOVES:
        return False
    users = list(node.users)
    joined = len(users) == 1 and users[0].args[0] is node and kind_of(users[0]) in _JOINED
    return not joined


def _static_marks(node: torch.fx.Node) -> Sequence[torch.fx.Node]:
    return [user for user in node.users if operator_of(user) == _STATIC]


def _point(pair: LayerPair, pairs: Mapping[str, LayerPair], ends: Mapping[str, LayerPair]) -> LayerPoint:
    node = pair.node
    observed = tuple(user.name for mark in _static_marks(node) for user in mark.users)
    inside, before = _parts(node, ends)
    chain = [part for part in inside if _leads_to(part, node) and part.name in pairs]
    called = next((part for part in chain if kind_of(part) in _MATRIX), node)
    names = dict.fromkeys(kind_of(part) for part in chain if "batch_norm" not in kind_of(part) or len(chain) == 1)
    return LayerPoint(
        node.name,
        pair.same.name,
        observed or (node.name,),
        pairs[called.name].origin.name,
        " + ".join(names),
        module_of(called),
        source_of(called),
        before,
    )


def _leads_to(part: torch.fx.Node, node: torch.fx.Node) -> bool:
    """Tell whether `node` is what a chain of joined operators makes of `part`."""
    while part is not node:
        users = list(part.users)
        if len(users) != 1 or kind_of(users[0]) not in _JOINED:
            return False
        part = users[0]
    return True


def _parts(node: torch.fx.Node, ends: Mapping[str, LayerPair]) -> tuple[list[torch.fx.Node], frozenset[str]]:
    """Return the operators of a layer in their order, and the points before it."""
    inside, before, pending = [], set(), [node]
    seen = {node}
    while pending:
        part = pending.pop()
        if part is not node and part.name in ends:
            before.add(part.name)
            continue
        if part.op == "call_function" and not is_mark(part):
            inside.append(part)
        new = [one for one in part.all_input_nodes if one not in seen]
        seen.update(new)
        pending.extend(new)
    return inside[::-1], frozenset(before)


def takers(point: LayerPoint, among: Sequence[LayerPoint]) -> Iterator[LayerPoint]:
    """Yield the layers that quantize the result of `point` themselves, those after one that passes it on included."""
    for other in among:
        if point.name in other.before and other.quantized:
            yield other
            if other.kind in _PASSED_ON:
                yield from takers(other, among)
