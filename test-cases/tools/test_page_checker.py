# SPDX-License-Identifier: Apache-2.0
"""Pages checked without running them: what is wrong is said at its place, and nothing else is."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pages import REPOSITORY, SAMPLE_PAGES

from tools.pages.checks.checker import Checker, opt_outs
from tools.pages.reader.scripts import shell_parser
from tools.pages.reading.document import Block
from tools.pages.reading.lexer import read_document
from tools.pages.reading.problems import Position
from tools.pages.reading.shell import commands
from tools.pages.reading.shell_parser import parse

COMMAND = [sys.executable, str(REPOSITORY / "tools" / "check_pages.py")]
README = REPOSITORY / "README.md"
PIPELINE = "python model_profiling/scripts/mac_pipeline.py"
TEMPLATE = "model_profiling/configs/templates/mac_template.json"
ARCHIVE = "https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling/archive/refs/heads/main.tar.gz"
ACTIVE = "bash model_profiling/scripts/setup_repo.sh\nsource .venv/bin/activate\n"
EXPORTED = f"{ACTIVE}python model_profiling/export/export_model.py --model toy_cnn\n"
MEASURED = f"{EXPORTED}{PIPELINE} --config {TEMPLATE}\n"


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


def check(text: str, checker: Checker, path: Path = REPOSITORY / "page.md") -> list[str]:
    """Return the problems of a page that lies in the repository's root and has this text."""
    return [str(problem) for problem in checker.check([read_document(path, path.name, text)])]


