# SPDX-License-Identifier: Apache-2.0
"""Single faults in real pages: what a tired author, a renamed file or a changed flag leaves behind.

Each fault is one that a reader would trip over; a change that leaves a page right is none. Where a
fault can be put is found from the page's model, what it does to the text is written here, so that
the checker is not asked to judge itself.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pages.checking import Checker
from pages.document import CONTENT, LANDING, NEXT_STEPS, Block, Document, Heading, Passage
from pages.problems import Place
from pages.shell import Command, Word, commands

#: Flags whose value is a file or folder that has to be there.
READING_FLAGS = frozenset({"--config", "--run-dir", "--run-dirs", "--timeline-csv", "--compare", "--model-file", "--results",
                           "--baseline", "--candidate", "--etdump", "--etrecord", "--on", "--off", "--xnntrace", "--weights"})
READING_PROGRAMS = frozenset({"source", "cd", "cat", "head", "ls", "tail", "xdg-open", "open"})
WRONG_VALUES = {"--dtype": "fp61", "--backend": "xnpack", "--platform": "mca", "--seed": "lots", "--precision": "150",
                "--jobs": "many", "--fail-if-slower": "much", "--only": "mac_sme2_onn"}


@dataclass(frozen=True)
class Fault:
    """One fault: the page's whole text with it, or what is missing around an unchanged page."""

    kind: str
    page: str
    place: Place
    what: str
    text: str | None = None
    gone: str | None = None
    lost_flag: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.place}: {self.kind}: {self.what}"


def misspelt(word: str, chance: random.Random) -> str | None:
    """Return `word` with one slip of the fingers, or None where there is no room for one."""
    letters = [i for i in range(1, len(word) - 1) if word[i].isalpha() and word[i + 1].isalpha() and word[i] != word[i + 1]]
    if not letters:
        return None
    at = chance.choice(letters)
    slips = (word[:at] + word[at + 1] + word[at] + word[at + 2:],  # swapped
             word[:at] + word[at + 1:],  # left out
             word[:at + 1] + word[at] + word[at + 1:])  # typed twice
    return chance.choice(slips)


class _Page:
    """A document with its source, and edits at places."""

    def __init__(self, document: Document, checker: Checker, seed: int) -> None:
        self.document, self.checker = document, checker
        self.lines = document.text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.chance = random.Random(f"{seed} {document.name}")

    def offset(self, place: Place) -> int:
        return self.starts[place.line - 1] + place.column - 1

    def fault(self, kind: str, place: Place, what: str, start: int, end: int, new: str) -> Fault:
        text = self.document.text[:start] + new + self.document.text[end:]
        return Fault(kind, self.document.name, place, what, text)

    def replace(self, kind: str, place: Place, old: str, new: str | None) -> Iterator[Fault]:
        """Replace `old`, where it stands in the source at `place`, by `new`."""
        at = self.offset(place)
        if new is not None and new != old and self.document.text.startswith(old, at):
            yield self.fault(kind, place, f"{old} -> {new or 'nothing'}", at, at + len(old), new)

    def line(self, number: int) -> str:
        return self.lines[number - 1].rstrip("\n")

    def without_lines(self, kind: str, first: int, last: int, what: str) -> Fault:
        return self.fault(kind, Place(first), what, self.starts[first - 1], self.starts[last], "")

    def with_line(self, kind: str, number: int, new: str) -> Fault:
        return self.fault(kind, Place(number), f"{self.line(number)!r} -> {new!r}", self.starts[number - 1],
                          self.starts[number - 1] + len(self.line(number)), new)


def faults(document: Document, checker: Checker, seed: int = 7) -> list[Fault]:
    """Return every fault that the generator can put into a page."""
    page = _Page(document, checker, seed)
    found = [fault for make in _MAKERS for fault in make(page)]
    return [fault for fault in found if fault.text != document.text]


# ---------------------------------------------------------------- commands


def _commands(page: _Page) -> Iterator[Command]:
    for step in page.checker.follow(page.document).steps:
        if not step.options.exits:
            yield from commands(step.statement.shapes)


def _words(page: _Page) -> Iterator[Fault]:
    for command in _commands(page):
        for number, word in enumerate(command.words):
            before = command.words[number - 1].raw if number else ""
            yield from _word(page, command, word, before, number)


