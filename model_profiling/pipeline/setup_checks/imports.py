# SPDX-License-Identifier: Apache-2.0
"""Whether torch, ExecuTorch and every module of the kit import, and are what their metadata says."""

from __future__ import annotations

import pkgutil
import re
import runpy
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution

import model_profiling
from model_profiling.findings import Finding, error, ok
from model_profiling.pipeline.setup_checks.packages import REPAIR
from model_profiling.processes import run_child

_LIMIT_S = 180.0  # a first import reads gigabytes from a cold disk
#: In a process of their own, since a damaged library can end the process that loads it.
#: Each name is printed before it is imported, so the last one printed is the culprit. A
#: module may lack the packages named first: those that this set-up was made without.
_IMPORT_ALL = """
import importlib, sys
left_out = set(sys.argv[1].split(","))
for name in sys.argv[2:]:
    print("importing", name, flush=True)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in left_out:
            raise
"""
_RUNTIME = ("numpy", "pandas", "matplotlib", "executorch.version")
_EXPORT = ("torch", "torchao", "executorch.exir", "executorch.extension.pybindings.portable_lib")
_RESTORE = "restore the kit's files: git status shows what changed"
_LEFT_OUT = ("torch", "torchao")  # by a set-up without export
_SHA1 = re.compile(r"[0-9a-f]{40}")


def check_imports(with_export: bool) -> list[Finding]:
    """Import everything in a child process; `with_export` says whether torch must be there."""
    wanted = [*_RUNTIME, *(_EXPORT if with_export else ()), *kit_modules()]
    culprit, reason = first_failure(wanted, () if with_export else _LEFT_OUT)
    if not culprit:
        return [ok("imports", f"{len(wanted)} modules import")]
    own = culprit.startswith(model_profiling.__name__)
    return [error("imports", f"{culprit} does not import ({reason})", _RESTORE if own else REPAIR)]


def first_failure(names: Sequence[str], left_out: Sequence[str] = ()) -> tuple[str, str]:
    """Return the first module that does not import and the reason, or two empty strings.

    A module that only lacks one of the packages in `left_out` is passed over.
    """
    child = run_child([sys.executable, "-I", "-c", _IMPORT_ALL, ",".join(left_out), *names], timeout_s=_LIMIT_S)
    if child.ok:
        return "", ""
    lines = child.output.strip().splitlines()
    culprit = [line.split()[1] for line in lines if line.startswith("importing ")][-1:] or ["Python itself"]
    return culprit[0], child.outcome() if child.signal or not lines else lines[-1]


def kit_modules() -> list[str]:
    """Return the dotted name of every module of the kit, found on the disk."""
    modules = pkgutil.walk_packages(model_profiling.__path__, f"{model_profiling.__name__}.")
    return sorted(module.name for module in modules)


def check_versions(with_export: bool) -> list[Finding]:
    """Compare what torch and executorch say of themselves with what pip's metadata says.

    A copy left over from another installation, or shadowed by one, tells itself so.
    ExecuTorch must also know the commit it was built from: a run's manifest records it.
    """
    return [
        _version(name, needs_commit=name == "executorch")
        for name in ("executorch", *(("torch",) if with_export else ()))
    ]


def _version(name: str, needs_commit: bool) -> Finding:
    try:
        package = distribution(name)
        told = runpy.run_path(str(package.locate_file(f"{name}/version.py")))
    except (PackageNotFoundError, OSError, SyntaxError) as problem:
        return error(f"version of {name}", f"its version.py cannot be read ({problem})", REPAIR)
    version, commit = str(told.get("__version__")), str(told.get("git_version"))
    # A wheel's metadata may leave out the build's local label ("1.5.1+cpu").
    if version.partition("+")[0] != package.version.partition("+")[0]:
        return error(f"version of {name}", f"its code says {version}, its metadata {package.version}", REPAIR)
    if needs_commit and not _SHA1.fullmatch(commit):
        return error(f"version of {name}", f"it does not say its git commit ({commit})", REPAIR)
    return ok(f"version of {name}", f"{version}, git {commit[:10]}")
