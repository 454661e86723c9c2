# SPDX-License-Identifier: Apache-2.0
"""Writing a run's report: Markdown, HTML, figures and the timeline, all or (with a target) one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import write_json, write_text, writing
from model_profiling.paired_statistics import NO_VERDICT
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.charts import Figure, figures_of
from model_profiling.report.compose import build_view
from model_profiling.report.html import render_html
from model_profiling.report.load import RunData, read_run
from model_profiling.report.markdown import render_markdown
from model_profiling.report.naming import Naming
from model_profiling.report.perfetto import read_track, trace_events
from model_profiling.report.view import ComparisonView, View
from model_profiling.wording import count

HTML_SUFFIXES, MARKDOWN_SUFFIXES = (".html", ".htm"), (".md", ".markdown")


@dataclass(frozen=True)
class Outcome:
    """What was written, and the verdicts in one sentence each."""

    files: tuple[Path, ...]
    sentences: tuple[str, ...]


def generate_report(directory: RunDirectory, out: Path | None = None, title: str | None = None) -> Outcome:
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
    return Outcome(tuple(files), tuple(map(verdict_sentence, view.comparisons)))


def verdict_sentences(directory: RunDirectory) -> tuple[str, ...]:
    """Return the results of an analyzed run, one line a comparison; raises as `generate_report`."""
    return tuple(map(verdict_sentence, build_view(read_run(directory), str(directory.root)).comparisons))


def verdict_sentence(comparison: ComparisonView) -> str:
    """Return one comparison's result in one line, for the screen."""
    verdict = comparison.verdict
    interval = f"95 % interval {verdict.low.text} to {verdict.high.text}" if verdict.low else "one pair, so no interval"
    # "faster", "slower" and "no difference shown" stand in the headline already.
    word = f" ({verdict.badge})" if verdict.word == NO_VERDICT else ""
    return (
        f"{verdict.headline[:1].upper()}{verdict.headline[1:]}: {verdict.speedup.text}x, {interval}, "
        f"{count(int(verdict.pairs.raw), 'pair')}, {count(comparison.threads, 'thread')}{word}."
    )


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
    experiments, model = run.summary["experiments"], run.manifest.model.id
    naming = Naming(run.manifest, list(experiments), [c["baseline"] for c in run.summary["comparisons"]])
    tracks = []
    for name in sorted(experiments, key=naming.series):
        for threads in sorted(experiments[name], key=int):
            path = directory.table(model, name, int(threads), "run0_timeline")
            if path.is_file():
                tracks.append(read_track(path, f"{naming.side(name)}, {count(int(threads), 'thread')} ({name})"))
    return trace_events(
        tracks, {"model": model, "feature": naming.label or "none", "executorch": run.manifest.executorch.version}
    )


def as_link(folder: str) -> str:
    """Return a folder's name as a Markdown link's target may hold it."""
    from urllib.parse import quote

    return quote(folder)