def _word(page: _Page, command: Command, word: Word, before: str, number: int) -> Iterator[Fault]:
    name, raw, chance = command.words[0].raw, word.raw, page.chance
    if raw.startswith("--"):
        yield from page.replace("misspelt flag", word.place, raw, _flag_slip(raw, chance))
        yield from page.replace("flag with one hyphen", word.place, raw, raw[1:])
        yield from page.replace("flag of nothing", word.place, raw, raw + "-only" if "=" not in raw else None)
    elif raw.endswith((".py", ".sh")) and (number == 0 or before in ("python", "python3", "bash")):
        yield from page.replace("renamed script", word.place, raw, _path_slip(raw, chance))
        yield from page.replace("script in another folder", word.place, raw, raw.replace("scripts/", "tools/") if "scripts/" in raw else None)
    elif raw.startswith("https://") or "$KIT" in raw:
        yield from page.replace("wrong address", word.place, raw, _path_slip(raw, chance))
    elif number == 0:
        yield from page.replace("misspelt program", word.place, raw, misspelt(raw, chance) if raw.isalpha() and len(raw) > 2 else None)
    elif _is_read(command, raw, before, number):
        yield from page.replace("path that is not there", word.place, raw, _path_slip(raw, chance))
    if before in WRONG_VALUES:
        yield from page.replace("wrong value", word.place, raw, WRONG_VALUES[before])
    elif before == "--model" and not raw.endswith(".pte") and "$" not in raw and name != "adb":
        yield from page.replace("wrong value", word.place, raw, misspelt(raw, chance))
    if raw[:1] == raw[-1:] == '"' and len(raw) > 2:
        yield from page.replace("unclosed quote", word.place, raw, raw[:-1])
    for variable in re.findall(r"\$(\w{3,})", raw):
        slip = misspelt(variable, chance)
        yield from page.replace("misspelt variable", word.place, raw, raw.replace(variable, slip) if slip else None)


def _flag_slip(flag: str, chance: random.Random) -> str | None:
    name, equals, value = flag.partition("=")
    slip = misspelt(name[1:], chance)
    return f"-{slip}{equals}{value}" if slip else None


def _path_slip(path: str, chance: random.Random) -> str | None:
    """Misspell the last part of a path that is not a pattern or a variable."""
    parts = path.strip('"').split("/")
    for number in reversed(range(len(parts))):
        if parts[number] and not re.search(r"[*$<{]", parts[number]) and (slip := misspelt(parts[number], chance)):
            return path.replace(parts[number], slip) if path.count(parts[number]) == 1 else None
    return None


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


def _dropped(page: _Page) -> Iterator[Fault]:
    """A flag that has to be there is not, or has lost its value."""
    text = page.document.text
    for command in _commands(page):
        script = next((w.raw for w in command.words[:2] if w.raw.endswith((".py", ".sh"))), None)
        path = page.checker.scripts.named(script.rpartition("/")[2]) if script else None
        parser = page.checker.scripts.parser(path) if path else None
        for word, after in zip(command.words, (*command.words[1:], None)):
            action = next((a for a in getattr(parser, "_actions", ()) if word.raw in a.option_strings), None)
            if action is None or action.nargs == 0 or after is None:
                continue
            start, value = page.offset(word.place), page.offset(after.place)
            if not text.startswith(after.raw, value) and "<" not in text[value:value + 40]:
                continue
            end = value + len(re.match(r"\"[^\"]*\"\S*|\S+", text[value:])[0])
            single = action.nargs is None or len(command.words) - 1 == command.words.index(after)
            if single and (command.words.index(after) == len(command.words) - 1
                           or command.words[command.words.index(after) + 1].raw.startswith("-")):
                yield page.fault("flag without its value", word.place, f"{word.raw} loses {after.raw}", value, end, "")
                if action.required:
                    yield page.fault("dropped flag", word.place, f"{word.raw} {after.raw} is gone", start, end, "")


