# SPDX-License-Identifier: Apache-2.0
"""The manifest of a run: what was run, on what, with which seed; typed, and as the JSON of manifest.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from model_profiling.pipeline.config import Config
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.json_values import integers, number, objects, optional, required, texts

SCHEMA_VERSION = 1
#: How devices of emulated CPUs were called before a manifest said by itself whether its CPU is one.
_EMULATED_DEVICES = frozenset(("emulated", "adb, emulator"))

#: How a runner describes itself: its name and SHA-256, and what its kind adds.
RunnerDescription = Mapping[str, object]


@dataclass(frozen=True)
class ModelFile:
    """The .pte that was run; `id` is its name without suffix."""

    id: str
    path: str
    sha256: str
    bytes: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> ModelFile:
        return cls(
            required(plain, "id", str),
            required(plain, "path", str),
            required(plain, "sha256", str),
            required(plain, "bytes", int),
        )


@dataclass(frozen=True)
class ExecuTorchVersion:
    """The ExecuTorch of this Python; `git_sha` may be empty."""

    version: str
    git_sha: str

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> ExecuTorchVersion:
        return cls(required(plain, "version", str), required(plain, "git_sha", str))


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
    def from_json(cls, plain: Mapping[str, object]) -> SwitchedFeature:
        requested = plain.get("requested")
        return cls(
            optional(plain, "label", str),
            texts(plain, "disabled"),
            texts(plain, "requested") if isinstance(requested, list) else optional(plain, "requested", str),
            required(plain, "sentence", str),
            texts(plain, "off") if "off" in plain else (),
        )


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
    def from_json(cls, plain: Mapping[str, object]) -> InputFile:
        return cls(
            required(plain, "file", str),
            required(plain, "sha256", str),
            integers(plain, "shape"),
            required(plain, "dtype", str),
        )


@dataclass(frozen=True)
class Manifest:
    """A run as it was begun, and how it ended.

    Mappings are by experiment where not said otherwise. `config_json` is the configuration
    as recorded, `host` what the device says of its system. `emulated` says that the CPU is
    emulated, so that its times say nothing about a device. `probe_baseline_ns` is the time of
    a fixed piece of CPU work as the run began. The digests of the lists of launches are there
    once the run is finished; `affinity_mask` and what has a default may lack in older runs.
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
            **{key: value for key, value in lists.items() if value is not None},
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> Manifest:
        """Return the manifest of the JSON in manifest.json, of an older run too.

        Raises
        ------
        ValueError : a value lacks or is of the wrong kind.
        """
        disabled, runner = required(plain, "disabled", dict), required(plain, "runner", dict)
        affinity = optional(plain, "affinity", dict) or {}
        device, host = optional(plain, "device", str) or "local", optional(plain, "host", dict) or {}
        old_word = device in _EMULATED_DEVICES or "emulated_on" in host
        manifest = cls(
            kit_version=required(plain, "kit_version", str),
            config_json=required(plain, "config", dict),
            config_path=required(plain, "config_path", str),
            command_lines=texts(plain, "command_lines"),
            model=ModelFile.from_json(required(plain, "model", dict)),
            executorch=ExecuTorchVersion.from_json(required(plain, "executorch", dict)),
            runner={name: required(runner, name, dict) for name in runner},
            disabled={name: texts(disabled, name) for name in disabled},
            cpu=CpuFeatures.from_json(required(plain, "cpu", dict)),
            feature=SwitchedFeature.from_json(required(plain, "feature", dict)),
            seed=required(plain, "seed", int),
            quick=required(plain, "quick", bool),
            calibration=required(plain, "calibration", bool),
            pairs=required(plain, "pairs", int),
            started=required(plain, "started", str),
            finished=optional(plain, "finished", str),
            inputs=tuple(InputFile.from_json(item) for item in objects(plain, "inputs")),
            affinity={name: None if affinity[name] is None else integers(affinity, name) for name in affinity},
            affinity_mask=optional(plain, "affinity_mask", dict),
            device=device,
            emulated=required(plain, "emulated", bool) if "emulated" in plain else old_word,
            host=host,
            noise_floor=optional(plain, "noise_floor", dict),
            precision_percent=number(plain, "precision_percent"),
            probe_baseline_ns=optional(plain, "probe_baseline_ns", int),
            launches_sha256=optional(plain, "launches_sha256", str),
            kernel_launches_sha256=optional(plain, "kernel_launches_sha256", str),
        )
        try:
            _ = manifest.config
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'"config" is no configuration ({error})') from error
        return manifest


def manifest_digest(plain: Mapping[str, object]) -> str:
    """Return the SHA-256 over a manifest's canonical JSON without its digest."""
    content = {key: value for key, value in plain.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