def shell(lines: str, checker: Checker) -> list[str]:
    """Return the problems of a page with one bash block, told by line in the block and column."""
    return [
        re.sub(r"^page\.md:(\d+):(\d+): error: ", lambda m: f"{int(m[1]) - 1}:{m[2]} ", problem)
        for problem in check(f"```bash\n{lines}\n```\n", checker)
    ]


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            f"{ACTIVE}{PIPELINE} --config {TEMPLATE} --onyl mac_sme2_on",
            "3:109 --onyl is not a flag of mac_pipeline.py (did you mean --only?)",
        ),
        (
            f"{EXPORTED}{PIPELINE} --config {TEMPLATE} --only mac_sme2_onn",
            "4:116 mac_sme2_onn is not an experiment of model_profiling/configs/templates/mac_template.json: "
            "it has mac_sme2_on, mac_sme2_off",
        ),
        (f"{ACTIVE}{PIPELINE}", "3:8 mac_pipeline.py needs --config"),
        (f"{EXPORTED}{PIPELINE} --config {TEMPLATE} --precision", "4:109 --precision of mac_pipeline.py needs a value"),
        (
            f"{EXPORTED}{PIPELINE} --config {TEMPLATE} --seed lots",
            "4:116 --seed of mac_pipeline.py takes no such value: lots is not a whole number of 0 or more",
        ),
        (
            f"{EXPORTED}{PIPELINE} --config {TEMPLATE} --quick --precision 2",
            "4:8 --quick and --precision contradict each other",
        ),
        (
            f"{ACTIVE}python model_profiling/scripts/mac_pipelin.py --help",
            "3:8 model_profiling/scripts/mac_pipelin.py is not there (did you mean mac_pipeline.py?)",
        ),
        (
            f"{ACTIVE}python model_profiling/scripts/run_quick_test.py --platform amiga",
            "3:61 amiga is not a value of --platform of run_quick_test.py",
        ),
        (
            "bash model_profiling/scripts/setup_repo.sh --without-exports",
            "1:44 --without-exports is not a flag of setup_repo.sh (did you mean --without-export?)",
        ),
        (
            "bash model_profiling/scripts/build_runners.sh --source hots-sme2-on-timing",
            "1:56 hots-sme2-on-timing names no variant (did you mean host-sme2-on-timing?)",
        ),
        (
            "bash model_profiling/scripts/build_runners.sh --jobs many",
            "1:54 --jobs of build_runners.sh takes no such value: invalid int value: 'many'",
        ),
        ("bash model_profiling/scripts/check_prereqs.sh --verbose", "1:47 --verbose is not a flag of check_prereqs.sh"),
        (
            f"{ACTIVE}python model_profiling/export/export_model.py --model toy_cmn",
            "3:55 there is no model 'toy_cmn' (did you mean toy_cnn?)",
        ),
        (
            f"{ACTIVE}python model_profiling/export/export_model.py --model toy_cnn --dtype fp17",
            "3:71 there is no dtype 'fp17' (did you mean fp16?)",
        ),
        (
            f"{ACTIVE}python -m model_profiling.scripts.mac_pipelines --help",
            "3:11 model_profiling.scripts.mac_pipelines is not a module of the kit",
        ),
        (
            "python model_profiling/export/export_model.py --list",
            "1:1 this python lacks the kit: activate the environment first",
        ),
        ("bash model_profiling/scripts/readme.md", "1:6 readme.md is no script"),
        ("source .venv/bin/activate", "1:8 .venv/bin/activate is not there"),
        ("grpe x README.md", "1:1 grpe is not a program that pages call (did you mean grep?)"),
        (
            "mac_pipeline.py --help",
            "1:1 mac_pipeline.py is not a program that pages call: type model_profiling/scripts/mac_pipeline.py",
        ),
        (
            "git colne https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling.git",
            "1:5 colne is not a subcommand of git",
        ),
        (
            "git clone --dpeth 1 https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling.git",
            "(did you mean --depth?)",
        ),
        (
            "git clone https://github.com/ArmDeveloperEcosystem/sme-executorch-profling.git",
            "1:11 https://github.com/ArmDeveloperEcosystem/sme-executorch-profling.git is not the address of this kit",
        ),
    ],
)
def test_a_wrong_command_is_told_at_its_place(lines: str, told: str, checker: Checker) -> None:
    problems = shell(lines, checker)
    assert len(problems) == 1 and told in problems[0], problems


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("cd model_profilling", "1:4 model_profilling is not there (did you mean model_profiling?)"),
        ("cd README.md", "1:4 README.md is a file, no folder to go to"),
        ("cd model_profiling\ncat scripts/mac_pipeline.py\ncat model_profiling/scripts/mac_pipeline.py", "3:5 "),
        ('FOLDER=model_profiling\nls "$FOLDR"', "2:4 $FOLDR is not set here (did you mean FOLDER?)"),
        ('unset HOME\nls "$HOME"', "2:4 $HOME is not set here"),
        ("ls model_profiling/configs/*.jsno", "1:4 model_profiling/configs/*.jsno is not there"),
        ("cp README.md copies/", "1:14 the folder of copies/ is not there"),
        ("mkdir a/b", "1:7 the folder above a/b is not there: make it first, or use mkdir -p"),
        ("mv README.md gone.md\ncat README.md", "2:5 README.md is not there"),
        ("rm -rf images\nls images", "2:4 images is not there"),
        ("(cd images && ls)\nls report.png", "2:4 report.png is not there"),
        ('for f in report report2; do ls "images/$f.png"; done', "1:32 images/report2.png is not there"),
        ("echo x > nowhere/file", "1:10 the folder of nowhere/file is not there"),
        ("cat < missing.txt", "1:7 missing.txt is not there"),
        ("python -c 'print('", "the Python code does not compile"),
        ("python <<'EOF'\nprint(\nEOF", "the Python code does not compile"),
        ('ls "images', "bash cannot read this"),
        ("for f in a b; do ls README.md", "bash cannot read this"),
        ("ls <folder>", "<folder> has no value"),
        (
            "git clone --sparse https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling.git k && cd k\n"
            "git sparse-checkout set model_profilling",
            "2:25 model_profilling is not a folder of the repository (did you mean model_profiling?)",
        ),
        (
            "git clone --sparse https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling.git k && cd k\n"
            "git sparse-checkout set tools\nls model_profiling",
            "3:4 model_profiling is not there",
        ),
        (
            "curl -fsSLO https://raw.githubusercontent.com/ArmDeveloperEcosystem/sme-executorch-profiling/main/model_profiling/scripts/setup_rep.sh",
            "model_profiling/scripts/setup_rep.sh is not a file of the repository "
            "(did you mean model_profiling/scripts/setup_repo.sh?)",
        ),
        (
            f"curl -L {ARCHIVE} | tar xz\ncd sme-executorch-profiling-mian",
            "2:4 sme-executorch-profiling-mian is not there",
        ),
        (
            f"curl -L {ARCHIVE} | tar xz\nls sme-executorch-profiling-main/tols",
            "2:4 sme-executorch-profiling-main/tols is not there",
        ),
        (
            f"curl -L {ARCHIVE.replace('heads', 'hades')} | tar xz",
            "refs/hades/main.tar.gz is nothing that this kit serves (did you mean ",
        ),
        (f"curl -LO {ARCHIVE}\ntar xzf main.tgz", "2:9 main.tgz is not there"),
        (f"curl -L {ARCHIVE} | tar xz -C nowhere", "nowhere is not there"),
        (
            f"{MEASURED}python model_profiling/scripts/analyze_results.py --run-dir out_toy_cnn/runs/mca",
            "5:61 out_toy_cnn/runs/mca is not there (a run directory) (did you mean mac?)",
        ),
        (
            f"{MEASURED}python model_profiling/scripts/analyze_results.py --run-dir out_toy_cnn/runs",
            "5:61 out_toy_cnn/runs is no run directory",
        ),
        (f"{MEASURED}ls out_toy_cnn/runs/mac.2*", "5:4 out_toy_cnn/runs/mac.2* is not there"),
        (
            "python3 model_profiling/scripts/run_quick_test.py\nls out_quick_test/runs/mca",
            "2:4 out_quick_test/runs/mca is not there",
        ),
        (
            f"{EXPORTED}python model_profiling/scripts/preview_sme2.py "
            "--model out_toy_cnn/artifacts/toy_cnn_xnnpack_fp16.pte --output-dir seen\n"
            "ls seen/toy_cnn_xnnpack_fp16_sme2_kernel.csv",
            "seen/toy_cnn_xnnpack_fp16_sme2_kernel.csv is not there",
        ),
        (f"{ACTIVE}{PIPELINE} --config {TEMPLATE}", '("model" of model_profiling/configs/templates/mac_template.json)'),
    ],
)
def test_folders_variables_and_files_are_followed(lines: str, told: str, checker: Checker) -> None:
    problems = shell(lines, checker)
    assert problems and any(told in problem for problem in problems), problems