def _dropped_lines(page: _Page) -> Iterator[Fault]:
    """A line is gone whose result a later line uses."""
    steps = page.checker.follow(page.document).steps
    for number, step in enumerate(steps):
        later = "\n".join(other.statement.text for other in steps[number + 1:] if not other.options.exits)
        text, first = step.statement.text, step.statement.place.line
        source = page.line(first)
        if "\n" in text or source.strip() != source or not source.startswith(text.split()[0]):
            continue
        words = text.split()
        assigned = re.match(r"(?:export )?([A-Z_]+)=", text)
        again = later.count(words[-1])
        if text.startswith("source ") and re.search(r"^python model_profiling/(?!scripts/run_quick)", later, re.MULTILINE) \
                and "source " not in later and not any("source " in s.statement.text for s in steps[:number]):
            yield page.without_lines("dropped line", first, first, text)
        elif assigned and f"${assigned[1]}" in later or words[0] == "cp" and again \
                or text.startswith("mkdir") and again and " && " not in text:
            if not (text.startswith("mkdir") and not re.search(r"(cd|cp .*|>) " + re.escape(words[-1]), later)):
                yield page.without_lines("dropped line", first, first, text)


def _dropped_steps(page: _Page) -> Iterator[Fault]:
    """One of the workflow's steps is gone, and no other line does its work for those that follow."""
    steps = [step for step in page.checker.follow(page.document).steps if not step.options.exits]
    texts = [step.statement.text for step in steps]
    for number, text in enumerate(texts):
        later, line = "\n".join(texts[number + 1:]), steps[number].statement.place.line
        for made, used in (("mac_pipeline.py", r"--(run-dir|results|timeline-csv)"), ("export_model.py", r"mac_pipeline\.py"),
                           ("setup_repo.sh", r"\.venv/bin/activate"), ("git clone", r"setup_repo\.sh"),
                           ("git clone", r"sparse-checkout")):
            alone = sum(made in other for other in texts) == 1
            start = page.document.settings.start_in
            if made in text and alone and re.search(used, later) and "\n" not in text and not page.document.settings.after \
                    and page.line(line).lstrip().startswith(text.split()[0]) and (made == "mac_pipeline.py" or start == "HOME"):
                yield page.without_lines("dropped step", line, line, text)


def _misplaced(page: _Page) -> Iterator[Fault]:
    """A command leaves its files in another place than where later lines look for them."""
    steps = [step for step in page.checker.follow(page.document).steps if not step.options.exits]
    for number, step in enumerate(steps):
        later = "\n".join(other.statement.text for other in steps[number + 1:])
        for command in commands(step.statement.shapes):
            for flag, word in zip(command.words, command.words[1:]):
                last_of_copy = command.words[0].raw == "cp" and word is command.words[-1]
                raw = word.raw.strip('"').rstrip("/")
                if (flag.raw in ("--output-dir", "-o") or last_of_copy) and raw in later and "$" not in raw:
                    yield from page.replace("files in another place", word.place, word.raw, _path_slip(word.raw, page.chance))


def _around(page: _Page) -> Iterator[Fault]:
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
                yield Fault("flag renamed in its command", page.document.name, word.place, f"{word.raw} of {name}",
                            lost_flag=(name, word.raw))


# ---------------------------------------------------------------- text


def _links(page: _Page) -> Iterator[Fault]:
    text = page.document.text
    for passage in page.document.every(Passage):
        for link in passage.links:
            at = text.find(f"]({link.target}", page.offset(link.place))
            if at < 0:
                continue
            start, end = at + 2, at + 2 + len(link.target)
            kind = "missing image" if link.image else "broken link"
            for _ in range(2):
                slip = _path_slip(link.target.partition("#")[0].rstrip("/"), page.chance)
                if slip:
                    rest = link.target[len(link.target.partition("#")[0].rstrip("/")):]
                    yield page.fault(kind, link.place, f"{link.target} -> {slip}{rest}", start, end, slip + rest)
            if "#" in link.target:
                yield page.fault("broken anchor", link.place, link.target, start, end, link.target + "-x")
            if link.image:
                ending = link.target.rpartition(".")[2]
                yield page.fault(kind, link.place, "another ending", start, end, link.target.removesuffix(ending) + "webp")
                if page.document.kind == CONTENT:
                    shown = text.find("![", page.offset(link.place))
                    yield page.fault("image without a text", link.place, link.text, shown + 2, at, "#center")
                    yield page.fault("image not centered", link.place, link.text, shown + 2, at, link.text.removesuffix("#center"))
                    title = text.find(f' "{link.title}"', at)
                    yield page.fault("image without a caption", link.place, link.title, title, title + len(link.title) + 3, "")


