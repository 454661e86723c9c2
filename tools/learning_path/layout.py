# SPDX-License-Identifier: Apache-2.0
"""The learning path as Arm's repository lays it out: pages with an images/ folder beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import write_bytes
from tools.learning_path.pages import LANDING, LAST, PATH, LearningPathPage, read_pages

#: What Arm's own checks ask of the landing page.
LANDING_KEYS = (
    "title",
    "minutes_to_complete",
    "who_is_this_for",
    "learning_objectives",
    "prerequisites",
    "author",
    "skilllevels",
    "subjects",
    "armips",
    "tools_software_languages",
    "operatingsystems",
    "further_reading",
    "description",
)
LANDING_FIXED = {"weight": 1, "layout": "learningpathall", "learning_path_main_page": "yes"}
LAST_FIXED = {"weight": 21, "title": "Next Steps", "layout": "learningpathall"}
_IMAGE_TYPES = (".png", ".jpg", ".jpeg", ".svg", ".webp")
_FILE_NAME = re.compile(r"_?[a-z0-9][a-z0-9._-]*")


def planned(pages: Sequence[LearningPathPage], images: Path) -> dict[Path, Path]:
    """Return the files of the export: path below the learning path's folder -> where it is copied from."""
    files = {Path(page.name): page.path for page in pages}
    for page in pages:
        for image in page.images:
            if Path(image.target).parent == Path("images"):
                files[Path(image.target)] = images / Path(image.target).name
    return files


def export(source: Path, images: Path, dest: Path) -> list[Path]:
    """Write the learning path below `dest` (a checkout of Arm's repository, or any folder); return the files.

    Everything is checked before anything is written, and again as it was written.

    Raises
    ------
    UserError : a page breaks a rule, an image is missing, or other files are there already.
    """
    pages = read_pages(source)
    refuse(problems(pages, images), source)
    target = dest / "content" / PATH
    files = planned(pages, images)
    refuse(_left_over(target, files), target)
    written = [write_bytes(target / name, origin.read_bytes()) for name, origin in sorted(files.items())]
    refuse(problems(read_pages(target), target / "images"), target)
    return written


def refuse(faults: Iterator[str], where: Path) -> None:
    """Raise one `UserError` that lists the faults, if there are any."""
    listed = list(faults)
    if listed:
        raise UserError("; ".join(listed), f"in {where}", "correct that")


def problems(pages: Sequence[LearningPathPage], images: Path) -> Iterator[str]:
    """Yield what would fail in Arm's repository, or look wrong there."""
    names = [page.name for page in pages]
    if LAST not in names:
        yield f"{LAST} is missing"
    weights = [page.front_matter.get("weight") for page in pages]
    for page, weight in zip(pages, weights, strict=True):
        if not _FILE_NAME.fullmatch(page.name):
            yield f"{page.name} is not lower case without spaces"
        if weights.count(weight) > 1:
            yield f"{page.name}: another page has weight {weight} too"
        yield from _front_matter(page)
        yield from _images(page, images)
        yield from _links(page, names)


def _front_matter(page: LearningPathPage) -> Iterator[str]:
    held = page.front_matter
    fixed = (
        LANDING_FIXED if page.name == LANDING else LAST_FIXED if page.name == LAST else {"layout": "learningpathall"}
    )
    for key, value in fixed.items():
        if held.get(key) != value:
            yield f"{page.name}: {key} must be {value}"
    needed = LANDING_KEYS if page.name == LANDING else () if page.name == LAST else ("title", "description")
    for key in needed:
        if not held.get(key):
            yield f"{page.name}: {key} is missing"


def _images(page: LearningPathPage, images: Path) -> Iterator[str]:
    for image in page.images:
        path = Path(image.target)
        if path.parent != Path("images") or path.suffix not in _IMAGE_TYPES or not _FILE_NAME.fullmatch(path.name):
            yield f"{page.name}: {image.target} is no images/<lower case name> of type {', '.join(_IMAGE_TYPES)}"
        elif not (images / path.name).is_file():
            yield f"{page.name}: {image.target} does not exist"
        if not image.alt:
            yield f"{page.name}: {image.target} has no alternative text"


def _links(page: LearningPathPage, names: Sequence[str]) -> Iterator[str]:
    inside = f"/{PATH.as_posix()}/"
    for link in page.links:
        if link.startswith(inside):
            name = link[len(inside) :].partition("#")[0].strip("/")
            if name and f"{name}.md" not in names:
                yield f"{page.name}: {link} leads to no page"
        elif not re.match(r"https?://|#|/learning-paths/|/install-guides/", link):
            yield f"{page.name}: {link} is neither an address nor an absolute path of the site"


def _left_over(target: Path, files: dict[Path, Path]) -> Iterator[str]:
    """Yield what an earlier export left that this one would not write: it would be published too."""
    if target.is_dir():
        for path in sorted(target.rglob("*")):
            if path.is_file() and path.relative_to(target) not in files:
                yield f"{path.relative_to(target)} is not part of the learning path"
