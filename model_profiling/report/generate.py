# SPDX-License-Identifier: Apache-2.0
"""Writing a run's report: Markdown, HTML, figures and the timeline, all or (with a target) one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from model_profiling.errors import UserError
from model_profiling.files import write_json, write_text, writing
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.charts import Figure, figures_of
from model_profiling.report.compose import build_view, naming_of
from model_profiling.report.html import render_html
from model_profiling.report.load import RunData, read_run
from model_profiling.report.markdown import render_markdown
from model_profiling.report.perfetto import read_track, trace_events
from model_profiling.report.view import View
from model_profiling.report.words.verdict import outcome_sentence
from model_profiling.wording import count, listed

HTML_SUFFIXES, MARKDOWN_SUFFIXES = (".html", ".htm"), (".md", ".markdown")


@dataclass(frozen=True)
class WrittenReport:
    """What was written, and the verdicts in one sentence each."""

    files: tuple[Path, ...]
    sentences: tuple[str, ...]


def generate_report(directory: RunDirectory, out: Path | None = None, title: str | None = None) -> WrittenReport:
    """Write the report of an analyzed run.

    Without `out`, report.md, report.html, figures/ and timeline.json go into the run
    directory. With it, only that file is written (and, for Markdown, its figures beside
    it); its suffix says which. Everything is rendered before anything is written.

    Raises
    ------
    UserError : no analyzed run, or a target that is neither HTML nor Markdown.
    """
    kind = kind_of(out) if out else None
    run = read_run(directory)
    view = build_view(run, str(directory.root), title)
    figures = figures_of(view)
    if out is None:
        files = _write_all(directory, run, view, figures)
    elif kind == "html":
        files = [write_text(out, render_html(view, figures))]
    else:
        folder = out.with_name(f"{out.stem}_figures")
        markdown = render_markdown(view, figures, as_link(folder.name))
        files = [write_text(out, markdown), *write_figures(folder, figures)]
    return WrittenReport(tuple(files), tuple(map(outcome_sentence, view.comparisons)))


def report_html(directory: RunDirectory) -> str:
    """Return the report of an analyzed run as HTML, writing nothing; raises as `generate_report`."""
    view = build_view(read_run(directory), str(directory.root))
    return render_html(view, figures_of(view))


def verdict_sentences(directory: RunDirectory) -> tuple[str, ...]:
    """Return the results of an analyzed run, one line a comparison; raises as `generate_report`."""
    return tuple(map(outcome_sentence, build_view(read_run(directory), str(directory.root)).comparisons))


def kind_of(out: Path) -> str:
    """Return "html" or "markdown", or raise the `UserError` for another target."""
    if out.is_dir():
        raise UserError("the target is a folder", f"at {out} (--out)", "name a file ending in .html or .md")
    suffix = out.suffix.lower()
    if suffix not in HTML_SUFFIXES + MARKDOWN_SUFFIXES:
        raise UserError(f'"{suffix}" is no format of a report', f"in --out {out}", "name a file ending in .html or .md")
    return "html" if suffix in HTML_SUFFIXES else "markdown"


def _write_all(directory: RunDirectory, run: RunData, view: View, figures: Mapping[str, Figure]) -> list[Path]:
    html = render_html(view, figures)
    markdown = render_markdown(view, figures, directory.figures.name)
    timeline = _timeline(directory, run)
    drawn = write_figures(directory.figures, figures)
    for stale in set(directory.figures.glob("*.svg")) - set(drawn):  # of an earlier report of this run
        with writing(stale):
            stale.unlink()
    return [
        write_text(directory.report_html, html),
        write_text(directory.report_md, markdown),
        write_json(directory.timeline_json, timeline),
        directory.figures,
    ]


def write_figures(folder: Path, figures: Mapping[str, Figure]) -> list[Path]:
    """Write each figure's wide version into `folder`."""
    return [write_text(folder / f"{name}.svg", figure.wide.file_text()) for name, figure in figures.items()]


def _timeline(directory: RunDirectory, run: RunData) -> dict[str, object]:
    experiments, manifest, naming = run.summary.experiments, run.manifest, naming_of(run)
    tracks = []
    for name in sorted(experiments, key=naming.series):
        for threads in sorted(experiments[name]):
            path = directory.table(manifest.program(name).model.id, name, threads, "run0_timeline")
            if path.is_file():
                tracks.append(read_track(path, f"{naming.side(name)}, {count(threads, 'thread')} ({name})"))
    return trace_events(
        tracks,
        {
            "model": listed([program.model.id for program in manifest.every_program]),
            "feature": naming.label or "none",
            "executorch": manifest.executorch.version,
        },
    )


def as_link(folder: str) -> str:
    """Return a folder's name as a Markdown link's target may hold it."""
    return quote(folder)
