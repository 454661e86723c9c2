# SPDX-License-Identifier: Apache-2.0
"""history.py as a user runs it: its page, its gate, its index, and what it says of input that is wrong."""

from __future__ import annotations

import math
import random
import re
import shutil
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.browser import check_figures_and_accessibility
from support.edited import edited_run, scaled
from support.history import REFERENCE, needs_ruptures
from support.kit import Finished, kit
from support.numbers import parse_page, text_of

from model_profiling.analysis.history.index import read_runs
from model_profiling.pipeline.manifest import ExecuTorchVersion

pytestmark = needs_ruptures

RUNS, SLOWER_FROM = 12, 8
NEWER = ExecuTorchVersion("1.6.0", "f" * 40)
BEGIN = datetime(2026, 6, 1, tzinfo=timezone.utc)


def edited(folder: Path, day: int, factor: float, **manifest: object) -> Path:
    """Return the reference run as if it had been made on that day, its executions in `factor` of their time."""
    started = (BEGIN + timedelta(days=day)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return edited_run(REFERENCE, folder / f"run{day:02}", started, lambda line: scaled(line, factor), **manifest)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve edited copies of a real run with noise of 1 %: from the ninth on they are 20 % slower, with an ExecuTorch
    that is newer."""
    folder, chance = tmp_path_factory.mktemp("sweep"), random.Random(3)
    for day in range(RUNS):
        slower = day >= SLOWER_FROM
        noise = math.exp(chance.gauss(0, 0.01))
        edited(folder / "cells", day, noise * (1.2 if slower else 1.0), **({"executorch": NEWER} if slower else {}))
    return folder


def history(*arguments: object) -> Finished:
    return kit("scripts/history.py", *arguments)


@pytest.fixture(scope="module")
def page(sweep: Path) -> Path:
    out = sweep / "history.html"
    history("--runs", sweep, "--out", out, sweep / "history.md").ok()
    return out


def test_the_slowdown_is_told_with_what_lies_between(page: Path) -> None:
    told = re.sub(r"\s+", " ", text_of(parse_page(page)))
    for side in ("on", "off"):
        assert re.search(rf"toy_cnn, fp16, AVX-512 {side}, 1 thread: latency rose by (19|20|21) % \(", told)
    assert (
        "8 runs before, 4 since) at 2026-06-09 00:00; what differs: ExecuTorch 1.5.1+cpu (3b6068392324) → 1.6.0" in told
    )
    assert "load time rose" not in told and "peak memory rose" not in told


def test_the_tables_are_the_same_in_markdown(page: Path) -> None:
    markdown = page.with_suffix(".md").read_text()
    assert markdown.startswith("# History of toy_cnn\n\n12 runs · 2026-06-01 to 2026-06-12 · AMD EPYC, 2 cores\n")
    assert "| toy_cnn, fp16, AVX-512 on, 1 thread | 12 | " in markdown and "![" not in markdown
    assert markdown.count("| 2026-06-09 00:00 | toy_cnn, fp16, ") == 2


def test_the_gate_fails_and_names_it(sweep: Path, tmp_path: Path) -> None:
    done = history("--runs", sweep, "--out", tmp_path / "h.html", "--fail-on-change", "10")
    line = done.error_line(1)
    assert line.startswith(
        "error: worse by more than the 10 % allowed: toy_cnn, fp16, AVX-512 off, 1 thread: latency +"
    )
    assert (tmp_path / "h.html").is_file()
    passed = history("--runs", sweep, "--out", tmp_path / "h.html", "--fail-on-change", "30").ok()
    assert "No newest change is worse by more than 30 %." in passed.stdout
    known = ("--fail-on-change", "10", "--since", "2026-06-10")
    history("--runs", sweep, "--out", tmp_path / "h.html", *known).ok()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_page_fits_and_is_accessible(page: Path, width: int, scheme: str, open_page, tmp_path: Path) -> None:
    with open_page(page, width, scheme) as opened:
        assert opened.evaluate("document.documentElement.scrollWidth") == width
        check_figures_and_accessibility(opened, tmp_path / "page.png")


def test_an_index_replaces_the_runs(sweep: Path, tmp_path: Path) -> None:
    index, out = tmp_path / "kept" / "index.sqlite", tmp_path / "h.md"
    copied = Path(shutil.copytree(sweep / "cells", tmp_path / "cells"))
    assert "12 runs added" in history("--runs", copied, "--index", index, "--out", out).ok().stdout
    first = out.read_text()
    assert "no run added" in history("--runs", copied, "--index", index, "--out", out).ok().stdout
    shutil.rmtree(copied)
    history("--index", index, "--out", out).ok()
    assert out.read_text() == first and len(read_runs(index)) == RUNS


def test_a_report_is_linked_where_it_is(sweep: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(sweep / "cells" / "run00", tmp_path / "a run"))
    (run / "report.html").write_text("<!DOCTYPE html>")
    history("--runs", run, "--out", tmp_path / "pages" / "h.html").ok()
    assert 'href="../a%20run/report.html"' in (tmp_path / "pages" / "h.html").read_text()


def test_a_clock_ahead_is_said_and_a_damaged_run_does_not_stop_the_others(tmp_path: Path) -> None:
    ahead, whole = edited(tmp_path / "runs", 40_000, 1.0), edited(tmp_path / "runs", 1, 1.0)
    damaged = edited(tmp_path / "runs", 2, 1.0)
    (damaged / "manifest.json").write_text((damaged / "manifest.json").read_text().replace("toy_cnn", "toy_dnn", 1))
    done = history("--runs", tmp_path / "runs", "--out", tmp_path / "h.html").ok()
    assert f"{ahead}: its time lies in the future (2135-" in done.stdout
    assert (
        f"Left out: the manifest was edited after it was written (its digest does not match), at {damaged}"
        in done.stdout
    )
    told = text_of(parse_page(tmp_path / "h.html"))
    assert "its time lies in the future" in told and "Left out: the manifest was edited" in told
    assert str(whole) in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--out", "h.html"],
            "error: no runs are named, on the command line of history.py: give --runs, --index or both",
        ),
        (["--runs", "nowhere", "--out", "h.html"], "error: there is no such folder, at nowhere (--runs)"),
        (["--runs", "RUNS", "--out", "h.txt"], 'error: ".txt" is no format of a report, in --out h.txt'),
        (["--index", "nowhere.sqlite", "--out", "h.html"], "error: there is no index, at nowhere.sqlite (--index)"),
        (["--runs", "RUNS", "--out", "h.md", "--fail-on-change", "-1"], '"-1" is no percentage of 0 or more'),
        (["--runs", "RUNS", "--out", "h.md", "--since", "May"], '"May" is no day or time such as 2026-01-31'),
        (["--runs", "RUNS", "--index", "JUNK", "--out", "h.md"], "error: the index is damaged or no index"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], told: str, sweep: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"no index")
    places = {"RUNS": str(sweep), "JUNK": str(junk)}
    done = kit("scripts/history.py", *(places.get(word, word) for word in arguments), cwd=tmp_path)
    assert told in done.error_line()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junk"]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
