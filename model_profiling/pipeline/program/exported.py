# SPDX-License-Identifier: Apache-2.0
"""How a program was made and divided, as its export recorded it: as far as advice is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class StoredConstant:
    """A tensor that makes a program larger than its weights should, and where it is used: an entry of the record.

    `bytes` are of one copy; `copies` is how often it is stored.
    """

    name: str
    kind: str
    bytes: int
    copies: int
    module: str = ""
    source: str = ""

    @property
    def bytes_beside_weights(self) -> int:
        """All its bytes, or those of a weight's copies after the first."""
        return self.bytes * (self.copies - (self.kind == "weight"))

    @classmethod
    def from_json(cls, held: JsonObject) -> StoredConstant:
        module, source = held.maybe_text("module") or "", held.maybe_text("source") or ""
        return cls(held.text("name"), held.text("kind"), held.whole("bytes"), held.whole("copies"), module, source)


@dataclass(frozen=True)
class Exported:
    """How a program was made, and what of it stayed outside XNNPACK.

    `outside` are entries of the record's `not_delegated`; `pte_bytes` is the file's size, `constants` what makes it
    larger than its weights should.
    """

    model: str = ""
    source: str = ""
    dtype: str = ""
    group_size: int = 0
    rewrites: tuple[str, ...] = ()
    outside: tuple[Mapping[str, Any], ...] = ()
    pte_bytes: int | None = None
    constants: tuple[StoredConstant, ...] = ()

    @classmethod
    def from_json(cls, held: JsonObject) -> Exported:
        """Read a record; what an older one lacks is empty.

        Raises
        ------
        UserError : a key is of another shape.
        """
        delegation, rewrites, pte, constants = map(held.maybe_within, ("delegation", "rewrites", "pte", "constants"))
        return cls(
            held.maybe_text("model") or "",
            held.maybe_text("source") or "",
            held.maybe_text("dtype") or "",
            held.maybe_whole("group_size") or 0,
            tuple(name for name in rewrites.keys() if rewrites.whole(name)) if rewrites else (),
            tuple(map(_outside, delegation.each("not_delegated"))) if delegation else (),
            pte.maybe_whole("bytes") if pte else None,
            tuple(map(StoredConstant.from_json, constants.each("excess"))) if constants else (),
        )

    def to_json(self) -> dict[str, object]:
        """Return what `from_json` reads, in the shape of an export's record."""
        return {
            "model": self.model,
            "source": self.source,
            "dtype": self.dtype,
            "group_size": self.group_size,
            "rewrites": dict.fromkeys(self.rewrites, 1),
            "delegation": {"not_delegated": [dict(entry) for entry in self.outside]},
            "pte": {"bytes": self.pte_bytes},
            "constants": {"excess": [asdict(one) for one in self.constants]},
        }


NOTHING_RECORDED = Exported()


def _outside(held: JsonObject) -> Mapping[str, Any]:
    texts = ("operator", "module", "source", "reason", "hint", "origin", "rewrite")
    return {**{key: held.maybe_text(key) or "" for key in texts}, "count": held.whole("count")}
