# SPDX-License-Identifier: Apache-2.0
"""A tuning in words: a line for each step, TUNING.md, and what came of it."""

from __future__ import annotations

from model_profiling.analysis.tuning.record import (
    CALIBRATION,
    FINAL,
    MORE,
    PLAIN,
    Rewrites,
    Trial,
    Tried,
    TriedProgram,
    Tuning,
    TuningAsked,
)
from model_profiling.analysis.tuning.strategy import (
    BUDGET,
    DONE,
    NONE_AGREES,
    NOTHING_APPLIES,
    NOTHING_HELPS,
    UNCONFIRMED,
    Export,
    Measure,
)
from model_profiling.report.words.markup import Verbatim, printed
from model_profiling.report.words.table import Cell, Table
from model_profiling.rounding import places_for, ratio_places
from model_profiling.wording import capitalized, count, duration, listed

_MEGA = 1e6
_MINUTE_S = 60
#: Why a tuning ended, in a sentence.
_REASONS = {
    DONE: "Every combination that the search comes to was tried.",
    NOTHING_APPLIES: "No rewrite that was asked for applies to this model in this dtype.",
    NOTHING_HELPS: "No combination was shown to be faster than the plain program.",
    UNCONFIRMED: "The last comparison did not confirm what the earlier ones had shown, so the plain program stays.",
    BUDGET: "The budget ended the search: more of it (--resume with a larger --budget) may find more.",
    NONE_AGREES: "No combination agrees with the eager model.",
}


def combination(rewrites: Rewrites) -> str:
    """Return a combination as text: its rewrites, or "plain"."""
    return ", ".join(rewrites) or "plain"


def short(rewrites: Rewrites, asked: TuningAsked) -> str:
    """Return the same for a line: "all that was asked for" has one name."""
    return "all rewrites" if len(rewrites) > 1 and rewrites == asked.rewrites else combination(rewrites)


def beginning(step: Export | Measure, asked: TuningAsked, tried: Tried, left: int) -> str:
    """Say what is done next, and what is left of the time and of the combinations."""
    spent = f"[{duration(tried.spent_s) if tried.spent_s else '0 s'} of {asked.budget_s / _MINUTE_S:g} min]"
    more = f"; at most {count(left, 'combination')} left" if left > 1 else ""
    if isinstance(step, Export):
        return f"{spent} exporting {short(step.rewrites, asked)}{more}"
    if step.stage == CALIBRATION:
        return f"{spent} comparing plain with itself in {count(step.pairs, 'pair')}, for the noise floor"
    once_more = {MORE: "again ", FINAL: "finally "}.get(step.stage, "")
    sides = f"{short(step.candidate, asked)} with {short(step.baseline, asked)}"
    return f"{spent} {once_more}comparing {sides} in {count(step.pairs, 'pair')}{more}"


def exported(program: TriedProgram) -> str:
    """Say what an export gave."""
    if program.refused:
        return f"  refused: {program.refused}"
    agrees = "agrees" if program.agrees else "does not agree"
    return (
        f"  {count(program.delegates, 'delegate')}, {program.outside} outside, {agrees} with the eager model; "
        f"took {duration(program.seconds)}"
    )


def measured(trial: Trial) -> str:
    """Say what a comparison came to."""
    if trial.stage == CALIBRATION:
        return f"  noise floor {trial.noise_floor_percent or 0.0:.2g} % ({duration(trial.seconds)})"
    return f"  {_ratio(trial)} times as fast: {trial.verdict} ({count(trial.pairs, 'pair')}, {duration(trial.seconds)})"


def refused(tuning: Tuning) -> str:
    """Say that nothing can be shipped, "" where something can."""
    if tuning.outcome.reason != NONE_AGREES:
        return ""
    return (
        f"no combination of rewrites of {tuning.model} in {tuning.dtype} agrees with the eager model: "
        "export_model.py says from which layer on they leave it"
    )


