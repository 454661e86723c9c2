# SPDX-License-Identifier: Apache-2.0
"""What the kit's commands read and leave, so that a page's later commands can be checked against it.

One function a command, called with the parsed arguments. File names come from the modules
that write them.
"""

from __future__ import annotations

import argparse
import functools
import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_profiling.errors import UserError
from model_profiling.export.artifacts import ArtifactPaths
from model_profiling.export.precision import check_dtype
from model_profiling.models.registry import find
from model_profiling.pipeline.run_directory import TABLE_KINDS, RunDirectory
from pages.problems import Place
from pages.reader import Argument, Reader, absolute

_RUN_FILES = ("manifest", "launches", "metrics", "analysis_summary", "report_md", "report_html", "timeline_json",
              "model_graph")


@dataclass(frozen=True)
class Call:
    """One command with its arguments, as typed by `reader`."""

    args: argparse.Namespace
    words: Sequence[Argument]
    reader: Reader
    place: Place

    def where(self, value: object) -> Place:
        """Return where a value stands on the command line."""
        return next((word.place for word in self.words if word.text == str(value)
                     or word.text and word.text.rstrip("/") == str(value)), self.place)

    def known(self, value: object) -> bool:
        """Return whether a value was typed as it stands, and not left for a shell to work out."""
        return value is not None and not any(word.text is None for word in self.words)

    def needs_file(self, value: object, what: str) -> str | None:
        """Require that the file or folder which a flag names is there; return its absolute path."""
        if not self.known(value):
            return None
        return self.reader.read_path(str(value), self.where(value), what)

    def needs_files(self, values: Sequence[object] | None, what: str) -> None:
        for value in values or ():
            self.needs_file(value, what)

    def path(self, value: object) -> str:
        return absolute(str(value), self.reader.folder)

    def wrong(self, value: object, rule: str, message: str) -> None:
        self.reader.problem(self.where(value), rule, message)


def _export(call: Call) -> None:
    args = call.args
    if args.list:
        return
    call.needs_file(args.model_file, "--model-file")
    call.needs_file(args.weights, "--weights")
    name = args.model or (Path(args.model_file).stem if args.model_file else None)
    if name is None:
        return call.reader.problem(call.place, "flag", "export_model.py needs --model NAME or --model-file FILE.py")
    dtype = "int8" if args.quantize else args.dtype or "fp16"
    for value, check in ((dtype, check_dtype), (args.model if not args.model_file else None, find)):
        if value is not None and call.known(value):
            _asked_of_the_kit(call, value, check)
    if args.backend not in ("xnnpack", "portable"):
        call.wrong(args.backend, "value", f"{args.backend} is not a backend: use xnnpack or portable")
    paths = ArtifactPaths(Path(call.path(args.outdir or f"out_{name}/artifacts")), name, args.backend, dtype)
    for path in (paths.pte, paths.etrecord, paths.sidecar, *([paths.graph] if args.save_graph else [])):
        call.reader.make(str(path))
    return None


def _asked_of_the_kit(call: Call, value: str, check: Callable[[str], object]) -> None:
    refused = _refusal(check, value)
    if refused:
        call.wrong(value, "value", refused)


@functools.cache
def _refusal(check: Callable[[str], object], value: str) -> str | None:
    try:
        check(value)
    except UserError as error:
        return f"{error.what}: {error.fix}"
    return None


def _generate_config(call: Call) -> None:
    args = call.args
    call.needs_file(args.model, "--model")
    template = json.loads(call.reader.files.repository.read(f"model_profiling/configs/templates/{args.platform}_template.json"))
    config = template | {"model": str(args.model), "output_root": str(PurePosixPath(str(args.output)) / "runs" / args.platform)}
    if args.interactive:
        call.reader.needs = call.reader.needs or "somebody who answers its questions"
    call.reader.make(call.path(PurePosixPath(str(args.output)) / "config.json"), content=json.dumps(config))


def _config_of(call: Call) -> Mapping | None:
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
    if isinstance(config.get("model"), str):
        call.reader.read_path(config["model"], call.where(call.args.config), f"\"model\" of {call.args.config}")
    return config


def _pipeline(call: Call) -> None:
    path = absolute(str(call.args.config), call.reader.folder)
    config = _config_of(call)
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
            call.wrong(name, "value", f"{name} is not an experiment of {args.config}: it has "
                                      f"{', '.join(e['name'] for e in experiments)}")
    root = f"{config.get('output_root')}{'_aa' if args.aa else ''}"
    if args.analysis_only or args.resume:
        call.reader.read_path(root, call.where(args.config), f"\"output_root\" of {args.config}")
    make_run(call.reader, root, str(config.get("model")), experiments, args.only)


def make_run(reader: Reader, root: str, model: str, experiments: Sequence[Mapping], only: Sequence[str] | None = None) -> None:
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
        for threads in experiment.get("threads", [1]):
            for kind in TABLE_KINDS[:-1]:
                reader.make(str(directory.table(model_id, experiment["name"], threads, kind)))
            if experiment.get("mode") in ("kernels", "xnntrace"):
                reader.make(str(directory.table(model_id, experiment["name"], threads, "kernels")))
            for pair in range(2):
                for suffix in (".etdump", ".log"):
                    reader.make(str(directory.raw(experiment["name"], threads, pair, 0, suffix)))


def _run_directory(call: Call, value: object) -> str | None:
    path = call.needs_file(value, "a run directory")
    if path and call.reader.files.made.get(path) and not call.reader.files.exists(posixpath.join(path, "manifest.json")):
        call.wrong(value, "path", f"{value} is no run directory: no pipeline on this page has {value} as its \"output_root\"")
    return path