@pytest.mark.parametrize(
    "lines",
    [
        f"{MEASURED}cat out_toy_cnn/runs/mac/mac_sme2_on/*_all_runs_timeline.csv | head -n 2",
        f"{MEASURED}{PIPELINE} --config {TEMPLATE}\nls out_toy_cnn/runs/mac.2*/report.html",
        "python3 model_profiling/scripts/run_quick_test.py\n"
        "ls out_quick_test/artifacts/toy_cnn_xnnpack_fp32.pte out_quick_test/config.json",
        f"{EXPORTED}python model_profiling/scripts/generate_config.py "
        "--model out_toy_cnn/artifacts/toy_cnn_xnnpack_fp16.pte --output mine\n"
        f"{PIPELINE} --config mine/config.json --quick\nls mine/runs/mac/report.html",
        'for name in mac android; do\n  cat "model_profiling/configs/templates/${name}_template.json"\ndone',
        f"curl -L {ARCHIVE} | tar xz && cd sme-executorch-profiling-main\n"
        "ls README.md\nbash model_profiling/scripts/setup_repo.sh\n"
        "source .venv/bin/activate\npython model_profiling/export/export_model.py --list",
        f"curl -fsSLo kit.tar.gz {ARCHIVE}\n"
        "mkdir kit && tar -xzf kit.tar.gz --strip-components=1 -C kit\nls kit/tools/run_pages.py",
        f"wget -q -O - {ARCHIVE} | tar -xz\nls sme-executorch-profiling-main/LICENSE",
        f"curl -sL {ARCHIVE} > kit.tar.gz\ntar xf kit.tar.gz\nls sme-executorch-profiling-main/LICENSE",
        "cd model_profiling/configs && ls templates && cd ../.. && ls README.md",
        "mkdir -p a/b && cp README.md a/b && cat a/b/README.md",
        "cat > note.txt <<'EOF'\nhello\nEOF\ngrep -c hello note.txt",
        'ls model_profiling/*/export_model.py "${UNSET:-README.md}"',
        '[ -f README.md ] && echo there || echo "$?"',
        "python3 -m venv mine && source mine/bin/activate && python -m pip install -q rich",
        "uv run model_profiling/scripts/mac_pipeline.py --help",
        "sudo apt-get install -y shellcheck",
        "bash test-cases/run_tests.sh -k pages --quiet",
    ],
)
def test_right_commands_raise_no_alarm(lines: str, checker: Checker) -> None:
    assert shell(lines, checker) == []