def conclusions(tuning: Tuning) -> list[str]:
    """Return what came of a tuning, as sentences."""
    chosen, final = tuning.outcome.chosen, tuning.final
    reason = _REASONS[tuning.outcome.reason]
    if chosen == PLAIN:
        return [f"The plain program of {tuning.model} in {tuning.dtype} is the result. {reason}"]
    sentences = [f"Tuned {tuning.model} in {tuning.dtype}: rewrites {listed(_applied(tuning, chosen))}."]
    if final is not None and final.candidate == chosen:
        sentences.append(
            f"It is {_ratio(final)} times as fast as the plain program: {final.baseline_ms:.4g} ms before, "
            f"{final.candidate_ms:.4g} ms after, {count(final.pairs, 'pair')}, {count(tuning.threads, 'thread')}."
        )
    return [*sentences, reason]


def tuning_markdown(tuning: Tuning) -> str:
    """Return TUNING.md."""
    machine, asked = tuning.machine, tuning.asked
    parts = [
        f"<!-- SPDX-License-Identifier: Apache-2.0 -->\n# {printed(tuning.model)} in {tuning.dtype}: "
        "which rewrites make it faster\n",
        "\n".join(conclusions(tuning)) + "\n",
        "Made by `tune_model.py`; the same numbers are in `tuning.json`, every launch in the run directories.\n\n"
        f"- Measured on {printed(machine.get('cpu', 'an unknown CPU'))} ({machine.get('architecture', '')}, "
        f"{machine.get('cores', '?')} cores, {printed(machine.get('system', ''))}), ExecuTorch "
        f"{tuning.versions.get('executorch', '')}, torch {tuning.versions.get('torch', '')}. Other CPUs give other "
        "times, and other rewrites may pay there.\n"
        f"- {capitalized(count(tuning.threads, 'thread'))}; each comparison is a run of its own, in pairs of processes "
        'that take turns where the machine lets them. Ratios have 95 % intervals; "no difference shown" is no proof '
        "of equality. A program takes the place of the best one before it only where it is faster beyond the noise "
        "and agrees with the eager model.\n"
        f"- It took {duration(tuning.tried.spent_s)} of {asked.budget_s / _MINUTE_S:g} minutes.\n",
        _programs(tuning).markdown(),
    ]
    compared = [one for one in tuning.tried.trials if one.stage != CALIBRATION]
    if compared:
        shown = tuning.final or compared[0]
        parts += [_trials(tuning).markdown(), _where(tuning, shown), _gains(tuning)]
    refusals = [one for one in tuning.tried.programs if one.refused]
    if refusals:
        lines = [f"- {printed(short(one.rewrites, asked))}: {printed(one.refused)}" for one in refusals]
        parts.append("## Exports that were refused\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _applied(tuning: Tuning, rewrites: Rewrites) -> list[str]:
    """Return the rewrites of a combination that were applied at all."""
    program = tuning.tried.program(rewrites)
    applied = {} if program is None else program.applied
    return [name for name in rewrites if applied.get(name)]


def _programs(tuning: Tuning) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in tuning.tried.programs:
        if one.refused:
            continue
        names = _applied(tuning, one.rewrites)
        label = ", ".join(names) or ("plain" if one.rewrites == PLAIN else f"{combination(one.rewrites)} (not applied)")
        rows.append(
            (
                Verbatim(f"**{printed(label)}**") if one.rewrites == tuning.outcome.chosen else label,
                f"{one.bytes / _MEGA:.2f}",
                str(one.delegates),
                str(one.outside),
                _percentless(one.relative_error),
                "yes" if one.agrees else "no",
                f"{one.seconds:.0f}",
            )
        )
    numbers = frozenset({"MB", "delegates", "outside XNNPACK", "relative error", "export s"})
    columns = ("rewrites", "MB", "delegates", "outside XNNPACK", "relative error", "agrees", "export s")
    return Table("Programs", columns, tuple(rows), numbers)


def _trials(tuning: Tuning) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in tuning.tried.trials:
        before, after = (_ms(value) for value in (one.baseline_ms, one.candidate_ms))
        rows.append(
            (
                _against(tuning, one),
                _label(tuning, one.baseline),
                str(one.pairs),
                before,
                after,
                f"{_ratio(one)}, {_verdict(one)}",
                Verbatim(f"[{'report' if one.stage == FINAL else 'run'}]({one.run}/)"),
            )
        )
    columns = ("tried", "against", "pairs", "ms before", "ms after", "times as fast", "run")
    return Table("Comparisons, in order", columns, tuple(rows), frozenset({"pairs", "ms before", "ms after"}))


def _where(tuning: Tuning, trial: Trial) -> str:
    """Return where the time of a comparison's two programs goes."""
    sides = (_label(tuning, trial.baseline), _label(tuning, trial.candidate))
    rows = tuple(
        (part, f"{took:.3f}", f"{trial.candidate_parts_ms.get(part, 0.0):.3f}")
        for part, took in trial.baseline_parts_ms.items()
    )
    if not rows:
        return ""
    table = Table("ms by category", ("category", *sides), rows, frozenset(sides))
    most = trial.without_outside
    bound = (
        f" With nothing outside XNNPACK and no overhead of the framework, {sides[0]} would be {most:.2f} times as "
        "fast; what a rewrite gains beyond that it gains inside XNNPACK."
        if most is not None
        else ""
    )
    return (
        f"{table.markdown()}\nOf traced executions. What is outside XNNPACK counts in its categories too; it is what "
        f"most rewrites save.{bound}\n"
    )


def _gains(tuning: Tuning) -> str:
    """Return what each rewrite takes in of what is outside XNNPACK in plain."""
    plain, every = tuning.tried.program(PLAIN), tuning.tried.program(tuning.asked.rewrites)
    applied = every.applied if every and every.applied else None
    took = next((one.gains_ms for one in reversed(tuning.tried.trials) if one.gains_ms), {})
    taking = {
        name: number
        for name, number in (plain.takes_in if plain else {}).items()
        if number and (applied is None or applied.get(name))
    }
    if not taking:
        return ""
    rows = tuple((name, str(number), f"{took.get(name, 0.0):.3f}") for name, number in taking.items())
    columns = ("rewrite", "operators outside XNNPACK that it takes in", "ms that they take")
    return Table("What rewrites take in of plain", columns, rows, frozenset(columns[1:])).markdown()


def _verdict(trial: Trial) -> str:
    floor = trial.noise_floor_percent
    return f"noise floor {floor:.2g} %" if trial.stage == CALIBRATION and floor is not None else trial.verdict


def _against(tuning: Tuning, trial: Trial) -> str:
    return f"{_label(tuning, trial.candidate)}{' (last comparison)' if trial.stage == FINAL else ''}"


def _label(tuning: Tuning, rewrites: Rewrites) -> str:
    """Return a combination by what differs from all that apply: "all", "all without gelu"."""
    applied, every = _applied(tuning, rewrites), _applied(tuning, tuning.asked.rewrites)
    if not applied:
        return combination(rewrites)
    missing = [name for name in every if name not in applied]
    if not missing:
        return "all" if len(applied) > 1 else applied[0]
    return f"all without {', '.join(missing)}" if len(missing) < len(applied) else ", ".join(applied)


def _ratio(trial: Trial) -> str:
    """Return a speed-up with its interval."""
    if trial.interval is None:
        return f"{trial.speedup:.{places_for(None, trial.speedup)}f}"
    low, high = trial.interval.low, trial.interval.high
    places = ratio_places(low, trial.speedup, high)
    return f"{trial.speedup:.{places}f} ({low:.{places}f} to {high:.{places}f})"


def _ms(value: float) -> str:
    return f"{value:.4g}"


def _percentless(error: float | None) -> str:
    return "not finite" if error is None else f"{error:.2g}"
