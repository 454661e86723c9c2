# SPDX-License-Identifier: Apache-2.0
"""Markdown to a `Document`, by markdown-it-py; Hugo's shortcodes are unfolded first, line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools.pages.reading import skill_form, yaml_head
from tools.pages.reading.directives import DirectiveReader
from tools.pages.reading.document import SKILL, Block, Document, Element, Heading, Link, Passage, Span, kind_of, slug
from tools.pages.reading.problems import Position

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_FENCE = re.compile(r" *(`{3,}|~{3,})(.*)")
_TAB = re.compile(r'\s*\{\{<\s*tab\s+header="([^"]+)"(?:\s+language="(\w+)")?[^>]*>\}\}\s*$')
_SHORTCODE = re.compile(r"\s*\{\{[<%]\s*(/?)\s*([\w-]+)([^>%]*)[>%]\}\}\s*$")
_SHORTCODES = frozenset({"notice", "tabpane"})
_CONTAINERS = {"list_item_open": "item", "td_open": "cell", "th_open": "cell", "blockquote_open": "quote"}


def read_document(path: Path, name: str, text: str | None = None) -> Document:
    """Read the Markdown file at `path` (or `text` in its place) into a `Document`.

    Raises
    ------
    OSError, UnicodeDecodeError : the file cannot be read.
    """
    text = path.read_text(encoding="utf-8") if text is None else text
    lines = text.splitlines()
    head, body = yaml_head.split(lines)
    reader = _MarkdownReader(lines)
    reader.unfold(body)
    reader.read()
    document = Document(
        path,
        name,
        kind_of(path),
        text,
        head,
        tuple(reader.elements),
        reader.directives.settings,
        tuple(reader.faults + reader.directives.faults),
    )
    return skill_form.with_table_commands(document) if document.kind == SKILL else document


@dataclass
class _MarkdownReader:
    lines: list[str]
    plain: list[str] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    faults: list[tuple[Position, str, str]] = field(default_factory=list)
    directives: DirectiveReader = field(default_factory=DirectiveReader)
    containers: list[str] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)
    row: tuple[int, int] = (0, 0)  # a table's line, and how far its cells have been read

    # ------------------------------------------------------------ shortcodes

    def unfold(self, body: int) -> None:
        """Blank the front matter and shortcodes; a tab of code becomes a fence of the same lines."""
        self.plain = [""] * body
        fence = ""
        opened: list[tuple[str, Position]] = []
        for number, line in enumerate(self.lines[body:], body + 1):
            mark = _FENCE.match(line)
            if fence:
                if mark and mark[1].startswith(fence) and not mark[2].strip():
                    fence = ""
            elif mark:
                fence = mark[1]
            elif (tab := _TAB.match(line)) and "tabpane" in (name for name, _ in opened):
                line = f"~~~~~~{tab[2] or ''} tab={tab[1]}"
            elif re.match(r"\s*\{\{<\s*/tab\s*>\}\}\s*$", line):
                line = "~~~~~~"
            elif shortcode := _SHORTCODE.match(line):
                self._shortcode(shortcode, Position(number), opened)
                line = ""
            self.plain.append(line)
        self.faults += [(place, "shortcode", f"{{{{ {name} }}}} is never closed") for name, place in opened]

    def _shortcode(self, shortcode: re.Match[str], place: Position, opened: list[tuple[str, Position]]) -> None:
        closing, name = shortcode[1], shortcode[2]
        if name not in _SHORTCODES:
            self.faults.append(
                (
                    place,
                    "shortcode",
                    f"{name} is not a shortcode of these pages: use {', '.join(sorted(_SHORTCODES))} or tab",
                )
            )
        elif not closing:
            opened.append((name, place))
            kinds = ("Note", "Tip", "Warning", "Important")
            if name == "notice" and shortcode[3].strip() not in kinds:
                self.faults.append(
                    (
                        place,
                        "shortcode",
                        f"{shortcode[3].strip() or 'nothing'} is not a kind of notice: use {', '.join(kinds)}",
                    )
                )
        elif opened and opened[-1][0] == name:
            opened.pop()
        else:
            self.faults.append((place, "shortcode", f"{{{{ /{name} }}}} closes nothing"))

    # ------------------------------------------------------------ Markdown

    def read(self) -> None:
        tokens = _MARKDOWN.parse("\n".join(self.plain) + "\n")
        level = 0
        for token in tokens:
            if token.type in _CONTAINERS:
                self.containers.append(_CONTAINERS[token.type])
            elif token.type.replace("_close", "_open") in _CONTAINERS:
                self.containers.pop()
            elif token.type == "heading_open":
                level = int(token.tag[1])
            elif token.type == "heading_close":
                level = 0
            elif token.type == "inline" and level:
                self._heading(token, level)
            elif token.type == "inline":
                self._passage(token)
            elif token.type in ("fence", "code_block"):
                self._block(token)
            elif token.type == "html_block":
                self.directives.read(token.content, _lines_of(token)[0] + 1)

    def _heading(self, token: Token, level: int) -> None:
        text = "".join(child.content for child in token.children or ())
        anchor = slug(text)
        seen = self.anchors.get(anchor, 0)
        self.anchors[anchor] = seen + 1
        self.elements.append(
            Heading(
                level,
                text,
                f"{anchor}-{seen}" if seen else anchor,
                Position(_lines_of(token)[0] + 1),
                self.directives.take(),
            )
        )

    def _passage(self, token: Token) -> None:
        in_cell = self.containers[-1:] == ["cell"]
        first, end = _lines_of(token)
        finder = _Finder(self.plain, first, end, self.row[1] if in_cell and self.row[0] == first else 0)
        links: list[Link] = []
        spans: list[Span] = []
        shown: list[str] = []
        prose: list[str] = []
        waiting: list[tuple[Token, Position, int]] = []
        for child in token.children or ():
            if child.type == "link_open":
                waiting.append((child, finder.find("["), len(shown)))
            elif child.type == "link_close" and waiting:
                opened, place, start = waiting.pop()
                links.append(
                    Link(str(opened.attrs["href"]), "".join(shown[start:]), str(opened.attrs.get("title", "")), place)
                )
            elif child.type == "image":
                place = finder.find("![")
                links.append(
                    Link(str(child.attrs["src"]), child.content, str(child.attrs.get("title", "")), place, image=True)
                )
            elif child.type == "code_inline":
                spans.append(Span(child.content, finder.find("`", child.content)))
                shown.append(child.content)
            else:
                piece = " " if child.type.endswith("break") else child.content
                shown.append(piece if child.type != "html_inline" else "")
                prose.append(shown[-1])
        if in_cell:
            self.row = first, finder.at
        container = self.containers[-1] if self.containers else "paragraph"
        self.elements.append(
            Passage(
                "".join(shown),
                Position(first + 1),
                container,
                tuple(links),
                tuple(spans),
                "".join(prose),
                self.directives.take(),
            )
        )

    def _block(self, token: Token) -> None:
        first, end = _lines_of(token)
        info, _, tab = token.info.strip().partition(" tab=")
        language = re.split(r"[^\w+-]", info, maxsplit=1)[0]
        fenced = token.type == "fence"
        closing = (
            re.fullmatch(r" *(`{3,}|~{3,}) *", self.plain[end - 1]) if fenced and end - 1 < len(self.plain) else None
        )
        closed = not fenced or (end - first >= 2 and closing is not None)
        opening = self.plain[first]
        indent = len(opening) - len(opening.lstrip(" ")) if fenced else 4
        self.elements.append(
            Block(
                language,
                token.content,
                Position(first + 1 + fenced, indent + 1),
                Position(first + 1),
                closed,
                tab or None,
                dict(self.directives.values),
                self.directives.take(),
            )
        )


def _lines_of(token: Token) -> tuple[int, int]:
    """Return the lines that a block of Markdown stands in, from 0, the last one excluded."""
    assert token.map is not None, token.type  # every block has them
    return token.map[0], token.map[1]


class _Finder:
    """Finds where pieces of a passage stand in the source, one after the other."""

    def __init__(self, lines: list[str], first: int, end: int, at: int = 0) -> None:
        self.text, self.first, self.at = "\n".join(lines[first:end]), first, at

    def find(self, mark: str, content: str = "") -> Position:
        index = self.text.find(mark, self.at) if not content else self._code(mark, content)
        start = index if index >= 0 else self.at
        self.at = start + len(mark) + len(content)
        before = self.text[: start + (len(mark) if content else 0)]
        return Position(self.first + 1 + before.count("\n"), len(before) - before.rfind("\n"))

    def _code(self, mark: str, content: str) -> int:
        # A code span may be broken over two lines: the break reads as a blank. In a table "|" has a backslash.
        pattern = re.escape(mark) + r"+\s?" + re.escape(content).replace(r"\ ", r"[ \n]").replace(r"\|", r"\\?\|")
        code = re.compile(pattern).search(self.text, self.at)
        return code.start() if code else -1
