# SPDX-License-Identifier: Apache-2.0
"""Which of several measured programs to ship, as a combined report shows it: a table and a figure of alternatives."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.advice.shipping import (
    CALLED,
    ReachShare,
    ShippingOption,
    Task,
    by_task,
    shipping_options,
    unbeaten_options,
)
from model_profiling.analysis.comparing.run_comparison import LaunchTimes
from model_profiling.report.figures import Chart, Drawable
from model_profiling.report.load import RunData
from model_profiling.report.quantities import Quantity, Sentence, pointer, quantity
from model_profiling.report.tradeoff import Tradeoff, TradeoffPoint, paint
from model_profiling.report.view import ExperimentRow
from model_profiling.report.words.shipping import PERCENT, ToldOption, error_quantity, shipping_sentences
from model_profiling.report.words.sweep import EVIDENCE
from model_profiling.rounding import places_for
from model_profiling.wording import count, listed

_KB = 1e3
_MB = 1e6
#: Of a cosine that rounds to 1 here, it says all that there is to say.
_COSINE_PLACES, _ALMOST_ONE = 6, 0.9999995


@dataclass(frozen=True)
class ShippingSource:
    """A run of a combined report: what it is called, its data, its rows of the latency table, its launches' times."""

    label: str
    data: RunData
    experiments: Sequence[ExperimentRow]
    times: LaunchTimes
    dtypes: Sequence[str]


@dataclass(frozen=True)
class ShippingRow:
    """One option. `agreement` says what there is instead of an error, "" where there is one; `best`: none beats it."""

    number: int
    label: str
    side: str
    dtype: str
    threads: int
    latency: Quantity
    low: Quantity | None
    high: Quantity | None
    size: Quantity | None
    memory: Quantity | None
    load: Quantity | None
    error: Quantity | None
    agreement: str
    cosine: Quantity | None
    reach: Quantity | None
    evidence: str
    best: bool


@dataclass(frozen=True)
class ShippingGroup:
    """Options that are alternatives of each other; `title` says of what, "" where the report has one group."""

    title: str
    rows: tuple[ShippingRow, ...]
    sentences: tuple[Sentence, ...]
    figure: Drawable | None


@dataclass(frozen=True)
class _Measured:
    """An option with the run that measured it, its row of the latency table, its name; `side` tells several apart."""

    source: ShippingSource
    option: ShippingOption
    row: ExperimentRow
    label: str
    side: str

    @property
    def name(self) -> str:
        return f"{self.label} ({self.side})" if self.side not in ("", self.label) else self.label


def shipping_groups(sources: Sequence[ShippingSource]) -> tuple[ShippingGroup, ...]:
    """Return the alternatives that the runs measured, those of each task together."""
    measured = [one for source in sources for one in _measured(source)]
    options = [one.option for one in measured]
    best, groups = unbeaten_options(options), by_task(options)
    titles = _titles(list(groups))
    return tuple(
        _group(number, titles[task], [measured[place] for place in places], [best[place] for place in places])
        for number, (task, places) in enumerate(groups.items())
    )


def _measured(source: ShippingSource) -> Iterator[_Measured]:
    data = source.data
    rows = {(row.experiment, row.threads): row for row in source.experiments}
    options = list(shipping_options(data.manifest, data.summary, data.launches, source.times, data.records))
    several = len({option.experiment for option in options}) > 1
    of_files = len({program.model.path for program in data.manifest.programs}) > 1
    for option in options:
        row = rows[option.experiment, option.threads]
        # Of several files a run's own name lists them all, and a side's is that of its file.
        yield _Measured(source, option, row, row.side if of_files else source.label, row.side if several else "")


def _titles(tasks: Sequence[Task]) -> dict[Task, str]:
    """Return what tells tasks apart: of the CPU, the model, the method and the shapes what differs."""
    if len(tasks) < 2:
        return dict.fromkeys(tasks, "")
    parts = {
        task: (task.model, task.method, ", ".join(task.shapes), " ".join((task.cpu[2], task.cpu[0]))) for task in tasks
    }
    telling = [place for place in range(4) if len({of[place] for of in parts.values()}) > 1]
    return {task: ", ".join(filter(None, (of[place] for place in telling))) for task, of in parts.items()}


def _group(number: int, title: str, measured: Sequence[_Measured], best: Sequence[bool]) -> ShippingGroup:
    rows = tuple(_row(place + 1, one, best[place]) for place, one in enumerate(measured))
    told = [_told(one, row) for one, row in zip(measured, rows, strict=True)]
    sentences = shipping_sentences(told) if len(rows) > 1 else ()
    return ShippingGroup(title, rows, tuple(sentences), _figure(number, title, told, rows))