def test_a_value_stands_for_its_placeholder_from_its_comment_on(checker: Checker) -> None:
    text = "```bash\nls <what>\n```\n<!-- check: set what=images -->\n```bash\nls <what>/report.svg\n```\n"
    (problem,) = check(text, checker)[:1]
    assert problem.startswith("page.md:2:4: error: <what> has no value")
    assert not [p for p in check(text, checker) if p.startswith("page.md:6")]


def test_shellcheck_reads_every_block(checker: Checker) -> None:
    problems = shell("ls README.md\nls $HOME", checker)
    assert problems == ["2:4 Double quote to prevent globbing and word splitting. (SC2086)"]


@pytest.mark.parametrize(
    "script", sorted(p.relative_to(REPOSITORY).as_posix() for p in REPOSITORY.glob("model_profiling/scripts/*.sh"))
)
def test_the_flags_of_a_shell_script_are_those_of_its_help(script: str, checker: Checker) -> None:
    parser = checker.scripts.parser(script)
    told = subprocess.run(["bash", script, "--help"], capture_output=True, text=True, cwd=REPOSITORY, check=True).stdout
    flags = {flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}
    usage = told.partition("\n\n")[0]
    assert set(re.findall(r"(?<!\w)--[a-z][\w-]+", usage)) - {"--help"} == flags - {"--help"}


def test_a_flag_of_a_shell_script_takes_a_value_where_the_script_uses_one(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text(
        "while [ $# -gt 0 ]; do\n  case $1 in\n    --quiet | -q) q=1 ;;\n"
        "    --port) port=$2; shift ;;\n    *) exit 2 ;;\n  esac\n  shift\ndone\n"
    )
    parsed = shell_parser(script).parse_args(["--quiet", "--port", "80"])
    assert parsed == argparse.Namespace(quiet=True, q=False, port="80")


# ---------------------------------------------------------------- other blocks and text


CONFIG = {
    "model": "m.pte",
    "output_root": "out",
    "experiments": [{"name": "a"}, {"name": "b"}],
    "analysis": {"compare_pairs": [["a", "b"]]},
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({**CONFIG, "pair": 8}, '"pair" is not a key of the config (did you mean pairs?)'),
        ({**CONFIG, "pairs": "many"}, '"many" is not valid'),
        ({**CONFIG, "pairs": 0}, "0 is not valid"),
        ({**CONFIG, "analysis": {"compare_pairs": [["a", "c"]]}}, "c"),
        ({"output_root": "x", "experiments": []}, "model"),
        ({"name": "a", "mode": "timings"}, "no valid part of a configuration: 'timings' is not one of"),
        ({"name": "a", "wramup": 3, "runs": 1}, "'wramup' was unexpected"),
        ({"analysis": {"pairs": []}}, "'pairs' was unexpected"),
    ],
)
def test_configurations_fit_their_schema(value: dict, told: str, checker: Checker) -> None:
    problems = check(f"```json\n{json.dumps(value, indent=2)}\n```\n", checker)
    assert len(problems) == 1 and told in problems[0], problems


