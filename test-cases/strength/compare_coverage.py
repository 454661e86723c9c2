# SPDX-License-Identifier: Apache-2.0
"""Compare two coverage reports (`coverage json`, measured with branches): one table by layer, 1 where one is worse.

A file counts to its layer (`model_profiling/analysis`, `tools/pages`), not to its path, so that files may move within.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LARGEST_LOSS_POINTS = 0.3
ALL = "all"


@dataclass
class Covered:
    """How many lines and branches there are, and how many were run."""

    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def percents(self) -> tuple[float, float]:
        """Return the percentages of lines and of branches; what has none is whole."""
        return _percent(self.lines_run, self.lines), _percent(self.branches_run, self.branches)


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


def layer_of(path: str) -> str | None:
    """Return the layer that a file counts to; None for what is neither the kit nor its tools."""
    parts = Path(path).parts
    for top in ("model_profiling", "tools"):
        if top in parts:
            below = parts[parts.index(top) + 1 :]
            return f"{top}/{below[0]}" if len(below) > 1 else f"{top} (files)"
    return None


def by_layer(report: Path) -> dict[str, Covered]:
    """Sum a report's files by layer, and all of them as `ALL`."""
    sums: dict[str, Covered] = defaultdict(Covered)
    for path, file in json.loads(report.read_text(encoding="utf-8"))["files"].items():
        layer = layer_of(path)
        if layer is None:
            continue
        summary = file["summary"]
        for covered in (sums[layer], sums[ALL]):
            covered.lines += summary["num_statements"]
            covered.lines_run += summary["covered_lines"]
            covered.branches += summary["num_branches"]
            covered.branches_run += summary["covered_branches"]
    return dict(sums)


def compare(before: dict[str, Covered], after: dict[str, Covered]) -> tuple[list[str], list[str]]:
    """Return the table's lines, and a sentence for each layer that has lost more than is allowed."""
    table = [
        "| layer | lines before | after | difference | branches before | after | difference |",
        "|---|" + "---:|" * 6,
    ]
    losses = []
    for layer in sorted(before.keys() | after.keys(), key=lambda layer: (layer == ALL, layer)):
        cells = []
        sides = [side[layer].percents() if layer in side else None for side in (before, after)]
        for place, kind in enumerate(("lines", "branches")):
            old, new = (side[place] if side else None for side in sides)
            difference = None if old is None or new is None else round(new - old, 6)
            cells += [_cell(old), _cell(new), _cell(difference, "+.2f")]
            if difference is not None and difference < -LARGEST_LOSS_POINTS:
                losses.append(f"{layer}: {-difference:.2f} points fewer {kind} are run")
        table.append(f"| {layer} | {' | '.join(cells)} |")
    return table, losses


def _cell(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path, help="coverage's JSON before")
    parser.add_argument("after", type=Path, help="and after")
    given = parser.parse_args(arguments)
    table, losses = compare(by_layer(given.before), by_layer(given.after))
    print("\n".join([*table, *losses]))
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