def _row(number: int, one: _Measured, best: bool) -> ShippingRow:
    data, option, program = one.source.data, one.option, one.source.data.manifest.program_number(one.option.experiment)
    held, path = option.agreement, data.in_records(program, "agreement")
    cosine = None if held is None else held.cosine
    low, high = _interval(one)
    told = ToldOption(option, "", one.row.time, low, high, path, "")
    return ShippingRow(
        number,
        one.label,
        "" if one.side == one.label else one.side,
        one.source.dtypes[program],
        option.threads,
        one.row.time,
        low,
        high,
        None if option.size_bytes is None else _size(option.size_bytes, _size_path(data, program)),
        one.row.rss,
        one.row.load,
        error_quantity(told),
        "not known" if held is None else "not finite" if held.max_rel_error is None else "",
        None if cosine is None else _cosine(cosine, f"{path}/cosine"),
        None if option.reach is None else _reach(data, program, option.reach),
        EVIDENCE[option.reach.evidence] if option.reach else "",
        best,
    )


def _told(one: _Measured, row: ShippingRow) -> ToldOption:
    data, program = one.source.data, one.source.data.manifest.program_number(one.option.experiment)
    path = data.in_records(program, "agreement")
    return ToldOption(one.option, one.name, row.latency, row.low, row.high, path, _size_path(data, program))


def _interval(one: _Measured) -> tuple[Quantity | None, Quantity | None]:
    """Return the ends of the latency's interval, as they follow from the launches; None of a single launch."""
    cost, places = one.option.latency_ms, one.row.time.places
    if math.isinf(cost.high):
        return None, None
    path = one.source.data.in_metrics("experiments", one.option.experiment, one.option.threads, "launches")
    return quantity(cost.low, f"{path}|interval low", places), quantity(cost.high, f"{path}|interval high", places)


def _size_path(data: RunData, program: int) -> str:
    keys = ("programs", program, "model", "bytes") if data.manifest.programs else ("model", "bytes")
    return f"{data.prefix}manifest.json#{pointer(*keys)}"


def _size(size: int, path: str) -> Quantity:
    """Return a file's size in MB, with as many digits as tell kilobytes apart in small files."""
    return quantity(size, path, places_for(max(size / 1e3, _KB) / _MB, size / _MB), _MB)


def _cosine(value: float, path: str) -> Quantity | None:
    return quantity(value, path, _COSINE_PLACES) if value < _ALMOST_ONE else None


def _reach(data: RunData, program: int, reach: ReachShare) -> Quantity:
    if reach.evidence == CALLED:
        path = data.in_summary("kernels", reach.experiment, reach.threads, "sme2_coverage", "share")
    else:
        path = data.in_records(program, reach.evidence, "share")
    return quantity(reach.share, path, 1, PERCENT)


def _figure(number: int, title: str, named: Sequence[ToldOption], rows: Sequence[ShippingRow]) -> Drawable | None:
    """Return the figure of latency against the error, of latency against the size where errors are not known."""
    errors = [one.option.rel_error for one in named]
    sizes = [one.option.size_bytes for one in named]
    if len(rows) < 2:
        return None
    if all(error is not None and 0 < error < math.inf for error in errors):
        shown, what, unit = [100 * (error or 0.0) for error in errors], "Greatest error, % of the largest value", " %"
    elif all(sizes):
        shown, what, unit = [(size or 0) / _MB for size in sizes], "Size of the file, MB", ""
    else:
        return None
    if len(set(shown)) < 2:
        return None  # of one program alone the table says it all
    plot = Tradeoff(
        tuple(
            TradeoffPoint(
                str(row.number),
                f"{row.dtype}, {count(row.threads, 'thread')}",
                row.latency.raw,
                value,
                row.low.raw if row.low else None,
                row.high.raw if row.high else None,
                row.best,
            )
            for row, value in zip(rows, shown, strict=True)
        ),
        "Latency of one inference, ms",
        what,
        unit,
    )
    told = "; ".join(
        f"{row.number}: {told.name}, {count(row.threads, 'thread')}, {row.latency.text} ms"
        for row, told in zip(rows, named, strict=True)
    )
    of = f" of {title}" if title else ""
    alt = f"Latency against {what[:1].lower()}{what[1:]}{of}; nothing else beats {_marked(rows)}. {told}."
    chart = Chart(f"shipping-{number}", alt, (), (("on", "nothing else beats it"), ("off", "beaten")))
    caption = (
        f"Latency against {what.partition(',')[0].lower()}, on logarithmic scales: the best lie below and left. Bands "
        "are 95 % intervals over launches; numbers are those of the table."
    )
    return Drawable(chart, functools.partial(paint, plot), caption)


def _marked(rows: Sequence[ShippingRow]) -> str:
    return listed([str(row.number) for row in rows if row.best])