def test_other_json_is_json_and_no_configuration(checker: Checker) -> None:
    assert check('```json\n{"speedup": 1.8, "ci95": [1.7, 1.9]}\n```\n', checker) == []
    assert check('```json\n{"speedup": 1.8 "pairs": 8}\n```\n', checker) == [
        "page.md:2:17: error: this is not JSON: Expecting ',' delimiter"
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print(1", "page.md:2:6: error: the Python code does not compile: '(' was never closed"),
        ("import torhc", "page.md:2:1: error: the module torhc cannot be imported"),
        ("from torch import nnn", "torch has no nnn"),
        ("from model_profiling.errors import UserEror", "model_profiling.errors has no UserEror"),
        ("import torch\n\ntohrc.rand(1)", "page.md:4:1: error: tohrc is not defined (did you mean torch?)"),
    ],
)
def test_python_compiles_and_its_imports_resolve(code: str, told: str, checker: Checker) -> None:
    problems = check(f"```python\n{code}\n```\n", checker)
    assert len(problems) == 1 and told in problems[0], problems


@pytest.mark.parametrize(
    "code",
    [
        "import torch.nn.functional as F\nfrom torch import nn\nfrom torch.export import export\nprint(F, nn, export)",
        "import json, os.path\nfrom pathlib import Path\nprint(json, os, Path)",
        "from model_profiling.pipeline import config\n"
        "from model_profiling.models.registry import find\nprint(config, find)",
    ],
)
def test_right_imports_raise_no_alarm(code: str, checker: Checker) -> None:
    assert check(f"```python\n{code}\n```\n", checker) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("See [the licence](LICENCE).", "page.md:1:5: error: LICENCE is not there (did you mean LICENSE?)"),
        ("See [below](#nowhere).", "#nowhere is no heading of page.md"),
        (
            "See [the quick start](README.md#quick-strat).",
            "#quick-strat is no heading of README.md (did you mean quick-start?)",
        ),
        (
            "See [XNNPACK](https://github.com/google/XNPACK).",
            "https://github.com/google/XNPACK is not a known address (did you mean https://github.com/google/XNNPACK?)",
        ),
        (
            "See [the code](https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling/blob/main/tols).",
            "tols is not in the repository (did you mean tools?)",
        ),
        ("See [here](README.md).", 'the link\'s text "here" does not say where it leads'),
        (
            "![A report](images/reprt.svg)",
            "page.md:1:1: error: images/reprt.svg is not there (did you mean report.svg?)",
        ),
        ("![](images/report.svg)", "the image has no alternative text"),
        ("Use `--onyl`.", "page.md:1:6: error: --onyl is not a flag of any command (did you mean --only?)"),
        ("Run `mac_pipeline.py --onyl X`.", "--onyl is not a flag of mac_pipeline.py (did you mean --only?)"),
        (
            "Export with `--modle-file my_model.py`.",
            "--modle-file is not a flag of any command (did you mean --model-file?)",
        ),
        (
            "Look into `model_profiling/models/edgetam_image_encoder/MAESURED.md`.",
            "MAESURED.md is not in the repository (did you mean ",
        ),
        ("Run `mac_pipelines.py`.", "mac_pipelines.py is not there (did you mean mac_pipeline.py?)"),
        (
            "Look into `model_profiling/scriptz`.",
            "model_profiling/scriptz is not in the repository (did you mean model_profiling/scripts?)",
        ),
        ("<!-- check: skpi this -->\n", "is not understood"),
        ("<!-- check: skip -->\n```bash\nls\n```", "gives no reason"),
        ("<!-- check: exits 2 -->\nNo block.", "stands before no code block"),
        ("Text.\n\n<!-- check: save-as x.json -->\n```json\n{}\n```", "the reader is not told to save this as x.json"),
        ("```bash\nls", "the code fence is never closed"),
    ],
)
def test_text_names_what_is_there(text: str, told: str, checker: Checker) -> None:
    problems = check(text + "\n", checker)
    assert len(problems) == 1 and told in problems[0], problems


