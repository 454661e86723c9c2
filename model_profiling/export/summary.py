# SPDX-License-Identifier: Apache-2.0
"""What the export command prints: the list of models, the result, the explanation."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.export.constants import ConstantsFacts
from model_profiling.export.delegation import Delegation
from model_profiling.export.export_job import ExportResult
from model_profiling.models.registry import ModelEntry
from model_profiling.wording import count

KILO, MEGA = 1e3, 1e6
SHOWN_OPERATORS = 3  # kinds named in the summary; --explain lists all


def print_models(models: Iterable[ModelEntry]) -> None:
    """Print each model's name, source and what it lacks; one line a model."""
    models = list(models)
    width = max((len(one_line(entry.name)) for entry in models), default=0)
    for entry in models:
        state = f"needs {', '.join(entry.missing)}" if entry.missing else "ready"
        say(f"{one_line(entry.name):{width}}  {entry.source:10}  {state}")


def print_result(result: ExportResult) -> None:
    """Print what was made, how large, how it is divided and how far it agrees."""
    about = result.sidecar
    agreement, limit = about["agreement"], about["agreement"]["limit"]
    inputs = ", ".join(
        f"{'x'.join(map(str, given['shape'])) or 'scalar'} {given['dtype']}" for given in about["inputs"]
    )
    rows = {
        "file": f"{result.paths.pte} ({_size(about['pte']['bytes'])})",
        "inputs": inputs,
        "parameters": f"{about['parameters']:,}",
        "work": _work_line(about["multiply_adds"]),
        "delegation": _delegation_line(result.delegation, about["backend"]),
        **_excess_rows(about["constants"], about["pte"]["bytes"]),
        "agreement": f"relative error {agreement['max_rel_error']:.2g} (limit {limit['max_rel_error']:g}), absolute "
        f"{agreement['max_abs_error']:.2g}, cosine {agreement['cosine']:.6f} (limit {limit['min_cosine']:g})",
        "took": f"{about['export_seconds']:.1f} s",
    }
    say()
    say(f"{one_line(str(about['model']))}, {about['dtype']}, {about['backend']}")
    for label, text in rows.items():
        say(f"  {label.strip():<11} {one_line(text)}")


def print_next(pte: Path) -> None:
    """Print the command that comes after the export."""
    say()
    say(f"Next: {next_command(pte)}")


def _size(size: int) -> str:
    return f"{size / MEGA:.2f} MB" if size >= MEGA / 10 else f"{size / KILO:.1f} kB"


def _excess_rows(stored: ConstantsFacts, pte_bytes: int) -> dict[str, str]:
    """Return a row for each constant that makes the file much larger than its weights; none for a normal file."""
    rows: dict[str, str] = {}
    for index, one in enumerate(stored["excess"]):
        what = f"stored {one['copies']} times" if one["copies"] > 1 else f"a {one['kind']}"
        shape = "x".join(map(str, one["shape"]))
        place = " at ".join(filter(None, (one["module"] and f"module {one['module']}", one["source"])))
        label = "constants" if index == 0 else " " * (index + 1)  # a dict's keys must differ
        rows[label] = (
            f"{one['name']}, {what} of {_size(one['bytes'] * one['copies'])} ({shape} {one['dtype']}), used in {place}"
        )
    if rows:
        times = (
            f"{pte_bytes / stored['weights_bytes']:.1f} times its weights"
            if stored["weights_bytes"]
            else "without weights"
        )
        rows["advice"] = (
            f"the file is {times}: what does not depend on the input belongs outside of the model "
            "(as an input), or in a smaller form that broadcasts"
        )
    return rows


def _work_line(multiply_adds: int) -> str:
    if multiply_adds < MEGA:
        return f"{multiply_adds:,} multiply-adds"
    return f"{multiply_adds / MEGA:,.1f} million multiply-adds"


def _delegation_line(divided: Delegation, backend: str) -> str:
    if backend == "portable":
        return f"{count(divided.portable_operators, 'portable operator')}, no delegate"
    inside = f"{count(divided.delegated_operators, 'operator')} in {count(divided.delegates, 'XNNPACK delegate')}"
    if not divided.not_delegated:
        return f"{inside}, none outside"
    kinds: dict[str, int] = {}
    for entry in divided.not_delegated:
        kinds[entry.operator] = kinds.get(entry.operator, 0) + entry.count
    named = ", ".join(f"{number} {name}" for name, number in list(kinds.items())[:SHOWN_OPERATORS])
    more = ", ..." if len(kinds) > SHOWN_OPERATORS else ""
    return f"{inside}; {divided.portable_operators} outside ({named}{more}): --explain says why"


def print_explanation(divided: Delegation) -> None:
    """Print why each operator outside XNNPACK is there and what to try."""
    say()
    if not divided.not_delegated:
        say("Every operator runs in XNNPACK.")
        return
    say(f"Outside XNNPACK: {count(divided.portable_operators, 'operator')}")
    for entry in divided.not_delegated:
        say(f"  {entry.count} x {entry.operator}")
        for label, text in (
            ("module", entry.module or "the model itself"),
            ("source", entry.source),
            ("part of", entry.origin),
            ("reason", entry.reason),
            ("try", entry.hint),
        ):
            if text:
                say(f"      {label:<7} {one_line(text)}")


def next_command(pte: Path) -> str:
    """Return the command that makes a pipeline's configuration for `pte`, ready to paste."""
    home = pte.parent.parent if pte.parent.name == "artifacts" else pte.parent
    return shlex.join(
        ["python", "model_profiling/scripts/generate_config.py", "--model", str(pte), "--output", str(home)]
    )