def _spans(page: _Page) -> Iterator[Fault]:
    repository = page.checker.repository
    for passage in page.document.every(Passage):
        for span in passage.spans:
            flag = re.match(r"--[a-z][\w-]*|(?<= )--[a-z][\w-]*", span.text)
            path = span.text.rstrip("/")
            if flag:
                yield from page.replace("misspelt flag in a sentence", span.place, flag[0], _flag_slip(flag[0], page.chance))
            elif "/" in path and repository.exists(path):
                yield from page.replace("wrong path in a sentence", span.place, path, _path_slip(path, page.chance))
            elif (named := re.match(r"(\w+\.(?:py|sh)) (--[\w-]+)", span.text)) and page.checker.scripts.named(named[1]):
                yield from page.replace("misspelt flag in a sentence", span.place, named[0],
                                        f"{named[1]} {_flag_slip(named[2], page.chance)}")


def _fences(page: _Page) -> Iterator[Fault]:
    on_a_page = page.document.kind == CONTENT
    for block in page.document.every(Block):
        if block.tab or not page.line(block.fence.line).strip().startswith("```"):
            continue
        opening = page.line(block.fence.line)
        last = block.place.line + block.text.count("\n")
        if on_a_page:
            yield page.with_line("fence without a language", block.fence.line, opening.replace(block.language, ""))
            yield page.with_line("misspelt language", block.fence.line, opening.replace(block.language, block.language + "h"))
            if block.language == "output":
                yield page.without_lines("missing output", block.fence.line, last, "an output block")
                lead = next(n for n in range(block.fence.line - 1, 0, -1) if page.line(n).strip())
                yield page.with_line("output without its lead-in", lead, page.line(lead).replace("The output is similar to:", ""))
        if not any(page.line(n).strip().startswith("```") for n in range(last + 1, len(page.lines) + 1)):
            yield page.without_lines("unclosed fence", last, last, "the last fence")
        elif on_a_page:
            yield page.without_lines("unclosed fence", last, last, "a fence runs into the text")


def _shape(page: _Page) -> Iterator[Fault]:
    if page.document.kind != CONTENT:
        return
    headings = list(page.document.every(Heading))
    for number, heading in enumerate(headings):
        line = page.line(heading.place.line)
        yield page.with_line("skipped level", heading.place.line, f"##{line}")
        yield page.with_line("second H1", heading.place.line, line[1:])
        yield page.with_line("numbered heading", heading.place.line, line.replace("## ", f"## {number + 1}. ", 1))
    yield page.without_lines("no closing section", headings[-1].place.line, headings[-1].place.line, headings[-1].text)
    for passage in page.document.every(Passage):
        number, line = passage.place.line, page.line(passage.place.line)
        if passage.text.startswith("Check:"):
            same = [p for p in page.document.every(Passage) if p.text.startswith("Check:")]
            sections = [max((h.place.line for h in headings if h.place.line < p.place.line), default=0) for p in same]
            own = max((h.place.line for h in headings if h.place.line < number), default=0)
            if sections.count(own) == 1:
                yield page.without_lines("missing check", number, number, passage.text)
        elif passage.container == "paragraph" and line[:1].isalpha():
            word = page.chance.choice(("simply", "just", "obviously"))
            yield page.with_line("filler word", number, line.replace(" ", f" {word} ", 1))
            yield page.with_line("word twice", number, re.sub(r"\b([a-z]{3,}) ", r"\1 \1 ", line, count=1))


def _front_matter(page: _Page) -> Iterator[Fault]:
    head = page.document.front_matter
    if head is None or page.document.kind not in (CONTENT, LANDING, NEXT_STEPS):
        return
    keys = sorted(head.places.items(), key=lambda item: item[1])
    closing = next(n for n in range(2, len(page.lines) + 1) if page.line(n) == "---")
    for (key, place), after in zip(keys, [*(place.line for _, place in keys[1:]), closing]):
        yield page.without_lines("missing key", place.line, after - 1, key)
        slip = misspelt(key, page.chance)
        yield from page.replace("misspelt key", place, key, slip)
        value = page.line(place.line)[len(key) + 1:].strip()
        if key in ("weight", "layout", "skilllevels", "subjects", "learning_path_main_page", "minutes_to_complete",
                   "generate_summary_faq", "rerun_summary", "rerun_faqs"):
            yield page.with_line("wrong value", place.line, f"{key}: wrong")
        elif value:
            yield page.with_line("broken YAML", place.line, f"{key}: \"{value}")
    yield page.without_lines("unclosed front matter", closing, closing, "---") if page.document.elements else \
        page.without_lines("unclosed front matter", 1, 1, "---")