def test_what_is_skipped_is_not_checked_and_counted(checker: Checker) -> None:
    text = (
        "<!-- check: skip it shows a mistake -->\n```bash\npyhton x\n```\n\n"
        "<!-- check: no-run it takes hours -->\n```bash\nls\n```\n"
    )
    assert check(text, checker) == []
    told = opt_outs([read_document(REPOSITORY / "page.md", "page.md", text)])
    assert [(o.what, o.reason, o.place) for o in told] == [
        ("not checked", "it shows a mistake", Position(1, 1)),
        ("not run", "it takes hours", Position(6, 1)),
    ]


# ---------------------------------------------------------------- pages of a learning path


PAGE = (SAMPLE_PAGES / "02-compare-operators.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("title: Compare", "title: Comparison of", "the title does not tell the reader to do something"),
        ("weight: 3\n", "weight: 2\n", "the weight 2 is 01-first-report.md's too"),
        ("weight: 3\n", "", "the key weight is missing"),
        ("weight: 3\n", "weigth: 3\n", "weigth is not a key of a content page's front matter (did you mean weight?)"),
        ("layout: learningpathall", "layout: page", "layout: 'learningpathall' was expected"),
        ("## Bring your own model", "# Bring your own model", "an H1 in the body"),
        ("## Bring your own model", "### Bring your own model", "skips a level"),
        ("## Bring your own model", "## 1. Bring your own model", "headings carry no numbers"),
        ("## Bring your own model", "## Bring Your Own Model", "not in sentence case"),
        ("## What you've accomplished and what's next", "## Summary", "does not close with the section"),
        ("```json\n{\n", "```\n{\n", "the fence names no language"),
        ("```python\nimport torch", "```pyton\nimport torch", "(did you mean python?)"),
        ("model's name. The output is similar to:", "model's name. It prints:", "an output block is led in by"),
        ("**Check:** `out_my_model", "`out_my_model", '"Bring your own model" has no check'),
        ("Work in the folder", "Simply work in the folder", 'leave out "Simply"'),
        ("Save the model", "Save the the model", '"the" stands twice'),
        ("The flag `--explain`", "The colour `--explain`", 'write "color" for "colour"'),
        ("01-first-report/#get-the-kit", "01-first-reprot/#get-the-kit", "is no page of this path (did you mean"),
        (
            "01-first-report/#get-the-kit",
            "01-first-report/#get-a-kit",
            "#get-a-kit is no heading of 01-first-report.md (did you mean get-the-kit?)",
        ),
        ("{{% notice", "{{% notice", ""),
    ],
)
def test_a_page_keeps_the_form_of_a_learning_path(old: str, new: str, told: str, checker: Checker) -> None:
    assert old in PAGE or not told
    problems = check(PAGE.replace(old, new, 1), checker, SAMPLE_PAGES / "02-compare-operators.md")
    assert any(told in problem for problem in problems) if told else problems == []


def test_the_samples_and_the_readme_are_in_order(checker: Checker) -> None:
    pages = [checker.read(path) for path in [README, *SAMPLE_PAGES.glob("*.md")]]
    assert [str(problem) for problem in checker.check(pages)] == []


def test_a_page_that_has_its_images_beside_it_is_in_order_too(tmp_path: Path) -> None:
    """As Arm's repository lays pages out."""
    folder = tmp_path / SAMPLE_PAGES.relative_to(SAMPLE_PAGES.parents[3])
    folder.mkdir(parents=True)
    for page in SAMPLE_PAGES.glob("*.md"):
        (folder / page.name).write_bytes(page.read_bytes())
    (folder / "images").mkdir()
    (folder / "images/pairs.svg").write_bytes((SAMPLE_PAGES.parents[3] / "images/pairs.svg").read_bytes())
    checker = Checker.of(REPOSITORY)
    assert [str(p) for p in checker.check([checker.read(page) for page in sorted(folder.glob("*.md"))])] == []


