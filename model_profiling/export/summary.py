# SPDX-License-Identifier: Apache-2.0
"""What the export command prints: the list of models, the result, the explanation."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError, one_line
from model_profiling.export.constants import ConstantsFacts
from model_profiling.export.delegation import Delegation, Rejected
from model_profiling.export.export_job import ExportResult
from model_profiling.export.sidecar import MethodRecord, method_records
from model_profiling.export.sme2_reach import LayerReach, Reach
from model_profiling.models.contract import FORWARD
from model_profiling.models.registry import ModelEntry, resolve
from model_profiling.recorded_agreement import RecordedAgreement
from model_profiling.wording import count, percent

KILO, MEGA = 1e3, 1e6
SHOWN_OPERATORS = 3  # kinds named in the summary; --explain lists all
SHOWN_MODULES = 3  # of a kind of layer; the record has every one


def print_models(models: Iterable[ModelEntry]) -> None:
    """Print each model's name, source and what it lacks; one line a model, "ready" where it was imported just now."""
    models = list(models)
    width = max((len(one_line(entry.name)) for entry in models), default=0)
    for entry in models:
        say(f"{one_line(entry.name):{width}}  {entry.source:10}  {_state(entry)}")


def _state(entry: ModelEntry) -> str:
    if entry.missing:
        return f"needs {', '.join(entry.missing)}"
    try:
        resolve(entry)
    except UserError as problem:
        return f"fails: {one_line(problem.what)}"
    return "ready"


def print_result(result: ExportResult) -> None:
    """Print what was made, how large, and of each method how it is divided and how far it agrees."""
    about = result.sidecar
    say()
    groups = f" in groups of {about['group_size']}" if about["group_size"] else ""
    say(f"{one_line(str(about['model']))}, {about['dtype']}{groups}, {about['backend']}")
    records = method_records(about)
    rows = [("file", f"{result.paths.pte} ({_size(about['pte']['bytes'])})")]
    whole = [("parameters", f"{about['parameters']:,}"), *_excess_rows(about["constants"], about["pte"]["bytes"])]
    if list(records) == [FORWARD]:
        rows += _method_rows(records[FORWARD], result.delegation, about["backend"], whole)
    else:
        rows += whole
        for name, record in records.items():
            rows += [("method", name), *_method_rows(record, result.delegations[name], about["backend"])]
    rows.append(("took", f"{about['export_seconds']:.1f} s"))
    rows += [("note", text) for text in about["notes"]]
    for label, text in rows:
        say(f"  {label:<11} {one_line(text)}")


