# SPDX-License-Identifier: Apache-2.0
"""Kernels: which were called or registered, in which layers, and which layers miss SME2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from model_profiling.analysis.kernels.entries import CalledKernels, Coverage, KernelEntry, RegisteredKernels
from model_profiling.analysis.kernels.side_by_side import LAYER, Group, KernelView, SideRows, compare_kernels
from model_profiling.analysis.kernels.uses import LOADING
from model_profiling.analysis.tables.kernels import CALLED
from model_profiling.pipeline.kernel_names import SME2
from model_profiling.report.coverage import CoverageBar, KernelSide, coverage_chart
from model_profiling.report.figures import Drawable
from model_profiling.report.kernel_markdown import MEANING
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Quantity, pointer, quantity
from model_profiling.report.section import ReportSection
from model_profiling.report.view import View
from model_profiling.report.words.kernels import kernel_sentences, view_notes
from model_profiling.rounding import places_for
from model_profiling.wording import count, listed

_MILLION = 1e6
_MOST_PLACES = 3


@dataclass(frozen=True)
class KernelsOfLayer:
    """The kernels of one layer, or of one operator or kind where layers are not known, on both sides."""

    number: Identifier
    name: Identifier
    detail: Identifier
    multiply_adds: Quantity | None
    on: SideRows
    off: SideRows
    differs: bool


@dataclass(frozen=True)
class MissingRow:
    """One matrix layer that does not reach SME2, and the operators it ran as."""

    number: Identifier
    name: Identifier
    detail: Identifier
    multiply_adds: Quantity
    operators: Identifier


@dataclass(frozen=True)
class KernelComparison:
    """What one or two launches showed of kernels: the first side is the one with the features left on.

    `missing` is None where it is not known which layers reach SME2. `left_out` counts
    layers without any kernel that the record can see.
    """

    anchor: str
    title: str
    threads: int
    evidence: str
    meaning: str
    sides: tuple[KernelSide, ...]
    by_layer: bool
    view: KernelView
    differing: str
    bars: tuple[CoverageBar, ...]
    rows: tuple[KernelsOfLayer, ...]
    left_out: int
    missing: tuple[MissingRow, ...] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class KernelsSection(ReportSection):
    """What launches showed of kernels, by kind of evidence and thread count."""

    anchor: ClassVar[str] = "kernels"
    title: ClassVar[str] = "Kernels"
    template: ClassVar[str] = "kernels"
    comparisons: tuple[KernelComparison, ...]

    @property
    def shown(self) -> bool:
        return bool(self.comparisons)

    def figures(self) -> Iterable[Drawable]:
        return (coverage_chart(c.anchor, c.evidence, c.sides, c.bars) for c in self.comparisons if c.bars)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> KernelsSection:
        return cls(_comparisons(run))


def _comparisons(run: RunData) -> tuple[KernelComparison, ...]:
    """Return one entry for each kind of evidence and thread count; its two sides where there are just two."""
    recorded = list(run.summary.kernels.entries())
    kinds = dict.fromkeys((entry.evidence, threads) for _, threads, entry in recorded)
    comparisons: list[KernelComparison] = []
    for evidence, threads in kinds:
        names = [
            name
            for name, at, entry in recorded
            if (entry.evidence, at) == (evidence, threads) and run.kernels[name, threads]
        ]
        groups = list(_sides(run, names, threads))
        titled, first = len(kinds) > 1 or len(groups) > 1, len(comparisons)
        comparisons += [
            _comparison(run, group, threads, f"kernels-{first + number}", titled) for number, group in enumerate(groups)
        ]
    return tuple(comparisons)


def _sides(run: RunData, names: Sequence[str], threads: int) -> Iterator[tuple[str, ...]]:
    """Yield what stands side by side: on before off of one program where there is one of each, else each alone.

    Off is where features were switched off. What a source build was built without the
    manifest does not know: off is then the one without SME2 kernels.
    """

    def is_off(name: str) -> bool:
        entry = _entry(run, name, threads)
        if entry.evidence == CALLED:
            return bool(run.manifest.disabled.get(name))
        return SME2 not in entry.families

    one_program = len({run.manifest.program_number(name) for name in names}) == 1
    if len(names) == 2 and one_program and is_off(names[0]) != is_off(names[1]):
        yield tuple(sorted(names, key=is_off))
    else:
        yield from ((name,) for name in names)


def _comparison(run: RunData, names: tuple[str, ...], threads: int, anchor: str, titled: bool) -> KernelComparison:
    evidence = _entry(run, names[0], threads).evidence
    naming = Naming(
        run.manifest if evidence == CALLED else None, names, names[1:]
    )  # builds switch what no manifest knows
    tables = [run.kernels[name, threads] for name in names]
    view = compare_kernels(tables[0], tables[1] if len(names) > 1 else ())
    sides = tuple(
        KernelSide(name, naming.side(name), naming.series(name), kernel_sentences(_entry(run, name, threads)))
        for name in names
    )
    work = {layer: q for name in names for layer, q in _work(run, name, threads).items()}
    shown = [group for group in view.groups if group.on.kernels or group.off.kernels]
    return KernelComparison(
        anchor=anchor,
        threads=threads,
        evidence=evidence,
        meaning=MEANING[evidence],
        sides=sides,
        title=f"{listed([side.side for side in sides])}, {count(threads, 'thread')}" if titled else "",
        by_layer=view.by == LAYER,
        view=replace(view, groups=tuple(shown)),
        differing=_differing(view, sides),
        bars=tuple(bar for side, name in zip(sides, names, strict=True) for bar in _bars(run, name, threads, side)),
        rows=tuple(_row(group, work) for group in shown),
        left_out=len(view.groups) - len(shown),
        missing=_missing(run, names[0], threads),
        notes=tuple(view_notes(view)) if len(names) > 1 else (),
    )


def _entry(run: RunData, name: str, threads: int) -> KernelEntry:
    return run.summary.kernels[name][threads]


def _differing(view: KernelView, sides: Sequence[KernelSide]) -> str:
    if len(sides) < 2:
        return ""
    what = count(len(view.matched), "layer" if view.by == LAYER else "operator" if CALLED in view.evidence else "kind")
    return f"Kernels differ in {view.differing} of {what}."


def _bars(run: RunData, name: str, threads: int, side: KernelSide) -> Iterator[CoverageBar]:
    """Yield the shares that reach SME2, in percent: of matrix layers, of their multiply-adds, of their time."""
    entry, path = _entry(run, name, threads), run.in_summary("kernels", name, threads)
    if isinstance(entry, RegisteredKernels):
        yield from _coverage_bars(entry.packed_for_sme, f"{path}/packed_for_sme", side)
        return
    yield from _coverage_bars(entry.coverage, f"{path}/sme2_coverage", side)
    for timed, shares in entry.time.items():
        here = f"{path}/sme2_time{pointer(timed)}"
        matrix = _percent(shares.matrix_share, f"{here}/matrix_share")
        yield CoverageBar(side, "Time of matrix layers", "", matrix)
        execution = _percent(shares.execution_share, f"{here}/execution_share")
        yield CoverageBar(side, "Time of an execution", "", execution)


def _coverage_bars(coverage: Coverage | None, path: str, side: KernelSide) -> Iterator[CoverageBar]:
    if coverage is None or not coverage.all_layers:
        return
    layers = _percent(coverage.layers / coverage.all_layers, f"{path}/layers,{path}/all_layers|ratio")
    yield CoverageBar(side, "Matrix layers", f"{coverage.layers} of {coverage.all_layers}", layers)
    yield CoverageBar(side, "Multiply-adds", "", _percent(coverage.share, f"{path}/share"))


def _percent(share: float, path: str) -> Quantity:
    """Return a share in percent: whole ones, unless that printed all of it for less, or nothing for more."""
    places = next(
        (n for n in range(_MOST_PLACES) if share in (0, 1) or 0 < float(f"{100 * share:.{n}f}") < 100), _MOST_PLACES
    )
    return quantity(share, path, places, 0.01)


def _work(run: RunData, name: str, threads: int) -> dict[str, Quantity]:
    """Return the multiply-adds of each matrix layer, in millions."""
    entry = _entry(run, name, threads)
    return {
        layer.layer: quantity(
            layer.multiply_adds,
            run.in_summary("kernels", name, threads, "matrix_layers", number, "multiply_adds"),
            places_for(None, layer.multiply_adds / _MILLION),
            _MILLION,
        )
        for number, layer in enumerate(entry.matrix_layers if isinstance(entry, CalledKernels) else ())
    }


def _row(group: Group, work: Mapping[str, Quantity]) -> KernelsOfLayer:
    number, name, detail = _parts(group.name) if group.kind == LAYER else ("", group.name, "")
    on, off = (
        _without_ordinals(side) if group.kind == LAYER else replace(side, operators=())
        for side in (group.on, group.off)
    )
    if not name or name == LOADING:
        name = "weights, packed while loading" if name else "outside of operators"
    return KernelsOfLayer(
        Identifier(number), Identifier(name), Identifier(detail), work.get(group.name), on, off, group.differs
    )


def _without_ordinals(side: SideRows) -> SideRows:
    """A layer says which operator it is; the ordinal in the operator's name says nothing more."""
    return replace(side, operators=tuple(dict.fromkeys(name.partition(" #")[0] for name in side.operators)))


def _parts(layer: str) -> tuple[str, str, str]:
    """Split "0.4 wide (3x3 conv, 64->64)" into its number, module and what it does; one may be all there is."""
    number, _, title = layer.partition(" ")
    module, bracket, detail = title.partition(" (")
    return (number, module, detail.removesuffix(")")) if bracket else (number, title, "")


def _missing(run: RunData, name: str, threads: int) -> tuple[MissingRow, ...] | None:
    """Return the matrix layers that do not reach SME2, the largest first; None where that is not known."""
    entry = _entry(run, name, threads)
    if not isinstance(entry, CalledKernels) or entry.coverage is None:
        return None
    work, rows = _work(run, name, threads), []
    for layer in entry.matrix_layers:
        if not layer.reached:
            number, module, detail = map(Identifier, _parts(layer.layer))
            ran_as = Identifier(" + ".join(layer.operators) or "not run")
            rows.append(MissingRow(number, module, detail, work[layer.layer], ran_as))
    return tuple(sorted(rows, key=lambda row: -row.multiply_adds.raw))
