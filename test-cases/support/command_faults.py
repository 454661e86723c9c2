# SPDX-License-Identifier: Apache-2.0
"""Faults in the command lines of a page: flags, values, paths, programs, lines that are gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from support.page_edits import EditedPage, Fault, flag_slip, misspelt, path_slip
from tools.pages.reading.shell import Command, Word, commands

#: Flags whose value is a file or folder that has to be there.
READING_FLAGS = frozenset(
    {
        "--config",
        "--run-dir",
        "--run-dirs",
        "--timeline-csv",
        "--compare",
        "--model-file",
        "--results",
        "--baseline",
        "--candidate",
        "--etdump",
        "--etrecord",
        "--on",
        "--off",
        "--xnntrace",
        "--weights",
    }
)
READING_PROGRAMS = frozenset({"source", "cd", "cat", "head", "ls", "tail", "xdg-open", "open"})
WRONG_VALUES = {
    "--dtype": "fp61",
    "--backend": "xnpack",
    "--platform": "mca",
    "--seed": "lots",
    "--precision": "150",
    "--jobs": "many",
    "--fail-if-slower": "much",
    "--only": "mac_sme2_onn",
}


def _commands(page: EditedPage) -> Iterator[Command]:
    for step in page.checker.follow(page.document).steps:
        if not step.options.exits:
            yield from commands(step.statement.shapes)


def _words(page: EditedPage) -> Iterator[Fault]:
    for command in _commands(page):
        for number, word in enumerate(command.words):
            before = command.words[number - 1].raw if number else ""
            yield from _word(page, command, word, before, number)


def _word(page: EditedPage, command: Command, word: Word, before: str, number: int) -> Iterator[Fault]:
    name, raw, chance = command.words[0].raw, word.raw, page.chance
    if raw.startswith("--"):
        yield from page.replace("misspelt flag", word.place, raw, flag_slip(raw, chance))
        yield from page.replace("flag with one hyphen", word.place, raw, raw[1:])
        yield from page.replace("flag of nothing", word.place, raw, raw + "-only" if "=" not in raw else None)
    elif raw.endswith((".py", ".sh")) and (number == 0 or before in ("python", "python3", "bash")):
        yield from page.replace("renamed script", word.place, raw, path_slip(raw, chance))
        yield from page.replace(
            "script in another folder",
            word.place,
            raw,
            raw.replace("scripts/", "tools/") if "scripts/" in raw else None,
        )
    elif raw.startswith("https://") or "$KIT" in raw:
        yield from page.replace("wrong address", word.place, raw, path_slip(raw, chance))
    elif number == 0:
        yield from page.replace(
            "misspelt program", word.place, raw, misspelt(raw, chance) if raw.isalpha() and len(raw) > 2 else None
        )
    elif _is_read(command, raw, before, number):
        yield from page.replace("path that is not there", word.place, raw, path_slip(raw, chance))
    if before in WRONG_VALUES:
        yield from page.replace("wrong value", word.place, raw, WRONG_VALUES[before])
    elif before == "--model" and not raw.endswith(".pte") and "$" not in raw and name != "adb":
        yield from page.replace("wrong value", word.place, raw, misspelt(raw, chance))
    if raw[:1] == raw[-1:] == '"' and len(raw) > 2:
        yield from page.replace("unclosed quote", word.place, raw, raw[:-1])
    for variable in re.findall(r"\$(\w{3,})", raw):
        slip = misspelt(variable, chance)
        yield from page.replace("misspelt variable", word.place, raw, raw.replace(variable, slip) if slip else None)


def _is_read(command: Command, raw: str, before: str, number: int) -> bool:
    name = command.words[0].raw
    if raw.startswith("-") or not re.search(r"[\w/]", raw) or raw == "..":
        return False
    flags = [word.raw for word in command.words[:number] if word.raw.startswith("--")]
    if flags and flags[-1] in READING_FLAGS and "/" in raw:
        return True
    if before == "--model":
        return raw.endswith(".pte")
    return number == 1 and (name in READING_PROGRAMS or name in ("cp", "mv")) and not before.startswith("-")


def _dropped(page: EditedPage) -> Iterator[Fault]:
    """A flag that has to be there is not, or has lost its value."""
    text = page.document.text
    for command in _commands(page):
        script = next((w.raw for w in command.words[:2] if w.raw.endswith((".py", ".sh"))), None)
        path = page.checker.scripts.named(script.rpartition("/")[2]) if script else None
        parser = page.checker.scripts.parser(path) if path else None
        for word, after in zip(command.words, (*command.words[1:], None), strict=False):
            action = next((a for a in getattr(parser, "_actions", ()) if word.raw in a.option_strings), None)
            if action is None or action.nargs == 0 or after is None:
                continue
            start, value = page.offset(word.place), page.offset(after.place)
            if not text.startswith(after.raw, value) and "<" not in text[value : value + 40]:
                continue
            end = value + len(re.match(r"\"[^\"]*\"\S*|\S+", text[value:])[0])
            single = action.nargs is None or len(command.words) - 1 == command.words.index(after)
            if single and (
                command.words.index(after) == len(command.words) - 1
                or command.words[command.words.index(after) + 1].raw.startswith("-")
            ):
                yield page.fault("flag without its value", word.place, f"{word.raw} loses {after.raw}", value, end, "")
                if action.required:
                    yield page.fault("dropped flag", word.place, f"{word.raw} {after.raw} is gone", start, end, "")


def _dropped_lines(page: EditedPage) -> Iterator[Fault]:
    """A line is gone whose result a later line uses."""
    steps = page.checker.follow(page.document).steps
    for number, step in enumerate(steps):
        later = "\n".join(other.statement.text for other in steps[number + 1 :] if not other.options.exits)
        text, first = step.statement.text, step.statement.place.line
        source = page.line(first)
        if "\n" in text or source.strip() != source or not source.startswith(text.split()[0]):
            continue
        words = text.split()
        assigned = re.match(r"(?:export )?([A-Z_]+)=", text)
        again = later.count(words[-1])
        if (
            text.startswith("source ")
            and re.search(r"^python model_profiling/(?!scripts/run_quick)", later, re.MULTILINE)
            and "source " not in later
            and not any("source " in s.statement.text for s in steps[:number])
        ):
            yield page.without_lines("dropped line", first, first, text)
        elif (
            assigned
            and f"${assigned[1]}" in later
            or words[0] == "cp"
            and again
            or text.startswith("mkdir")
            and again
            and " && " not in text
        ):
            if not (text.startswith("mkdir") and not re.search(r"(cd|cp .*|>) " + re.escape(words[-1]), later)):
                yield page.without_lines("dropped line", first, first, text)


def _dropped_steps(page: EditedPage) -> Iterator[Fault]:
    """One of the workflow's steps is gone, and no other line does its work for those that follow."""
    steps = [step for step in page.checker.follow(page.document).steps if not step.options.exits]
    texts = [step.statement.text for step in steps]
    for number, text in enumerate(texts):
        later, line = "\n".join(texts[number + 1 :]), steps[number].statement.place.line
        for made, used in (
            ("mac_pipeline.py", r"--(run-dir|results|timeline-csv)"),
            ("export_model.py", r"mac_pipeline\.py"),
            ("setup_repo.sh", r"\.venv/bin/activate"),
            ("git clone", r"setup_repo\.sh"),
            ("git clone", r"sparse-checkout"),
        ):
            alone = sum(made in other for other in texts) == 1
            start = page.document.settings.start_in
            if (
                made in text
                and alone
                and re.search(used, later)
                and "\n" not in text
                and not page.document.settings.after
                and page.line(line).lstrip().startswith(text.split()[0])
                and (made == "mac_pipeline.py" or start == "HOME")
            ):
                yield page.without_lines("dropped step", line, line, text)