# ---------------------------------------------------------------- any text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(
            PAGE.splitlines()
            + [
                "```",
                "~~~",
                "---",
                '{{< tab header="x" >}}',
                "{{% /notice %}}",
                "<!-- check: set a=b -->",
                "| a | b |",
                "> x",
                "\t- y",
                "[",
                "![](",
                "``",
                "$(",
                "<<EOF",
                "é",
            ]
        ),
        max_size=30,
    )
)
def test_any_lines_in_any_order_are_read(lines: list[str]) -> None:
    document = read_document(SAMPLE_PAGES / "x.md", "x.md", "\n".join(lines))
    for element in document.elements:
        assert 1 <= element.place.line <= len(lines) + 1
    for block in document.every(Block):
        parse(block.text, block.place, block.values)


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("abc $(){}<>|&;'\"\\\n*?[]=#~`é/-0"), max_size=60).filter(
        lambda text: not re.search("<[a-z]", text)
    )
)
def test_any_text_is_taken_for_bash_and_every_word_has_its_place(text: str) -> None:
    script = parse(text, Position(10, 3), {})
    lines = text.split("\n")
    for statement in script.statements:
        for command in commands(statement.shapes):
            for word in command.words:
                line = lines[word.place.line - 10]
                assert line[word.place.column - 3 :].startswith(word.raw.split("\n")[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), edits=st.integers(0, 12))
def test_any_damage_to_a_page_is_told_and_nothing_breaks(seed: int, edits: int, checker: Checker) -> None:
    chance, lines = random.Random(seed), PAGE.splitlines()
    for _ in range(edits):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[at] = chance.choice(
            (lines[other], lines[at][: chance.randrange(len(lines[at]) + 1)], lines[at] + lines[other], "")
        )
    for problem in checker.check([read_document(SAMPLE_PAGES / "02-compare-operators.md", "x.md", "\n".join(lines))]):
        assert (
            problem.message
            and "\n" not in problem.message
            and 1 <= problem.place.line <= len(lines) + 1
            and problem.place.column >= 1
        )


# ---------------------------------------------------------------- the command


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )


def test_pages_in_order_are_status_0_and_opt_outs_are_printed() -> None:
    done = command()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "README.md:14:1: note: not run: " in done.stdout and re.search(r"^\d+ opt-outs?$", done.stdout, re.MULTILINE)
    assert re.search(r"pages? in order, \d+ command lines followed$", done.stdout.strip())


def test_problems_are_status_2_one_line_each(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Use `--onyl`.\n\n```bash\npyhton\n```\n")
    done = command(page)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"{page}:1:6: error: --onyl is not a flag of any command (did you mean --only?)",
        f"{page}:4:1: error: pyhton is not a program that pages call (did you mean python?)",
    ]
    assert done.stderr == "error: 2 problems found, in 1 page: correct what the lines above name\n"


def test_problems_as_json(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Use `--onyl`.\n")
    told = json.loads(command("--json", page).stdout)
    assert told["problems"] == [
        {
            "path": str(page),
            "line": 1,
            "column": 6,
            "rule": "flag",
            "message": "--onyl is not a flag of any command (did you mean --only?)",
        }
    ]
    assert told["pages"] == [str(page)] and told["opt_outs"] == []


def test_the_command_lines_are_listed() -> None:
    listed = command("--list-commands", "README.md").stdout.splitlines()
    assert any(re.fullmatch(r"README\.md:\d+: bash model_profiling/scripts/setup_repo\.sh", line) for line in listed)
    assert any("--model toy_cnn --dtype fp16" in line for line in listed)


@pytest.mark.parametrize(
    ("name", "told"), [("no.md", "does not exist"), ("", "holds no Markdown file"), ("x.md", "cannot be read")]
)
def test_what_is_no_page_is_one_line(name: str, told: str, tmp_path: Path) -> None:
    if name == "x.md":
        (tmp_path / name).write_bytes(b"\xff\xfe")
    done = command(tmp_path / name)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and told in done.stderr


@pytest.mark.slow
def test_shellcheck_has_to_be_there_in_continuous_integration(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(
        subprocess.run(["which", "git"], capture_output=True, text=True).stdout.strip()
    )
    plain, strict = (command("README.md", PATH=str(tmp_path / "bin"), CI=value) for value in ("", "true"))
    assert plain.returncode == 0 and "shellcheck is not installed, so no shell block was checked" in plain.stdout
    assert strict.returncode == 2 and strict.stderr.startswith("error: shellcheck is not installed")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
