# SPDX-License-Identifier: Apache-2.0
"""The experiment configuration: its JSON Schema, its values, and errors that name the key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError, nearest
from model_profiling.files import read_json
from model_profiling.pipeline.config_schema import CONFIG_SCHEMA, check_schema
from model_profiling.pipeline.program.workload import Workload

DEFAULT_PAIRS = 8
#: `--quick`: enough to see that everything works, too few for a verdict.
QUICK_PAIRS = 4
#: Names that a run directory uses itself; an experiment's folder may not take them.
RESERVED_NAMES = frozenset({"figures", "inputs"})
#: Modes of an experiment: measured in pairs of launches, or recorded in one launch for each thread count.
TIMING, KERNELS, XNNTRACE = "timing", "kernels", "xnntrace"
#: How a pair is measured: its processes alive together and taking turns, or one after the other.
LOCKSTEP, LAUNCHES = "lockstep", "launches"
#: `runs` of an experiment whose launches get as much work as their time asks for (`run_plan.AUTO_WORK`).
AUTO = "auto"


@dataclass(frozen=True)
class Experiment:
    """One arm of the comparison, with every default filled in; `model` is None where it runs the shared program.

    `method`, `input_shapes` and `data_path` are as a `Workload` has them.
    """

    name: str
    mode: str = "timing"
    runs: int | str = AUTO
    warmup: int = 3
    traced_runs: int = 10
    threads: tuple[int, ...] = (1,)
    disable_cpu_features: str | tuple[str, ...] = ()
    runner: str = "auto"
    runner_path: str | None = None
    inputs: tuple[str, ...] = ()
    cpu_affinity: str | tuple[int, ...] | None = None
    extra_args: tuple[str, ...] = ()
    model: str | None = None
    method: str | None = None
    input_shapes: tuple[tuple[int, ...], ...] = ()
    data_path: str | None = None


@dataclass(frozen=True)
class Config:
    """A validated configuration; `compare_pairs` holds (baseline, candidate) names.

    `model` is the program of experiments that name none. `order` is None where the kit chooses: `LOCKSTEP` where it
    can be had (`sizing`). `ceilings` says whether the machine's are measured before the pairs.
    """

    model: Path
    output_root: Path
    experiments: tuple[Experiment, ...]
    pairs: int = DEFAULT_PAIRS
    seed: int | None = None
    compare_pairs: tuple[tuple[str, str], ...] = ()
    device_mode: str | None = None
    order: str | None = None
    ceilings: bool = True

    @property
    def timed(self) -> tuple[Experiment, ...]:
        """The experiments that are measured in pairs of launches and can be compared."""
        return tuple(e for e in self.experiments if e.mode == TIMING)

    @property
    def recorded(self) -> tuple[Experiment, ...]:
        """The experiments that record kernels, in one launch for each thread count."""
        return tuple(e for e in self.experiments if e.mode != TIMING)

    def experiment(self, name: str) -> Experiment:
        return next(e for e in self.experiments if e.name == name)

    def program(self, name: str) -> Path:
        """Return the program that an experiment runs."""
        own = self.experiment(name).model
        return self.model if own is None else Path(own)

    def workload(self, name: str) -> Workload:
        """Return what an experiment executes."""
        experiment = self.experiment(name)
        data = None if experiment.data_path is None else Path(experiment.data_path)
        return Workload(self.program(name), experiment.method, experiment.input_shapes, data)

    @property
    def workloads(self) -> dict[Workload, tuple[str, ...]]:
        """What is executed, that of the shared program first, each with the names of its experiments."""
        names: dict[Workload, list[str]] = {}
        for experiment in self.experiments:
            names.setdefault(self.workload(experiment.name), []).append(experiment.name)
        return {one: tuple(names[one]) for one in sorted(names, key=lambda one: one.model != self.model)}

    @property
    def programs(self) -> dict[Path, str]:
        """The programs that are run, the shared one first, each with the name of its first experiment."""
        first: dict[Path, str] = {}
        for one, names in self.workloads.items():
            first.setdefault(one.model, names[0])
        return first

    def to_json(self) -> dict[str, object]:
        """Return the configuration as plain JSON values, for the manifest; what is rarely there only where it is."""
        plain: dict[str, Any] = asdict(self)
        plain["model"], plain["output_root"] = str(self.model), str(self.output_root)
        if self.ceilings:
            del plain["ceilings"]
        for experiment in plain["experiments"]:
            for key in [key for key in ("method", "input_shapes", "data_path") if not experiment[key]]:
                del experiment[key]
        values: dict[str, object] = json.loads(json.dumps(plain))
        return values

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Config:
        """Rebuild a configuration from a manifest's `to_json` form."""
        experiments = tuple(Experiment(**{k: _tuple(v) for k, v in e.items()}) for e in plain["experiments"])
        return cls(
            Path(plain["model"]),
            Path(plain["output_root"]),
            experiments,
            plain["pairs"],
            plain["seed"],
            tuple((a, b) for a, b in plain["compare_pairs"]),
            plain.get("device_mode"),
            plain.get("order"),
            plain.get("ceilings", True),
        )


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises
    ------
    UserError : not JSON, an unknown key (with the nearest valid one), a wrong type or
        value, a missing model, or names that do not fit together. Nothing is written.
    """
    raw: Any = read_json(path, "config")
    if isinstance(raw, dict) and "models" in raw:
        raise UserError("this is the configuration of a sweep", f"at {path}", "run it with sweep.py")
    config = parse_config(raw, path)
    _check_files(config, path)
    return config


def parse_config(raw: Any, path: Path) -> Config:
    """Return the configuration that JSON values are; `path` is for messages. No file that they name is looked at.

    Raises
    ------
    UserError : as `load_config`.
    """
    check_schema(raw, path, CONFIG_SCHEMA)
    if "model" not in raw and not all("model" in item for item in raw["experiments"]):
        raise UserError('the key "model" is missing', f"in {path}", "add it")
    config = _build(raw)
    _check_names(config, path)
    return config


def _check_files(config: Config, path: Path) -> None:
    for program, name in config.programs.items():
        if not program.is_file():
            owner = f"{name} in " if config.experiment(name).model else ""
            raise UserError(
                f"the model {program} {'is a folder' if program.is_dir() else 'does not exist'}",
                f'in "model" of {owner}{path}',
                "export it first (export_model.py) or correct the path; it is relative to the current directory",
            )
    for workload, names in config.workloads.items():
        if workload.data is not None and not workload.data.is_file():
            raise UserError(
                f"the weights' file {workload.data} does not exist",
                f'in "data_path" of {names[0]} in {path}',
                "correct the path; it is relative to the current directory",
            )


def restrict(config: Config, only: Sequence[str]) -> Config:
    """Return `config` with the experiments in `only` alone, and the comparisons left between them."""
    names = [e.name for e in config.experiments]
    for name in only:
        if name not in names:
            raise UserError(
                f"{name} is not an experiment{nearest(name, names)}", "in --only", f"name one of {', '.join(names)}"
            )
    kept = tuple(e for e in config.experiments if e.name in only)
    pairs = tuple(p for p in config.compare_pairs if set(p) <= set(only))
    return replace(config, experiments=kept, compare_pairs=pairs)


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _build(raw: Mapping[str, Any]) -> Config:
    shared = {k: raw[k] for k in ("runner", "runner_path") if k in raw}
    experiments = []
    for item in raw["experiments"]:
        # An experiment's own runner replaces the shared runner_path too, and the other way round.
        own = {} if {"runner", "runner_path"} & item.keys() else dict(shared)
        if "data_path" in raw and "model" not in item:
            own["data_path"] = raw["data_path"]
        experiments.append(Experiment(**{k: _tuple(v) for k, v in {**own, **item}.items()}))
    pairs = raw.get("analysis", {}).get("compare_pairs", [])
    return Config(
        model=Path(raw.get("model") or raw["experiments"][0]["model"]),
        output_root=Path(raw["output_root"]),
        experiments=tuple(experiments),
        pairs=raw.get("pairs", DEFAULT_PAIRS),
        seed=raw.get("seed"),
        compare_pairs=tuple((a, b) for a, b in pairs),
        device_mode=raw.get("device_mode"),
        order=raw.get("order"),
        ceilings=raw.get("ceilings", True),
    )


def _check_names(config: Config, path: Path) -> None:
    names = [e.name for e in config.experiments]
    for index, experiment in enumerate(config.experiments):
        where = f"in experiments[{index}] of {path}"
        if experiment.name in names[:index]:
            raise UserError(f"the experiment name {experiment.name} stands twice", where, "give each its own name")
        if experiment.name in RESERVED_NAMES:
            raise UserError(f"{experiment.name} is a name that the run directory uses itself", where, "choose another")
        if experiment.mode == XNNTRACE and experiment.runner_path is None:
            raise UserError(
                f'mode "{XNNTRACE}" needs a source-built executor_runner that logs: neither the native nor '
                "the python runner can",
                where,
                'name one in "runner_path" (built with -DEXECUTORCH_XNNPACK_LOG_LEVEL=4)',
            )
    for index, (baseline, candidate) in enumerate(config.compare_pairs):
        where = f"in analysis.compare_pairs[{index}] of {path}"
        for name in (baseline, candidate):
            if name not in names:
                raise UserError(
                    f"{name} is not an experiment{nearest(name, names)}", where, f"name one of {', '.join(names)}"
                )
            if config.experiment(name).mode != TIMING:
                raise UserError(
                    f"{name} records kernels and measures nothing to compare",
                    where,
                    f'name experiments with mode "{TIMING}"',
                )
        if baseline == candidate:
            raise UserError(f"{baseline} is compared with itself", where, "name two experiments (or use --aa)")
        if not set(config.experiment(baseline).threads) & set(config.experiment(candidate).threads):
            raise UserError(
                f"{baseline} and {candidate} have no thread count in common", where, 'give both the same "threads"'
            )
