# SPDX-License-Identifier: Apache-2.0
"""Bash to shapes, by tree-sitter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from tools.pages.reading.problems import Position
from tools.pages.reading.shell import Command, Loop, Piece, Redirect, Script, Shape, Statement, Subshell, Word

_PARSER = Parser(Language(tree_sitter_bash.language()))
_PLACEHOLDER = re.compile(r"<([a-z][\w-]*)>")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: Grammar nodes whose text is taken as it stands.
_LITERAL = frozenset({"word", "number", "string_content", "extglob_pattern", "regex", "test_operator"})


def parse(text: str, place: Position, values: Mapping[str, str]) -> Script:
    """Parse a block's text whose first character stands at `place`; `values` replace ``<name>``."""
    source = _Source(text, place, values)
    root = _PARSER.parse(source.encoded).root_node
    faults = list(source.faults)
    if root.has_error:
        node = _first_error(root)
        faults.append(
            (source.at(node.start_byte), "bash", "bash cannot read this: look for a missing quote, bracket or keyword")
        )
    reader = _GrammarReader(source)
    statements = tuple(reader.statement(node) for node in root.named_children if node.type not in ("comment", "ERROR"))
    return Script(statements, tuple(faults))


def _end(node: Node) -> int:
    """Return where a statement ends, the mark that sends it to the background included."""
    after = node.next_sibling
    return after.end_byte if after is not None and after.type == "&" else node.end_byte


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a block's text with its placeholders filled in."""
    return _Source(text, Position(1), values).encoded.decode()


