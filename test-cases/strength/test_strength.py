# SPDX-License-Identifier: Apache-2.0
"""The two tools that show that nothing got weaker: a mutation is the same in both trees, a loss is told."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import candidates
import compare_coverage
import mutate
import pytest

HERE = Path(__file__).resolve().parent
BEFORE = '''
from math import sqrt

class Scale:
    def of(self, values: list[float], least: float) -> float:
        """Text with a number, 5."""
        found = [value for value in values if value]
        if len(found) <= least:
            return 0.0
        log(found)
        return sqrt(sum(found) - 1)
'''
AFTER = """
def log(*_): ...


class Scale:
    def of(self, values: Sequence[float], smallest: float) -> float:
        kept: list[float] = [one for one in values if one]
        if len(kept) <= smallest:
            return 0.0
        log(kept)
        return sqrt(sum(kept) - 2)  # was 1
"""


def tree(root: Path, **modules: str) -> Path:
    """Write a tree of modules, `__` in a name for a folder."""
    for name, text in modules.items():
        path = root / "model_profiling" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "tools").mkdir(exist_ok=True)
    return root


def changes(text: str) -> dict[str, str]:
    """Return what can be changed in a statement, by operator."""
    (statement,) = ast.parse(text).body
    return {operator: new for node, parent in candidates._header(statement)
            for operator, new in candidates.mutations(node, parent)}  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("x = a < b", {"comparison negated": "(a >= b)", "boundary moved": "(a <= b)"}),
        ("x = a is not b", {"comparison negated": "(a is b)"}),
        ("x = a < b < c", {}),
        ("x = a - b", {"plus and minus": "(a + b)"}),
        ("x = 'text' + b", {}),
        ("x = a and b", {"and and or": "(a or b)"}),
        ("x = not a", {"not removed": "(a)"}),
        ("x = 3", {"constant plus one": "(4)"}),
        ("x = True", {}),
        ("x: int = 'text'", {}),
        ("x = f'{a + 1}'", {}),
        ("return a", {"nothing returned": "return None"}),
        ("return None", {}),
        ("f(a)", {"call removed": "pass"}),
        ("if a: return b", {"condition negated": "(not (a))"}),
        ("while not a: pass", {"not removed": "(a)"}),
        ("x = [y for y in a if y]", {"condition negated": "(not (y))"}),
        ("x = b if a else c", {"condition negated": "(not (a))"}),
    ],
)
def test_what_is_changed(statement: str, expected: dict[str, str]) -> None:
    assert changes(statement) == expected


def test_a_statement_is_found_again_in_another_module_with_other_local_names(tmp_path: Path) -> None:
    before = tree(tmp_path / "before", analysis__scale=BEFORE)
    after = tree(tmp_path / "after", analysis__tables__sizes=AFTER)
    ours = candidates.in_tree(before)
    pairs = candidates.in_both(ours, candidates.in_tree(after))
    there = {(one.name.operator, pairs[one].replacement) for one in pairs}
    assert there == {
        ("condition negated", "(not (one))"),
        ("comparison negated", "(len(kept) > smallest)"),
        ("boundary moved", "(len(kept) < smallest)"),
        ("nothing returned", "return None"),
        ("constant plus one", "(1.0)"),
        ("call removed", "pass"),
    }
    changed = {one.name.operator for one in ours} - {one.name.operator for one in pairs}
    assert changed == {"plus and minus"}  # its statement has another number in the other tree
    assert {one.package for one in pairs} == {"model_profiling/analysis"}
    assert {pairs[one].path for one in pairs} == {"model_profiling/analysis/tables/sizes.py"}


def test_what_a_tree_has_twice_is_not_taken(tmp_path: Path) -> None:
    text = "def f(a):\n    a.b()\n    a.b()\n    a.c()\n"
    root = tree(tmp_path, one=text)
    assert [one.name.statement for one in candidates.in_both(*[candidates.in_tree(root)] * 2)] == ["v0.c()"]
    twice = tree(tmp_path / "other", two=text, three=text)
    assert not candidates.in_both(candidates.in_tree(root), candidates.in_tree(twice))


def test_a_mutation_changes_its_place_alone(tmp_path: Path) -> None:
    root = tree(tmp_path, scale=BEFORE.replace("5", "µ"))
    source = (root / "model_profiling/scale.py").read_bytes()
    (one,) = (one for one in candidates.in_tree(root) if one.name.operator == "boundary moved")
    assert one.mutated(source).decode() == source.decode().replace("len(found) <= least", "(len(found) < least)")
    assert source.decode().splitlines()[one.line - 1] == "        if len(found) <= least:"


def test_every_package_has_its_part_in_the_order(tmp_path: Path) -> None:
    lines = "".join(f"    a.b{number}()\n" for number in range(100))
    root = tree(tmp_path, analysis__long=f"def f(a):\n{lines}", report__short=f"def g(a):\n{lines[:40]}\n")
    all_ = candidates.in_tree(root)
    first = mutate.in_order(all_, seed=1)[:8]
    assert {one.package for one in first} == {"model_profiling/analysis", "model_profiling/report"}
    assert mutate.in_order(all_, seed=1) == mutate.in_order(list(all_), seed=1)
    assert mutate.in_order(all_, seed=1) != mutate.in_order(all_, seed=2)


def test_tests_of_a_line_the_quickest_first_and_each_function_in_turn(tmp_path: Path) -> None:
    (one,) = candidates.in_tree(tree(tmp_path, short="def f(a):\n    a.b()\n"))
    contexts = ["", "t.py::a[1]", "t.py::a[2]", "t.py::b (setup)", "t.py::slow", "t.py::failed"]
    seconds = {"t.py::a[1]": 1.0, "t.py::a[2]": 1.5, "t.py::b": 2.0, "t.py::slow": 30.0}
    tests = mutate.TestMap(seconds, {"model_profiling/short.py": {2: contexts}})
    assert tests.of(one, 100) == ["t.py::a[1]", "t.py::a[2]", "t.py::b", "t.py::slow"]
    assert tests.of(one, 3.2) == ["t.py::a[1]", "t.py::b"]
    assert mutate.TestMap(seconds, {}).of(one, 100) == []


def test_tests_are_found_where_they_stand_now() -> None:
    present = [
        "test-cases/base/test_a.py::test_one[x]",
        "test-cases/test_b.py::test_two",
        "test-cases/test_c.py::test_two",
    ]
    old = ["test-cases/test_a.py::test_one[x]", "test-cases/test_b.py::test_two", "test-cases/test_d.py::test_two"]
    assert mutate.renamed(old, present) == {old[0]: present[0], old[1]: present[1]}


TRIED = """
import sys
from pathlib import Path

