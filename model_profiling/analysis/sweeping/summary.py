# SPDX-License-Identifier: Apache-2.0
"""A sweep as it stands, as values: the content of sweep_summary.json, a row a cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.sweeping.cell_result import CellResult
from model_profiling.json_objects import JsonObject

SWEEP_SCHEMA_VERSION = 1
#: What a sweep came to, in its directory.
SWEEP_SUMMARY_FILE, SWEEP_TABLE_FILE = "sweep_summary.json", "sweep.csv"
#: How a cell stands.
DONE, FAILED, MISSING = "done", "failed", "missing"
_AGAIN = "run the sweep again with --resume to write it anew"


@dataclass(frozen=True)
class SweptCell:
    """One cell: what was asked for, how it stands, and what it came to.

    `reason` says why it failed; `folder` and `log` are relative to the sweep directory, `report` too, "" where there
    is none.
    """

    name: str
    model: str
    dtype: str
    threads: int | None
    method: str | None
    device: str
    status: str
    reason: str
    folder: str
    report: str
    log: str
    seconds: float | None
    result: CellResult | None

    @classmethod
    def from_json(cls, held: JsonObject) -> SweptCell:
        result = held.maybe_within("result")
        return cls(
            held.text("name"),
            held.text("model"),
            held.text("dtype"),
            held.maybe_whole("threads"),
            held.maybe_text("method"),
            held.text("device"),
            held.text("status"),
            held.text("reason"),
            held.text("folder"),
            held.text("report"),
            held.text("log"),
            held.maybe_number("seconds"),
            None if result is None else CellResult.from_json(result),
        )

    def to_json(self) -> dict[str, object]:
        return {**vars(self), "result": self.result and self.result.to_json()}


@dataclass(frozen=True)
class FailedExport:
    """A program that could not be exported; its cells have no results."""

    name: str
    reason: str
    log: str

    @classmethod
    def from_json(cls, held: JsonObject) -> FailedExport:
        return cls(held.text("name"), held.text("reason"), held.text("log"))


@dataclass(frozen=True)
class SweepSummary:
    """A whole sweep; `left_out` is the number of cells that its configuration leaves out."""

    kit_version: str
    started: str
    seed: int
    quick: bool
    left_out: int
    cells: tuple[SweptCell, ...]
    failed_exports: tuple[FailedExport, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many cells stand how."""
        return Counter(cell.status for cell in self.cells)

    @property
    def failed(self) -> tuple[SweptCell, ...]:
        return tuple(cell for cell in self.cells if cell.status == FAILED)

    @classmethod
    def read(cls, path: Path) -> SweepSummary:
        """Read sweep_summary.json.

        Raises
        ------
        UserError : another version, or a key of another shape; the message names it.
        """
        return cls.from_json(JsonObject.read(path, _AGAIN))

    @classmethod
    def from_json(cls, held: JsonObject) -> SweepSummary:
        if "schema_version" not in held or held.whole("schema_version") != SWEEP_SCHEMA_VERSION:
            raise held.refused("the summary is of another version of the kit")
        return cls(
            held.text("kit_version"),
            held.text("started"),
            held.whole("seed"),
            held.flag("quick"),
            held.whole("left_out"),
            tuple(map(SweptCell.from_json, held.each("cells"))),
            tuple(map(FailedExport.from_json, held.each("failed_exports"))),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SWEEP_SCHEMA_VERSION,
            "kit_version": self.kit_version,
            "started": self.started,
            "seed": self.seed,
            "quick": self.quick,
            "left_out": self.left_out,
            "cells": [cell.to_json() for cell in self.cells],
            "failed_exports": [vars(one) for one in self.failed_exports],
        }
