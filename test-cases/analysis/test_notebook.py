# SPDX-License-Identifier: Apache-2.0
"""A run in a notebook, and the public names: what they show, and that every example in their documents works."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.kit import FIXTURES, REPOSITORY

import model_profiling
from model_profiling import LoadedRun, UserError, load_run
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.json_objects import JsonObject

RUN = FIXTURES / "reference_run" / "mac"


@pytest.fixture(scope="module")
def run() -> LoadedRun:
    return load_run(RUN)


def test_a_notebook_shows_a_run_a_comparison_and_an_opportunity(run: LoadedRun) -> None:
    words = "mac_sme2_on against mac_sme2_off, 1 thread: 1.648x (95 % interval 1.627 to 1.669 from 8 pairs): faster"
    assert run.comparison()._repr_html_() == f"<p>{words}</p>"
    assert "<b>1 operator outside XNNPACK: mean</b>. Saves at most 0.042 ms" in run.opportunity()._repr_html_()
    shown = run._repr_html_()
    assert words in shown and "toy_cnn_xnnpack_fp16</b>, AMD EPYC" in shown and "To change first: 1 operator" in shown
    with pytest.raises(UserError, match="there is no comparison 1: the run has 1"):
        run.comparison(1)
    with pytest.raises(UserError, match=r"there is no opportunity 'outside-mean' \(did you mean outside-mean-14\?\)"):
        run.opportunity("outside-mean")


def test_names_in_a_run_are_no_markup_in_a_notebook(run: LoadedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = load_run(RUN)
    held = json.loads((RUN / "analysis_summary.json").read_text().replace("mac_sme2_on", "<script>on"))

    monkeypatch.setitem(vars(copy), "summary", AnalysisSummary.from_json(JsonObject(held, "here", "fix it")))
    assert "<script>" not in copy._repr_html_() and "&lt;script&gt;on against" in copy._repr_html_()


@pytest.fixture
def as_a_reader(tmp_path: Path, sweep_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand where examples are typed: the recorded run lies where the quick start leaves one."""
    (tmp_path / "out_toy_cnn" / "runs").mkdir(parents=True)
    (tmp_path / "out_toy_cnn" / "runs" / "mac").symlink_to(RUN)
    (tmp_path / "out_toy_cnn" / "artifacts").symlink_to(RUN.parent)  # the export's record
    (tmp_path / "test-cases").symlink_to(REPOSITORY / "test-cases")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_notebook_shows_the_report_as_it_is(as_a_reader: Path) -> None:
    report = load_run("out_toy_cnn/runs/mac").report(height=500)
    assert report.html == (RUN / "report.html").read_text(encoding="utf-8")
    frame = report._repr_html_()
    assert type(frame) is type(load_run(RUN)._repr_html_()) is str, "what others append to it is not escaped"
    assert frame.startswith("<iframe ") and "height: 500px" in frame and frame.count("<") == 2
    with pytest.raises(UserError, match="no notebook is running"):
        report.show()


def test_links_of_a_shown_report_stay_in_its_frame(as_a_reader: Path, open_page) -> None:
    page_file = as_a_reader / "notebook.html"
    run = load_run("out_toy_cnn/runs/mac")
    page_file.write_text(f"<!doctype html><title>Notebook</title>{run._repr_html_()}{run.report()._repr_html_()}")
    with open_page(page_file) as page:
        report = page.frame_locator("iframe")
        report.locator("nav a", has_text="Latency").click()
        assert page.frames[1].url == "about:srcdoc#latency" and page.frames[1].evaluate("scrollY") > 0
        report.locator("th button:visible").first.click()
        assert report.locator("th[aria-sort]").count() == 1, "tables can be sorted"


@pytest.mark.parametrize("name", model_profiling.__all__)
def test_every_public_name_s_examples_work(name: str, as_a_reader: Path) -> None:
    examples = doctest.DocTestFinder(exclude_empty=True).find(getattr(model_profiling, name), name, globs={})
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    for shown in examples:
        runner.run(shown, out=said.append)
    assert said == []
    assert runner.summarize(verbose=False).attempted > 0, "it has an example"


def test_the_readme_s_example_works(as_a_reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from model_profiling import load_run\n.*?)```", page, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert said.startswith("mac_sme2_on against mac_sme2_off, 1 thread: 1.648x") and "saves_ms" in said


def test_public_names_are_the_notebook_s_and_typed() -> None:
    from model_profiling.report import notebook

    assert model_profiling.__all__ == notebook.__all__ and set(model_profiling.__all__) <= set(dir(model_profiling))
    assert (model_profiling.PACKAGE_DIR / "py.typed").is_file()


def test_the_package_itself_needs_neither_pandas_nor_numpy() -> None:
    heavy = "{'pandas', 'numpy', 'torch', 'scipy'}"
    program = f"import sys, model_profiling; print(sorted({heavy} & sys.modules.keys())); model_profiling.load_run"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(ImportError):
        from model_profiling import nothing_of_the_kind  # noqa: F401  # it is the import that fails


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
