# SPDX-License-Identifier: Apache-2.0
"""Looking up the numbers that a report prints: each says where it stands unrounded."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import html5lib

from model_profiling import rounding
from model_profiling.unpaired_statistics import estimate, time_interval

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Number:
    """A number as printed, and what its element says of it."""

    text: str
    path: str
    places: int
    scale: float


def parse_page(file: Path) -> ElementTree.Element:
    """Return a page; the strict parser refuses what a browser would repair in silence."""
    return _parsed(file.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=16)  # many tests read the same few pages
def _parsed(text: str) -> ElementTree.Element:
    return html5lib.HTMLParser(strict=True).parse(text)


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def numbers_of(element: ElementTree.Element) -> list[Number]:
    """Return the numbers with a source that are printed inside `element`."""
    return [
        Number(text_of(e), e.get("data-path"), int(e.get("data-places")), float(e.get("data-scale") or 1))
        for e in element.iter(f"{XHTML}span")
        if e.get("data-path")
    ]


def check_numbers(folder: Path, numbers: Iterable[Number]) -> None:
    """Hold numbers against the files they name, relative to `folder`."""
    for number in numbers:
        raw = raw_number(folder, number.path)
        if number.text.startswith("<"):
            assert raw < float(number.text[1:]), number.path
        else:
            assert number.text == rounding.fixed(raw / number.scale, number.places), number.path


def raw_number(folder: Path, path: str) -> float:
    """Return the unrounded number at `path`, which may combine several."""
    path, _, function = path.partition("|")
    values = [_at(folder, part) for part in path.split(",")]
    if function == "ratio":
        return values[0] / values[1]
    if function == "share":
        siblings = _at(folder, path.rpartition("/")[0])
        return 100 * values[0] / sum(siblings.values())
    if function == "rest":
        return 100 - values[0]
    if function == "sum":
        return sum(values)
    if function.startswith("unpaired "):
        found = estimate(*([launch["median_ms"] for launch in side] for side in values))
        return getattr(found, function.removeprefix("unpaired "))
    if function.startswith("interval "):
        low, high = time_interval([launch["median_ms"] for launch in values[0]])
        return {"low": low, "high": high}[function.removeprefix("interval ")]
    assert not function and len(values) == 1, path
    return float(values[0])


def _at(folder: Path, path: str) -> object:
    file, _, pointer = path.partition("#")
    name = folder / unquote(file)
    if name.suffix == ".csv":
        with open(name, newline="", encoding="utf-8") as table:
            value: object = list(csv.DictReader(table))
    else:
        value = json.loads(name.read_text())
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def layer_tables(run: Path) -> list[dict[str, str]]:
    """Return the rows of all layer tables of a run."""
    rows: list[dict[str, str]] = []
    for file in run.glob("*/*_layers.csv"):
        with open(file, newline="", encoding="utf-8") as table:
            rows += csv.DictReader(table)
    return rows
