# SPDX-License-Identifier: Apache-2.0
"""Check a run's manifest, launches and traces against each other, before any table is believed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model_profiling.agreement import alike
from model_profiling.analysis.checks.programs import check_models, check_outputs_of_programs, check_programs
from model_profiling.analysis.checks.recorded_run import Run
from model_profiling.analysis.checks.turns import check_turns
from model_profiling.files import sha256
from model_profiling.findings import Finding, error, ok, warning
from model_profiling.pipeline.config import Experiment
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.run_directory import FAILED, newest_attempts
from model_profiling.pipeline.run_plan import by_threads
from model_profiling.pipeline.schedule import plan

#: No execution is faster than the clock can tell, none slower than a launch's time limit.
_SHORTEST_NS, _LONGEST_NS = 100, 1_800_000_000_000
#: The tracer costs a few percent on real models; far beyond that the phases differ.
_TRACED_RATIO_LIMIT = 3.0


def check_launches(run: Run) -> Iterator[Finding]:
    """Yield the findings about the manifest, the launches and the raw traces."""
    for check in _CHECKS:
        if check.concerns(run):
            problems = list(check.problems(run))
            yield from problems or [ok(check.name, check.passed)]


def _every_run(run: Run) -> bool:
    return True


def _of_several_programs(run: Run) -> bool:
    return bool(run.manifest.programs)


def _compares_one_program(run: Run) -> bool:
    pairs = run.config.compare_pairs
    return not pairs or any(run.manifest.same_program(*names) for names in pairs)


def _compares_programs(run: Run) -> bool:
    return not all(run.manifest.same_program(*names) for names in run.config.compare_pairs)


@dataclass(frozen=True)
class _Check:
    """A check: its name, what it does, what is said where it finds nothing, and which runs it is about."""

    name: str
    problems: Callable[[Run], Iterator[Finding]]
    passed: str
    concerns: Callable[[Run], bool] = _every_run


def _finished(run: Run) -> Iterator[Finding]:
    if run.manifest.finished is None:
        yield error("finished", "the run is unfinished", "run the pipeline again with --resume")


def _record(run: Run) -> Iterator[Finding]:
    recorded = run.manifest.launches_sha256
    if recorded is not None and not (run.directory.launches.is_file() and recorded == sha256(run.directory.launches)):
        yield error(
            "record", "launches.jsonl is missing or was edited after the run", "restore it or run the experiment again"
        )


def _failed(run: Run) -> Iterator[Finding]:
    """Yield launches that failed and were not made again: the program's own failure, and no noise."""
    for block in newest_attempts(run.launches).values():
        for launch in block:
            if launch.void and launch.void.startswith(FAILED):
                yield error(
                    "failed launches",
                    f"launch {launch.index} of {launch.experiment} failed: {launch.void.removeprefix(FAILED)}",
                    "correct that, then run the pipeline again",
                )


def _void(run: Run) -> Iterator[Finding]:
    lost = [
        key
        for key, block in newest_attempts(run.launches).items()
        if any(launch.void and not launch.void.startswith(FAILED) for launch in block)
    ]
    if lost:
        yield warning(
            "void pairs",
            f"{len(lost)} of {len(newest_attempts(run.launches))} pairs could not be measured "
            "undisturbed and do not count",
            "run the experiment again on a quieter machine",
        )


def _feature(run: Run) -> Iterator[Finding]:
    labels = set()
    for experiment in run.config.experiments:
        pair = (
            cpu_features.resolve(experiment.disable_cpu_features, run.manifest.cpu)
            if experiment.disable_cpu_features
            else None
        )
        if (pair.disabled if pair else ()) != run.manifest.disabled[experiment.name]:
            yield error(
                "feature",
                f"{experiment.name} should have switched off {', '.join(pair.disabled) if pair else 'nothing'}",
                "run the experiment again",
            )
        if pair:
            labels.add(pair.label)
    label = run.manifest.feature.label
    if labels and label not in labels:
        yield error(
            "feature",
            f"the manifest calls the feature {label}, the CPU and the configuration say {', '.join(sorted(labels))}",
            "run the experiment again",
        )


