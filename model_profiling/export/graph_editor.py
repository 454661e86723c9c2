# SPDX-License-Identifier: Apache-2.0
"""Changing a captured graph: a node replaced by what a function of tensors computes, numbers stored as constants."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

#: What a new node takes over of the one that it replaces: where it stands in the model.
_PLACE = ("nn_module_stack", "stack_trace", "source_fn_stack", "torch_fn")
_CONSTANT_PREFIX = "rewritten_constant"
_Given = Any  # a node, or a tensor that becomes a constant of the program


class GraphEditor:
    """A captured program while it is changed. Its graph must be functional: no operator writes into its input."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.numbers_of_masks: dict[tuple[torch.fx.Node, torch.dtype], torch.fx.Node] = {}
        self._stored: dict[tuple[object, ...], torch.fx.Node] = {}

    @property
    def graph(self) -> torch.fx.Graph:
        graph: torch.fx.Graph = self.program.graph
        return graph

    def constant(self, value: torch.Tensor) -> torch.fx.Node:
        """Return the node of a constant of the program; equal ones are stored once."""
        import torch
        from executorch.backends.transforms.utils import create_constant_placeholder
        from torch.export.graph_signature import InputKind

        value = value.detach().contiguous()
        key = (value.dtype, tuple(value.shape), value.reshape(-1).view(torch.uint8).numpy().tobytes())
        if key not in self._stored:
            name = f"{_CONSTANT_PREFIX}_{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}"
            first = next(iter(self.graph.nodes))
            with self.graph.inserting_before(first):
                self._stored[key] = create_constant_placeholder(
                    self.program, self.graph, name, InputKind.CONSTANT_TENSOR, value
                )
        return self._stored[key]

    def number(self, value: float, like: torch.fx.Node) -> torch.fx.Node:
        """Return a number as a constant of the type of `like`."""
        import torch

        return self.constant(torch.tensor(value, dtype=like.meta["val"].dtype))

    def value_of(self, node: object) -> torch.Tensor | None:
        """Return what is stored under a node (a parameter, buffer or constant that stays the same), None for others."""
        import torch

        if not isinstance(node, torch.fx.Node) or node.op != "placeholder":
            return None
        signature, name = self.program.graph_signature, node.name
        for names in (
            signature.inputs_to_parameters,
            signature.inputs_to_buffers,
            signature.inputs_to_lifted_tensor_constants,
        ):
            if name in names:
                target = names[name]
                if target in signature.buffers_to_mutate.values():
                    return None
                stored = self.program.state_dict.get(target)
                found = self.program.constants.get(target) if stored is None else stored
                return found.detach() if isinstance(found, torch.Tensor) else None
        return None

    def insert(self, at: torch.fx.Node, function: Callable[..., object], *given: _Given) -> Any:
        """Insert before `at` what `function` computes of `given`; return its node, or nodes where it gives several."""
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx

        inputs = [self.constant(one) if isinstance(one, torch.Tensor) else one for one in given]
        nodes = [one for one in inputs if one is not None]

        def called(*values: torch.Tensor) -> object:
            following = iter(values)
            return function(*[None if one is None else next(following) for one in inputs])

        with torch.no_grad():
            traced = make_fx(called)(*[node.meta["val"] for node in nodes])
        mapping = dict(zip((node for node in traced.graph.nodes if node.op == "placeholder"), nodes, strict=True))
        return self._copied(traced.graph, mapping, at)

    def _copied(
        self, source: torch.fx.Graph, mapping: dict[torch.fx.Node, torch.fx.Node], at: torch.fx.Node
    ) -> torch.fx.Node | list[torch.fx.Node]:
        import torch
        from torch.fx.traceback import NodeSource

        for node in source.nodes:
            if node.op == "call_function":
                with self.graph.inserting_before(at):
                    new = self.graph.node_copy(node, lambda one: mapping[one])
                new.meta = {name: at.meta[name] for name in _PLACE if name in at.meta}
                new.meta["val"] = node.meta["val"]
                new.meta["from_node"] = [NodeSource(at, "rewrite")]
                mapping[node] = new
            elif node.op not in ("placeholder", "output"):
                raise RuntimeError(f"a rewrite closes over a tensor ({node.name}): it has to be given as an input")
        result = source.output_node().args[0]
        if isinstance(result, (list, tuple)):
            return [mapping[cast("torch.fx.Node", one)] for one in result]
        assert isinstance(result, torch.fx.Node)
        return mapping[result]

    def replace(self, node: torch.fx.Node, function: Callable[..., object], *given: _Given) -> bool:
        """Put what `function` computes of `given` in the place of `node`; always True, for an edit to return."""
        made = self.insert(node, function, *given)
        if isinstance(made, list):
            for user in list(node.users):
                if user.target is operator.getitem:
                    self.put(user, made[user.args[1]])  # type: ignore[index]  # of a split: a whole number
        else:
            self.put(node, made)
        return True

    def put(self, node: torch.fx.Node, new: torch.fx.Node) -> None:
        """Let every user of `node` use `new`, and remove it."""
        hook = self.program.graph_signature.get_replace_hook()
        with self.program.graph_module._set_replace_hook(hook):
            node.replace_all_uses_with(new)
        self.graph.erase_node(node)

    def clean(self) -> None:
        """Remove what only a check of types uses, what nothing uses, and constants that were needed on the way."""
        from executorch.backends.transforms.utils import delete_constant_placeholder

        self.graph.eliminate_dead_code()
        for node in list(self._stored.values()):
            if not node.users:
                delete_constant_placeholder(self.program, node)
        self._stored = {key: node for key, node in self._stored.items() if node.users}


def functional(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Return `program` without writes into tensors and checks of types; composite operators stay whole."""
    program = program.run_decompositions({})
    for node in list(program.graph.nodes):
        if operator_of(node) == "aten._assert_tensor_metadata.default":
            program.graph.erase_node(node)
    return program


def finish(program: torch.export.ExportedProgram) -> None:
    """Make the graph sound again: a view of a result whose memory is laid out otherwise now has to copy it."""
    import torch

    for node in program.graph.nodes:
        if node.op == "call_function" and operator_of(node) in ("aten.view.default", "aten._unsafe_view.default"):
            node.target = torch.ops.aten.reshape.default
    program.graph.lint()
    program.graph_module.recompile()


def result_types(node: torch.fx.Node) -> Sequence[torch.Tensor]:
    """Return the tensors that a node gives, as the tracer saw them."""
    import torch

    value = node.meta.get("val")
    values = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in values if isinstance(one, torch.Tensor)]


def is_static(node: torch.fx.Node) -> bool:
    """Tell whether all sizes of a node and of what it takes are known."""
    tensors = [tensor for one in (node, *node.all_input_nodes) for tensor in result_types(one)]
    return all(isinstance(size, int) for tensor in tensors for size in tensor.shape) and not any(
        "val" in one.meta and not result_types(one) for one in node.all_input_nodes
    )
