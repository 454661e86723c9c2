# SPDX-License-Identifier: Apache-2.0
"""Which to ship: of planted runs the right ones are marked, and what they cost is said, by their own numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.analysis import make_run
from support.browser import check_figures_and_accessibility
from support.edited import edit_launches, scaled
from support.numbers import check_numbers, numbers_of, parse_page, text_of
from support.traces import OFF

from model_profiling.files import write_json
from model_profiling.pipeline.measured_programs import InputFile, MeasuredProgram, ModelFile
from model_profiling.pipeline.program_records import SCHEMA_VERSION, KeptProgram, KeptReach
from model_profiling.recorded_agreement import Accuracy, RecordedAgreement
from model_profiling.report.combined import build_combined, read_runs
from model_profiling.report.combined_output import generate_combined_report
from model_profiling.report.load import RunData
from model_profiling.report.quantities import plain
from model_profiling.report.run_files import analyze_run
from model_profiling.report.sections.setup import SetupSection
from model_profiling.report.shipping import ShippingGroup

LIMITS = {"fp32": (1e-3, 0.9999), "fp16": (5e-2, 0.999), "int8": (5e-1, 0.95)}
#: What the launches of `make_run` take, in ms.
MADE_MS = 2.0


def agreement(dtype: str, error: float | None, passed: bool = True) -> RecordedAgreement:
    return RecordedAgreement(0.1, error, 0.999, *LIMITS[dtype], passed)


def planted(
    folder: Path,
    dtype: str,
    ms: float,
    size: int,
    held: RecordedAgreement | None,
    memory: float = 10.0,
    model: str = "net",
    name: str = "",
    **changes: object,
) -> Path:
    """Write an analyzed run of one program, as if it had been measured with these costs."""
    name, digest = name or f"{model}_xnnpack_{dtype}", f"{dtype}{ms}"
    file = ModelFile(name, f"{name}.pte", digest, size)
    run = make_run(folder / f"{name}_{ms:g}", {"on": OFF}, pairs=4, model=file, **changes)
    edit_launches(run.root, lambda line: scaled(line, ms / MADE_MS) | {"peak_rss_mib": memory})
    if held is not None:
        record = KeptProgram(digest, model, held, KeptReach("1.5.1", 0.875))
        programs = [record.to_json()] * max(1, len(run.read_manifest().programs))
        write_json(run.program_records, {"schema_version": SCHEMA_VERSION, "programs": programs})
    analyze_run(run)
    return run.root


def shipping(*runs: Path) -> tuple[ShippingGroup, ...]:
    return build_combined(read_runs(list(runs))).shipping


def marked(group: ShippingGroup) -> list[tuple[str, int, bool]]:
    return [(row.dtype, row.threads, row.best) for row in group.rows]


def told(group: ShippingGroup) -> str:
    return " ".join(map(plain, group.sentences))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """fp32 is the most exact, int8 the fastest and smallest; fp16 is slower and larger than int8, and as far off."""
    folder = tmp_path_factory.mktemp("planted")
    return [
        planted(folder, "fp32", 8.0, 8_000_000, agreement("fp32", 3e-7)),
        planted(folder, "fp16", 6.0, 4_000_000, agreement("fp16", 1e-2)),
        planted(folder, "int8", 2.0, 2_000_000, agreement("int8", 1e-2)),
    ]


def test_what_nothing_beats_is_marked(runs: list[Path]) -> None:
    [group] = shipping(*runs)
    assert marked(group) == [("fp32", 1, True), ("fp16", 1, False), ("int8", 1, True)]
    [again] = shipping(*runs[::-1])
    assert marked(again) == marked(group)[::-1]


def test_what_it_costs_is_said(runs: list[Path]) -> None:
    [group] = shipping(*runs)
    assert told(group).startswith("Where latency counts most, ship net_xnnpack_int8 on 1 thread: 2.0")
    assert (
        "It costs accuracy: its greatest error is 1.0 % of the largest value where net_xnnpack_fp32 on 1 thread, the "
        "most exact here, has 0.00003 % of the largest value, and its file is 0.25 times as large." in told(group)
    )
    assert "(greatest error 50 %, cosine 0.95) is generic and loose: check accuracy" in told(group)
    assert "overlaps" not in told(group)


def test_every_number_is_the_runs_own(runs: list[Path], tmp_path: Path) -> None:
    for out in (tmp_path / "all.html", tmp_path / "all.md"):
        generate_combined_report(runs, out)
    page = parse_page(tmp_path / "all.html")
    section = next(e for e in page.iter() if e.get("id") == "shipping")
    numbers = numbers_of(section)
    check_numbers(Path("/"), numbers)
    paths = [number.path.partition("#")[2] for number in numbers]
    for end in ("/agreement/max_rel_error", "/model/bytes", "/peak_rss_mib", "|interval low", "/exported/share"):
        assert any(path.endswith(end) for path in paths), end
    markdown = (tmp_path / "all.md").read_text()
    assert all(number.text in markdown for number in numbers) and "**yes**" in markdown and "| beaten |" in markdown
    assert "87.5" in text_of(section) and "unbeaten" in text_of(section)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_page_fits_and_is_accessible(runs: list[Path], width: int, scheme: str, open_page, tmp_path: Path) -> None:
    generate_combined_report(runs, tmp_path / "all.html")
    with open_page(tmp_path / "all.html", width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        check_figures_and_accessibility(page, tmp_path / "page.png")


def test_threads_are_alternatives(tmp_path: Path) -> None:
    """Both thread counts of one program take as long: neither beats the other, and that is said."""
    other = planted(tmp_path, "int8", 9.0, 2_000_000, agreement("int8", 1e-2))
    [group] = shipping(planted(tmp_path, "int8", 2.0, 2_000_000, agreement("int8", 1e-2), threads=(1, 2)), other)
    assert marked(group) == [("int8", 1, True), ("int8", 2, True), ("int8", 1, False)]
    assert "Its interval overlaps with that of" in told(group) and "which of them is faster is not shown" in told(group)
    assert "It costs no accuracy: nothing here is closer to the eager model" in told(group)


def test_methods_models_and_shapes_are_no_alternatives(tmp_path: Path) -> None:
    def methods(*names: str) -> tuple[MeasuredProgram, ...]:
        file = ModelFile("net_xnnpack_fp32", "net.pte", "fp328", 8)
        inputs = (InputFile("x", "", (1, 4), "float32"),)
        return tuple(MeasuredProgram(file, (name,), inputs, method=name) for name in names)

    held = agreement("fp32", 0.0)
    run = make_run(
        tmp_path / "both",
        {"prefill": OFF, "decode": OFF},
        programs=methods("prefill", "decode"),
        model=ModelFile("net_xnnpack_fp32", "net.pte", "fp328", 8),
    )
    records = [KeptProgram("fp328", "net", held).to_json()] * 2
    write_json(run.program_records, {"schema_version": SCHEMA_VERSION, "programs": records})
    analyze_run(run)
    other = planted(tmp_path, "fp32", 1.0, 4, held, model="other")
    groups = shipping(run.root, other)
    assert [group.title for group in groups] == ["net, prefill, 1x4", "net, decode, 1x4", "other"]
    assert all(row.best for group in groups for row in group.rows)
    assert all(group.sentences == () and group.figure is None for group in groups)


def test_of_programs_made_elsewhere_it_is_said_that_nothing_is_known(tmp_path: Path) -> None:
    runs = [planted(tmp_path, "fp32", ms, size, None, name="net") for ms, size in ((4.0, 9), (2.0, 8))]
    [group] = shipping(*runs)
    assert [row.agreement for row in group.rows] == ["not known", "not known"]
    assert [row.best for row in group.rows] == [False, True]
    assert "How far it is from the eager model is not known: no export record of its file lay beside it." in told(group)
    assert group.figure is not None and "Latency against size of the file" in group.figure.caption


def test_one_that_does_not_agree_is_not_the_one_to_ship(tmp_path: Path) -> None:
    wrong = planted(tmp_path, "fp16", 1.0, 1_000, agreement("fp16", None, passed=False))
    right = planted(tmp_path, "fp32", 8.0, 8_000, agreement("fp32", 1e-6))
    [group] = shipping(wrong, right)
    assert told(group).startswith("Where latency counts most, ship net_xnnpack_fp32")
    assert [row.agreement for row in group.rows] == ["not finite", ""]
    [alone] = shipping(wrong, planted(tmp_path, "fp16", 2.0, 1_000, agreement("fp16", 0.9, passed=False)))
    assert "It does not agree with its eager model, and neither does any other: its results do not hold." in told(alone)


def test_a_feature_is_not_switched_off_to_ship(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pair", {"off": OFF, "on": OFF}, disabled={"off": ("avx512f",), "on": ()})
    analyze_run(run)
    groups = shipping(run.root, planted(tmp_path, "fp32", 8.0, 8, None))
    assert [[row.side for row in group.rows] for group in groups] == [[""], [""]]
    assert len(groups[0].rows) == 1


def test_a_little_memory_does_not_save_a_slow_one(tmp_path: Path) -> None:
    fast = planted(tmp_path, "int8", 2.0, 2_000, agreement("int8", 1e-2), memory=10.1)
    slow = planted(tmp_path, "int8", 4.0, 2_000, agreement("int8", 1e-2), memory=10.0)
    small = planted(tmp_path, "int8", 5.0, 2_000, agreement("int8", 1e-2), memory=5.0)
    [group] = shipping(fast, slow, small)
    assert [row.best for row in group.rows] == [True, False, True]


# In the report of one run


def facts(run: RunData, *records: KeptProgram) -> dict[str, str]:
    return dict(SetupSection.of(replace(run, records=records), None, None).model)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ((), "not known: no export record of this file lay beside it"),
        (
            (KeptProgram("", "net", agreement("fp32", 3e-7)),),
            "greatest error 3e-05 % of the largest value, smallest cosine 0.999000; within the limit of its export "
            "(0.1 %, cosine 0.9999)",
        ),
        (
            (KeptProgram("", "net", agreement("int8", 0.016)),),
            "greatest error 1.6 % of the largest value, smallest cosine 0.999000; within the limit of its export "
            "(50 %, cosine 0.95), which is generic and loose: check accuracy on data of your own",
        ),
        (
            (KeptProgram("", "net", replace(agreement("int8", 0.016), accuracy=Accuracy(0.75, 0.74, 100, 0.02))),),
            "greatest error 1.6 % of the largest value, smallest cosine 0.999000; within the model's own limit (a loss "
            "of 0.02; it loses 0.01)",
        ),
        (
            (KeptProgram("", "net", agreement("fp16", None, passed=False)),),
            "greatest error not finite (NaN or infinity), smallest cosine 0.999000; beyond the limit of its export "
            "(5 %, cosine 0.999)",
        ),
    ],
)
def test_agreement_with_eager_stands_in_every_report(
    reference: RunData, records: Sequence[KeptProgram], said: str
) -> None:
    assert facts(reference, *records)["Agreement with the eager model"] == said


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
