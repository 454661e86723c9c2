# SPDX-License-Identifier: Apache-2.0
"""Pages checked without running them: what is wrong is said at its place, and nothing else is."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import REPOSITORY, SAMPLE_PAGES

from tools.pages.checks.checker import Checker
from tools.pages.reader.scripts import shell_parser
from tools.pages.reading.lexer import read_document

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
            f"{ACTIVE}python model_profiling/export/export_model.py --model toy_cnn --rewrite gelo",
            "3:73 there is no rewrite 'gelo' (did you mean gelu?)",
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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
