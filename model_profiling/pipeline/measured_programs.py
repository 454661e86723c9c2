# SPDX-License-Identifier: Apache-2.0
"""The programs of a run as its manifest has them: each .pte, who executed it, and on which inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.program.workload import Shape, Workload


@dataclass(frozen=True)
class ModelFile:
    """The .pte that was run; `id` is its name without suffix.

    `disagrees` says that its export was kept although it does not agree with the eager model. `data` and `data_sha256`
    are of the file with its weights. All three are in JSON only where they say something.
    """

    id: str
    path: str
    sha256: str
    bytes: int
    disagrees: bool = False
    data: str = ""
    data_sha256: str = ""

    def to_json(self) -> dict[str, object]:
        rare = ("disagrees", "data", "data_sha256")
        return {key: value for key, value in asdict(self).items() if key not in rare or value}

    @classmethod
    def from_json(cls, plain: JsonObject) -> ModelFile:
        disagrees = "disagrees" in plain and plain.flag("disagrees")
        data = (plain.text("data"), plain.text("data_sha256")) if "data" in plain else ()
        return cls(plain.text("id"), plain.text("path"), plain.text("sha256"), plain.whole("bytes"), disagrees, *data)


@dataclass(frozen=True)
class InputFile:
    """An input tensor of the run, as raw bytes in a file."""

    file: str
    sha256: str
    shape: tuple[int, ...]
    dtype: str

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_json(cls, plain: JsonObject) -> InputFile:
        return cls(plain.text("file"), plain.text("sha256"), plain.wholes("shape"), plain.text("dtype"))


@dataclass(frozen=True)
class ProgramFiles:
    """What a launch is given: the program, its inputs, and what a runner has to be told of them (`LaunchRequest`)."""

    model: Path
    inputs: tuple[Path, ...]
    method: str | None = None
    input_shapes: tuple[Shape, ...] = ()
    data: Path | None = None

    def pushed(self, push: Callable[[Path], Path]) -> ProgramFiles:
        """Return the same with the paths that `push` gives, of a device."""
        data = None if self.data is None else push(self.data)
        return replace(self, model=push(self.model), inputs=tuple(map(push, self.inputs)), data=data)


@dataclass(frozen=True)
class MeasuredProgram:
    """One of the programs of a run, the experiments that executed it, and their inputs.

    `export` is what the export recorded of its options (`program.export_facts`), empty where no record of these
    very bytes lay beside it. `graph_sha256` is the digest of the file that keeps its layers: None until the run is
    finished, and where its layers are not known. `method` and `input_shapes` are as the configuration has them.
    """

    model: ModelFile
    experiments: tuple[str, ...]
    inputs: tuple[InputFile, ...]
    export: Mapping[str, object] = field(default_factory=dict)
    graph_sha256: str | None = None
    method: str | None = None
    input_shapes: tuple[Shape, ...] = ()

    @property
    def workload(self) -> Workload:
        """What was executed."""
        data = Path(self.model.data) if self.model.data else None
        return Workload(Path(self.model.path), self.method, self.input_shapes, data)

    def to_json(self) -> dict[str, object]:
        shapes = {"input_shapes": [list(shape) for shape in self.input_shapes]} if self.input_shapes else {}
        return {
            "model": self.model.to_json(),
            "experiments": list(self.experiments),
            "inputs": [item.to_json() for item in self.inputs],
            "export": dict(self.export),
            "graph_sha256": self.graph_sha256,
            **({"method": self.method} if self.method else {}),
            **shapes,
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> MeasuredProgram:
        return cls(
            ModelFile.from_json(plain.within("model")),
            plain.texts("experiments"),
            tuple(InputFile.from_json(item) for item in plain.each("inputs")),
            plain.within("export").plain(),
            plain.maybe_text("graph_sha256"),
            plain.maybe_text("method"),
            plain.rows_of_wholes("input_shapes") if "input_shapes" in plain else (),
        )
