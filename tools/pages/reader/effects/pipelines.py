# SPDX-License-Identifier: Apache-2.0
"""What pipelines leave, and what the commands that read a run directory need of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_profiling.pipeline.run_directory import TABLE_KINDS, RunDirectory
from tools.pages.reader.kit_call import Call
from tools.pages.reader.state import Reader, absolute

_RUN_FILES = (
    "manifest",
    "launches",
    "metrics",
    "analysis_summary",
    "report_md",
    "report_html",
    "timeline_json",
    "model_graph",
)
#: Stands for the UTC time under which a pipeline sets an earlier run aside.
_EARLIER = "20260101T000000Z"


def config_of(call: Call) -> Mapping[str, Any] | None:
    """Return the configuration that --config names, having checked what it names in turn."""
    path = call.needs_file(call.args.config, "--config")
    content = call.reader.files.content(path) if path else None
    if content is None:
        return None
    try:
        config = json.loads(content)
    except ValueError:
        return None  # the block that wrote it is reported for what it is
    if not isinstance(config, dict):
        return None
    experiments = config.get("experiments")
    for owner in (config, *(experiments if isinstance(experiments, list) else ())):
        if isinstance(owner, dict) and isinstance(owner.get("model"), str):
            call.reader.read_path(owner["model"], call.where(call.args.config), f'"model" of {call.args.config}')
    return config


def pipeline(call: Call) -> None:
    path = absolute(str(call.args.config), call.reader.folder)
    config = config_of(call)
    args = call.args
    if args.quick and args.precision is not None:
        call.reader.problem(call.place, "flag", "--quick and --precision contradict each other")
    if config is None:
        if call.reader.files.exists(path):  # what it makes cannot be known
            call.reader.make(call.reader.folder, folder=True, open=True)
        return
    experiments = [e for e in config.get("experiments", ()) if isinstance(e, dict) and isinstance(e.get("name"), str)]
    for name in args.only or ():
        if name not in (e["name"] for e in experiments):
            call.wrong(
                name,
                "value",
                f"{name} is not an experiment of {args.config}: it has {', '.join(e['name'] for e in experiments)}",
            )
    root = f"{config.get('output_root')}{'_aa' if args.aa else ''}"
    if args.analysis_only or args.resume:
        call.reader.read_path(root, call.where(args.config), f'"output_root" of {args.config}')
    elif call.reader.files.exists(RunDirectory(Path(call.path(root))).manifest.as_posix()):
        make_run(call.reader, f"{root}.{_EARLIER}", str(config.get("model")), experiments)
    make_run(call.reader, root, str(config.get("model")), experiments, args.only)


def make_run(
    reader: Reader, root: str, model: str, experiments: Sequence[Mapping[str, Any]], only: Sequence[str] | None = None
) -> None:
    """Give the reader a finished run directory."""
    directory = RunDirectory(Path(absolute(root, reader.folder)))
    reader.make(str(directory.root), folder=True)
    for attribute in _RUN_FILES:
        reader.make(str(getattr(directory, attribute)))
    reader.make(str(directory.figures), folder=True, open=True)
    model_id = Path(model).stem
    for path in (directory.pipeline_summary_json(model_id), directory.pipeline_summary_md(model_id)):
        reader.make(str(path))
    for experiment in experiments:
        if only and experiment["name"] not in only:
            continue
        own_id = Path(str(experiment.get("model") or model)).stem
        for threads in experiment.get("threads", [1]):
            for kind in TABLE_KINDS[:-1]:
                reader.make(str(directory.table(own_id, experiment["name"], threads, kind)))
            if experiment.get("mode") in ("kernels", "xnntrace"):
                reader.make(str(directory.table(own_id, experiment["name"], threads, "kernels")))
            for pair in range(2):
                for suffix in (".etdump", ".log"):
                    reader.make(str(directory.raw(experiment["name"], threads, pair, 0, suffix)))


def run_directory(call: Call, value: object) -> str | None:
    path = call.needs_file(value, "a run directory")
    files = call.reader.files
    if path and files.made.get(path) and not files.exists(str(RunDirectory(Path(path)).manifest)):
        call.wrong(
            value, "path", f'{value} is no run directory: no pipeline on this page has {value} as its "output_root"'
        )
    return path


def analyze(call: Call) -> None:
    run_directory(call, call.args.run_dir)


def validate_config(call: Call) -> None:
    config_of(call)


def report(call: Call) -> None:
    run_directory(call, call.args.run_dir)
    if call.args.out:
        call.reader.make(call.path(call.args.out))


def combined(call: Call) -> None:
    for value in call.args.run_dirs:
        run_directory(call, value)
    call.reader.make(call.path(call.args.out))


def history(call: Call) -> None:
    """Runs are found below the folders: each has to be there, or to hold what an earlier command made."""
    for value in call.args.runs:
        path, made = call.needs_file(value, "--runs"), call.reader.files.made
        if path in made and not any(one.startswith(f"{path}/") and one.endswith("/manifest.json") for one in made):
            call.wrong(value, "path", f"nothing on this page makes a run below {value}")
    if call.args.index is not None:
        if not call.args.runs:
            call.needs_file(call.args.index, "--index")
        call.reader.make(call.path(call.args.index))
    for value in call.args.out:
        call.reader.make(call.path(value))


def compare(call: Call) -> None:
    run_directory(call, call.args.baseline)
    run_directory(call, call.args.candidate)


def validate_results(call: Call) -> None:
    path = run_directory(call, call.args.results)
    if path:
        call.reader.make(str(RunDirectory(Path(path)).validation_report))


def phone(call: Call) -> None:
    call.reader.needs = call.reader.needs or "a phone"
    pipeline(call)
