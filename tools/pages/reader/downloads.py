# SPDX-License-Identifier: Apache-2.0
"""What curl and wget bring, and what tar and unzip make of it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from model_profiling import KIT_ADDRESS
from model_profiling.errors import nearest
from tools.pages.reader.state import Argument, Reader, absolute


def curl(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    """Download to the file that ``-o`` names, under its own name with ``-O``, else to standard output."""
    named = next(
        (b.text for a, b in zip(words, words[1:]) if a.text == "--output" or _short(a) and a.text.endswith("o")), None
    )
    own_name = any(w.text == "--remote-name" or _short(w) and "O" in w.text for w in words)
    for argument in positional:
        if argument.text is not None:
            target = named or (posixpath.basename(argument.text) if own_name else "-")
            _bring(reader, argument, target)


def wget(reader: Reader, positional: list[Argument], words: Sequence[Argument]) -> None:
    """Download to the file that ``-O`` names, else under its own name."""
    for argument in positional:
        if argument.text is not None:
            _bring(reader, argument, _value(words, "-O") or posixpath.basename(argument.text))


def _bring(reader: Reader, address: Argument, target: str) -> None:
    """Put what lies at an address into a file, or on standard output where `target` is ``-``."""
    repository = reader.files.repository
    archive, name = repository.archive_of_address(address.text), repository.path_of_address(address.text)
    if archive is None and name is None and KIT_ADDRESS.rpartition("/")[0] in address.text:
        known = f"{KIT_ADDRESS}/archive/refs/heads/main.tar.gz"
        reader.problem(
            address.place, "address", f"{address.text} is nothing that this kit serves{nearest(address.text, [known])}"
        )
    elif archive is None and name is None:
        reader.needs = reader.needs or f"the network, for {address.text}"
    elif archive is None and not repository.is_file(name):
        near = [f for f in repository.files if posixpath.dirname(f) == posixpath.dirname(name)]
        reader.problem(
            address.place, "address", f"{name or address.text} is not a file of the repository{nearest(name, near)}"
        )
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
        letters = rest.pop(0).text
    while rest and _short(rest[0]) and rest[0].text != "-C":
        letters += rest.pop(0).text[1:]
    return letters, rest


def unzip(reader: Reader, _positional: list[Argument], words: Sequence[Argument]) -> None:
    """Unpack an archive of which nothing is known."""
    reader.make(_into(reader, words, "-d"), folder=True, open=True)


def _into(reader: Reader, words: Sequence[Argument], flag: str) -> str:
    target = next((b for a, b in zip(words, words[1:]) if a.text == flag), None)
    if target is None or target.text is None:
        return reader.folder
    if flag == "-C":  # unzip makes its folder, tar does not
        reader.read_file(target)
    return absolute(target.text, reader.folder)


def _value(words: Sequence[Argument], flag: str) -> str | None:
    return next((b.text for a, b in zip(words, words[1:]) if a.text == flag), None)


def _short(word: Argument) -> bool:
    return bool(word.text) and word.text.startswith("-") and not word.text.startswith("--") and len(word.text) > 1
