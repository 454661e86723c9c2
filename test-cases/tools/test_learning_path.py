# SPDX-License-Identifier: Apache-2.0
"""The pages as files: how Arm's repository lays them out, and what an export refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kit import FIXTURES, REPOSITORY, Finished
from support.site import BELOW, Site, build_site, dead_links

from model_profiling.errors import UserError
from tools.learning_path.layout import export
from tools.learning_path.pages import CONTENT, IMAGES, read_page, read_pages

SAMPLE = FIXTURES / "site"


def run_export(dest: Path) -> Finished:
    argv = [sys.executable, str(REPOSITORY / "tools" / "export_learning_path.py"), "--dest", str(dest)]
    return Finished(subprocess.run(argv, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL))


@pytest.fixture(scope="module")
def exported_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("arm-learning-paths")
    run_export(dest).ok()
    return dest


def test_pages_and_the_images_they_show_are_laid_out(exported_path: Path) -> None:
    folder = exported_path / "content" / BELOW
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    shown = {image.target for page in read_pages(CONTENT) for image in page.images}
    assert shown and files == shown | {page.name for page in read_pages(CONTENT)}
    for name in files:
        origin = IMAGES / Path(name).name if name.startswith("images/") else CONTENT / name
        assert (folder / name).read_bytes() == origin.read_bytes()


def test_what_was_exported_builds_as_it_lies_there(exported_path: Path, tmp_path: Path) -> None:
    done = build_site(tmp_path / "site", exported_path / "content" / BELOW)
    assert done.returncode == 0, done.stderr
    assert dead_links(Site(tmp_path / "site")) == []


def test_exporting_again_changes_nothing_and_left_over_files_are_named(tmp_path: Path) -> None:
    run_export(tmp_path).ok()
    run_export(tmp_path).ok()
    (tmp_path / "content" / BELOW / "00-old.md").write_text("old")
    assert "00-old.md is not part of the learning path" in run_export(tmp_path).error_line()


FAULTS = {
    "missing image": ("01-parts.md", "images/squares.svg", "images/gone.svg", "gone.svg does not exist"),
    "image elsewhere": ("01-parts.md", "images/squares.svg", "../images/squares.svg", "is no images/"),
    "upper case": ("01-parts.md", "images/squares.svg", "images/Squares.svg", "is no images/"),
    "no alternative text": ("01-parts.md", "![The same, not centered]", "![]", "no alternative text"),
    "dead link": ("01-parts.md", "02-second/#", "02-gone/#", "leads to no page"),
    "relative link": ("01-parts.md", "(#code)", "(02-second.md)", "neither an address nor an absolute path"),
    "two pages with one weight": ("02-second.md", "weight: 3", "weight: 2", "another page has weight 2"),
    "no description": ("02-second.md", "description:", "descripton:", "02-second.md: description is missing"),
    "no layout": ("02-second.md", "layout: learningpathall", "layout: page", "layout must be learningpathall"),
    "an old name": ("_index.md", "author:", "author_primary:", "author is missing"),
    "a changed last page": ("_next-steps.md", "weight: 21", "weight: 20", "weight must be 21"),
    "no front matter": ("02-second.md", "---\ntitle", "title", "has no front matter"),
    "front matter that is no YAML": ("02-second.md", "title: Be", "title: 'Be", "is no YAML"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_nothing_is_written(fault: str, tmp_path: Path) -> None:
    name, old, new, told = FAULTS[fault]
    pages = Path(shutil.copytree(SAMPLE, tmp_path / "pages"))
    text = (pages / name).read_text()
    assert old in text
    (pages / name).write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=told):
        export(pages, pages / "images", tmp_path / "dest")
    assert not (tmp_path / "dest").exists()


def test_a_missing_last_page_is_named(tmp_path: Path) -> None:
    pages = Path(shutil.copytree(SAMPLE, tmp_path / "pages"))
    (pages / "_next-steps.md").unlink()
    with pytest.raises(UserError, match="_next-steps.md is missing"):
        export(pages, pages / "images", tmp_path / "dest")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_a_page_or_a_user_s_error(tmp_path_factory: pytest.TempPathFactory, front: str, body: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_text(f"---\n{front}\n---\n{body}", encoding="utf-8", errors="replace")
    try:
        page = read_page(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(page.front_matter, dict)
        assert all(isinstance(image.alt, str) for image in page.images) and all(map(str, page.links))