def _plan(run: Run) -> Iterator[Finding]:
    wanted = {(p.threads, p.index): set(p.experiments) for p in plan(run.config, run.manifest.seed, run.manifest.pairs)}
    newest = newest_attempts(run.launches)
    for (threads, pair), names in wanted.items():
        missing = names - {launch.experiment for launch in newest.get((threads, pair), []) if launch.ok}
        if missing:
            yield error(
                "plan",
                f"pair {pair} at {threads} threads has no launch of {', '.join(sorted(missing))}",
                "run the pipeline again with --resume",
            )
    adaptive = run.manifest.precision_percent is not None
    for threads, pair in sorted(newest.keys() - wanted.keys()):
        if not adaptive or (threads, 0) not in wanted:
            yield error("plan", f"pair {pair} at {threads} threads was never planned", "restore launches.jsonl")
    counts = Counter((x.experiment, x.threads, x.pair, x.attempt) for x in run.launches if x.ok)
    for key, count in counts.items():
        if count > 1:
            yield error(
                "plan", f"a launch of {key[0]} (pair {key[2]}) is recorded {count} times", "restore launches.jsonl"
            )


def _order(run: Run) -> Iterator[Finding]:
    pairs = {
        (p.threads, p.index): p
        for p in plan(run.config, run.manifest.seed, 1 + max((launch.pair for launch in run.launches), default=0))
    }
    for launch in run.launches:
        pair = pairs.get((launch.threads, launch.pair))
        seed = run.manifest.seed
        orders = (pair.order(seed), pair.order_by_itself(seed, launch.attempt)) if pair else ()
        if not any(order[launch.order : launch.order + 1] == (launch.experiment,) for order in orders):
            yield error(
                "order",
                f"launch {launch.index} ({launch.experiment}, pair {launch.pair}) is not in its place",
                "restore launches.jsonl",
            )
    if [launch.index for launch in run.launches] != list(range(len(run.launches))):
        yield error("order", "launches are missing, repeated or moved", "restore launches.jsonl")


def _arms(run: Run) -> Iterator[Finding]:
    for launch in run.launches:
        if not launch.ok:
            continue
        disabled = run.manifest.disabled.get(launch.experiment)
        if disabled is None:
            yield error("arms", f"{launch.experiment} is not an experiment of this run", "restore launches.jsonl")
        elif sorted(launch.masked_cpu_features) != sorted(disabled):
            yield error(
                "arms",
                f"launch {launch.index} of {launch.experiment} switched off "
                f"{', '.join(launch.masked_cpu_features) or 'nothing'}, not {', '.join(disabled) or 'nothing'}",
                "run the experiment again",
            )
        elif set(launch.active_cpu_features) & set(disabled):
            yield error(
                "arms",
                f"launch {launch.index} of {launch.experiment} still had "
                f"{', '.join(sorted(set(launch.active_cpu_features) & set(disabled)))}",
                "run the experiment again",
            )


def _latencies(run: Run) -> Iterator[Finding]:
    for launch in run.launches:
        if not launch.ok:
            continue
        experiment = (
            run.config.experiment(launch.experiment)
            if any(e.name == launch.experiment for e in run.config.experiments)
            else None
        )
        where = f"launch {launch.index} ({launch.experiment})"
        # An executor_runner has one phase: its latencies are those of its traced executions.
        traced = () if launch.traced_ns == launch.latency_ns else launch.traced_ns
        times = (*launch.warmup_ns, *launch.latency_ns, *traced)
        if any(not _SHORTEST_NS <= t <= _LONGEST_NS for t in times):
            yield error("latencies", f"{where} holds an impossible time", "run the experiment again")
            continue
        wanted = _executions(run, experiment, launch.threads) if experiment and not launch.turns else None
        if wanted is not None and len(launch.latency_ns) != wanted:
            made = f"{where} has {len(launch.latency_ns)} latencies, not {wanted}"
            yield error("latencies", made, "run the experiment again")
        if sum(times) > launch.duration_s * 1e9:
            yield error("latencies", f"{where} ran longer than its process", "run the experiment again")
        if launch.traced_ns:
            ratio = statistics.median(launch.counted_traced_ns) / statistics.median(launch.latency_ns)
            if not 1 / _TRACED_RATIO_LIMIT < ratio < _TRACED_RATIO_LIMIT:
                yield warning("latencies", f"{where} took {ratio:.1f} times as long with the tracer as without", "")


