# SPDX-License-Identifier: Apache-2.0
"""What the kit's commands read and leave, so that a page's later commands can be checked against it.

One function a command, called with the parsed arguments. File names come from the modules
that write them.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from model_profiling.export.artifacts import ArtifactPaths, default_outdir
from model_profiling.export.lowering import BACKENDS
from model_profiling.export.recipe import label_of
from model_profiling.export.recipes import DEFAULT, find_grouped, find_recipe
from model_profiling.export.rewrites import find_rewrites
from model_profiling.models.registry import find
from model_profiling.pipeline.preview_folder import PreviewFolder
from model_profiling.pipeline.program.workload import Workload, parse_shapes
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.scripts import quick_test_workflow
from model_profiling.scripts.generate_config import compare_programs
from model_profiling.scripts.tuning.folder import AFTER, BEFORE, TuningFolder, tuning_folder
from tools.pages.reader.effects import pipelines, sweeps
from tools.pages.reader.kit_call import Call, asked_of_the_kit
from tools.pages.reader.state import Reader, absolute


def _find_rewrite(name: str) -> object:
    return find_rewrites([name])


def _export(call: Call) -> None:
    args = call.args
    if args.list or args.list_rewrites:
        return None
    call.needs_file(args.model_file, "--model-file")
    call.needs_file(args.weights, "--weights")
    name = args.model or (Path(args.model_file).stem if args.model_file else None)
    if name is None:
        return call.reader.problem(call.place, "flag", "export_model.py needs --model NAME or --model-file FILE.py")
    dtype = "int8" if args.quantize else args.dtype or DEFAULT
    for value, check in ((dtype, find_recipe), (args.model if not args.model_file else None, find)):
        if value is not None and call.known(value):
            asked_of_the_kit(call, value, check)
    for value in filter(call.known, args.rewrite):
        asked_of_the_kit(call, value, _find_rewrite)
    if args.backend not in BACKENDS:
        call.wrong(args.backend, "value", f"{args.backend} is not a backend: use {' or '.join(BACKENDS)}")
    if args.group_size:
        asked_of_the_kit(call, dtype, lambda named: find_grouped(named, args.group_size))
    paths = ArtifactPaths(
        Path(call.path(args.outdir or default_outdir(name))), name, args.backend, label_of(dtype, args.group_size)
    )
    for path in (paths.pte, paths.etrecord, paths.sidecar, *([paths.graph] if args.save_graph else [])):
        call.reader.make(str(path))
    return None


def _find_rewrite_to_try(name: str) -> object:
    return find_rewrites([name], "--rewrites")


def _tune(call: Call) -> None:
    args = call.args
    call.needs_file(args.model_file, "--model-file")
    call.needs_file(args.weights, "--weights")
    name = args.model or (Path(args.model_file).stem if args.model_file else None)
    if name is None:
        return call.reader.problem(call.place, "flag", "tune_model.py needs --model NAME or --model-file FILE.py")
    dtype = args.dtype or DEFAULT
    for value, check in ((dtype, find_recipe), (args.model if not args.model_file else None, find)):
        if value is not None and call.known(value):
            asked_of_the_kit(call, value, check)
    for value in filter(call.known, args.rewrites):
        asked_of_the_kit(call, value, _find_rewrite_to_try)
    folder = TuningFolder(Path(call.path(args.outdir or tuning_folder(name, dtype))))
    made = ArtifactPaths(folder.root, name, "xnnpack", label_of(dtype, args.group_size))
    for path in (made.pte, made.etrecord, made.sidecar, folder.page, folder.result, folder.journal, folder.log):
        call.reader.make(str(path))
    experiments = [{"name": name} for name in (BEFORE, AFTER)]
    return pipelines.make_run(call.reader, str(folder.before_after.root), made.pte.name, experiments)


def _generate_config(call: Call) -> None:
    args = call.args
    if args.sweep:
        return sweeps.generate(call)
    call.needs_file(args.model, "--model")
    template = json.loads(
        call.reader.files.repository.read(f"model_profiling/configs/templates/{args.platform}_template.json")
    )
    config = template | {
        "model": str(args.model),
        "output_root": str(PurePosixPath(str(args.output)) / "runs" / args.platform),
    }
    if args.against:
        call.needs_file(args.against, "--against")
        compare_programs(config, Path(str(args.against)))
    if args.interactive:
        call.reader.needs = call.reader.needs or "somebody who answers its questions"
    return call.reader.make(call.path(PurePosixPath(str(args.output)) / "config.json"), content=json.dumps(config))


def _quick_test(call: Call) -> None:
    folder = Path(call.args.keep or quick_test_workflow.DEFAULT_FOLDER)
    made = ArtifactPaths(folder / "artifacts", str(call.args.model), "xnnpack", quick_test_workflow.DTYPE)
    directory = RunDirectory(folder / "runs" / call.args.platform)
    experiments = [{"name": f"mac_sme2_{side}"} for side in ("on", "off")]
    pipelines.make_run(call.reader, str(directory.root), made.pte.name, experiments)
    for path in (
        made.pte,
        made.etrecord,
        made.sidecar,
        folder / "config.json",
        folder / "quick_test.log",
        directory.validation_report,
    ):
        call.reader.make(call.path(path))
    asked_of_the_kit(call, call.args.model, find)
    _virtual_environment(call.reader)


def _preview(call: Call) -> None:
    call.needs_file(call.args.model, "--model")
    root = call.args.output_dir and Path(call.args.output_dir)
    workload = Workload(Path(str(call.args.model)), call.args.method, parse_shapes(call.args.input_shapes))
    for path in PreviewFolder(workload.model, root, workload.label).files():
        call.reader.make(call.path(path))


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
    call.reader.make(
        posixpath.join(_root(call.reader), ".venv/share/sme-executorch-profiling/runners"), folder=True, open=True
    )
    if (args.source or args.android) and not args.dry_run:
        call.reader.needs = call.reader.needs or "ExecuTorch's sources from github.com, and minutes of compiling"
    call.needs_file(args.executorch_dir, "--executorch-dir")
    for word in args.source:
        asked_of_the_kit(call, word, _variant)


def _variant(word: str) -> None:
    from model_profiling.pipeline.runners.source.variants import named

    named([word])


def _needs_model(call: Call) -> None:
    call.needs_file(call.args.model, "--model")


def _new_model(call: Call) -> None:
    folder = PurePosixPath(str(getattr(call.args, "dest", None) or ".")) / str(call.args.name)
    call.reader.make(call.path(folder), folder=True, open=True)


def _skills_installed(call: Call) -> None:
    if call.args.check:
        call.needs_file(call.args.dest, "--dest")
    else:
        call.reader.make(call.path(call.args.dest), folder=True, open=True)


_ANALYZED = [
    f"{name}.{ending}"
    for name in ("operator_bottlenecks", "portable_vs_delegated", "category_comparison", "layer_comparison")
    for ending in ("csv", "md")
]
#: By the script's file name. A command that is missing here is checked for its flags alone.
EFFECTS: Mapping[str, Callable[[Call], None]] = {
    "setup_repo.sh": _setup,
    "build_runners.sh": _build_runners,
    "export_model.py": _export,
    "tune_model.py": _tune,
    "build_command.py": _build_runners,
    "generate_config.py": _generate_config,
    "mac_pipeline.py": pipelines.pipeline,
    "android_pipeline.py": pipelines.phone,
    "fleet_worker.py": sweeps.fleet_worker,
    "sweep.py": sweeps.sweep,
    "preview_sme2.py": _preview,
    "analyze_results.py": pipelines.analyze,
    "generate_report.py": pipelines.report,
    "generate_combined_report.py": pipelines.combined,
    "compare_runs.py": pipelines.compare,
    "history.py": pipelines.history,
    "validate_setup.py": _needs_model,
    "validate_pipeline.py": pipelines.validate_config,
    "validate_results.py": pipelines.validate_results,
    "run_quick_test.py": _quick_test,
    "new_model.py": _new_model,
    "etdump_to_csv.py": _etdump,
    "analyze_etdump_csv.py": _tables(_ANALYZED),
    "robust_latency_analysis.py": _tables(["latency_statistics.json"]),
    "install_skills.py": _skills_installed,
    "bench_verdicts.py": _needs_model,
    "xnntrace_to_kernels.py": _xnntrace,
    "generate_kernel_view.py": _kernel_view,
}