class _Source:
    """A block's text with its placeholders filled in, and where each byte stands in the page."""

    def __init__(self, text: str, place: Position, values: Mapping[str, str]) -> None:
        self.text, self.first, self.faults = text, place, []
        filled, self.moves, end = [], [(0, 0)], 0
        for placeholder in _PLACEHOLDER.finditer(text):
            if text[max(0, placeholder.start() - 1) : placeholder.start()] == "<":
                continue  # a here-document
            value = values.get(placeholder[1])
            if value is None:
                self.faults.append(
                    (
                        self._place(placeholder.start()),
                        "placeholder",
                        f"{placeholder[0]} has no value: declare one with <!-- check: set {placeholder[1]}=VALUE -->",
                    )
                )
                value = placeholder[1]
            filled += [text[end : placeholder.start()], value]
            end = placeholder.end()
            self.moves.append((sum(len(part.encode()) for part in filled), len(text[:end].encode())))
        self.encoded = "".join([*filled, text[end:]]).encode()

    def at(self, offset: int) -> Position:
        """Return where a byte of the filled text stands in the page."""
        filled, original = next(move for move in reversed(self.moves) if move[0] <= offset)
        return self._place(len(self.text.encode()[: original + offset - filled].decode("utf-8", "ignore")))

    def _place(self, index: int) -> Position:
        before = self.text[:index]
        return Position(self.first.line + before.count("\n"), self.first.column + index - (before.rfind("\n") + 1))

    def of(self, node: Node) -> str:
        return self.encoded[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _child(node: Node, field: str) -> Node:
    """Return the child that the grammar always gives a node of this kind."""
    child = node.child_by_field_name(field)
    assert child is not None, field
    return child


def _first_error(node: Node) -> Node:
    for child in node.children:
        if child.is_missing or child.type == "ERROR":
            return child
        if child.has_error:
            return _first_error(child)
    return node


class _GrammarReader:
    def __init__(self, source: _Source) -> None:
        self.source = source

    def statement(self, node: Node) -> Statement:
        text = self.source.encoded[node.start_byte : _end(node)].decode("utf-8", "replace").rstrip("\n")
        return Statement(text, self.source.at(node.start_byte), tuple(self.shapes(node)), node.type == "pipeline")

    def shapes(self, node: Node, redirects: tuple[Redirect, ...] = (), piped: bool = False) -> Iterator[Shape]:
        """Yield what a grammar node does, in the order in which a shell does it."""
        kind = node.type
        if kind in ("command", "declaration_command", "unset_command", "test_command"):
            yield self._command(node, redirects, piped)
        elif kind in ("variable_assignment", "variable_assignments"):
            assigned = [node] if kind == "variable_assignment" else node.named_children
            inner = tuple(shape for child in assigned for shape in self._inner(child))
            yield Command(
                (),
                tuple(self._assignment(child) for child in assigned),
                redirects,
                self.source.at(node.start_byte),
                inner,
            )
        elif kind == "redirected_statement":
            body, *marks = node.named_children
            yield from self.shapes(body, (*redirects, *(r for mark in marks for r in self._redirects(mark))), piped)
        elif kind == "pipeline":
            for number, child in enumerate(node.named_children):
                yield from self.shapes(child, redirects if child == node.named_children[-1] else (), number > 0)
        elif kind == "for_statement":
            values = tuple(self.word(child) for child in node.children_by_field_name("value"))
            loop_body, variable = _child(node, "body"), _child(node, "variable")
            yield Loop(self.source.of(variable), values, tuple(self._all(loop_body)))
        elif kind == "subshell":
            yield Subshell(tuple(self._all(node)))
        elif kind not in ("comment", "ERROR", "heredoc_body", "word"):
            yield from self._all(node)

    def _all(self, node: Node) -> Iterator[Shape]:
        for child in node.named_children:
            yield from self.shapes(child)

    def _command(self, node: Node, redirects: tuple[Redirect, ...], piped: bool) -> Command:
        words: list[Word] = []
        assignments: list[tuple[str, Word | None]] = []
        own: list[Redirect] = []
        for child in node.named_children:
            if child.type == "variable_assignment":
                assignments.append(self._assignment(child))
            elif child.type == "command_name":
                words.append(self.word(child))
            elif child.type in ("file_redirect", "herestring_redirect", "heredoc_redirect"):
                own += self._redirects(child)
            elif child.type == "variable_name":  # export NAME
                assignments.append((self.source.of(child), None))
            elif node.type != "test_command":
                words.append(self.word(child))
        keyword = "" if node.type == "command" else self.source.of(node.children[0])
        return Command(
            tuple(words),
            tuple(assignments),
            (*own, *redirects),
            self.source.at(node.start_byte),
            tuple(self._inner(node)),
            keyword,
            piped,
        )

    def _assignment(self, node: Node) -> tuple[str, Word | None]:
        value = node.child_by_field_name("value")
        return self.source.of(_child(node, "name")), self.word(value) if value else None

    def _redirects(self, node: Node) -> Iterator[Redirect]:
        if node.type == "heredoc_redirect":
            body = next((child for child in node.children if child.type == "heredoc_body"), None)
            yield Redirect("<<", None, self.source.of(body) if body else "")
            for child in node.named_children:
                if child.type in ("file_redirect",):
                    yield from self._redirects(child)
            return
        operator = next((child.type for child in node.children if not child.is_named), ">")
        target = node.child_by_field_name("destination")
        yield Redirect(operator, self.word(target) if target else None)

    def _inner(self, node: Node) -> Iterator[Shape]:
        """Yield what command substitutions inside a node run."""
        for child in node.named_children:
            if child.type in ("command_substitution", "process_substitution"):
                yield from self._all(child)
            else:
                yield from self._inner(child)

    def word(self, node: Node) -> Word:
        return Word(tuple(self._pieces(node, False)), self.source.of(node), self.source.at(node.start_byte))

    def _pieces(self, node: Node, quoted: bool) -> Iterator[Piece]:
        kind, text = node.type, self.source.of(node)
        if kind == "raw_string":
            yield Piece("text", text[1:-1], True)
        elif kind in _LITERAL:
            yield Piece("text", text if quoted else _ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], text), quoted)
        elif kind in ("simple_expansion", "expansion"):
            name = next(
                (
                    self.source.of(c)
                    for c in node.named_children
                    if c.type in ("variable_name", "special_variable_name")
                ),
                "",
            )
            yield Piece(
                "variable",
                name,
                quoted,
                fallback=kind == "expansion"
                and len(node.named_children) > 1
                or any(c.type in (":-", "-", ":+", "+") for c in node.children),
            )
        elif kind in ("command_name", "string", "concatenation", "translated_string"):
            inner = quoted or kind == "string"
            at = node.start_byte + (kind == "string")
            for child in node.named_children:
                if inner and child.start_byte > at:  # blanks between expansions are no nodes of their own
                    yield Piece("text", self.source.encoded[at : child.start_byte].decode("utf-8", "replace"), True)
                yield from self._pieces(child, inner)
                at = child.end_byte
        elif kind == "ansi_c_string":
            yield Piece("unknown", text, True)
        else:
            yield Piece("unknown", text, quoted)
