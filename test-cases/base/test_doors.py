# SPDX-License-Identifier: Apache-2.0
"""A column of the operators' table is one edited file, shown by a second; a section of the report is two.

All are added to a copy of the kit, exactly so.

The other doors that CONTRIBUTING.md names have tests of their own: recipes, device kinds, rules of the page checker.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.kit import FIXTURES, KIT

REFERENCE = FIXTURES / "reference_run" / "mac"
STATS = Path("model_profiling/analysis/traces/operator_stats.py")
SHOWN = Path("model_profiling/report/operator_columns.py")
SECTIONS = Path("model_profiling/report/sections")
SECTION = '''# SPDX-License-Identifier: Apache-2.0
"""Which seed ordered the launches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Sentence
from model_profiling.report.section import ReportSection
from model_profiling.report.view import View
from model_profiling.report.words.table import Table


@dataclass(frozen=True)
class SeedSection(ReportSection):
    """The seed, in a sentence and in a table."""

    anchor: ClassVar[str] = "seed"
    title: ClassVar[str] = "The seed"
    seed: int

    def blocks(self) -> Sequence[Sentence | Table]:
        rows = (("launches", str(self.seed)),)
        return (("A coin ordered the launches.",), Table("Seeds", ("of", "seed"), rows, frozenset({"seed"})))

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> SeedSection:
        return cls(run.manifest.seed)
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the kit, to be edited, with a recorded run beside it."""
    ignored = shutil.ignore_patterns("__pycache__", "build", "vendor")
    shutil.copytree(KIT, tmp_path / "model_profiling", ignore=ignored)
    shutil.copytree(REFERENCE, tmp_path / "run")
    return tmp_path


def edit(path: Path, *replacements: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def command(copy: Path) -> Callable[..., None]:
    """Run one of the copy's commands on the copy's run."""

    def run(script: str) -> None:
        argv = [sys.executable, copy / "model_profiling/scripts" / script, "--run-dir", copy / "run"]
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        done = subprocess.run(argv, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]

    return run


def add_longest_call(copy: Path) -> None:
    edit(
        copy / STATS,
        ("    pct_of_run: float\n", "    pct_of_run: float\n    max_us: float\n"),
        (
            "                pct_of_run=100 * part,\n",
            "                pct_of_run=100 * part,\n                max_us=float(calls.max()) / _NS_PER_US,\n",
        ),
    )


def test_a_column_of_the_operators_table_is_one_file(copy: Path, command: Callable[[str], None]) -> None:
    add_longest_call(copy)
    command("analyze_results.py")
    for table in sorted((copy / "run").rglob("*_ops_stats.csv")):
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows and all(float(row["max_us"]) >= float(row["p90_us"]) for row in rows)
    code = (
        "import sys; from pathlib import Path; from model_profiling.analysis.tables.operators import read_operators\n"
        "print(all(r.operator.max_us >= r.operator.median_us for r in read_operators(Path(sys.argv[1]))))"
    )
    argv = [sys.executable, "-c", code, str(next((copy / "run").rglob("*_ops_stats.csv")))]
    done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n", done.stderr


def test_the_report_shows_it_by_one_more(copy: Path, command: Callable[[str], None]) -> None:
    add_longest_call(copy)
    verdict = '    OperatorColumn("Verdict", lambda row: row.verdict, "verdict"),\n'
    edit(copy / SHOWN, (verdict, f'    *largest("Longest call", "µs", "max_us"),\n{verdict}'))
    command("analyze_results.py")
    command("generate_report.py")
    html, text = ((copy / "run" / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    assert "Longest call, AVX-512 off (µs) | Longest call, AVX-512 on (µs) | Verdict |" in text
    numbers = re.findall(r'data-raw="([\d.]+)"><span class="num" data-path="([^"#]+)#/(\d+)/max_us"', html)
    assert {Path(table).parent.name for _, table, _ in numbers} == {"mac_sme2_off", "mac_sme2_on"}
    for value, table, number in numbers:
        with open(copy / "run" / table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        row = rows[int(number)]
        assert float(value) == float(row["max_us"])
        of_kind = [float(r["max_us"]) for r in rows if r["name"].partition(" #")[0] == row["name"].partition(" #")[0]]
        assert float(value) == max(of_kind)


def test_a_section_of_the_report_is_its_file_and_its_place(copy: Path, command: Callable[[str], None]) -> None:
    (copy / SECTIONS / "seed.py").write_text(SECTION, encoding="utf-8")
    edit(
        copy / SECTIONS / "__init__.py",
        (
            "from model_profiling.report.sections.setup import",
            "from model_profiling.report.sections.seed import SeedSection\n"
            "from model_profiling.report.sections.setup import",
        ),
        ("    SetupSection.of,\n", "    SeedSection.of,\n    SetupSection.of,\n"),
    )
    command("generate_report.py")
    html, text = ((copy / "run" / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    seed = json.loads((copy / "run/manifest.json").read_text(encoding="utf-8"))["seed"]
    assert '<a href="#seed">The seed</a>' in html and 'id="seed"' in html and "A coin ordered the launches." in html
    assert "## The seed\n\nA coin ordered the launches.\n" in text and f"| launches | {seed} |" in text
