# SPDX-License-Identifier: Apache-2.0
"""What a sweep consists of: programs, each exported once, and cells, each one measurement of a program. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_profiling.errors import UserError, nearest
from model_profiling.export.recipes import label_in
from model_profiling.fleet.config import SweepConfig, SweptModel
from model_profiling.fleet.names import as_name
from model_profiling.fleet.wanted_device import ADB, WantedDevice
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.config import parse_config
from model_profiling.pipeline.config_templates import run_template

#: Longer names of files are refused by many file systems, and a cell's name gets suffixes.
_LONGEST_NAME = 200


@dataclass(frozen=True)
class SweptProgram:
    """A model in a recipe: exported once for all cells that measure it, or given as a `.pte`."""

    name: str
    model: SweptModel
    dtype: str

    @classmethod
    def from_json(cls, held: JsonObject) -> SweptProgram:
        return cls(held.text("name"), SweptModel.from_json(held.within("model")), held.text("dtype"))

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @property
    def exported(self) -> bool:
        """Whether the sweep exports it."""
        return self.model.pte is None


@dataclass(frozen=True)
class Cell:
    """One measurement: a program's method on a number of threads of a device, as an ordinary run.

    `threads` is None on an emulated CPU. `config` is the run's configuration without its model and its folder.
    """

    name: str
    program: SweptProgram
    threads: int | None
    method: str | None
    device: WantedDevice
    config: Mapping[str, Any]

    @classmethod
    def from_json(cls, held: JsonObject) -> Cell:
        return cls(
            held.text("name"),
            SweptProgram.from_json(held.within("program")),
            held.maybe_whole("threads"),
            held.maybe_text("method"),
            WantedDevice.from_json(held.within("device")),
            held.within("config").plain(),
        )

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @property
    def model(self) -> str:
        return self.program.model.label

    @property
    def facts(self) -> dict[str, str | int | None]:
        """What tells it apart, by the keys of "leave_out"."""
        return {
            "model": self.model,
            "dtype": self.program.dtype,
            "threads": self.threads,
            "method": self.method,
            "device": self.device.label,
        }


Job = SweptProgram | Cell


@dataclass(frozen=True)
class SweepPlan:
    """All of a sweep: programs in the order in which cells need them, and cells; so many were left out."""

    programs: tuple[SweptProgram, ...]
    cells: tuple[Cell, ...]
    left_out: int = 0

    def only(self, names: Sequence[str]) -> SweepPlan:
        """Return the cells of these names, and the programs that they need.

        Raises
        ------
        UserError : there is no such cell.
        """
        known = {cell.name for cell in self.cells}
        for name in names:
            if name not in known:
                raise UserError(
                    f"there is no cell {name}{nearest(name, known)}", "in --only", "--dry-run lists all of them"
                )
        return _planned([cell for cell in self.cells if cell.name in names], self.left_out)


def make_plan(sweep: SweepConfig, seed: int) -> SweepPlan:
    """Return the cells of a sweep in the order of its lists, without those to be left out.

    Raises
    ------
    UserError : experiments do not fit together, two cells have one name, an entry of "leave_out" fits nothing, or
        nothing is left.
    """
    every = list(_cells(sweep, seed))
    for cell in {cell.device: cell for cell in every if cell.device.timed}.values():
        parse_config({"model": "m", "output_root": "o", **cell.config}, sweep.path)
    fitting = [sum(_fits(cell, rule) for cell in every) for rule in sweep.leave_out]
    for number, rule in enumerate(sweep.leave_out):
        if not fitting[number]:
            raise UserError(_no_fit(rule, every), f"in leave_out[{number}] of {sweep.path}", "correct it or remove it")
    cells = [cell for cell in every if not any(_fits(cell, rule) for rule in sweep.leave_out)]
    if not cells:
        raise UserError("every cell is left out", f'in "leave_out" of {sweep.path}', "leave out less")
    seen: set[str] = set()
    for cell in cells:
        if cell.name in seen:
            raise UserError(
                f"two cells are called {cell.name}",
                f"in {sweep.path}",
                'give models or devices that are named alike a "name" of their own, and list nothing twice',
            )
        if len(cell.name) > _LONGEST_NAME:
            raise UserError(f"the name {cell.name[:60]}... is too long", f"in {sweep.path}", 'give its model a "name"')
        seen.add(cell.name)
    return _planned(cells, len(every) - len(cells))


def _planned(cells: Sequence[Cell], left_out: int) -> SweepPlan:
    return SweepPlan(tuple(dict.fromkeys(cell.program for cell in cells)), tuple(cells), left_out)


def _cells(sweep: SweepConfig, seed: int) -> Iterator[Cell]:
    for model in sweep.models:
        for program in _programs(model, sweep.dtypes):
            for threads in sweep.threads:
                for method in model.methods or (None,):
                    for device in sweep.devices:
                        if device.timed:
                            yield _cell(sweep, seed, program, threads, method, device)
                        elif threads == sweep.threads[0]:
                            yield _cell(sweep, seed, program, None, method, device)


def _programs(model: SweptModel, dtypes: Sequence[str]) -> Iterator[SweptProgram]:
    if model.pte is not None:
        dtype = label_in(model.pte.removesuffix(".pte")) or "pte"
        yield SweptProgram(f"{model.label}_{dtype}", model, dtype)
        return
    for dtype in dtypes:
        yield SweptProgram(f"{model.label}_{dtype}", model, dtype)


def _cell(
    sweep: SweepConfig, seed: int, program: SweptProgram, threads: int | None, method: str | None, device: WantedDevice
) -> Cell:
    parts = [program.name, *([as_name(method)] if method else []), *([f"t{threads}"] if threads else []), device.label]
    name = "_".join(parts)
    config = _run_config(sweep, seed, threads, method, device) if threads is not None else {}
    return Cell(name, program, threads, method, device, config)


def _run_config(
    sweep: SweepConfig, seed: int, threads: int, method: str | None, device: WantedDevice
) -> dict[str, Any]:
    """Return a cell's configuration: the platform's template where the sweep has no experiments of its own."""
    template: dict[str, Any] = dict(run_template("android" if device.kind == ADB else "mac"))
    if "experiments" in sweep.shared:
        template.pop("runner_path", None)
        template["analysis"] = {"compare_pairs": []}
    elif device.runner_path is not None:  # one build for both sides, whatever the template names
        template = {**run_template("mac"), "device_mode": template.get("device_mode")}
    config = {**template, **sweep.shared, **device.run_keys, "seed": seed}
    if device.kind != ADB:
        config.pop("device_mode", None)
    own = {"threads": [threads], **({"method": method} if method else {})}
    config["experiments"] = [{**experiment, **own} for experiment in config["experiments"]]
    return {
        key: value
        for key, value in config.items()
        if key not in ("$schema", "model", "output_root") and value is not None
    }


def _fits(cell: Cell, rule: Mapping[str, Sequence[str | int]]) -> bool:
    return all(cell.facts[key] in values for key, values in rule.items())


def _no_fit(rule: Mapping[str, Sequence[str | int]], cells: Sequence[Cell]) -> str:
    """Say why an entry of "leave_out" fits nothing, with the nearest name where a name is unknown."""
    for key, values in rule.items():
        known = [str(cell.facts[key]) for cell in cells if cell.facts[key] is not None]
        for value in values:
            if str(value) not in known:
                return f"no cell has the {key} {value}{nearest(str(value), known)}"
    return "no cell fits all of its keys"
