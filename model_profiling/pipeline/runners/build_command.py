# SPDX-License-Identifier: Apache-2.0
"""The command `build_runners.sh`: build, list or only show how runners are built."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.pipeline.runners import cross, native_build
from model_profiling.pipeline.runners.native_build import NativeBuild
from model_profiling.pipeline.runners.source import building, showing
from model_profiling.pipeline.runners.source.variants import ANDROID, Variant, named


def build_parser() -> CommandParser:
    parser = CommandParser(
        prog="build_runners.sh",
        description="Build the runners that execute models; without flags the native one, which takes seconds.",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the runners that are there and those that can be built"
    )
    parser.add_argument("--native", action="store_true", help="build the native runner for this host (the default)")
    parser.add_argument(
        "--source",
        nargs="+",
        metavar="VARIANT",
        default=[],
        help="build these variants from ExecuTorch's sources, which takes minutes: the native runner as "
        "{host,linux-arm64,android-arm64}-native, or executor_runner as "
        "{host,mac-arm64,linux-arm64,android-arm64}-{sme2-on,sme2-off}-{timing,xnntrace}, or all "
        "that begin so (see --list)",
    )
    parser.add_argument(
        "--android", action="store_true", help="build the Android variants from source, as --source android-arm64"
    )
    parser.add_argument("--executorch-dir", type=Path, metavar="DIR", help="ExecuTorch's sources, instead of a clone")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    parser.add_argument("--jobs", type=int, metavar="N", help="parallel compilations (default: one per core)")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    variants = named([*args.source, *([ANDROID] if args.android else [])])
    _check(args, variants)
    if args.list:
        _print_list()
    elif variants and args.dry_run:
        print(
            "\n".join(
                line for variant in variants for line in showing.commands(variant, args.executorch_dir, args.jobs)
            )
        )
    elif variants:
        building.build(variants, args.executorch_dir, args.jobs)
    elif args.dry_run:
        _print_commands(args.jobs)
    if not (args.list or args.dry_run) and (args.native or not variants):
        _show("native", native_build.build_native(args.jobs))
        if not args.native:
            _build_for_arm(args.jobs)


def _check(args: argparse.Namespace, variants: tuple[Variant, ...]) -> None:
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs} is no number of jobs", "on the command line", "give 1 or more")
    if args.executorch_dir and not variants:
        raise UserError(
            "--executorch-dir is for variants built from source",
            "on the command line",
            "name some with --source, or leave it out: the native runner needs no sources",
        )


def _show(name: str, built: NativeBuild) -> None:
    print(f"{name} runner: {built.path}\n  ExecuTorch {built.executorch_version}, {built.compiler}")
    if built.auditor:
        print(f"  with the kernel auditor: {built.auditor}")


def _build_for_arm(jobs: int | None) -> None:
    """Build the runner for Arm Linux too where a cross compiler is there; the native one is done already."""
    if not cross.can_build():
        return
    try:
        _show(cross.NAME, cross.build_cross(jobs))
    except UserError as error:
        print(f"note: no {cross.NAME} runner: {error}", file=sys.stderr)


def _print_list() -> None:
    current = native_build.native_folder() / native_build.BINARY if native_build.can_build() else None
    for name, possible in (("native", native_build.can_build()), (cross.NAME, cross.can_build())):
        builds = native_build.built(name)
        for runner in builds:
            print(
                f"{name:<12} {runner.path} (ExecuTorch {runner.executorch_version}, {runner.compiler})"
                + (", with the kernel auditor" if runner.auditor else "")
                + (", current" if runner.path == current else "")
            )
        if not builds:
            print(f"{name:<12} not built yet{'' if possible else ', and this host cannot build it'}")
    print(f"{'python':<12} nothing to build\n\nfrom source (--source):")
    print("\n".join(showing.listing()))


def _print_commands(jobs: int | None) -> None:
    target = native_build.native_target()
    folder = native_build.native_folder()
    for command in native_build.commands(folder.parent / ".build", folder, target, jobs):
        print(shlex.join(command))


if __name__ == "__main__":
    run_command(main)
