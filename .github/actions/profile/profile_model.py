#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the action does besides the kit's own commands: write a configuration, tell what came out.

Its arguments come from the environment, as the action's steps set them, so that no input ever
becomes part of a shell's text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError, one_line
from model_profiling.files import make_folder, read_json, write_json
from model_profiling.pipeline.run_directory import RunDirectory

_TEMPLATE = PACKAGE_DIR / "configs" / "templates" / "mac_template.json"
#: The sections of the report that fit a job's summary page.
_SUMMARY_SECTIONS = ("Verdict", "What to change first", "Latency")
_HISTORY_SECTIONS = ("Newest results", "Changes")
#: compare_runs.py's and history.py's exit statuses, as the action calls them.
_CHANGES = {"": "no history", "0": "none", "1": "worse"}
_REGRESSIONS = {"": "no baseline", "0": "none", "1": "slower", "2": "not comparable"}


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="profile_model.py", description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("configure", "tell"), help="which step of the action this is")
    return parser


def main() -> None:
    step = build_parser().parse_args().step
    (configure if step == "configure" else tell)(os.environ)


# ---------------------------------------------------------------- configure


def configure(env: Mapping[str, str]) -> None:
    """Write the configuration of this run, and say where it and the run directory are.

    Raises
    ------
    UserError : `pairs` is no number, the configuration cannot be read, or the export left
        not one model.
    """
    output = make_folder(Path(env["PROFILE_OUTPUT"]))
    source = Path(env["PROFILE_CONFIG"]) if env["PROFILE_CONFIG"] else _TEMPLATE
    config = read_json(source, "config")
    if not isinstance(config, dict):
        raise UserError("the configuration is no JSON object", f"in {source}", "see config.schema.json of the kit")
    if not env["PROFILE_CONFIG"]:
        config["model"] = env["PROFILE_MODEL"] or str(_exported(output))
    if env["PROFILE_PAIRS"]:
        config["pairs"] = _pairs(env["PROFILE_PAIRS"])
    config["output_root"] = str(output / "run")  # wherever it was to go: the artifact holds `output`
    path = write_json(output / "config.json", config)
    say(f"wrote {path}")
    _set_outputs(env, {"config": str(path), "run-directory": config["output_root"]})


def _exported(output: Path) -> Path:
    exported = sorted((output / "artifacts").glob("*.pte"))
    if len(exported) != 1:
        raise UserError(
            f"there are {len(exported)} models instead of one",
            f"in {output / 'artifacts'}",
            "use another output folder for each model",
        )
    return exported[0]


def _pairs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{text} is no number of pairs", "in the input pairs", "give a whole number above 0")
    return int(text)


# ---------------------------------------------------------------- tell


def tell(env: Mapping[str, str]) -> None:
    """Set the action's outputs from the run and its comparison, and write the job's summary.

    Raises
    ------
    UserError : the run was not analyzed.
    """
    directory, output = RunDirectory(Path(env["PROFILE_RUN"])), Path(env["PROFILE_OUTPUT"])
    analyzed = read_json(directory.analysis_summary, "summary")
    comparison = next(iter(analyzed["comparisons"]), {})
    interval = comparison.get("ci95")
    compared = _comparison_lines(output) if env["PROFILE_COMPARED"] else []
    outputs = {
        "report": str(directory.report_html),
        "run-directory": str(directory.root),
        "feature": str(analyzed.get("feature") or ""),
        "speedup": f"{comparison['speedup']:.4g}" if comparison.get("speedup") else "",
        "interval": f"{interval[0]:.4g} to {interval[1]:.4g}" if interval else "",
        "verdict": str(comparison.get("verdict") or ""),
        "regression": _REGRESSIONS[env["PROFILE_COMPARED"]],
        "slower": compared[-1].removeprefix("error: ") if env["PROFILE_COMPARED"] == "1" else "",
        "history": str(output / "history.html") if env["PROFILE_CHANGED"] else "",
        "change": _CHANGES[env["PROFILE_CHANGED"]],
        "worse": _worse(output) if env["PROFILE_CHANGED"] == "1" else "",
    }
    _set_outputs(env, outputs)
    for name, value in outputs.items():
        say(f"{name}: {value}")
    if env["PROFILE_COMPARED"] == "2":
        say(f"::warning title=Not compared with the baseline::{compared[-1].removeprefix('error: ')}")
    _write_summary(env, directory.report_md.read_text(encoding="utf-8"), compared)
    if env["PROFILE_CHANGED"]:
        _add_to_summary(env, _history_tables((output / "history.md").read_text(encoding="utf-8")))


def _worse(output: Path) -> str:
    lines = (output / "history.txt").read_text(encoding="utf-8").strip().splitlines()
    return next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "")


def _comparison_lines(output: Path) -> list[str]:
    return (output / "comparison.txt").read_text(encoding="utf-8").strip().splitlines() or [""]


def _write_summary(env: Mapping[str, str], report: str, compared: list[str]) -> None:
    head, *rest = report.split("\n## ")
    sections = [head, *(section for section in rest if section.startswith(_SUMMARY_SECTIONS))]
    # The page has no files beside it: figures and their captions stay in the artifact.
    pieces = ["\n\n".join(filter(_is_text, section.split("\n\n"))).rstrip() for section in sections]
    text = "\n\n## ".join(pieces) + "\n"
    if compared:
        text += "\n## Against the baseline\n\n```text\n" + "\n".join(compared) + "\n```\n"
    _add_to_summary(env, text)


def _history_tables(page: str) -> str:
    """Return what the job's page shows of a history: its newest results and changes."""
    sections = [part for part in page.split("\n## ")[1:] if part.startswith(_HISTORY_SECTIONS)]
    return "\n## History\n\n" + "\n\n### ".join(["", *(part.rstrip() for part in sections)]).lstrip() + "\n"


def _add_to_summary(env: Mapping[str, str], text: str) -> None:
    with open(env["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as summary:
        summary.write(text)


def _is_text(paragraph: str) -> bool:
    caption = paragraph.startswith("*") and not paragraph.startswith("**")
    return not caption and not paragraph.startswith("![")


def _set_outputs(env: Mapping[str, str], values: Mapping[str, str]) -> None:
    with open(env["GITHUB_OUTPUT"], "a", encoding="utf-8") as outputs:
        outputs.writelines(f"{name}={one_line(value)}\n" for name, value in values.items())


if __name__ == "__main__":
    run_command(main)