def _report(call: Call) -> None:
    _run_directory(call, call.args.run_dir)
    if call.args.out:
        call.reader.make(call.path(call.args.out))


def _combined(call: Call) -> None:
    for value in call.args.run_dirs:
        _run_directory(call, value)
    call.reader.make(call.path(call.args.out))


def _compare(call: Call) -> None:
    _run_directory(call, call.args.baseline)
    _run_directory(call, call.args.candidate)


def _validate_results(call: Call) -> None:
    path = _run_directory(call, call.args.results)
    if path:
        call.reader.make(posixpath.join(path, "validation_report.json"))


def _quick_test(call: Call) -> None:
    folder = str(call.args.keep or "out_quick_test")
    experiments = [{"name": f"mac_sme2_{side}"} for side in ("on", "off")]
    make_run(call.reader, f"{folder}/runs/mac", f"{call.args.model}_xnnpack_fp32.pte", experiments)
    call.reader.make(call.path(folder), folder=True, open=True)
    _asked_of_the_kit(call, call.args.model, find)
    _virtual_environment(call.reader)


def _preview(call: Call) -> None:
    call.needs_file(call.args.model, "--model")
    model = PurePosixPath(str(call.args.model))
    folder = call.args.output_dir or model.with_name(f"{model.stem}_sme2_preview")
    call.reader.make(call.path(folder), folder=True, open=True)


def _tables(names: Sequence[str]) -> Callable[[Call], None]:
    def effect(call: Call) -> None:
        call.needs_files(call.args.timeline_csv, "--timeline-csv")
        call.needs_files(call.args.compare, "--compare")
        if call.args.name2 is not None and not call.args.compare:
            call.reader.problem(call.place, "flag", "--name2 labels --compare, which is not given")
        folder = call.args.output_dir or PurePosixPath(str(call.args.timeline_csv[0])).parent
        for name in names:
            call.reader.make(posixpath.join(call.path(folder), name))
    return effect


def _etdump(call: Call) -> None:
    call.needs_file(call.args.etdump, "--etdump")
    call.needs_file(call.args.etrecord, "--etrecord")
    folder = call.args.out_dir or PurePosixPath(str(call.args.etdump)).parent
    call.reader.make(call.path(folder), folder=True, open=True)


def _xnntrace(call: Call) -> None:
    call.needs_files(call.args.xnntrace, "--xnntrace")
    call.reader.make(call.path(call.args.out))


def _kernel_view(call: Call) -> None:
    call.needs_file(call.args.on, "--on")
    call.needs_file(call.args.off, "--off")
    call.reader.make(call.path(call.args.out))


def _setup(call: Call) -> None:
    _virtual_environment(call.reader)
    if call.args.from_source:
        call.reader.needs = call.reader.needs or "github.com, for ExecuTorch's sources"
        call.reader.make(absolute("executorch", call.reader.folder), folder=True, open=True)


def _root(reader: Reader) -> str:
    """Return the folder that set-up makes `.venv` in: the clone around the reader, else where the reader is."""
    roots = [root for root in reader.files.clones if reader.folder == root or reader.folder.startswith(root + "/")]
    return max(roots, key=len) if roots else reader.folder


def _virtual_environment(reader: Reader) -> None:
    root = _root(reader)
    for name in ("activate", "python", "python3", "pip"):
        reader.make(posixpath.join(root, ".venv/bin", name))
    reader.make(posixpath.join(root, ".venv/setup.log"))


def _build_runners(call: Call) -> None:
    args = call.args
    call.reader.make(posixpath.join(_root(call.reader), ".venv/share/sme-executorch-profiling/runners"), folder=True, open=True)
    if (args.source or args.android) and not args.dry_run:
        call.reader.needs = call.reader.needs or "ExecuTorch's sources from github.com, and minutes of compiling"
    call.needs_file(args.executorch_dir, "--executorch-dir")
    for word in args.source:
        _asked_of_the_kit(call, word, _variant)


def _variant(word: str) -> None:
    from model_profiling.pipeline.runners.source.variants import named

    named([word])


def _needs_model(call: Call) -> None:
    call.needs_file(call.args.model, "--model")


def _new_model(call: Call) -> None:
    folder = PurePosixPath(str(getattr(call.args, "dest", None) or ".")) / str(call.args.name)
    call.reader.make(call.path(folder), folder=True, open=True)


def _phone(call: Call) -> None:
    call.reader.needs = call.reader.needs or "a phone"
    _pipeline(call)


_ANALYZED = [f"{name}.{ending}" for name in ("operator_bottlenecks", "portable_vs_delegated", "category_comparison")
             for ending in ("csv", "md")]
#: By the script's file name. A command that is missing here is checked for its flags alone.
EFFECTS: Mapping[str, Callable[[Call], None]] = {
    "setup_repo.sh": _setup, "build_runners.sh": _build_runners, "export_model.py": _export,
    "build_command.py": _build_runners, "generate_config.py": _generate_config, "mac_pipeline.py": _pipeline,
    "android_pipeline.py": _phone, "preview_sme2.py": _preview,
    "analyze_results.py": lambda call: _run_directory(call, call.args.run_dir) and None, "generate_report.py": _report,
    "generate_combined_report.py": _combined, "compare_runs.py": _compare, "validate_setup.py": _needs_model,
    "validate_pipeline.py": lambda call: _config_of(call) and None, "validate_results.py": _validate_results,
    "run_quick_test.py": _quick_test, "new_model.py": _new_model, "etdump_to_csv.py": _etdump,
    "analyze_etdump_csv.py": _tables(_ANALYZED), "robust_latency_analysis.py": _tables(["latency_statistics.json"]),
    "bench_false_verdicts.py": _needs_model, "xnntrace_to_kernels.py": _xnntrace, "generate_kernel_view.py": _kernel_view,
}
