# SPDX-License-Identifier: Apache-2.0
"""A captured graph run by PyTorch, operator by operator, with a look at each result and a way to put another there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    #: Called with an operator's name and its result; what it returns is taken in its place, None for as it is.
    Look = Callable[[str, torch.Tensor], torch.Tensor | None]


class GraphRun:
    """A graph that can be run again and again, each time from the state that it begins with."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.module = flat_module(program)
        self._state = {name: value.detach().clone() for name, value in self.module.named_buffers()}

    def __call__(self, inputs: Sequence[torch.Tensor], look: Look = lambda name, value: None) -> list[torch.Tensor]:
        """Return the graph's output tensors for flat `inputs`, which stay as they are.

        A result that `look` is given may be written into by the operators after it: what is kept has to be a copy.
        """
        import torch

        class Looking(torch.fx.Interpreter):
            def run_node(self, node: torch.fx.Node) -> object:
                value = super().run_node(node)
                if node.op == "call_function" and isinstance(value, torch.Tensor):
                    other = look(node.name, value)
                    return value if other is None else other
                return value

        with torch.no_grad(), one_thread():
            for name, value in self.module.named_buffers():
                value.copy_(self._state[name])
            given = Looking(self.module).run(*(value.clone() for value in inputs))
        values = given if isinstance(given, (tuple, list)) else (given,)
        return [value.detach().clone() for value in values if isinstance(value, torch.Tensor)]


@contextmanager
def one_thread() -> Iterator[None]:
    """Have PyTorch compute on one thread: layers of one sample are small, and a core that is busy stops all threads.

    On two busy cores MobileNetV3-Small took 1,250 ms on two threads, and 20 ms on one.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def flat_module(program: torch.export.ExportedProgram) -> torch.fx.GraphModule:
    """Return the graph as a module that takes the inputs one by one, and has its own state."""
    import torch

    module = copy.deepcopy(program.module())
    assert isinstance(module, torch.fx.GraphModule)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    for node in [node for node in module.graph.nodes if node.op == "call_module"]:  # guards on the inputs' shapes
        module.graph.erase_node(node)
    module.recompile()
    return module
