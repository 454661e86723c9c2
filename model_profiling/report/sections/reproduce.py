# SPDX-License-Identifier: Apache-2.0
"""Reproduce it: the commands and the configuration that make the run again, and its files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import ReportSection
from model_profiling.report.view import View
from model_profiling.wording import count

Steps = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReproduceSection(ReportSection):
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
    runners = [_build_line(script, runner) for runner in manifest.runner.values()]
    builds = list(dict.fromkeys(line for line in runners if line))
    lines = [
        (
            f"Set up the kit with ExecuTorch {manifest.executorch.version.split('+')[0]}",
            "\n".join([f"bash {script}setup_repo.sh", *builds, "source .venv/bin/activate"]),
        )
    ]
    lines += _exports(run)
    for number, line in enumerate(manifest.command_lines):
        words = shlex.split(line)
        if number == 0 and not any(word.startswith("--seed") for word in words):
            words += ["--seed", str(manifest.seed)]
        lines.append(("Run the experiment" if number == 0 else "Take it up again, as was done here", _typed(words)))
    lines.append(("Analyze the run", _typed([f"{script}analyze_results.py", "--run-dir", run.typed_as])))
    lines.append(("Write this report", _typed([f"{script}generate_report.py", "--run-dir", run.typed_as])))
    return tuple(lines)


def _exports(run: RunData) -> Iterator[tuple[str, str]]:
    """Yield the command that exports each program whose record says how."""
    of_file = {p.model.path: (p, record) for p, record in zip(run.manifest.every_program, run.exports, strict=False)}
    for program, record in of_file.values():
        if record and record.get("source") in ("kit", "executorch"):
            what = f"Export {program.model.id}" if len(of_file) > 1 else "Export the same model"
            yield what, _typed([*_export_words(record), "--outdir", str(Path(program.model.path).parent)])


def _build_line(script: str, runner: Mapping[str, object]) -> str:
    """Return the command that builds a runner; "" where none is needed, or nobody knows how it was built."""
    build = runner.get("build")
    if isinstance(build, dict):
        return f"bash {script}build_runners.sh --source {build['variant']}"
    return f"bash {script}build_runners.sh" if runner.get("name") == "native" else ""


def _export_words(record: Mapping[str, object]) -> list[str]:
    """Return the command that made an export's record, without its folder."""
    words = ["model_profiling/export/export_model.py", "--model", str(record["model"]), "--dtype", str(record["dtype"])]
    groups = ["--group-size", str(record["group_size"])] if record.get("group_size") else []
    return [*words, *groups, "--backend", str(record["backend"]), *_changed(record)]


def _changed(record: Mapping[str, Any]) -> list[str]:
    """Return the flags that change a program: rewrites that were applied, modules that were kept in float."""
    applied = [name for name, times in (record.get("rewrites") or {}).items() if times]
    kept = record.get("kept_float") or []
    return [*(["--rewrite", *applied] if applied else []), *(["--keep-float", *kept] if kept else [])]


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
    ids = {program.model.id for program in run.manifest.every_program}
    model = "<model>" if len(ids) > 1 else run.manifest.model.id
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
