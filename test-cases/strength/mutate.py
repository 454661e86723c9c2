# SPDX-License-Identifier: Apache-2.0
"""Show that no fewer seeded mutations are caught after a refactoring than before it, by the same tests.

Needs two clones that may be changed (a mutation is written into its file and taken back), each with the same `.venv`,
and a map of which tests run which lines, made in the first clone with the plugin `which_tests` (see there)::

    PYTHONPATH=CLONE:FOLDER_OF_THIS_FILE COVERAGE_PROCESS_START=RC MUTATION_DURATIONS=MAP/durations.jsonl \\
        python -m pytest -p which_tests -n 0 --hypothesis-seed=0 TESTS   # in the clone; then: coverage combine
    python mutate.py run --before CLONE --after CLONE --in before --map MAP --results before.jsonl
    python mutate.py run --before CLONE --after CLONE --in after --map MAP --results after.jsonl
    python mutate.py table --before CLONE --after CLONE --map MAP before.jsonl after.jsonl

MAP holds `.coverage` (with contexts) and `durations.jsonl`. Both trees get the same mutations: those that are in
both exactly once (`candidates`) and in a line that a quick test runs, in an order drawn with `--seed`, so that each
package has its part (by the square root of its number). Tests that fail without a mutation are left out. `run` goes on
where it has ended, and tries those named with `--again` once more; `table` compares the first `--count` that are in
both trees now and ends with 1 where fewer are caught after than before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import candidates
from candidates import Candidate

HERE = Path(__file__).resolve().parent
CAUGHT, SURVIVED, TIMEOUT, UNTESTED = "caught", "survived", "timeout", "no test left"
_BASELINE_LIMIT_S = 1800  # for a file's tests without a mutation
#: Exports of these packages differ with the mutation; for the others one export serves all.
_EXPORTING = ("model_profiling/export", "model_profiling/models", "model_profiling (base)")
#: Imported before the fork: what tests need and what is not the kit's.
_SLOW_TO_IMPORT = (
    "numpy scipy.stats pytest hypothesis jinja2 jsonschema matplotlib.figure torch torchao executorch.exir "
    "executorch.devtools markdown_it yaml tree_sitter"
).split()


@dataclass(frozen=True)
class TestMap:
    """Which tests run a line of the first tree, and the seconds that each of them took."""

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[int, list[str]]]

    @classmethod
    def read(cls, folder: Path, root: Path) -> TestMap:
        """Read what `which_tests` wrote; tests that did not pass are left out."""
        seconds = {}
        for line in (folder / "durations.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["passed"]:
                seconds[record["test"]] = float(record["seconds"])
        import coverage  # needed for this alone, and none of the kit's dependencies

        data = coverage.CoverageData(str(folder / ".coverage"))
        data.read()
        return cls(
            seconds,
            {
                str(Path(file).relative_to(root.resolve())): data.contexts_by_lineno(file)
                for file in data.measured_files()
            },
        )

    def of(self, one: Candidate, limit_s: float) -> list[str]:
        """Return tests that run a candidate's line, the quickest first, up to `limit_s` in all.

        A function with many parameters comes in with one of them first, so that it does not fill the time alone.
        """
        contexts = self.lines.get(one.path, {}).get(one.line, [])
        tests = {re.sub(r" \((setup|call|teardown)\)$", "", context) for context in contexts} & set(self.seconds)
        turns: Counter[str] = Counter()
        order: list[tuple[bool, int, str]] = []
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            function = test.split("[")[0]
            order.append((turns[function] > 0, len(order), test))
            turns[function] += 1
        chosen: list[str] = []
        sum_s = 0.0
        for _, _, test in sorted(order):
            sum_s += self.seconds[test]
            if sum_s <= limit_s and len(chosen) < 40:
                chosen.append(test)
        return sorted(chosen, key=lambda test: self.seconds[test])


def in_order(all_: Iterable[Candidate], seed: int) -> list[Candidate]:
    """Return the candidates drawn in an order in which each package has its part at every length."""
    packages: dict[str, list[Candidate]] = defaultdict(list)
    for one in all_:
        packages[one.package].append(one)
    draw = random.Random(seed)
    order = []
    for package, members in sorted(packages.items()):
        draw.shuffle(members)
        order += [((turn + 0.5) / len(members) ** 0.5, package, turn, one) for turn, one in enumerate(members)]
    return [one for *_, one in sorted(order, key=lambda entry: entry[:3])]


def planned(arguments: argparse.Namespace) -> list[tuple[str, Candidate, Candidate, list[str]]]:
    """Return the mutations that are in both trees and have tests, in order: identity, before, after, tests."""
    tests = TestMap.read(arguments.map, arguments.before)
    all_before = candidates.in_tree(arguments.before)
    pairs = candidates.in_both(all_before, candidates.in_tree(arguments.after))
    with_tests = {one: chosen for one in all_before if (chosen := tests.of(one, arguments.seconds))}
    print(f"{len(all_before)} candidates before, {len(pairs)} of them after, "
          f"{len(with_tests.keys() & pairs.keys())} of these with quick tests", file=sys.stderr)  # fmt: skip
    order = [one for one in in_order(with_tests, arguments.seed) if one in pairs]
    return [(f"{one.path}:{one.start}:{one.name.operator}", one, pairs[one], with_tests[one]) for one in order]


def collected(root: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the ids of a tree's tests."""
    options = ("--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *options, "test-cases"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{root}: its tests are not collected:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [line for line in done.stdout.splitlines() if "::" in line]


def renamed(tests: Iterable[str], present: Iterable[str]) -> dict[str, str]:
    """Return each test's id in a tree whose test files may stand elsewhere; a test that is not there is left out."""
    by_file, by_name = {}, defaultdict(list)
    for test in present:
        path, name = test.split("::", 1)
        by_file[Path(path).name, name] = test
        by_name[name].append(test)
    ids = {}
    for test in tests:
        path, name = test.split("::", 1)
        if (Path(path).name, name) in by_file:
            ids[test] = by_file[Path(path).name, name]
        elif len(by_name[name]) == 1:
            ids[test] = by_name[name][0]
    return ids


class Server:
    """Runs tests of one tree in forks of this process, which has imported what is slow to import but not the kit."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root.resolve(), scratch.resolve()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.exports = self.scratch / "exports"
        self.exports.mkdir(exist_ok=True)
        # Byte code is known by its source's size and second: no two mutations may have one second.
        self.stamps = itertools.count(int(time.time()))
        for name in _SLOW_TO_IMPORT:
            __import__(name)

    def environment(self, **more: str) -> dict[str, str]:
        unwanted = ("MUTATION_EXPORTS", "COVERAGE_PROCESS_START", "PYTEST_ADDOPTS")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin,_hypothesis_pytestplugin"}
        # A server of commands would have to start for each mutation, which takes longer than most commands.
        fresh = {"TESTS_FRESH_COMMANDS": "1"}
        return kept | plugins | fresh | {"PYTHONPATH": f"{self.root}:{HERE}", **more}

    def run(
        self, tests: list[str], limit_s: float, *options: str, shared_exports: bool = True
    ) -> tuple[str, dict[str, bool]]:
        """Run tests in a fork: how it ended, and of each test that ended whether it passed."""
        report = self.scratch / "report.jsonl"
        report.unlink(missing_ok=True)
        more = {"MUTATION_DURATIONS": str(report), "MUTATION_ORDER": json.dumps(tests)}
        if shared_exports:
            more["MUTATION_EXPORTS"] = str(self.exports)
        child = os.fork()
        if child == 0:
            self._tests(tests, options, self.environment(**more))
        status = self._wait(child, limit_s)
        lines = report.read_text(encoding="utf-8").splitlines() if report.is_file() else []
        passed = {record["test"]: bool(record["passed"]) for record in map(json.loads, lines)}
        if status is None:
            return TIMEOUT, passed
        return (SURVIVED if os.waitstatus_to_exitcode(status) == 0 else CAUGHT), passed

    def _tests(self, tests: list[str], options: Iterable[str], environment: Mapping[str, str]) -> None:
        """In the fork: run the tests and end with pytest's status."""
        status = 99
        try:
            os.setsid()
            with (
                open(self.scratch / "log.txt", "w", encoding="utf-8") as log,
                open(os.devnull, encoding="utf-8") as nothing,
            ):
                os.dup2(nothing.fileno(), 0)
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(self.root)
            sys.path[:0] = [str(self.root)]
            import pytest

            status = int(pytest.main([
                "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "which_tests", "--hypothesis-seed=0", "--tb=line",
                f"--basetemp={self.scratch / 'tmp'}", "-c", "pyproject.toml", "--rootdir", ".", *options, *tests,
            ]))  # fmt: skip
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _wait(self, child: int, limit_s: float) -> int | None:
        """Wait for the fork and end its whole group after `limit_s`; None where that was needed."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None


def run(arguments: argparse.Namespace) -> int:
    """Try the mutations in one tree; results are JSON lines, one a mutation."""
    root = arguments.before if arguments.in_tree == "before" else arguments.after
    server = Server(root, arguments.results.with_suffix(".scratch"))
    plan = planned(arguments)[: arguments.first]
    ids = renamed({test for *_, tests in plan for test in tests}, collected(root, server.environment()))
    done = _records(arguments.results)
    todo = [entry for entry in plan if entry[0] not in done or entry[0] in arguments.again]
    sound = _sound(server, sorted({ids[test] for *_, tests in todo for test in tests if test in ids}))
    for number, (identity, before, after, tests) in enumerate(todo, 1):
        one = before if arguments.in_tree == "before" else after
        here = [ids[test] for test in tests if ids.get(test) in sound]
        began = time.monotonic()
        outcome, passed = _tried(server, one, here, 4 * arguments.seconds + 60) if here else (UNTESTED, {})
        failed = [test for test in passed if not passed[test]]
        seconds = round(time.monotonic() - began, 1)
        record = {"mutation": identity, "package": before.package, "path": one.path, "line": one.line,
                  "operator": one.name.operator, "function": one.name.function, "replacement": one.replacement[:200],
                  "outcome": outcome, "by": failed[:1], "tests": here, "seconds": seconds}  # fmt: skip
        with open(arguments.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"{number}/{len(todo)} {outcome} in {seconds} s: {identity}", flush=True)
    return 0


def _tried(server: Server, one: Candidate, tests: list[str], limit_s: float) -> tuple[str, dict[str, bool]]:
    file = server.root / one.path
    source, times = file.read_bytes(), file.stat()
    try:
        file.write_bytes(one.mutated(source))
        os.utime(file, (next(server.stamps),) * 2)
        return server.run(tests, limit_s, "-x", shared_exports=one.package not in _EXPORTING)
    finally:
        file.write_bytes(source)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def _sound(server: Server, tests: list[str]) -> set[str]:
    """Return the tests that pass in the tree as it stands: the others would catch anything. Kept between runs."""
    kept = server.scratch / "sound.json"
    known: dict[str, bool] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for file in sorted({test.split("::")[0] for test in tests}):
        new = [test for test in tests if test.split("::")[0] == file and test not in known]
        if new:
            print(f"trying {len(new)} tests of {file} without a mutation", flush=True)
            known |= _passing(server, new)
            kept.write_text(json.dumps(known), encoding="utf-8")
    bad = [test for test in tests if not known[test]]
    print(f"{len(tests) - len(bad)} tests pass without a mutation, {len(bad)} do not: {bad}", flush=True)
    return set(tests) - set(bad)


def _passing(server: Server, tests: list[str]) -> dict[str, bool]:
    """Return of each test whether it passes, at the second try at the latest: the machine may be under load."""
    _, passed = server.run(tests, _BASELINE_LIMIT_S)
    again = [test for test in tests if not passed.get(test)]
    _, passed_again = server.run(again, _BASELINE_LIMIT_S) if again else (SURVIVED, {})
    return {test: passed.get(test) or passed_again.get(test, False) for test in tests}


def _records(results: Path) -> dict[str, dict[str, object]]:
    """Return the newest record of each mutation."""
    if not results.is_file():
        return {}
    return {record["mutation"]: record for record in map(json.loads, results.read_text(encoding="utf-8").splitlines())}


def table(arguments: argparse.Namespace) -> int:
    """Print what was caught by package, and every mutation whose fate differs."""
    all_ = planned(arguments)
    eligible, plan = Counter(before.package for _, before, *_ in all_), all_[: arguments.count]
    results = [_records(file) for file in arguments.files]
    missing = [identity for identity, *_ in plan if any(identity not in side for side in results)]
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for identity, before, *_ in plan:
        if identity not in missing:
            for row in (rows[before.package], rows["all"]):
                row[0] += 1
                for place, side in enumerate(results, 1):
                    row[place] += side[identity]["outcome"] in (CAUGHT, TIMEOUT)
    print("| package | eligible | tried | caught before | caught after |\n|---|---|---|---|---|")
    for package, counts in sorted(rows.items(), key=lambda row: (row[0] == "all", row[0])):
        print(f"| {package} | {eligible[package] or eligible.total()} | {' | '.join(map(str, counts))} |")
    for identity, *_ in plan:
        if identity not in missing and len({side[identity]["outcome"] in (CAUGHT, TIMEOUT) for side in results}) > 1:
            print(identity, *(f"{side[identity]['outcome']} {side[identity]['by']}" for side in results))
    for file, side in zip(arguments.files, results, strict=True):
        print(
            f"{file.name}: {dict(Counter(str(side[identity]['outcome']) for identity, *_ in plan if identity in side))}"
        )
    if missing:
        print(f"{len(missing)} of {len(plan)} are not tried yet in one of the trees")
    return 1 if missing or rows["all"][2] < rows["all"][1] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("table", table)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--before", type=Path, required=True, help="the clone before")
        command.add_argument("--after", type=Path, required=True, help="the clone after")
        command.add_argument("--map", type=Path, required=True, help="folder of .coverage and durations.jsonl")
        command.add_argument("--seed", type=int, default=13)
        command.add_argument("--seconds", type=float, default=20, help="of tests for one mutation, as mapped")
    run_parser, table_parser = commands.choices.values()
    run_parser.add_argument("--in", dest="in_tree", choices=("before", "after"), required=True)
    run_parser.add_argument("--results", type=Path, required=True)
    run_parser.add_argument("--first", type=int, default=200, help="mutations to try")
    run_parser.add_argument("--again", nargs="+", default=[], metavar="MUTATION", help="try these once more")
    table_parser.add_argument("--count", type=int, default=200, help="mutations to compare")
    table_parser.add_argument("files", type=Path, nargs=2)
    arguments = parser.parse_args()
    return int(arguments.function(arguments))


if __name__ == "__main__":
    sys.exit(main())