import candidates, mutate

mutate._SLOW_TO_IMPORT = ("pytest", "hypothesis", "xdist", "anyio")
root = Path(sys.argv[1])
server = mutate.Server(root, root.with_name("scratch"))
test = "test-cases/test_short.py::test_it"
print(server.run([test, test.replace("_it", "_bad")], 60))
for one in candidates.in_tree(root):
    print(one.name.operator, one.path, *mutate._tried(server, one, [test], 60))
"""


def test_a_mutation_is_caught_or_survives_and_is_taken_back(tmp_path: Path) -> None:
    root = tree(tmp_path / "tree", short="def larger(a, b):\n    log(0)\n    return a > b\n\n\ndef log(_):\n    pass\n")
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (root / "test-cases").mkdir()
    (root / "test-cases/test_short.py").write_text(
        "from model_profiling.short import larger\n"
        "def test_it(): assert larger(2, 1) and not larger(1, 2)\n"
        "def test_bad(): assert larger(1, 2)\n",
        encoding="utf-8",
    )
    source = (root / "model_profiling/short.py").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", TRIED, root], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HERE)}
    )
    test = "'test-cases/test_short.py::test_it'"
    survived, caught = f"survived {{{test}: True}}", f"caught {{{test}: False}}"
    path = "model_profiling/short.py"
    assert done.stdout.splitlines() == [
        f"('caught', {{{test}: True, 'test-cases/test_short.py::test_bad': False}})",
        f"call removed {path} {survived}",
        f"constant plus one {path} {survived}",
        f"nothing returned {path} {caught}",
        f"comparison negated {path} {caught}",
        f"boundary moved {path} {survived}",
    ], done.stderr
    assert (root / "model_profiling/short.py").read_bytes() == source


def report(path: Path, **files: tuple[int, int, int, int]) -> Path:
    """Write a coverage report; a file's name has `__` for a folder, its numbers are lines, run, branches, run."""
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    content = {f"{name.replace('__', '/')}.py": {"summary": dict(zip(names, numbers, strict=True))}
               for name, numbers in files.items()}  # fmt: skip
    path.write_text(json.dumps({"files": content}), encoding="utf-8")
    return path


def test_coverage_is_summed_by_layer_and_a_loss_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = report(
        tmp_path / "before.json",
        model_profiling__analysis__one=(600, 540, 100, 90),
        model_profiling__analysis__two=(400, 400, 100, 90),
        tools__run_pages=(10, 10, 0, 0),
        elsewhere=(10, 0, 0, 0),
    )
    after = report(
        tmp_path / "after.json",
        model_profiling__analysis__tables__one=(1000, 937, 1000, 896),
        tools__run_pages=(10, 10, 0, 0),
    )
    assert compare_coverage.main([str(before), str(after)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "| layer | lines before | after | difference | branches before | after | difference |",
        "|---|---:|---:|---:|---:|---:|---:|",
        "| model_profiling/analysis | 94.00 | 93.70 | -0.30 | 90.00 | 89.60 | -0.40 |",
        "| tools (files) | 100.00 | 100.00 | +0.00 | 100.00 | 100.00 | +0.00 |",
        "| all | 94.06 | 93.76 | -0.30 | 90.00 | 89.60 | -0.40 |",
        "model_profiling/analysis: 0.40 points fewer branches are run",
        "all: 0.40 points fewer branches are run",
    ]
    assert compare_coverage.main([str(before), str(before)]) == 0