def _method_rows(
    record: MethodRecord, divided: Delegation, backend: str, whole: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """Return the rows of a method; those of the `whole` program stand where they did before there were methods."""
    agreement, limit = record["agreement"], record["agreement"]["limit"]
    inputs = ", ".join(
        f"{'x'.join(map(str, given['shape'])) or 'scalar'} {given['dtype']}" for given in record["inputs"]
    )
    return [
        ("inputs", inputs),
        *whole[:1],
        ("work", _work_line(record["multiply_adds"])),
        ("delegation", _delegation_line(divided, backend)),
        *_rewrites_row(record["rewrites"]),
        *whole[1:],
        (
            "agreement",
            f"relative error {_figure(agreement['max_rel_error'], '.2g')} (limit {limit['max_rel_error']:g}), "
            f"absolute {_figure(agreement['max_abs_error'], '.2g')}, cosine {_figure(agreement['cosine'], '.6f')} "
            f"(limit {limit['min_cosine']:g})",
        ),
        *_accuracy_rows(RecordedAgreement.of(record)),
    ]


def _accuracy_rows(agreement: RecordedAgreement | None) -> list[tuple[str, str]]:
    """Return what the model says of its own accuracy, or that a limit without it is loose."""
    if agreement is None:
        return []
    own = agreement.accuracy
    rows = []
    if own is not None:
        limit = "no accuracy_loss_limit" if own.limit is None else f"limit {own.limit:g}"
        told = f"{own.program:.6g} after {own.eager:.6g} of the eager model, a loss of {own.loss:.3g} ({limit})"
        rows = [("accuracy", f"{told}, over {count(own.items, 'item')}")]
    if agreement.loose:
        rows.append(("", "these limits are loose: they tell what is broken, not what lost accuracy"))
    return rows


def print_next(pte: Path) -> None:
    """Print the command that comes after the export."""
    say()
    say(f"Next: {next_command(pte)}")


def _figure(value: float | None, form: str) -> str:
    return "not finite" if value is None else format(value, form)


def _rewrites_row(applied: dict[str, int]) -> list[tuple[str, str]]:
    """Return a row of how often each rewrite was applied; none where none was asked for."""
    if not applied:
        return []
    used = ", ".join(f"{number} {name}" for name, number in applied.items() if number)
    return [("rewrites", used or "asked for, but nothing in the model fits them")]


def _size(size: int) -> str:
    return f"{size / MEGA:.2f} MB" if size >= MEGA / 10 else f"{size / KILO:.1f} kB"


def _excess_rows(stored: ConstantsFacts, pte_bytes: int) -> list[tuple[str, str]]:
    """Return a row for each constant that makes the file much larger than its weights; none for a normal file."""
    rows = []
    for index, one in enumerate(stored["excess"]):
        what = f"stored {one['copies']} times" if one["copies"] > 1 else f"a {one['kind']}"
        shape = "x".join(map(str, one["shape"]))
        place = " at ".join(filter(None, (one["module"] and f"module {one['module']}", one["source"])))
        text = (
            f"{one['name']}, {what} of {_size(one['bytes'] * one['copies'])} ({shape} {one['dtype']}), used in {place}"
        )
        rows.append(("" if index else "constants", text))
    if rows:
        times = (
            f"{pte_bytes / stored['weights_bytes']:.1f} times its weights"
            if stored["weights_bytes"]
            else "without weights"
        )
        advice = (
            f"the file is {times}: what does not depend on the input belongs outside of the model "
            "(as an input), or in a smaller form that broadcasts"
        )
        rows.append(("advice", advice))
    return rows


def _work_line(multiply_adds: int | None) -> str:
    if multiply_adds is None:
        return "multiply-adds not counted"
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


def print_explanations(result: ExportResult) -> None:
    """Print of each method what stays outside XNNPACK and why, and which layers can reach SME2."""
    for name, divided in result.delegations.items():
        if len(result.delegations) > 1:
            say()
            say(f"Method {name}")
        _print_explanation(divided)
        print_reach(result.reaches[name])


def _print_explanation(divided: Delegation) -> None:
    """Print why each operator outside XNNPACK is there and what to try."""
    say()
    if not divided.not_delegated:
        say("Every operator runs in XNNPACK.")
        return
    say(f"Outside XNNPACK: {count(divided.portable_operators, 'operator')}")
    for alike in _of_one_cause(divided.not_delegated):
        entry = alike[0]
        say("  " + ", ".join(f"{one.count} x {one.operator}" for one in alike))
        for label, text in (
            ("module", entry.module or "the model itself"),
            ("source", entry.source),
            ("part of", entry.origin),
            ("reason", entry.reason),
            ("try", entry.hint),
        ):
            if text:
                say(f"      {label:<7} {one_line(text)}")


def _of_one_cause(rejected: Sequence[Rejected]) -> list[list[Rejected]]:
    """Return operators in groups that one line describes: parts of one call, with one reason and one remedy."""
    groups: dict[tuple[str, ...], list[Rejected]] = {}
    for one in rejected:
        groups.setdefault((one.module, one.source, one.origin, one.reason, one.hint), []).append(one)
    return list(groups.values())


def print_reach(reach: Reach) -> None:
    """Print which matrix layers can reach SME2 kernels, alike ones as one line; nothing for a model without any."""
    if not reach.layers:
        return
    say()
    if not reach.known:
        say(
            f"SME2: nothing is recorded for ExecuTorch {reach.version}, only for {reach.recorded_for}: "
            "preview_sme2.py records what this model reaches"
        )
        return
    say(
        f"SME2: {len(reach.reaching)} of {count(len(reach.layers), 'matrix layer')}, {percent(reach.share)} of "
        f"multiply-adds, can reach its kernels, as recorded for ExecuTorch {reach.recorded_for}"
    )
    for alike in _alike(reach):
        first = alike[0]
        name = f"{first.layer.kind}, {first.layer.numbers}, {_rows(alike)}"
        say(f"  {_REACHES[first.reaches]:<7} {len(alike)} x {name}{_reason(first)}")
        say(f"      {'module':<7} {one_line(_modules(alike))}")


_REACHES = {True: "yes", False: "no", None: "unknown"}


def _alike(reach: Reach) -> list[list[LayerReach]]:
    """Return the layers in groups that one line describes, those that reach SME2 first, then by their work."""
    groups: dict[tuple[object, ...], list[LayerReach]] = {}
    for one in reach.layers:
        key = (one.reaches, one.layer.kind, one.layer.numbers, one.kernel, one.layer.delegated)
        groups.setdefault(key, []).append(one)
    return sorted(
        groups.values(), key=lambda group: (not group[0].reaches, -sum(one.layer.multiply_adds for one in group))
    )


def _rows(alike: Sequence[LayerReach]) -> str:
    fewest, most = (choose(one.layer.rows for one in alike) for choose in (min, max))
    return count(most, "row") if fewest == most else f"{fewest:,} to {count(most, 'row')}"


def _reason(one: LayerReach) -> str:
    if not one.layer.delegated:
        return ": outside XNNPACK"
    return f": {one.kernel.removeprefix('kai_run_')}" if one.reaches else ""


def _modules(alike: Sequence[LayerReach]) -> str:
    named = list(dict.fromkeys(one.layer.module or "the model itself" for one in alike))
    more = f" and {len(named) - SHOWN_MODULES} more" if len(named) > SHOWN_MODULES else ""
    return ", ".join(named[:SHOWN_MODULES]) + more


def next_command(pte: Path) -> str:
    """Return the command that makes a pipeline's configuration for `pte`, ready to paste."""
    home = pte.parent.parent if pte.parent.name == "artifacts" else pte.parent
    return shlex.join(
        ["python", "model_profiling/scripts/generate_config.py", "--model", str(pte), "--output", str(home)]
    )
