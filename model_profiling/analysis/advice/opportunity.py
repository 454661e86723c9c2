# SPDX-License-Identifier: Apache-2.0
"""One opportunity: what could be changed, what it takes now, and what it would save at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model_profiling.json_objects import JsonObject

#: What a saving is known by: times of this run; the rate that this machine reaches; or Amdahl's argument that a
#: part which takes no time at all saves no more than it took.
MEASURED, CEILING, AMDAHL = BASES = ("measured", "ceiling", "amdahl")
#: What a saving is of: every execution, or the start of a process.
EXECUTION, START = "execution", "start"


@dataclass(frozen=True)
class Opportunity:
    """What could be changed in the program of an experiment at a thread count; times in ms.

    `where` are layers of the layer table, empty where it is the whole. `saves_ms` is `now_ms` less `bound_ms`, the
    time that nothing known here goes below: it is a bound, never a promise. `saves_low_ms` and `saves_high_ms` are
    its 95 % interval where both times were measured. What several opportunities save adds up: none counts a time that
    one ranked before it has counted. `per` says what the times are of. `facts` are what words are made of.
    """

    id: str
    kind: str
    experiment: str
    threads: int
    where: tuple[str, ...]
    now_ms: float
    bound_ms: float
    saves_ms: float
    basis: str
    per: str = EXECUTION
    saves_low_ms: float | None = None
    saves_high_ms: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, held: JsonObject) -> Opportunity:
        """Read an entry of "opportunities"; `do` and `command` are words, which are made of the rest.

        Raises
        ------
        UserError : a key lacks or is of another shape.
        """
        basis, facts = held.text("basis"), held.within("facts")
        if basis not in BASES:
            raise held.refused(f'"basis" of an opportunity is {basis!r}, not one of {", ".join(BASES)}')
        return cls(
            held.text("id"),
            held.text("kind"),
            held.text("experiment"),
            held.whole("threads"),
            held.texts("where"),
            held.number("now_ms"),
            held.number("bound_ms"),
            held.number("saves_ms"),
            basis,
            held.text("per"),
            held.maybe_number("saves_low_ms"),
            held.maybe_number("saves_high_ms"),
            {key: facts.text(key) for key in facts.keys()},
        )

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "kind": self.kind,
            "experiment": self.experiment,
            "threads": self.threads,
            "where": list(self.where),
            "now_ms": self.now_ms,
            "bound_ms": self.bound_ms,
            "saves_ms": self.saves_ms,
            "saves_low_ms": self.saves_low_ms,
            "saves_high_ms": self.saves_high_ms,
            "basis": self.basis,
            "per": self.per,
            "facts": dict(self.facts),
        }
