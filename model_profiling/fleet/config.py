# SPDX-License-Identifier: Apache-2.0
"""The configuration of a sweep: models, recipes, thread counts, methods and devices; and what every cell shares."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.export.recipes import DEFAULT, find_grouped, label_in
from model_profiling.export.rewrites import find_rewrites
from model_profiling.files import read_json
from model_profiling.fleet.names import as_name
from model_profiling.fleet.wanted_device import WantedDevice, wanted_device
from model_profiling.json_objects import JsonObject
from model_profiling.models.registry import find
from model_profiling.pipeline.config_schema import SWEEP_SCHEMA, check_schema

#: Keys of a sweep that go into the configuration of each of its runs as they are.
SHARED_KEYS = ("pairs", "order", "ceilings", "experiments", "analysis")
#: Keys of an experiment that a cell gives.
_OF_THE_CELL = ("model", "data_path", "method", "threads")


@dataclass(frozen=True)
class SweptModel:
    """A model of a sweep: `pte` where it is exported already, else `model`, `model_file` or both, as export takes them.

    `label` is what it is called in names; `methods` are those to measure, none where it has one.
    """

    label: str
    model: str | None = None
    model_file: str | None = None
    pte: str | None = None
    weights: str | None = None
    rewrites: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, held: JsonObject) -> SweptModel:
        """Read what `dataclasses.asdict` gave."""
        model, file, pte, weights = map(held.maybe_text, ("model", "model_file", "pte", "weights"))
        return cls(held.text("label"), model, file, pte, weights, held.texts("rewrites"), held.texts("methods"))


@dataclass(frozen=True)
class SweepConfig:
    """A validated configuration of a sweep; `shared` holds the keys that go into each run's configuration.

    `path` is for messages, `plain` is it as it was read.
    """

    path: Path
    output_root: Path
    models: tuple[SweptModel, ...]
    dtypes: tuple[str, ...]
    threads: tuple[int, ...]
    devices: tuple[WantedDevice, ...]
    leave_out: tuple[Mapping[str, tuple[str | int, ...]], ...]
    seed: int | None
    shared: Mapping[str, Any]
    plain: Mapping[str, Any]


def is_sweep(path: Path) -> bool:
    """Return whether a file is meant as a sweep's configuration, not as a run's."""
    plain = read_json(path, "config")
    return isinstance(plain, dict) and "models" in plain


def load_sweep_config(path: Path) -> SweepConfig:
    """Read and validate a sweep's configuration.

    Raises
    ------
    UserError : not JSON, a run's configuration, an unknown key, model, recipe or kind of device, a missing file.
    """
    return parse_sweep_config(read_json(path, "config"), path)


def parse_sweep_config(raw: Any, path: Path) -> SweepConfig:
    """Return the configuration that JSON values are; `path` is for messages. Raises as `load_sweep_config`."""
    if isinstance(raw, dict) and "models" not in raw and {"model", "experiments"} & raw.keys():
        raise UserError(
            "this is the configuration of one run, not of a sweep",
            f"at {path}",
            'run it with mac_pipeline.py or android_pipeline.py, or list what to sweep in "models"',
        )
    check_schema(raw, path, SWEEP_SCHEMA)
    _check_experiments(raw, path)
    methods = tuple(raw.get("methods", ()))
    return SweepConfig(
        path=path,
        output_root=Path(raw["output_root"]),
        models=tuple(_model(given, methods, f"in models[{n}] of {path}") for n, given in enumerate(raw["models"])),
        dtypes=tuple(_checked(label, check_label, f"in dtypes of {path}") for label in raw.get("dtypes", [DEFAULT])),
        threads=tuple(raw.get("threads", [1])),
        devices=tuple(
            wanted_device(given, f"in devices[{n}] of {path}") for n, given in enumerate(raw.get("devices", ["local"]))
        ),
        leave_out=tuple(
            {key: tuple(value) if isinstance(value, list) else (value,) for key, value in one.items()}
            for one in raw.get("leave_out", ())
        ),
        seed=raw.get("seed"),
        shared={key: raw[key] for key in SHARED_KEYS if key in raw},
        plain=json.loads(json.dumps(raw)),
    )


def split_label(label: str) -> tuple[str, int]:
    """Return the recipe and the group size of a label: "8da4w_g32" is 8da4w with groups of 32."""
    name, _, size = label.partition("_g")
    return name, int(size or 0)


def check_label(label: str) -> object:
    """Raise the `UserError` for a label of no recipe."""
    return find_grouped(*split_label(label))


def _checked(text: str, check: Callable[[str], object], where: str) -> str:
    """Return `text`, or raise what `check` says of it, as said of the configuration."""
    try:
        check(text)
    except UserError as refused:
        raise UserError(refused.what, where, refused.fix) from refused
    return text


def _check_experiments(raw: Mapping[str, Any], path: Path) -> None:
    for number, experiment in enumerate(raw.get("experiments", ())):
        for key in _OF_THE_CELL:
            if key in experiment:
                raise UserError(
                    f'"{key}" of an experiment is given by each cell',
                    f"in experiments[{number}] of {path}",
                    'remove it there; the sweep has "models", "methods" and "threads"',
                )


def _model(given: str | Mapping[str, Any], methods: Sequence[str], where: str) -> SweptModel:
    named: Mapping[str, Any] = {
        "methods": tuple(methods),
        **({_kind(given): given} if isinstance(given, str) else given),
    }
    if not {"pte", "model_file", "model"} & named.keys():
        raise UserError("no model is named", where, 'give "model", "model_file" or "pte"')
    if "pte" in named and {"model", "model_file", "weights", "rewrites"} & named.keys():
        raise UserError("an exported program is measured as it is", where, 'give "pte" without keys of an export')
    for key in ("pte", "model_file", "weights"):
        if key in named and not Path(named[key]).exists():
            raise UserError(
                f"{named[key]} does not exist", where, "correct the path; it is relative to the current directory"
            )
    if "model" in named and "model_file" not in named:
        _checked(named["model"], find, where)
    for rewrite in named.get("rewrites", ()):
        _checked(rewrite, lambda name: find_rewrites([name]), where)
    return SweptModel(
        named.get("name") or _label(named),
        named.get("model"),
        named.get("model_file"),
        named.get("pte"),
        named.get("weights"),
        tuple(named.get("rewrites", ())),
        tuple(named["methods"]),
    )


def _kind(given: str) -> str:
    if given.endswith(".pte"):
        return "pte"
    return "model_file" if given.endswith(".py") or "/" in given else "model"


def _label(named: Mapping[str, Any]) -> str:
    """Return what a model is called: by its own name, else by its file's, without what an export adds to it."""
    if "pte" in named:
        stem = Path(named["pte"]).stem
        return as_name(stem.removesuffix(f"_{label_in(stem)}").removesuffix("_xnnpack"))
    return as_name(named.get("model") or Path(named["model_file"]).stem)
