# SPDX-License-Identifier: Apache-2.0
"""What a recipe is: how a model's numbers are stored and computed in a `.pte`. The recipes are in `recipes/`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from executorch.exir.backend.partitioner import Partitioner
    from torchao.core.config import AOBaseConfig
    from torchao.quantization.pt2e.quantizer import Quantizer


@dataclass(frozen=True)
class Limit:
    """How far a `.pte` may be from the eager float32 model and still count as the same model.

    `max_rel_error` is the largest difference over the largest magnitude of the reference output;
    `min_cosine` the cosine similarity of the whole output.
    """

    max_rel_error: float
    min_cosine: float

    def to_json(self) -> dict[str, float]:
        return {"max_rel_error": self.max_rel_error, "min_cosine": self.min_cosine}


def label_of(name: str, group_size: int) -> str:
    """Return how a recipe is called where its group size counts: "8da4w", "8da4w_g32"."""
    return f"{name}_g{group_size}" if group_size else name


def whole_graph() -> Sequence[Partitioner]:
    """Return the partitioner that hands XNNPACK all that it takes."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return [XnnpackPartitioner()]


@dataclass(frozen=True)
class Recipe:
    """One way to export; each file of `recipes/` holds one as `RECIPE`, and imports torch only when asked.

    Attributes
    ----------
    name : what `--dtype` takes and file names end with.
    rank : its place where recipes are listed, smallest first.
    limit : how far its programs may be from the eager float32 model.
    floating : name in torch of the type that floating-point weights and inputs are cast to.
    quantizer : makes the PT2E quantizer, None where none is needed.
    calibrates : whether `quantizer` takes activations' ranges from the calibration inputs; where it does not,
        they are found anew for each row while the model runs.
    weights : makes torchao's configuration for the weights of linear layers, None where none is needed.
    group_size : how many neighboring weights of a row share a scale; 0: each row has one.
    grouped : returns the recipe for a group size, None where XNNPACK takes no groups.
    partitioners : makes XNNPACK's partitioners, in the order they are asked.
    advice : what to try where quantizing fails.
    out_of_range : what an output that is not finite is likely to mean, "" where nothing is known.
    """

    name: str
    rank: int
    limit: Limit
    floating: str = "float32"
    quantizer: Callable[[], Quantizer] | None = None
    calibrates: bool = True
    weights: Callable[[], AOBaseConfig] | None = None
    group_size: int = 0
    grouped: Callable[[int], Recipe] | None = None
    partitioners: Callable[[], Sequence[Partitioner]] = whole_graph
    advice: str = "try --dtype fp16, or change the operator there"
    out_of_range: str = ""

    @property
    def quantizes(self) -> bool:
        """Whether it stores any numbers as integers."""
        return self.quantizer is not None or self.weights is not None

    @property
    def label(self) -> str:
        """What file names end with: the name, and the group size where there is one ("8da4w_g32")."""
        return label_of(self.name, self.group_size)
