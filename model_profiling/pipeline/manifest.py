# SPDX-License-Identifier: Apache-2.0
"""The manifest of a run: what was run, on what, with which seed; typed, and as the JSON of manifest.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.ceilings import KeptCeilings
from model_profiling.pipeline.config import LAUNCHES, Config
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.measured_programs import InputFile, MeasuredProgram, ModelFile
from model_profiling.pipeline.run_plan import RunPlan

SCHEMA_VERSION = 1
#: How devices of emulated CPUs were called before a manifest said by itself whether its CPU is one.
_EMULATED_DEVICES = frozenset(("emulated", "adb, emulator"))

#: How a runner describes itself: its name and SHA-256, and what its kind adds.
RunnerDescription = Mapping[str, object]


@dataclass(frozen=True)
class ExecuTorchVersion:
    """The ExecuTorch of this Python; `git_sha` may be empty."""

    version: str
    git_sha: str

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: JsonObject) -> ExecuTorchVersion:
        return cls(plain.text("version"), plain.text("git_sha"))


@dataclass(frozen=True)
class SwitchedFeature:
    """What the experiments of a run differ in.

    `label` is None where nothing is switched. `disabled` are the features cleared at run
    time, `requested` what the configuration asked to clear; `off` names the experiments
    whose runner was built without the feature.
    """

    label: str | None
    disabled: tuple[str, ...]
    requested: str | tuple[str, ...] | None
    sentence: str
    off: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        requested = list(self.requested) if isinstance(self.requested, tuple) else self.requested
        return {
            "label": self.label,
            "disabled": list(self.disabled),
            "requested": requested,
            **({"off": list(self.off)} if self.off else {}),
            "sentence": self.sentence,
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> SwitchedFeature:
        several = isinstance(plain.plain().get("requested"), list)
        return cls(
            plain.maybe_text("label"),
            plain.texts("disabled"),
            plain.texts("requested") if several else plain.maybe_text("requested"),
            plain.text("sentence"),
            plain.texts("off") if "off" in plain else (),
        )


@dataclass(frozen=True)
class Manifest:
    """A run as it was begun, and how it ended.

    Mappings are by experiment where not said otherwise. `config_json` is the configuration
    as recorded, `host` what the device says of its system. `emulated` says that the CPU is
    emulated, so that its times say nothing about a device. `probe_baseline_ns` is the time of
    a fixed piece of CPU work as the run began. The digests of the lists of launches are there
    once the run is finished; `plan` says how pairs are measured, from before the first one.
    `affinity_mask` and what has a default may lack in older runs. `model` and `inputs` are those of the first
    program; `programs` are all of them, in a run of several alone. `tokens` is how many an execution computes, of
    experiments whose export says so; `ceilings` tells of ceilings.json, None where the machine's are not known.
    """

    kit_version: str
    config_json: Mapping[str, object]
    config_path: str
    command_lines: tuple[str, ...]
    model: ModelFile
    executorch: ExecuTorchVersion
    runner: Mapping[str, RunnerDescription]
    disabled: Mapping[str, tuple[str, ...]]
    cpu: CpuFeatures
    feature: SwitchedFeature
    seed: int
    quick: bool
    calibration: bool
    pairs: int
    started: str
    finished: str | None = None
    inputs: tuple[InputFile, ...] = ()
    affinity: Mapping[str, tuple[int, ...] | None] = field(default_factory=dict)
    affinity_mask: Mapping[str, str | None] | None = None
    device: str = "local"
    emulated: bool = False
    host: Mapping[str, object] = field(default_factory=dict)
    noise_floor: Mapping[str, object] | None = None
    precision_percent: float | None = None
    probe_baseline_ns: int | None = None
    launches_sha256: str | None = None
    kernel_launches_sha256: str | None = None
    plan: RunPlan | None = None
    programs: tuple[MeasuredProgram, ...] = ()
    tokens: Mapping[str, int] = field(default_factory=dict)
    ceilings: KeptCeilings | None = None

    @cached_property
    def every_program(self) -> tuple[MeasuredProgram, ...]:
        """The programs of the run, one where all experiments executed the same."""
        names = tuple(e.name for e in self.config.experiments)
        only = self.config.workload(names[0])
        given = only.method, only.input_shapes
        return self.programs or (MeasuredProgram(self.model, names, self.inputs, {}, None, *given),)

    def program_number(self, experiment: str) -> int:
        """Return which of `every_program` an experiment executed."""
        return next((i for i, one in enumerate(self.programs) if experiment in one.experiments), 0)

    def program(self, experiment: str) -> MeasuredProgram:
        """Return the program that an experiment executed."""
        return self.every_program[self.program_number(experiment)]

    def same_program(self, first: str, second: str) -> bool:
        """Return whether two experiments executed one program."""
        return self.program_number(first) == self.program_number(second)

    @property
    def order(self) -> str:
        """How pairs are measured; a run without a plan is of before it could be chosen, or has not begun."""
        return self.plan.order if self.plan else self.config.order or LAUNCHES

    @cached_property
    def config(self) -> Config:
        """The configuration of the run."""
        return Config.from_json(self.config_json)

    def to_json(self) -> dict[str, object]:
        """Return the content of manifest.json without its digest."""
        lists = {"launches_sha256": self.launches_sha256, "kernel_launches_sha256": self.kernel_launches_sha256}
        return {
            "schema_version": SCHEMA_VERSION,
            "kit_version": self.kit_version,
            "config": dict(self.config_json),
            "config_path": self.config_path,
            "command_lines": list(self.command_lines),
            "model": self.model.to_json(),
            "executorch": self.executorch.to_json(),
            "runner": {name: dict(described) for name, described in self.runner.items()},
            "disabled": {name: list(features) for name, features in self.disabled.items()},
            "affinity": {name: cores and list(cores) for name, cores in self.affinity.items()},
            **({} if self.affinity_mask is None else {"affinity_mask": dict(self.affinity_mask)}),
            "device": self.device,
            "emulated": self.emulated,
            "host": dict(self.host),
            "cpu": self.cpu.to_json(),
            "feature": self.feature.to_json(),
            "seed": self.seed,
            "quick": self.quick,
            "calibration": self.calibration,
            "pairs": self.pairs,
            "noise_floor": self.noise_floor,
            "precision_percent": self.precision_percent,
            "probe_baseline_ns": self.probe_baseline_ns,
            "inputs": [item.to_json() for item in self.inputs],
            "started": self.started,
            "finished": self.finished,
            **({"programs": [program.to_json() for program in self.programs]} if self.programs else {}),
            **({"tokens": dict(self.tokens)} if self.tokens else {}),
            **({} if self.ceilings is None else {"ceilings": asdict(self.ceilings)}),
            **({} if self.plan is None else {"plan": self.plan.to_json()}),
            **{key: value for key, value in lists.items() if value is not None},
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> Manifest:
        """Return the manifest of the JSON in manifest.json, of an older run too.

        Raises
        ------
        UserError : a value lacks or is of the wrong kind.
        """
        disabled, affinity = plain.within("disabled"), plain.maybe_within("affinity")
        device, host = plain.maybe_text("device") or "local", _plain(plain, "host") or {}
        masks = plain.maybe_within("affinity_mask")
        old_word = device in _EMULATED_DEVICES or "emulated_on" in host
        manifest = cls(
            kit_version=plain.text("kit_version"),
            config_json=plain.within("config").plain(),
            config_path=plain.text("config_path"),
            command_lines=plain.texts("command_lines"),
            model=ModelFile.from_json(plain.within("model")),
            executorch=ExecuTorchVersion.from_json(plain.within("executorch")),
            runner={name: described.plain() for name, described in plain.within("runner").by_name()},
            disabled={name: disabled.texts(name) for name in disabled.keys()},
            cpu=CpuFeatures.from_json(plain.within("cpu")),
            feature=SwitchedFeature.from_json(plain.within("feature")),
            seed=plain.whole("seed"),
            quick=plain.flag("quick"),
            calibration=plain.flag("calibration"),
            pairs=plain.whole("pairs"),
            started=plain.text("started"),
            finished=plain.maybe_text("finished"),
            inputs=tuple(InputFile.from_json(item) for item in plain.each("inputs")),
            affinity={n: affinity.wholes(n) if n in affinity else None for n in affinity.keys()} if affinity else {},
            affinity_mask=None if masks is None else {name: masks.maybe_text(name) for name in masks.keys()},
            device=device,
            emulated=plain.flag("emulated") if "emulated" in plain else old_word,
            host=host,
            noise_floor=_plain(plain, "noise_floor"),
            precision_percent=plain.maybe_number("precision_percent"),
            probe_baseline_ns=plain.maybe_whole("probe_baseline_ns"),
            launches_sha256=plain.maybe_text("launches_sha256"),
            kernel_launches_sha256=plain.maybe_text("kernel_launches_sha256"),
            plan=RunPlan.from_json(plain.within("plan")) if "plan" in plain else None,
            programs=tuple(map(MeasuredProgram.from_json, plain.each("programs"))) if "programs" in plain else (),
            tokens=plain.counts_by_name("tokens") if "tokens" in plain else {},
            ceilings=KeptCeilings.from_json(plain.within("ceilings")) if "ceilings" in plain else None,
        )
        try:
            _ = manifest.config
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise plain.refused(f'"config" is no configuration ({error})') from error
        return manifest


def _plain(plain: JsonObject, key: str) -> dict[str, object] | None:
    inner = plain.maybe_within(key)
    return None if inner is None else inner.plain()


def manifest_digest(plain: Mapping[str, object]) -> str:
    """Return the SHA-256 over a manifest's canonical JSON without its digest."""
    content = {key: value for key, value in plain.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
