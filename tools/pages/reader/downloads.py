# SPDX-License-Identifier: Apache-2.0
"""What curl and wget bring, and what tar and unzip make of it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from itertools import pairwise

from model_profiling import KIT_ADDRESS
from model_profiling.errors import nearest
from tools.pages.reader.state import Argument, Reader, absolute
from tools.pages.reading.problems import Position


def curl(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    """Download to the file that ``-o`` names, under its own name with ``-O``, else to standard output."""
    named = next((b.text for a, b in pairwise(words) if a.text == "--output" or _letters_of(a).endswith("o")), None)
    own_name = any(word.text == "--remote-name" or "O" in _letters_of(word) for word in words)
    for argument in positional:
        if argument.text is not None:
            target = named or (posixpath.basename(argument.text) if own_name else "-")
            _bring(reader, argument.text, argument.place, target)


def wget(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    """Download to the file that ``-O`` names, else under its own name."""
    for argument in positional:
        if argument.text is not None:
            _bring(reader, argument.text, argument.place, _value(words, "-O") or posixpath.basename(argument.text))


def _bring(reader: Reader, address: str, place: Position, target: str) -> None:
    """Put what lies at an address into a file, or on standard output where `target` is ``-``."""
    repository = reader.files.repository
    archive, name = repository.archive_of_address(address), repository.path_of_address(address)
    if archive is None and name is None and KIT_ADDRESS.rpartition("/")[0] in address:
        known = f"{KIT_ADDRESS}/archive/refs/heads/main.tar.gz"
        reader.problem(place, "address", f"{address} is nothing that this kit serves{nearest(address, [known])}")
    elif archive is None and name is None:
        reader.needs = reader.needs or f"the network, for {address}"
    elif archive is None and name is not None and not repository.is_file(name):
        near = [f for f in repository.files if posixpath.dirname(f) == posixpath.dirname(name)]
        reader.problem(place, "address", f"{name or address} is not a file of the repository{nearest(name, near)}")
    if target == "-":
        reader.piped = archive
    else:
        reader.make(
            absolute(target, reader.folder), copy_of=name if name in repository.files else None, archive=archive
        )


def tar(reader: Reader, _positional: list[Argument], words: Sequence[Argument]) -> None:
    """Unpack: the kit's archive becomes its folder, of another one nothing is known."""
    letters, rest = _letters(words)
    if "x" not in letters:
        return
    archive = reader.piped
    if "f" in letters:
        file = next((word for word in rest if not (word.text or "").startswith("-")), None)
        if file is None:
            return reader.problem(words[0].place, "argument", "tar needs the archive's name after f")
        path = reader.read_file(file)
        archive = reader.files.archive(path) if path else None
    folder = _into(reader, words, "-C")
    if archive is None:
        reader.make(folder, folder=True, open=True)
    elif reader.needs is None:
        stripped = any(word.text == "--strip-components=1" for word in words)
        reader.files.clone(folder if stripped else posixpath.join(folder, archive))
    return None


def _letters(words: Sequence[Argument]) -> tuple[str, list[Argument]]:
    """Return tar's letters, typed as ``xzf`` or ``-x -z -f``, and the words after them."""
    letters, rest = "", list(words)
    if rest and rest[0].text and not rest[0].text.startswith("-"):
        letters = rest.pop(0).text or ""
    while rest and _letters_of(rest[0]) and rest[0].text != "-C":
        letters += _letters_of(rest.pop(0))
    return letters, rest


def unzip(reader: Reader, _positional: list[Argument], words: Sequence[Argument]) -> None:
    """Unpack an archive of which nothing is known."""
    reader.make(_into(reader, words, "-d"), folder=True, open=True)


def _into(reader: Reader, words: Sequence[Argument], flag: str) -> str:
    target = next((b for a, b in pairwise(words) if a.text == flag), None)
    if target is None or target.text is None:
        return reader.folder
    if flag == "-C":  # unzip makes its folder, tar does not
        reader.read_file(target)
    return absolute(target.text, reader.folder)


def _value(words: Sequence[Argument], flag: str) -> str | None:
    return next((b.text for a, b in pairwise(words) if a.text == flag), None)


def _letters_of(word: Argument) -> str:
    """Return the letters of short flags in one word: "xzf" of -xzf, "" of anything else."""
    text = word.text or ""
    return text[1:] if text.startswith("-") and not text.startswith("--") else ""
