# SPDX-License-Identifier: Apache-2.0
"""Single faults in real pages: what a tired author, a renamed file or a changed flag leaves behind.

Each fault is one that a reader would trip over; a change that leaves a page right is none. Where a
fault can be put is found from the page's model, what it does to the text is written here, so that
the checker is not asked to judge itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from support import command_faults
from support.page_edits import EditedPage, Fault, flag_slip, misspelt, path_slip
from support.skill_faults import skill_faults
from tools.pages.checks.checker import Checker
from tools.pages.reading.document import CONTENT, OTHER, SKILL, Block, Document, Heading, Passage


def faults(document: Document, checker: Checker, seed: int = 7) -> list[Fault]:
    """Return every fault that the generator can put into a page."""
    page = EditedPage(document, checker, seed)
    found = [fault for make in _MAKERS for fault in make(page)]
    return [fault for fault in found if fault.text != document.text]


# ---------------------------------------------------------------- text


def _links(page: EditedPage) -> Iterator[Fault]:
    text = page.document.text
    for passage in page.document.every(Passage):
        for link in passage.links:
            at = text.find(f"]({link.target}", page.offset(link.place))
            if at < 0:
                continue
            start, end = at + 2, at + 2 + len(link.target)
            kind = "missing image" if link.image else "broken link"
            for _ in range(2):
                slip = path_slip(link.target.partition("#")[0].rstrip("/"), page.chance)
                if slip:
                    rest = link.target[len(link.target.partition("#")[0].rstrip("/")) :]
                    yield page.fault(kind, link.place, f"{link.target} -> {slip}{rest}", start, end, slip + rest)
            if "#" in link.target:
                yield page.fault("broken anchor", link.place, link.target, start, end, link.target + "-x")
            if link.image:
                ending = link.target.rpartition(".")[2]
                yield page.fault(
                    kind, link.place, "another ending", start, end, link.target.removesuffix(ending) + "webp"
                )
                if page.document.kind == CONTENT:
                    shown = text.find("![", page.offset(link.place))
                    yield page.fault("image without a text", link.place, link.text, shown + 2, at, "#center")
                    yield page.fault(
                        "image not centered", link.place, link.text, shown + 2, at, link.text.removesuffix("#center")
                    )
                    title = text.find(f' "{link.title}"', at)
                    yield page.fault(
                        "image without a caption", link.place, link.title, title, title + len(link.title) + 3, ""
                    )


def _spans(page: EditedPage) -> Iterator[Fault]:
    repository = page.checker.repository
    for passage in page.document.every(Passage):
        for span in passage.spans:
            flag = re.match(r"--[a-z][\w-]*|(?<= )--[a-z][\w-]*", span.text)
            path = span.text.rstrip("/")
            if flag:
                yield from page.replace(
                    "misspelt flag in a sentence", span.place, flag[0], flag_slip(flag[0], page.chance)
                )
            elif "/" in path and repository.exists(path):
                yield from page.replace("wrong path in a sentence", span.place, path, path_slip(path, page.chance))
            elif (named := re.match(r"(\w+\.(?:py|sh)) (--[\w-]+)", span.text)) and page.checker.scripts.named(
                named[1]
            ):
                yield from page.replace(
                    "misspelt flag in a sentence",
                    span.place,
                    named[0],
                    f"{named[1]} {flag_slip(named[2], page.chance)}",
                )


def _fences(page: EditedPage) -> Iterator[Fault]:
    on_a_page = page.document.kind in (CONTENT, SKILL)
    for block in page.document.every(Block):
        if block.tab or not page.line(block.fence.line).strip().startswith("```"):
            continue
        opening = page.line(block.fence.line)
        last = block.place.line + block.text.count("\n")
        if on_a_page:
            yield page.with_line("fence without a language", block.fence.line, opening.replace(block.language, ""))
            yield page.with_line(
                "misspelt language", block.fence.line, opening.replace(block.language, block.language + "h")
            )
            if block.language == "output":
                yield page.without_lines("missing output", block.fence.line, last, "an output block")
                lead = next(n for n in range(block.fence.line - 1, 0, -1) if page.line(n).strip())
                yield page.with_line(
                    "output without its lead-in", lead, page.line(lead).replace("The output is similar to:", "")
                )
        if not any(page.line(n).strip().startswith("```") for n in range(last + 1, len(page.lines) + 1)):
            yield page.without_lines("unclosed fence", last, last, "the last fence")
        elif on_a_page:
            yield page.without_lines("unclosed fence", last, last, "a fence runs into the text")


def _shape(page: EditedPage) -> Iterator[Fault]:
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


def _front_matter(page: EditedPage) -> Iterator[Fault]:
    head = page.document.front_matter
    if head is None or page.document.kind == OTHER:
        return
    keys = sorted(head.places.items(), key=lambda item: item[1])
    closing = next(n for n in range(2, len(page.lines) + 1) if page.line(n) == "---")
    for (key, place), after in zip(keys, [*(place.line for _, place in keys[1:]), closing], strict=True):
        yield page.without_lines("missing key", place.line, after - 1, key)
        slip = misspelt(key, page.chance)
        yield from page.replace("misspelt key", place, key, slip)
        value = page.line(place.line)[len(key) + 1 :].strip()
        if key in (
            "weight",
            "layout",
            "skilllevels",
            "subjects",
            "learning_path_main_page",
            "minutes_to_complete",
            "generate_summary_faq",
            "rerun_summary",
            "rerun_faqs",
        ):
            yield page.with_line("wrong value", place.line, f"{key}: wrong")
        elif value:
            yield page.with_line("broken YAML", place.line, f'{key}: "{value}')
    yield (
        page.without_lines("unclosed front matter", closing, closing, "---")
        if page.document.elements
        else page.without_lines("unclosed front matter", 1, 1, "---")
    )


# ---------------------------------------------------------------- data and code


def _json(page: EditedPage) -> Iterator[Fault]:
    for block in page.document.every(Block):
        if block.language != "json":
            continue
        start = page.offset(block.place)
        for found in re.finditer(r',(?=\s*["{\[])', block.text):
            yield page.fault(
                "JSON without a comma",
                block.place,
                f"at {found.start()}",
                start + found.start(),
                start + found.end(),
                "",
            )
        for found in re.finditer(r'"([a-z_]{4,})":', block.text):
            slip = misspelt(found[1], page.chance)
            if slip:
                yield page.fault(
                    "misspelt key of a configuration",
                    block.place,
                    slip,
                    start + found.start(1),
                    start + found.end(1),
                    slip,
                )
        for found in re.finditer(r'"(pairs|runs|warmup)":\s*(\d+)', block.text):
            yield page.fault(
                "wrong type", block.place, found[0], start + found.start(2), start + found.end(2), '"many"'
            )
            yield page.fault(
                "value out of range", block.place, found[0], start + found.start(2), start + found.end(2), "-1"
            )
        for found in re.finditer(r'"mode":\s*"(\w+)"', block.text):
            yield page.fault(
                "wrong choice", block.place, found[0], start + found.start(1), start + found.end(1), "timings"
            )
        for found in re.finditer(r'\["(\w+)", "(\w+)"\]', block.text):
            yield page.fault(
                "name of nothing", block.place, found[0], start + found.start(1), start + found.end(1), found[1] + "_x"
            )
        for found in re.finditer(r'"model":\s*"([^"]+)"', block.text):
            yield page.fault(
                "path that is not there",
                block.place,
                found[1],
                start + found.start(1),
                start + found.end(1),
                found[1].replace("_xnnpack", "_xnpack"),
            )
        for mark in "]}":
            at = block.text.rfind(mark)
            yield (
                page.fault("JSON without a bracket", block.place, mark, start + at, start + at + 1, "")
                if at >= 0
                else page.fault("JSON without a bracket", block.place, "", start, start + 1, "")
            )


def _python(page: EditedPage) -> Iterator[Fault]:
    for block in page.document.every(Block):
        if block.language != "python":
            continue
        start = page.offset(block.place)
        for found in re.finditer(r"[)\]]\n", block.text):
            yield page.fault(
                "Python without a bracket",
                block.place,
                f"at {found.start()}",
                start + found.start(),
                start + found.start() + 1,
                "",
            )
        for found in re.finditer(r"^(?:from|import) ([\w.]+)", block.text, re.MULTILINE):
            slip = misspelt(found[1], page.chance)
            if slip:  # "nn" is too short for one
                yield page.fault(
                    "import of nothing", block.place, slip, start + found.start(1), start + found.end(1), slip
                )
        for found in re.finditer(r"^from \S+ import (\w+)", block.text, re.MULTILINE):
            slip = misspelt(found[1], page.chance)
            if slip:  # "nn" is too short for one
                yield page.fault(
                    "import of nothing", block.place, slip, start + found.start(1), start + found.end(1), slip
                )
        for found in re.finditer(r"(?<![\w.\"])(torch|summary|directory|comparison)(?=[.\[])", block.text):
            slip = misspelt(found[1], page.chance)
            yield page.fault("misspelt name", block.place, slip, start + found.start(1), start + found.end(1), slip)
        for found in re.finditer(r"^( *def \w+\(.*\)):$", block.text, re.MULTILINE):
            yield page.fault(
                "Python without a colon", block.place, found[1], start + found.start(), start + found.end(), found[1]
            )


def _comments(page: EditedPage) -> Iterator[Fault]:
    """The checker's own comments, misspelt: they must not fall silent."""
    shown = {
        number
        for block in page.document.every(Block)
        for number in range(block.fence.line, block.place.line + block.text.count("\n"))
    }
    for number in set(range(1, len(page.lines) + 1)) - shown:
        found = re.match(r"<!-- check: (\S+) (.*) -->", page.line(number))
        if found:
            yield page.with_line(
                "misspelt comment",
                number,
                page.line(number).replace(found[1], misspelt(found[1], page.chance) or "x", 1),
            )
            if found[1] in ("skip", "no-run"):
                yield page.with_line("comment without a reason", number, f"<!-- check: {found[1]} -->")
        shortcode = re.match(r"\{\{[<%] /?(notice|tabpane)", page.line(number))
        if shortcode:
            yield page.with_line(
                "misspelt shortcode",
                number,
                page.line(number).replace(shortcode[1], misspelt(shortcode[1], page.chance), 1),
            )
            yield page.without_lines("unbalanced shortcode", number, number, shortcode[0])


_MAKERS: tuple[Callable[[EditedPage], Iterator[Fault]], ...] = (
    *command_faults.MAKERS,
    _links,
    _spans,
    _fences,
    _shape,
    _front_matter,
    _json,
    _python,
    _comments,
    skill_faults,
)
