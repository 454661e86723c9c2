# SPDX-License-Identifier: Apache-2.0
"""What a known fix for an operator outside XNNPACK is, and when it applies."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class HintRow:
    """`hint` applies where all three patterns match; an empty pattern matches anything.

    `operator` is the edge operator's name, `origin` the call in the model that it was made of,
    `reason` the partitioner's. `cost` says what the fix costs, "" where nothing was seen.
    """

    name: str
    hint: str
    operator: str = ""
    origin: str = ""
    reason: str = ""
    cost: str = ""

    @property
    def text(self) -> str:
        return f"{self.hint}. Cost: {self.cost}" if self.cost else self.hint

    def fits(self, operator: str, reason: str, origin: str) -> bool:
        return all(
            re.search(pattern, text)
            for pattern, text in ((self.operator, operator), (self.reason, reason), (self.origin, origin))
        )