def _misplaced(page: EditedPage) -> Iterator[Fault]:
    """A command leaves its files in another place than where later lines look for them."""
    steps = [step for step in page.checker.follow(page.document).steps if not step.options.exits]
    for number, step in enumerate(steps):
        later = "\n".join(other.statement.text for other in steps[number + 1 :])
        for command in commands(step.statement.shapes):
            for flag, word in zip(command.words, command.words[1:], strict=False):
                last_of_copy = command.words[0].raw == "cp" and word is command.words[-1]
                raw = word.raw.strip('"').rstrip("/")
                if (flag.raw in ("--output-dir", "-o") or last_of_copy) and raw in later and "$" not in raw:
                    yield from page.replace(
                        "files in another place", word.place, word.raw, path_slip(word.raw, page.chance)
                    )


def _around(page: EditedPage) -> Iterator[Fault]:
    """The page stays, and the repository changes: a file or a flag is renamed."""
    seen: set[object] = set()
    for command in _commands(page):
        for word in command.words:
            literal = (word.literal or "").removeprefix("./")
            if page.checker.repository.is_file(literal) and literal not in seen:
                seen.add(literal)
                yield Fault("file renamed in the repository", page.document.name, word.place, literal, gone=literal)
        script = next((w.literal for w in command.words[:2] if w.literal and w.literal.endswith((".py", ".sh"))), None)
        name = page.checker.scripts.named(script.rpartition("/")[2]) if script else None
        for word in command.words if name else ():
            if word.raw.startswith("--") and (name, word.raw) not in seen:
                seen.add((name, word.raw))
                yield Fault(
                    "flag renamed in its command",
                    page.document.name,
                    word.place,
                    f"{word.raw} of {name}",
                    lost_flag=(name, word.raw),
                )


MAKERS: tuple[Callable[[EditedPage], Iterator[Fault]], ...] = (
    _words,
    _dropped,
    _dropped_lines,
    _dropped_steps,
    _misplaced,
    _around,
)
