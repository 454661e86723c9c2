# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a program that a page calls and that cannot be had here. Started by name, alone.

It notes its call for the report. `curl` and `wget` hand out files of the checkout for the
repository's raw addresses, and its last commit for the archive's; they refuse everything else.
`apt-get` in folders of its own is no reader's: the kit fetches QEMU so, and the real one does it.
The others do nothing.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path


def main(program: str, words: list[str]) -> int:
    settings = json.loads(Path(os.environ["PAGE_STAND_INS"]).read_text(encoding="utf-8"))
    if program == "apt-get" and any(word.startswith("Dir::Cache=") for word in words):
        _become_the_real_one(program, words, settings["programs"])
    with open(settings["calls"], "a", encoding="utf-8") as calls:
        calls.write(json.dumps([program, *words]) + "\n")
    if program in ("curl", "wget"):
        return _download(program, words, settings)
    return 0


def _become_the_real_one(program: str, words: list[str], stand_ins: str) -> None:
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != stand_ins)
    real = shutil.which(program, path=path)
    if real is None:
        print(f"{program} is not installed", file=sys.stderr)
        sys.exit(127)
    os.execve(real, [program, *words], {**os.environ, "PATH": path})


def _download(program: str, words: list[str], settings: "dict[str, str]") -> int:
    named, addresses, waiting = None, [], False
    own_name = program == "wget"
    for word in words:
        if waiting:
            named, waiting = word, False
        elif word == "--output" or re.fullmatch(r"-\w*o" if program == "curl" else "-O", word):
            waiting = True
        elif word.startswith("-"):
            own_name = own_name or word == "--remote-name" or re.fullmatch(r"-\w*O\w*", word) is not None
        else:
            addresses.append(word)
    status = 0
    for address in addresses:
        target = named or (Path(address).name if own_name else "-")
        status = status or _bring(address, None if target == "-" else target, settings)
    return status


def _bring(address: str, target: "str | None", settings: "dict[str, str]") -> int:
    """Put what lies at an address into a file, or on standard output where `target` is None."""
    archive = re.fullmatch(re.escape(settings["archive"]) + r"([\w./-]+)\.tar\.gz", address)
    if archive:
        return _archive(archive[1], target, settings)
    if not address.startswith(settings["raw"] + "/"):
        print(f"{address} is out of reach here", file=sys.stderr)
        return 6  # curl's status for a host that does not resolve
    _branch, _, name = address.removeprefix(settings["raw"] + "/").partition("/")
    source = Path(settings["checkout"]) / name
    if not source.is_file():
        print(f"404: {address}", file=sys.stderr)
        return 22  # curl's status for --fail and an HTTP error
    if target is None:
        sys.stdout.buffer.write(source.read_bytes())
    else:
        shutil.copyfile(source, target)
    return 0


def _archive(branch: str, target: "str | None", settings: "dict[str, str]") -> int:
    """Become git, which writes the archive as the public address serves it."""
    folder = f"{settings['name']}-{branch.replace('/', '-')}"
    os.execvp(
        "git",
        [
            "git",
            "-C",
            settings["checkout"],
            "archive",
            "--format=tar.gz",
            f"--prefix={folder}/",
            *(["--output", os.path.abspath(target)] if target else []),
            "HEAD",
        ],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
