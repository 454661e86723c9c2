# SPDX-License-Identifier: Apache-2.0
"""How far a program is from its eager model, as its export recorded it and whoever reads the record finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_profiling.agreement import COSINE_LIMIT
from model_profiling.errors import UserError
from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class Accuracy:
    """What the model's own function says of the eager model and of the program, in its own unit; more is better.

    `items` were evaluated. `limit` is the loss that the model allows, None where it says none.
    """

    eager: float
    program: float
    items: int
    limit: float | None

    @property
    def loss(self) -> float:
        """How much less the program has, below 0 where it has more."""
        return self.eager - self.program

    @property
    def passed(self) -> bool:
        """Whether the loss is within the limit, where there is one."""
        return self.limit is None or self.loss <= self.limit

    def to_json(self) -> dict[str, object]:
        return {
            "eager": self.eager,
            "program": self.program,
            "loss": self.loss,
            "limit": self.limit,
            "items": self.items,
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> Accuracy:
        return cls(plain.number("eager"), plain.number("program"), plain.whole("items"), plain.maybe_number("limit"))


@dataclass(frozen=True)
class RecordedAgreement:
    """A record's "agreement": the largest errors over all samples, the limit of the recipe, and the verdict.

    Errors are None where they are not finite. `passed` is by the limit of `accuracy` where that has one, else by the
    recipe's.
    """

    max_abs_error: float | None
    max_rel_error: float | None
    cosine: float | None
    max_rel_limit: float
    min_cosine: float
    passed: bool
    accuracy: Accuracy | None = None

    @property
    def by_accuracy(self) -> bool:
        """Whether the model's own accuracy decided."""
        return self.accuracy is not None and self.accuracy.limit is not None

    @property
    def loose(self) -> bool:
        """Whether what decided would let outputs pass that are another answer (`agreement.COSINE_LIMIT`)."""
        return not self.by_accuracy and self.min_cosine < COSINE_LIMIT

    def to_json(self) -> dict[str, object]:
        return {
            "max_abs_error": self.max_abs_error,
            "max_rel_error": self.max_rel_error,
            "cosine": self.cosine,
            "limit": {"max_rel_error": self.max_rel_limit, "min_cosine": self.min_cosine},
            "passed": self.passed,
            **({"accuracy": self.accuracy.to_json()} if self.accuracy else {}),
        }

    @classmethod
    def from_json(cls, plain: JsonObject) -> RecordedAgreement:
        limit, accuracy = plain.within("limit"), plain.maybe_within("accuracy")
        return cls(
            plain.maybe_number("max_abs_error"),
            plain.maybe_number("max_rel_error"),
            plain.maybe_number("cosine"),
            limit.number("max_rel_error"),
            limit.number("min_cosine"),
            plain.flag("passed"),
            None if accuracy is None else Accuracy.from_json(accuracy),
        )

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> RecordedAgreement | None:
        """Return what a method's record says, None where it says nothing of the kind, as one made elsewhere."""
        try:
            return cls.from_json(JsonObject((record or {}).get("agreement"), "in the export record", "export it again"))
        except UserError:
            return None
