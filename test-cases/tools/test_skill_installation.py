# SPDX-License-Identifier: Apache-2.0
"""Skills laid out for assistants: folders of the open form, links that lead on, nothing of others touched."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.pages import REPOSITORY
from support.skills import FOLDER, SECOND, command, make_checkout, write

from tools.pages.checks.checker import Checker
from tools.pages.reading.document import Passage
from tools.pages.reading.lexer import read_document
from tools.skills.catalogue import skills
from tools.skills.installing import install, survey

ADDRESS = "https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("install"))


def installed(dest: Path, root: Path = REPOSITORY) -> list[Path]:
    """Install the skills of a checkout and return their files."""
    found = survey(skills(Checker.of(root)), dest, root)
    install(found)
    return [entry.file for entry in found]


# ---------------------------------------------------------------- the open form


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_the_repository_s_skills_have_the_open_form_and_their_links_lead_on(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dest = tmp_path / "skills"
    if where == "inside":
        dest = REPOSITORY / "out_installed_skills" / tmp_path.name
        request.addfinalizer(lambda: _remove(dest))
    files = installed(dest)
    assert files
    for file in files:
        _require_open_form(file)
        for passage in read_document(file, file.name).every(Passage):
            for link in passage.links:
                _require_leads_on(link.target.partition("#")[0], file, relative=where == "inside")


def _require_open_form(file: Path) -> None:
    """The rules of agentskills.io's specification, written here apart from the tool's own."""
    text = file.read_text(encoding="utf-8")
    head = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])
    assert file.name == "SKILL.md" and file.parent.name == head["name"]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", head["name"]) and len(head["name"]) <= 64
    assert 0 < len(head["description"]) <= 1024 and 0 < len(head["compatibility"]) <= 500
    assert set(head) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in head["metadata"].items())
    assert head["metadata"]["source"].startswith(f"{ADDRESS}/blob/main/{FOLDER}/")
    assert len(text.splitlines()) < 500 and "<!-- check:" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _require_leads_on(target: str, file: Path, relative: bool) -> None:
    if target.startswith(ADDRESS):
        assert not relative and (REPOSITORY / re.sub(rf"^{ADDRESS}/(blob|tree)/main/", "", target)).exists(), target
    elif "://" not in target and target:
        assert (file.parent / target).exists(), target


def _remove(dest: Path) -> None:
    for file in dest.glob("*/SKILL.md"):
        file.unlink()
        file.parent.rmdir()
    dest.rmdir()
    if not any(dest.parent.iterdir()):
        dest.parent.rmdir()


def test_comments_for_the_checker_are_left_out_and_those_in_blocks_stay(root: Path, tmp_path: Path) -> None:
    text = SECOND.text.replace(
        "- Write more lines.", "- Write more lines.\n\n```text\n<!-- check: exits 1 -->\n[a](01_write_log.md)\n```"
    )
    (root / FOLDER / "02_count_log.md").write_text(text, encoding="utf-8")
    told = installed(tmp_path, root)[1].read_text()
    write(root, SECOND)
    assert "check: after" not in told and "```text\n<!-- check: exits 1 -->\n[a](01_write_log.md)\n```" in told
    assert "do [skill 01](../write-the-log/SKILL.md) first" in told
    assert f"The [catalogue]({ADDRESS}/blob/main/{FOLDER}/readme.md) lists them." in told


# ---------------------------------------------------------------- again, and over what is there


def test_again_writes_only_what_differs(root: Path, tmp_path: Path) -> None:
    first, _ = installed(tmp_path, root)
    before = first.stat().st_mtime_ns
    done = command(root, "--dest", tmp_path, tool="install_skills.py")
    assert done.stdout == "write-the-log: fresh\ncount-the-log: fresh\n" and first.stat().st_mtime_ns == before
    first.write_text(first.read_text() + "edited\n", encoding="utf-8")
    checked = command(root, "--dest", tmp_path, "--check", tool="install_skills.py")
    assert (
        checked.returncode == 2 and checked.stdout == "write-the-log: not that of this checkout\ncount-the-log: fresh\n"
    )
    assert (
        checked.stderr == f"error: 1 of 2 skills differ, in {tmp_path}: run tools/install_skills.py --dest {tmp_path}\n"
    )
    again = command(root, "--dest", tmp_path, tool="install_skills.py")
    assert (
        again.returncode == 0
        and again.stdout.startswith("write-the-log: updated\n")
        and "edited" not in first.read_text()
    )
    assert command(root, "--dest", tmp_path, "--check", tool="install_skills.py").returncode == 0


def test_a_folder_of_somebody_else_stops_it_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    (tmp_path / "count-the-log").mkdir()
    (tmp_path / "count-the-log" / "SKILL.md").write_text(
        "---\nname: count-the-log\ndescription: Mine.\n---\n", encoding="utf-8"
    )
    done = command(root, "--dest", tmp_path, tool="install_skills.py")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        f"error: count-the-log is there and is not a skill of this kit, at {tmp_path / 'count-the-log'}: "
        "move it away, or choose another folder with --dest\n"
    )
    assert (
        not (tmp_path / "write-the-log").exists() and "Mine." in (tmp_path / "count-the-log" / "SKILL.md").read_text()
    )


def test_a_skill_that_is_gone_goes_and_what_is_not_the_kit_s_stays(root: Path, tmp_path: Path) -> None:
    installed(tmp_path, root)
    (tmp_path / "write-the-log").rename(tmp_path / "of-another-time")
    (tmp_path / "of-others").mkdir()
    (tmp_path / "of-others" / "SKILL.md").write_text("---\nname: of-others\n---\n", encoding="utf-8")
    (tmp_path / "count-the-log" / "notes.txt").write_text("kept", encoding="utf-8")
    done = command(root, "--dest", tmp_path, tool="install_skills.py")
    assert (
        done.stdout == "write-the-log: written\ncount-the-log: fresh\n"
        "of-another-time: removed: the kit has no such skill any more\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["count-the-log", "of-others", "write-the-log"]
    assert (tmp_path / "count-the-log" / "notes.txt").read_text() == "kept"


@pytest.mark.parametrize("kind", ["file", "below a file", "none"])
def test_a_bad_destination_is_one_line(kind: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    words = {
        "file": ["--dest", tmp_path / "file"],
        "below a file": ["--dest", tmp_path / "file" / "skills"],
        "none": [],
    }[kind]
    done = command(root, *words, tool="install_skills.py")
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@given(st.binary(max_size=200))
def test_whatever_lies_there_is_told_from_the_kit_s(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _FORMS[0].name / "SKILL.md"
        file.parent.mkdir()
        file.write_bytes(content)
        assert survey(_FORMS, Path(folder), REPOSITORY)[0].state == "foreign" and file.read_bytes() == content


_FORMS = skills(Checker.of(REPOSITORY))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
