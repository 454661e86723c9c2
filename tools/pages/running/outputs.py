# SPDX-License-Identifier: Apache-2.0
"""Is what came out what the page shows? Numbers, paths, durations and verdicts may differ; words may not.

A line of three dots stands for any lines, three dots inside a line for any text. Without them the
page shows the whole output.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.traces.operator_names import MICROKERNELS
from model_profiling.pipeline.cpu import features as cpu_features

GAP = "..."
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: Units that follow a number without a blank.
_UNIT = r"(?:x|s|ms|us|µs|ns|%|B|MB|GB|KB|MiB|GiB|KiB|kB)?"
#: A version has two dots and is no measurement: it has to be the same.
_NUMBER = rf"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?=(?:{_UNIT})(?![\w]))(?!\.\d)"
_DIGEST = r"(?<!\w)(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,64}(?!\w)"
_RULE = r"(?P<mark>[-=_─━═*#.█▇])(?P=mark){3,}"
_PATH = r"(?<!\S)(?:(?!\.{3})[\w.~@+-])*/(?:(?!\.{3})[\w./@+~-])*"
_LABELS = sorted(
    {group.label for groups in cpu_features.FEATURE_GROUPS.values() for group in groups}, key=len, reverse=True
)
_LABEL = rf"(?<!\w)(?:{'|'.join(map(re.escape, _LABELS))})(?!\w)"
#: What a pair shows is the machine's to say, and a coin orders each pair.
_VERDICT = rf"(?P<first>{_LABEL}[^:]*?) is (?:faster|slower) than (?P<second>[^:]+?)(?=: )"
_SIDE = r"(?<![\w/])(?P<stem>[a-z]\w*)_(?:on|off)(?![\w/])"
_VOID = r"(?: \(void\))?"
#: A busy machine's run is valid, with a warning of what it shows.
_WARNED = r"(?: \(\d+ warnings?\))?"
#: An operator by XNNPACK's name. Element types are the CPU's to say: without float16 arithmetic a float16 model runs
#: in float32, and where only one side has it, an operator has a name for each.
_KERNEL = rf"(?: (?:{'|'.join(map(re.escape, MICROKERNELS))}))?"
_TYPES = r"[A-Z]+\d+(?:, [A-Z]+\d+[A-Z]?)*"
_OPERATOR = rf"(?P<what>[A-Z]\w*(?: [A-Z]\w*)*) \((?P<layout>[A-Z]+), {_TYPES}\)(?P<kernel>{_KERNEL})"
_TOKENS = re.compile(
    rf"(?P<gap>\.\.\.)|(?P<rule>{_RULE})|(?P<operator>{_OPERATOR})|(?P<path>{_PATH})|(?P<verdict>{_VERDICT})|(?P<side>{_SIDE})|(?P<label>{_LABEL})|(?P<digest>{_DIGEST})|(?P<number>{_NUMBER})"
)
_ANY_NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Mismatch:
    """The first line of the page's output that did not come, counted from 0, and what came nearest."""

    line: int
    expected: str
    nearest: str


def clean(text: str) -> list[str]:
    """Return output as lines, as a person sees them at the end: no colors, no overwritten progress."""
    lines = [_ANSI.sub("", line).rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
    lines = [
        re.sub(r"\s+", " ", line).replace("( ", "(").rstrip() for line in lines
    ]  # "( 9.3 %)" in a column of "(86.4 %)"
    while lines and not lines[-1]:
        lines.pop()
    return lines


def compare(shown: str, came: str) -> Mismatch | None:
    """Compare the output that a page shows with what came; return the first difference, or None."""
    expected, actual = clean(shown), clean(came)
    segments = _segments(expected)
    if actual and not expected:
        return Mismatch(0, "", actual[0])
    at = 0
    for number, (start, lines) in enumerate(segments):
        first, last = number == 0, number == len(segments) - 1
        if not lines:
            continue
        patterns = [pattern_of(line) for line in lines]
        places: Sequence[int] = range(at, len(actual) - len(lines) + 1)
        if first:
            places = places[:1] if places and places[0] == 0 else range(0)
        if last:
            places = [place for place in places if place + len(lines) == len(actual)]
        fitting = next((place for place in places if _fits(patterns, actual, place)), None)
        if fitting is None:
            return _mismatch(patterns, lines, start, actual, at)
        at = fitting + len(lines)
    return None


def shows(piece: str, printed: str) -> bool:
    """Return whether a line of an output holds `piece`; what may differ in outputs may differ in it."""
    pattern = pattern_of("".join(clean(piece)))
    return bool(pattern.pattern) and any(pattern.search(line) for line in clean(printed))


def pattern_of(line: str) -> re.Pattern[str]:
    """Return what a line of the page stands for."""
    parts, at = [], 0
    for token in _TOKENS.finditer(line):
        parts.append(re.escape(line[at : token.start()]))
        parts.append(_stands_for(token))
        at = token.end()
    ending = _VOID if line.endswith(" ms") else _WARNED if line.startswith("valid: ") else ""
    return re.compile("".join([*parts, re.escape(line[at:]), ending]))


def _stands_for(token: re.Match[str]) -> str:
    text = token[0]
    if token["gap"]:
        return ".*"
    if token["rule"]:
        return f"{re.escape(text[0])}+"
    if token["operator"]:
        name = rf"{re.escape(token['what'])} \({token['layout']}, {_TYPES}\){re.escape(token['kernel'])}"
        return f"{name}(?: / {name})?"
    if token["path"]:
        # The reader's folders have other names; where it leads has to be the same.
        tail = text.rstrip("/").rpartition("/")[2] if text.startswith(("/", "~")) else text.rstrip("/")
        return rf"(?:\S*/)?{pattern_of(tail).pattern if '/' not in tail else re.escape(tail)}/?"
    if token["verdict"]:
        first, second = (pattern_of(token[side]).pattern for side in ("first", "second"))
        return f"(?:{first} is (?:faster|slower) than {second}|No difference shown between {second} and {first})"
    if token["side"]:
        return f"{re.escape(token['stem'])}_(?:on|off)"
    if token["label"]:
        return _LABEL
    return _DIGEST if token["digest"] else _ANY_NUMBER


def _segments(lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Split the shown lines at the gaps: (index of the first line, lines) each, empty at an open end."""
    segments: list[tuple[int, list[str]]] = [(0, [])]
    for number, line in enumerate(lines):
        if line.strip() == GAP:
            segments.append((number + 1, []))
        else:
            segments[-1][1].append(line)
    return segments


def _fits(patterns: Sequence[re.Pattern[str]], actual: Sequence[str], place: int) -> bool:
    return all(
        pattern.fullmatch(line) for pattern, line in zip(patterns, actual[place : place + len(patterns)], strict=True)
    )


def _mismatch(
    patterns: Sequence[re.Pattern[str]], lines: Sequence[str], start: int, actual: Sequence[str], at: int
) -> Mismatch:
    """Name the first line that is nowhere after `at`; where each is somewhere, their order is wrong."""
    for offset, (pattern, line) in enumerate(zip(patterns, lines, strict=True)):
        if not any(pattern.fullmatch(other) for other in actual[at:]):
            near = difflib.get_close_matches(line, actual, n=1, cutoff=0.4)
            return Mismatch(start + offset, line, near[0] if near else "")
    return Mismatch(start, lines[0], "the lines came in another order, or with others between: show them as ...")
