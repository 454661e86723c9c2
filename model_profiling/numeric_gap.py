# SPDX-License-Identifier: Apache-2.0
"""Where a program loses accuracy, as its export measured it: each layer beside the eager model's."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

from model_profiling.json_objects import JsonObject
from model_profiling.signal_error import Fidelity

#: A layer is worth keeping in float where the output gets better by this much: a quarter of the noise goes.
WORTH_DB = 1.25


@dataclass(frozen=True)
class LayerGap:
    """A layer: an operator with the activation after it, and what quantizes its result.

    Attributes
    ----------
    name : what the captured graph calls its operator; `--keep-float` takes it, and `module` too.
    operators : what it computes ("conv2d + relu").
    module, source : the submodule's path ("" for the model itself) and "file:line".
    output : its result in the program's graph, with all errors before it, beside eager's.
    local : its result where its inputs are eager's: the error that it makes itself.
    alone : the model's output where this layer alone is as in the program, all others as in the eager model: its own
        contribution. None where it was not measured.
    kept : the model's output where all but this layer are as in the program. None where it was not measured.
    keep : what `--keep-float` takes for that: the layer, and where it is its result's range that costs the accuracy,
        those that take the result too.
    runtime : its result as ExecuTorch's runtime gives it, in a program that has it as one more output; None where none
        was made.
    """

    name: str
    operators: str
    module: str
    source: str
    output: Fidelity
    local: Fidelity
    alone: Fidelity | None = None
    kept: Fidelity | None = None
    keep: tuple[str, ...] = ()
    runtime: Fidelity | None = None

    @property
    def place(self) -> str:
        """What a reader knows it by: its module, or its operator where that is the model itself."""
        return self.module or self.name

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "operators": self.operators,
            "module": self.module,
            "source": self.source,
            "output": self.output.to_json(),
            "local": self.local.to_json(),
            "alone": self.alone and self.alone.to_json(),
            "kept": self.kept and self.kept.to_json(),
            "keep": list(self.keep),
            "runtime": self.runtime and self.runtime.to_json(),
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> LayerGap:
        return cls(
            plain.text("name"),
            plain.text("operators"),
            plain.text("module"),
            plain.text("source"),
            Fidelity.from_json(plain.within("output")),
            Fidelity.from_json(plain.within("local")),
            _maybe(plain, "alone"),
            _maybe(plain, "kept"),
            plain.texts("keep"),
            _maybe(plain, "runtime"),
        )


@dataclass(frozen=True)
class NumericGap:
    """Every layer of a method that both graphs have, the one that costs most first.

    `program` is the `.pte`'s output in the runtime beside eager's, `graph` that of the graph it was made of, run by
    PyTorch: where both are alike, the layers' figures hold for the `.pte`. Of several outputs it is the worst.
    All of it is over the same `samples` inputs, but for the layers' results in the runtime, which are of the first;
    where those are missing, `runtime_note` says why.
    """

    samples: int
    program: Fidelity
    graph: Fidelity
    layers: tuple[LayerGap, ...]
    runtime_note: str = ""

    @property
    def ranked(self) -> tuple[LayerGap, ...]:
        """The layers whose own contribution was measured."""
        return tuple(layer for layer in self.layers if layer.alone is not None)

    @property
    def best_kept(self) -> LayerGap | None:
        """The layer that is best kept in float, None where none is known to gain `WORTH_DB`."""
        known = [(layer.kept.badness, layer) for layer in self.layers if layer.keep and layer.kept is not None]
        left, best = min(known, key=lambda one: one[0], default=(math.inf, None))
        return best if left <= self.graph.badness / 10 ** (WORTH_DB / 10) else None

    def to_json(self) -> dict[str, object]:
        return {
            "samples": self.samples,
            "program": self.program.to_json(),
            "graph": self.graph.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
            "runtime_note": self.runtime_note,
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> NumericGap:
        return cls(
            plain.whole("samples"),
            Fidelity.from_json(plain.within("program")),
            Fidelity.from_json(plain.within("graph")),
            tuple(map(LayerGap.from_json, plain.each("layers"))),
            plain.text("runtime_note"),
        )


def _maybe(plain: JsonObject, key: str) -> Fidelity | None:
    inner = plain.maybe_within(key)
    return None if inner is None else Fidelity.from_json(inner)


#: Columns of the table beside the `.pte`; SQNR in dB is empty where nothing differs, or nothing was measured.
COLUMNS = (
    "method",
    "rank",
    "name",
    "operators",
    "module",
    "source",
    "output_sqnr_db",
    "output_cosine",
    "local_sqnr_db",
    "alone_sqnr_db",
    "kept_sqnr_db",
    "keep",
    "runtime_sqnr_db",
)


def table_bytes(gaps: Mapping[str, NumericGap]) -> bytes:
    """Return the layers of each method as CSV, one row a layer in their order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for method, gap in gaps.items():
        for rank, layer in enumerate(gap.layers, 1):
            writer.writerow([method, rank, *_cells(layer)])
    return text.getvalue().encode("utf-8")


def _cells(layer: LayerGap) -> list[object]:
    return [
        layer.name,
        layer.operators,
        layer.module,
        layer.source,
        _decibels(layer.output),
        "" if layer.output.cosine is None else layer.output.cosine,
        _decibels(layer.local),
        _decibels(layer.alone),
        _decibels(layer.kept),
        " ".join(layer.keep),
        _decibels(layer.runtime),
    ]


def _decibels(one: Fidelity | None) -> object:
    return "" if one is None or one.sqnr_db is None else round(one.sqnr_db, 3)