def _executions(run: Run, experiment: Experiment, threads: int) -> int | str:
    """Return how many timed executions a launch without turns was to make."""
    plan = run.manifest.plan
    return plan.executions(experiment, threads) if plan else experiment.runs


def _turns(run: Run) -> Iterator[Finding]:
    sides = {threads: len(having) for threads, having in by_threads(run.config.timed).items()}
    return check_turns(run.launches, run.manifest.seed, sides)


def _repeatable(run: Run) -> Iterator[Finding]:
    for experiment in run.config.timed:
        seen = {
            tuple(o["sha256"] for o in launch.outputs)
            for launch in run.launches
            if launch.ok and launch.experiment == experiment.name
        }
        if len(seen) > 1:
            yield warning(
                "repeatable",
                f"{experiment.name} gave {len(seen)} different outputs for the same inputs",
                "look for an operator that depends on thread timing",
            )


def _agreement(run: Run) -> Iterator[Finding]:
    for launch in run.launches:
        for other in launch.agreement:
            cosine = other["cosine"]
            if not alike(cosine) and run.manifest.same_program(launch.experiment, other["with"]):
                yield error(
                    "agreement",
                    f"outputs of {launch.experiment} and {other['with']} differ "
                    f"(cosine {'not finite' if cosine is None else format(cosine, '.4f')}, pair {launch.pair})",
                    "a comparison of different results means nothing: look for a wrong kernel or NaN",
                )
                return


def _traces(run: Run) -> Iterator[Finding]:
    for launch in run.launches:
        if not launch.ok or run.config.experiment(launch.experiment).traced_runs == 0:
            continue
        path = run.directory.root / (launch.etdump or "")
        if launch.etdump is None or not path.is_file():
            yield error(
                "traces", f"launch {launch.index} ({launch.experiment}) has no ETDump", "run the experiment again"
            )
        elif sha256(path) != launch.etdump_sha256:
            yield error(
                "traces", f"{path} is not the trace that was recorded", "restore it or run the experiment again"
            )


_CHECKS = (
    _Check("finished", _finished, "the run is finished"),
    _Check("record", _record, "the launches are those that were recorded"),
    _Check("feature", _feature, "the switched feature follows from the CPU and the configuration"),
    _Check("model", check_models, "the model is the one that was measured"),
    _Check("programs", check_programs, "each experiment ran its own program, on its own inputs", _of_several_programs),
    _Check("plan", _plan, "every planned launch is there once"),
    _Check("failed launches", _failed, "no launch failed"),
    _Check("void", _void, "no pair was lost to disturbance"),
    _Check("order", _order, "launches stand in the order that the seed gives"),
    _Check("arms", _arms, "each experiment switched off what it should"),
    _Check("latencies", _latencies, "all latencies are plausible"),
    _Check("turns", _turns, "what pairs came to follows from their turns"),
    _Check("repeatable", _repeatable, "each experiment's outputs are the same in every launch"),
    _Check("agreement", _agreement, "outputs agree between the experiments", _compares_one_program),
    _Check(
        "agreement of programs",
        check_outputs_of_programs,
        "outputs of two programs are as close as their exports allow",
        _compares_programs,
    ),
    _Check("traces", _traces, "every trace is the one that was recorded"),
)
