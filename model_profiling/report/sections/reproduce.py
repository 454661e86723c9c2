# SPDX-License-Identifier: Apache-2.0
"""Reproduce it: the commands and the configuration that make the run again, and its files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import Section
from model_profiling.report.view import View
from model_profiling.wording import count

Steps = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReproduceSection(Section):
    """Commands with their purposes, the whole configuration, and the files with what they hold."""

    anchor: ClassVar[str] = "reproduce"
    title: ClassVar[str] = "Reproduce it"
    template: ClassVar[str] = "reproduce"
    commands: Steps
    configuration: str
    files: Steps

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> ReproduceSection:
        return cls(_commands(run), _configuration(run), _files(run))


#: Longer command lines are broken before their flags.
_WIDEST_COMMAND = 76


def _commands(run: RunData) -> Steps:
    """Return (what it does, command) of everything it takes to make this run again."""
    manifest, script = run.manifest, "model_profiling/scripts/"
    native = [
        f"bash {script}build_runners.sh" for runner in manifest.runner.values() if runner.get("name") == "native"
    ][:1]
    lines = [
        (
            f"Set up the kit with ExecuTorch {manifest.executorch.version.split('+')[0]}",
            "\n".join([f"bash {script}setup_repo.sh", *native, "source .venv/bin/activate"]),
        )
    ]
    if run.export and run.export.get("source") in ("kit", "executorch"):
        lines.append(
            (
                "Export the same model",
                _typed(
                    [
                        "model_profiling/export/export_model.py",
                        "--model",
                        str(run.export["model"]),
                        "--dtype",
                        str(run.export["dtype"]),
                        "--backend",
                        str(run.export["backend"]),
                        "--outdir",
                        str(Path(manifest.model.path).parent),
                    ]
                ),
            )
        )
    for number, line in enumerate(manifest.command_lines):
        words = shlex.split(line)
        if number == 0 and not any(word.startswith("--seed") for word in words):
            words += ["--seed", str(manifest.seed)]
        lines.append(("Run the experiment" if number == 0 else "Take it up again, as was done here", _typed(words)))
    lines.append(("Analyze the run", _typed([f"{script}analyze_results.py", "--run-dir", run.typed_as])))
    lines.append(("Write this report", _typed([f"{script}generate_report.py", "--run-dir", run.typed_as])))
    return tuple(lines)


def _typed(words: Sequence[str]) -> str:
    """Return a command as one types it: with python before a script, long ones a flag a line."""
    if words and words[0].endswith(".py"):
        words = ["python", *words]
    line = shlex.join(words)
    if len(line) <= _WIDEST_COMMAND:
        return line
    groups: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--") and groups[-1]:
            groups.append([])
        groups[-1].append(word)
    return " \\\n  ".join(shlex.join(group) for group in groups)


def _configuration(run: RunData) -> str:
    """Return the resolved configuration as indented JSON."""
    return json.dumps(run.manifest.config_json, indent=2, ensure_ascii=False)


def _files(run: RunData) -> Steps:
    """Return the run directory's files that a reader may want next."""
    model = run.manifest.model.id
    kernels = [("kernel_launches.jsonl", "the launches that recorded kernels, with digests of what each left")]
    return (
        ("manifest.json", f"what was run, on what, with which seed ({count(len(run.launches), 'launch')})"),
        ("launches.jsonl", "every launch with all its latencies"),
        *(kernels if run.summary.kernels else ()),
        ("analysis_summary.json", "the numbers of this report, unrounded"),
        (
            f"<experiment>/{model}_<experiment>_t<threads>_*.csv",
            "every event, operator, layer and kernel" if run.summary.kernels else "every event, operator and layer",
        ),
        ("timeline.json", "one execution of each experiment, for ui.perfetto.dev"),
    )
