# SPDX-License-Identifier: Apache-2.0
"""What a machine can do at most, as it was measured through a run's own runtime: the content of ceilings.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from model_profiling.files import write_json
from model_profiling.json_objects import JsonObject

SCHEMA_VERSION = 1
_AGAIN = "restore it, or remove it: everything but shares of ceilings stays as it is"


#: What a layer does to memory: it reads arrays and writes another, writes over what it read, or reads alone.
COPY, UPDATE, READ = "copy", "update", "read"
PATTERNS = (COPY, UPDATE, READ)


@dataclass(frozen=True)
class MemoryRate:
    """How fast so many bytes, those read and those written, are moved by one of `PATTERNS`: 10^9 bytes a second."""

    pattern: str
    bytes: int
    gb_s: float

    @classmethod
    def from_json(cls, plain: JsonObject) -> MemoryRate:
        if (pattern := plain.text("pattern")) not in PATTERNS:
            raise plain.refused(f'"{pattern}" is no pattern of memory')
        return cls(pattern, _positive_whole(plain, "bytes"), _positive(plain, "gb_s"))


@dataclass(frozen=True)
class MeasuredRates:
    """What one launch of the ceilings' program showed, when (UTC), and under which conditions: an entry of the cache.

    `peak_gops` is that of the fastest product in the program's recipe.
    """

    measured: str
    conditions: Mapping[str, object]
    peak_gops: float
    rates: tuple[MemoryRate, ...]

    @classmethod
    def read(cls, path: Path) -> MeasuredRates:
        """Read a file of the cache; UserError where it is none."""
        plain = JsonObject.read(path, "remove it")
        return cls(
            plain.text("measured"),
            plain.within("conditions").plain(),
            _positive(plain, "peak_gops"),
            tuple(map(MemoryRate.from_json, plain.each("rates"))),
        )

    def write(self, path: Path) -> Path:
        return write_json(path, asdict(self))


@dataclass(frozen=True)
class SideCeilings:
    """The ceilings of experiments that run alike, at one thread count.

    `peak_gops` is by recipe, in 10^9 operations a second; a multiply-add is two. Of each pattern the largest of
    `rates` is of arrays far beyond the caches.
    """

    experiments: tuple[str, ...]
    threads: int
    feature_on: bool
    peak_gops: Mapping[str, float]
    rates: tuple[MemoryRate, ...]

    def bandwidth_gb_s(self, moved: float | None = None, pattern: str = COPY) -> float | None:
        """Return the sustained rate of copies, or that of `moved` bytes, which go faster where they fit the caches.

        Between two sizes that were measured the smaller one counts, which is faster: a bound stays one.
        """
        rates = sorted((rate.bytes, rate.gb_s) for rate in self.rates if rate.pattern == pattern)
        if not rates:
            return None
        if moved is None:
            return rates[-1][1]
        return next((gb_s for size, gb_s in reversed(rates) if size <= moved), rates[0][1])

    @classmethod
    def from_json(cls, plain: JsonObject) -> SideCeilings:
        peaks = plain.within("peak_gops")
        return cls(
            plain.texts("experiments"),
            _positive_whole(plain, "threads"),
            plain.flag("feature_on"),
            {recipe: _positive(peaks, recipe) for recipe in peaks.keys()},
            tuple(map(MemoryRate.from_json, plain.each("rates"))),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "experiments": list(self.experiments),
            "threads": self.threads,
            "feature_on": self.feature_on,
            "peak_gops": dict(self.peak_gops),
            "rates": [asdict(rate) for rate in self.rates],
        }


@dataclass(frozen=True)
class Ceilings:
    """The ceilings of a run's sides, when they were measured (UTC), and under which conditions.

    Nothing is filled in: what was not measured is None.
    """

    measured: str
    conditions: Mapping[str, object]
    sides: tuple[SideCeilings, ...]

    def side(self, experiment: str, threads: int) -> SideCeilings | None:
        """Return the ceilings of an experiment of the run."""
        return next((s for s in self.sides if s.threads == threads and experiment in s.experiments), None)

    def peak_gops(self, dtype: str, threads: int, feature_on: bool) -> float | None:
        """Return the peak of a recipe in 10^9 operations a second."""
        found = (s.peak_gops[dtype] for s in self._alike(threads, feature_on) if dtype in s.peak_gops)
        return next(found, None)

    def bandwidth_gb_s(self, threads: int, feature_on: bool) -> float | None:
        """Return the sustained rate of copies, read and written, in 10^9 bytes a second."""
        found = (s.bandwidth_gb_s() for s in self._alike(threads, feature_on))
        return next((rate for rate in found if rate is not None), None)

    def _alike(self, threads: int, feature_on: bool) -> list[SideCeilings]:
        return [s for s in self.sides if s.threads == threads and s.feature_on == feature_on]

    @classmethod
    def from_json(cls, plain: JsonObject) -> Ceilings:
        """Read it.

        Raises
        ------
        UserError : another version, or a key of another shape; the message names it.
        """
        if "schema_version" not in plain or plain.whole("schema_version") != SCHEMA_VERSION:
            raise plain.refused("the ceilings are of another version of the kit")
        return cls(
            plain.text("measured"),
            plain.within("conditions").plain(),
            tuple(map(SideCeilings.from_json, plain.each("sides"))),
        )

    @classmethod
    def read(cls, path: Path) -> Ceilings:
        """Read a file of them; raises as `from_json`."""
        return cls.from_json(JsonObject.read(path, _AGAIN))

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "measured": self.measured,
            "conditions": dict(self.conditions),
            "sides": [side.to_json() for side in self.sides],
        }

    def write(self, path: Path) -> Path:
        return write_json(path, self.to_json())


@dataclass(frozen=True)
class KeptCeilings:
    """What a run's manifest says of its ceilings.json: its digest, when they were measured, under which conditions."""

    sha256: str
    measured: str
    conditions: Mapping[str, object]

    @classmethod
    def of(cls, ceilings: Ceilings, digest: str) -> KeptCeilings:
        return cls(digest, ceilings.measured, ceilings.conditions)

    @classmethod
    def from_json(cls, plain: JsonObject) -> KeptCeilings:
        return cls(plain.text("sha256"), plain.text("measured"), plain.within("conditions").plain())


def _positive(plain: JsonObject, key: str) -> float:
    value = plain.number(key)
    if value <= 0:
        raise plain.refused(f'"{key}" is not above 0')
    return value


def _positive_whole(plain: JsonObject, key: str) -> int:
    value = plain.whole(key)
    if value <= 0:
        raise plain.refused(f'"{key}" is not above 0')
    return value
