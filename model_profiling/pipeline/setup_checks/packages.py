# SPDX-License-Identifier: Apache-2.0
"""Whether every package that the kit requires is there, whole, and of a version it accepts.

`setup_repo.sh` decides with this module whether anything has to be installed, so it
reads only metadata: the whole set-up is checked in a fraction of a second, where
asking pip takes several.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling import PACKAGE_DIR
from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.findings import ERROR, Finding, error, ok

if TYPE_CHECKING:
    from packaging.requirements import Requirement

KIT = "sme-executorch-profiling"
REPAIR = "run model_profiling/scripts/setup_repo.sh again"


def required(extras: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, objection) for all that the kit with `extras` needs; no objection is "".

    Requirements of requirements are followed, each evaluated for this Python and
    machine, as pip does.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    waiting = [Requirement(f"{KIT}[{','.join(extras)}]")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            installed = distribution(wanted.name)
        except PackageNotFoundError:
            yield wanted.name, f"it is not installed ({wanted.name}{wanted.specifier} is needed)"
            continue
        yield wanted.name, _objection(installed, wanted)
        for text in installed.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
                waiting.append(needed)


def _objection(package: Distribution, wanted: Requirement) -> str:
    if package.version is None:
        return "its metadata is unreadable"
    if wanted.specifier and not wanted.specifier.contains(package.version, prereleases=True):
        return f"{package.version} is installed, {wanted.specifier} is needed"
    return broken(package)


def broken(package: Distribution) -> str:
    """Say why an installed package is not whole, or return "" when it is.

    pip writes RECORD last, so a package without one was cut short; with one, every
    file that it lists must be there. Compiled `.pyc` files may come and go.
    """
    record = package.read_text("RECORD")
    if record is None:
        return "its installation was cut short"
    if package.read_text("METADATA") is None:
        return "its metadata is missing"
    folder = str(package.locate_file(""))
    for row in csv.reader(record.splitlines()):
        if row and not row[0].endswith(".pyc") and not os.path.exists(os.path.join(folder, row[0])):
            return f"its file {row[0]} is missing"
    return ""


def kit_location(expected: Path | None) -> str:
    """Say why the installed kit is not the one in the checkout `expected`, or return ""."""
    if expected is None or PACKAGE_DIR.parent == expected.resolve():
        return ""
    return f"it is installed from {PACKAGE_DIR.parent}, not from {expected}"


def check_packages(extras: Iterable[str]) -> list[Finding]:
    """Return a finding for each package that will not do, or one that says all will."""
    try:
        results = dict(required(tuple(extras)))
    except ImportError as problem:  # `packaging` itself, which every other check here needs
        return [error("package packaging", f"it does not import ({problem})", REPAIR)]
    bad = [error(f"package {name}", why, REPAIR) for name, why in sorted(results.items()) if why]
    return bad or [ok("packages", f"{len(results)} are there, whole, and of versions that fit")]


def forget_broken() -> list[str]:
    """Delete the metadata of packages that are not whole, so that pip installs them afresh."""
    forgotten = []
    for package in distributions():
        folder = getattr(package, "_path", None)  # the one way to a distribution's own folder
        if broken(package) and folder is not None and str(folder).endswith(".dist-info"):
            shutil.rmtree(folder)
            forgotten.append(Path(folder).name.removesuffix(".dist-info"))
    return forgotten


def build_parser() -> CommandParser:
    parser = CommandParser(prog="packages", description="Check the packages that the kit requires.")
    parser.add_argument("--extras", default="", help="extras that must be there, comma-separated")
    parser.add_argument("--checkout", type=Path, help="the checkout that the kit must be installed from")
    parser.add_argument(
        "--forget-broken", action="store_true", help="delete the metadata of packages that are not whole"
    )
    return parser


def main() -> int:
    arguments = build_parser().parse_args()
    if arguments.forget_broken:
        print("\n".join(forget_broken()))
        return 0
    extras = [extra for extra in arguments.extras.split(",") if extra]
    findings = [f for f in check_packages(extras) if f.level == ERROR]
    elsewhere = kit_location(arguments.checkout)
    if elsewhere:
        findings.append(error(f"package {KIT}", elsewhere, REPAIR))
    if findings:
        raise UserError("; ".join(f"{f.check}: {f.message}" for f in findings), f"in {sys.prefix}", REPAIR)
    return 0


if __name__ == "__main__":
    run_command(main)
