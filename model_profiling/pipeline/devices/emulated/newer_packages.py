# SPDX-License-Identifier: Apache-2.0
"""Unpack a package of the distribution's newer release, from the archive this machine uses already.

Nothing is installed and no address is known here: archive and signing keys are those of the
machine's own apt sources, only the release's name is another. apt checks the signatures.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.processes import ChildResult, run_child

#: Where newer packages come from, by the ID of os-release: names that move with the distribution.
_NEWER_RELEASE = {"debian": "sid", "ubuntu": "devel"}
_APT_FOLDER, _OS_RELEASE = Path("/etc/apt"), Path("/etc/os-release")
_TIMEOUT_S = 900.0
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


class Unavailable(Exception):
    """Why a package could not be had, in a few words."""


@dataclass(frozen=True)
class Source:
    """One entry of apt's sources; `signed_by` is a keyring's path or "" for apt's own."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def unpack(package: str, work: Path, with_dependencies: bool = False) -> Path:
    """Download `package` from the newer release and return the folder below `work` that holds its files.

    `with_dependencies` unpacks all that it needs beside it, down to the C library, so that it
    runs through its own loader on an older system.

    Raises
    ------
    Unavailable : no Debian or Ubuntu, no apt, or the archive cannot be reached.
    """
    for tool in ("apt-get", "dpkg"):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not installed")
    options = _private_apt(_archive(), work)
    _run(["apt-get", *options, "update", "-qq"], work, "reading the newer release's list of packages")
    if with_dependencies:
        (work / "status").touch()  # as on a machine where nothing is installed
        _run(
            [
                "apt-get",
                *options,
                "-o",
                f"Dir::State::status={work / 'status'}",
                "install",
                "-qq",
                "--yes",
                "--download-only",
                "--no-install-recommends",
                package,
            ],
            work,
            f"downloading {package}",
        )
        archives = sorted((work / "cache" / "archives").glob("*.deb"))
    else:
        _run(["apt-get", *options, "download", "-qq", package], work, f"downloading {package}")
        archives = sorted(work.glob(f"{package}_*.deb"))
    if not archives:
        raise Unavailable(f"apt-get downloaded no {package}")
    for archive in archives:
        _run(["dpkg", "-x", str(archive), str(work / "unpacked")], work, f"unpacking {archive.name.partition('_')[0]}")
    return work / "unpacked"


def _archive() -> tuple[Source, str]:
    """Return the machine's main archive and the name of its newer release."""
    release = parse_os_release(_read(_OS_RELEASE))
    suite = _NEWER_RELEASE.get(release.get("ID", ""))
    if suite is None:
        raise Unavailable("this is neither Debian nor Ubuntu")
    files = [_APT_FOLDER / "sources.list", *sorted((_APT_FOLDER / "sources.list.d").glob("*"))]
    sources = [source for file in files for source in parse_sources(_read(file), file.suffix == ".sources")]
    codename = release.get("VERSION_CODENAME", "")
    for source in sources:
        if "main" in source.components and {codename, suite} & set(source.suites):
            return source, suite
    raise Unavailable(f"apt's sources name no archive of {codename or 'this release'}")


def _private_apt(archive: tuple[Source, str], work: Path) -> list[str]:
    """Return the options that make apt use `archive` and folders below `work`, and nothing of the system's."""
    source, suite = archive
    for folder in ("sources", "lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    text = f"Types: deb\nURIs: {source.uri}\nSuites: {suite}\nComponents: main\n"
    if source.signed_by:
        text += f"Signed-By: {source.signed_by}\n"
    (work / "sources" / "newer.sources").write_text(text, encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": work / "sources",
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _run(argv: Sequence[str], work: Path, doing: str) -> ChildResult:
    child = run_child(argv, timeout_s=_TIMEOUT_S, cwd=work)
    if not child.ok:
        words = [line for line in child.output.splitlines() if line.strip()][-1:]
        raise Unavailable(f"{doing}: {argv[0]} {child.outcome()}" + (f", {words[0]}" if words else ""))
    return child


def parse_os_release(text: str) -> dict[str, str]:
    """Return the variables of an os-release file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def parse_sources(text: str, deb822: bool) -> list[Source]:
    """Return the enabled binary entries of a file of apt's sources, in its one-line or deb822 form."""
    return list(_paragraphs(text) if deb822 else _lines(text))


def _lines(text: str) -> Iterable[Source]:
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.partition("#")[0].strip()):
            signed = re.search(r"signed-by=(\S+)", match["options"] or "")
            yield Source(
                match["uri"], (match["suite"],), tuple(match["components"].split()), signed[1] if signed else ""
            )


def _paragraphs(text: str) -> Iterable[Source]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in " \t" and key:
                fields[key] += "\n" + line
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        uris = fields.get("uris", "").split()
        if uris and "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            yield Source(
                uris[0],
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                fields.get("signed-by", ""),
            )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