# ---------------------------------------------------------------- data and code


def _json(page: _Page) -> Iterator[Fault]:
    for block in page.document.every(Block):
        if block.language != "json":
            continue
        start = page.offset(block.place)
        for found in re.finditer(r',(?=\s*["{\[])', block.text):
            yield page.fault("JSON without a comma", block.place, f"at {found.start()}", start + found.start(), start + found.end(), "")
        for found in re.finditer(r'"([a-z_]{4,})":', block.text):
            slip = misspelt(found[1], page.chance)
            if slip:
                yield page.fault("misspelt key of a configuration", block.place, slip, start + found.start(1), start + found.end(1), slip)
        for found in re.finditer(r'"(pairs|runs|warmup)":\s*(\d+)', block.text):
            yield page.fault("wrong type", block.place, found[0], start + found.start(2), start + found.end(2), '"many"')
            yield page.fault("value out of range", block.place, found[0], start + found.start(2), start + found.end(2), "-1")
        for found in re.finditer(r'"mode":\s*"(\w+)"', block.text):
            yield page.fault("wrong choice", block.place, found[0], start + found.start(1), start + found.end(1), "timings")
        for found in re.finditer(r'\["(\w+)", "(\w+)"\]', block.text):
            yield page.fault("name of nothing", block.place, found[0], start + found.start(1), start + found.end(1), found[1] + "_x")
        for found in re.finditer(r'"model":\s*"([^"]+)"', block.text):
            yield page.fault("path that is not there", block.place, found[1], start + found.start(1), start + found.end(1),
                             found[1].replace("_xnnpack", "_xnpack"))
        for mark in "]}":
            at = block.text.rfind(mark)
            yield page.fault("JSON without a bracket", block.place, mark, start + at, start + at + 1, "") if at >= 0 else \
                page.fault("JSON without a bracket", block.place, "", start, start + 1, "")


def _python(page: _Page) -> Iterator[Fault]:
    for block in page.document.every(Block):
        if block.language != "python":
            continue
        start = page.offset(block.place)
        for found in re.finditer(r"[)\]]\n", block.text):
            yield page.fault("Python without a bracket", block.place, f"at {found.start()}", start + found.start(), start + found.start() + 1, "")
        for found in re.finditer(r"^(?:from|import) ([\w.]+)", block.text, re.MULTILINE):
            slip = misspelt(found[1], page.chance)
            yield page.fault("import of nothing", block.place, f"{slip}", start + found.start(1), start + found.end(1), slip)
        for found in re.finditer(r"^from \S+ import (\w+)", block.text, re.MULTILINE):
            slip = misspelt(found[1], page.chance)
            yield page.fault("import of nothing", block.place, f"{slip}", start + found.start(1), start + found.end(1), slip)
        for found in re.finditer(r"(?<![\w.\"])(torch|summary|directory|comparison)(?=[.\[])", block.text):
            slip = misspelt(found[1], page.chance)
            yield page.fault("misspelt name", block.place, slip, start + found.start(1), start + found.end(1), slip)
        for found in re.finditer(r"^( *def \w+\(.*\)):$", block.text, re.MULTILINE):
            yield page.fault("Python without a colon", block.place, found[1], start + found.start(), start + found.end(), found[1])


def _comments(page: _Page) -> Iterator[Fault]:
    """The checker's own comments, misspelt: they must not fall silent."""
    for number in range(1, len(page.lines) + 1):
        found = re.match(r"<!-- check: (\S+) (.*) -->", page.line(number))
        if found:
            yield page.with_line("misspelt comment", number, page.line(number).replace(found[1], misspelt(found[1], page.chance) or "x", 1))
            if found[1] in ("skip", "no-run"):
                yield page.with_line("comment without a reason", number, f"<!-- check: {found[1]} -->")
        shortcode = re.match(r"\{\{[<%] /?(notice|tabpane)", page.line(number))
        if shortcode:
            yield page.with_line("misspelt shortcode", number, page.line(number).replace(shortcode[1], misspelt(shortcode[1], page.chance), 1))
            yield page.without_lines("unbalanced shortcode", number, number, shortcode[0])


_MAKERS: tuple[Callable[[_Page], Iterator[Fault]], ...] = (
    _words, _dropped, _dropped_lines, _dropped_steps, _misplaced, _around, _links, _spans, _fences, _shape, _front_matter, _json, _python, _comments)


