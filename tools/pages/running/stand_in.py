# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a program that a page calls and that cannot be had here. Started by name, alone.

It notes its call for the report. `curl` and `wget` hand out files of the checkout for the
repository's raw addresses and refuse everything else; the others do nothing.
"""

import json
import os
import shutil
import sys
from pathlib import Path


def main(program: str, words: list[str]) -> int:
    settings = json.loads(Path(os.environ["PAGE_STAND_INS"]).read_text(encoding="utf-8"))
    with open(settings["calls"], "a", encoding="utf-8") as calls:
        calls.write(json.dumps([program, *words]) + "\n")
    if program in ("curl", "wget"):
        return _download(words, settings)
    return 0


def _download(words: list[str], settings: dict) -> int:
    output, addresses, waiting = None, [], False
    for word in words:
        if waiting:
            output, waiting = word, False
        elif word in ("-o", "--output"):
            waiting = True
        elif not word.startswith("-"):
            addresses.append(word)
    for address in addresses:
        if not address.startswith(settings["raw"] + "/"):
            print(f"{address} is out of reach here", file=sys.stderr)
            return 6  # curl's status for a host that does not resolve
        _branch, _, name = address.removeprefix(settings["raw"] + "/").partition("/")
        source = Path(settings["checkout"]) / name
        if not source.is_file():
            print(f"404: {address}", file=sys.stderr)
            return 22  # curl's status for --fail and an HTTP error
        shutil.copyfile(source, output or source.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
