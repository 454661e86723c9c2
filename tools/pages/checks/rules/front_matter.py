# SPDX-License-Identifier: Apache-2.0
"""Front matter: what each kind of page has to say of itself, by schema, and what pages say together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import jsonschema

from model_profiling.errors import nearest
from tools.pages.checks.house_style import FRONT_MATTER, begins_with_verb, front_matter_schemas
from tools.pages.checks.page import CheckedPage
from tools.pages.checks.rules.links import check_address, check_internal
from tools.pages.checks.rules.prose import check_text
from tools.pages.reading.document import CONTENT, LANDING, OTHER
from tools.pages.reading.problems import Position, Problem

Values = Mapping[str, object]
Places = Mapping[str, Position]


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check a page's front matter; a document of another kind has none to check."""
    document, head = page.document, page.document.front_matter
    if document.kind == OTHER:
        return
    if head is None:
        yield page.problem(Position(1), "front matter", "the page has no front matter")
        return
    if head.error:
        yield page.problem(head.error[0], "front matter", head.error[1])
        return
    values = head.values or {}
    yield from _schema(page, values, head.places)
    if document.kind in (LANDING, CONTENT):
        yield from _texts(page, values, head.places)
    if document.kind == CONTENT:
        yield from _together(page, values, head.places)
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*\.md", document.path.name):
            yield page.problem(
                Position(1), "front matter", f"{document.path.name}: file names are lower case, with hyphens"
            )
    if document.kind == LANDING:
        yield from _landing(page, values, head.places)


def _schema(page: CheckedPage, values: Values, places: Places) -> Iterator[Problem]:
    schema = front_matter_schemas()[page.document.kind]
    for error in jsonschema.Draft202012Validator(schema).iter_errors(dict(values)):
        if error.validator == "additionalProperties" and not error.absolute_path:
            known = schema["properties"]
            for key in (k for k in values if k not in known):
                yield page.problem(
                    places[key],
                    "front matter",
                    f"{key} is not a key of a {page.document.kind}'s front matter{nearest(key, known)}",
                )
        elif error.validator == "required" and not error.absolute_path:
            missing = error.message.split("'")[1]  # "'title' is a required property"
            yield page.problem(Position(1), "front matter", f"the key {missing} is missing")
        else:
            key = str(error.absolute_path[0]) if error.absolute_path else ""
            told = nearest(str(error.instance), error.validator_value) if error.validator == "enum" else ""
            yield page.problem(places.get(key, Position(1)), "front matter", f"{key}: {error.message}{told}")


def _texts(page: CheckedPage, values: Values, places: Places) -> Iterator[Problem]:
    title = values.get("title")
    if isinstance(title, str) and title.split() and not begins_with_verb(title):
        yield page.problem(
            places["title"],
            "front matter",
            f"the title does not tell the reader to do something: "
            f'"{title.split()[0]}" is not among the verbs in {FRONT_MATTER.name}',
        )
    for key in ("title", "description", "who_is_this_for"):
        text = values.get(key)
        if isinstance(text, str):
            yield from check_text(page, text, places[key])


def _together(page: CheckedPage, values: Values, places: Places) -> Iterator[Problem]:
    for key in ("weight", "title"):
        for name, other in page.neighbors.items():
            same = (
                name != page.document.path.name
                and other.front_matter
                and other.front_matter.values
                and values.get(key) is not None
                and other.front_matter.values.get(key) == values[key]
            )
            if same:
                yield page.problem(places[key], "front matter", f"the {key} {values[key]} is {name}'s too")


def _landing(page: CheckedPage, values: Values, places: Places) -> Iterator[Problem]:
    objectives = values.get("learning_objectives")
    for objective in objectives if isinstance(objectives, list) else ():
        if not begins_with_verb(str(objective)):
            yield page.problem(
                places["learning_objectives"], "front matter", f'the objective "{objective}" begins with no verb'
            )
    reading = values.get("further_reading")
    for entry in reading if isinstance(reading, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        link = resource.get("link") if isinstance(resource, dict) else None
        if isinstance(link, str):
            place = _line_of(page, link) or places["further_reading"]
            yield from check_internal(page, link, place) if link.startswith("/") else check_address(page, link, place)


def _line_of(page: CheckedPage, text: str) -> Position | None:
    for number, line in enumerate(page.document.text.splitlines(), 1):
        if text in line:
            return Position(number, line.index(text) + 1)
    return None
