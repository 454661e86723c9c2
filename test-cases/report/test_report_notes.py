# SPDX-License-Identifier: Apache-2.0
"""Notes and verdicts of a report: what the reference run is told, and would be told had it gone otherwise."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.report import with_summary

from model_profiling.pipeline.lockstep.rounds import TurnRecord
from model_profiling.report.compose import naming_of
from model_profiling.report.launch_notes import launch_notes
from model_profiling.report.load import RunData
from model_profiling.report.method_notes import method_notes
from model_profiling.report.quantities import Quantity, plain
from model_profiling.report.verdicts import verdict_of


def notes(run: RunData) -> dict[tuple[str, str], list[str]]:
    """Return the sentences of every note of a run, by its tone and title."""
    naming = naming_of(run)
    return {
        (note.tone, note.title): list(map(plain, note.sentences))
        for note in (*launch_notes(run, naming), *method_notes(run, naming))
    }


def with_launches(run: RunData, experiment: str, only: Iterable[int] | None = None, **changes: object) -> RunData:
    """Return a run whose launches of an experiment, all or those of some pairs, are otherwise."""
    pairs = range(run.manifest.pairs) if only is None else only
    launches = [
        replace(launch, **changes) if launch.experiment == experiment and launch.pair in pairs else launch
        for launch in run.launches
    ]
    return replace(run, launches=launches)


def test_an_undisturbed_run_has_one_thing_to_beware_of(reference: RunData) -> None:
    assert [title for tone, title in notes(reference) if tone == "warn"] == ["Outlying launches"]
    assert [title for tone, title in notes(reference) if tone == "good"] == [
        "Outputs of both sides, compared in every pair",
        "Nothing was void",
        "How steady the machine was",
        "The switch was verified",
    ]


# How launches went


def test_an_unfinished_run_says_how_to_finish_it(reference: RunData) -> None:
    unfinished = replace(reference, manifest=replace(reference.manifest, finished=None))
    assert notes(unfinished)["warn", "The run is unfinished"] == [
        "Launches that were planned are missing. Run the pipeline again with --resume, then analyze again."
    ]
    assert ("warn", "The run is unfinished") not in notes(reference)


def test_outputs_that_were_not_compared_are_not_called_identical(reference: RunData) -> None:
    without = with_launches(with_launches(reference, "mac_sme2_off", agreement=()), "mac_sme2_on", agreement=())
    for run, said in (
        (reference, "bit for bit identical in all 8 comparisons."),
        (without, "outputs were not compared."),
    ):
        told = [sentence for sentences in notes(run).values() for sentence in sentences]
        of_outputs = [sentence for sentence in told if re.search("identical|outputs", sentence)]
        assert of_outputs == [f"AVX-512 off and AVX-512 on, 1 thread: {said}"]
    assert ("good", "Outputs of both sides, compared in every pair") not in notes(without)


def test_one_output_that_is_not_finite_is_a_warning(reference: RunData) -> None:
    lost = {"identical": False, "max_abs_error": None, "max_rel_error": None, "cosine": None}
    held = next(launch for launch in reference.launches if launch.pair == 3 and launch.agreement)
    found = notes(with_launches(reference, held.experiment, [3], agreement=(held.agreement[0] | lost,)))
    assert found["warn", "Outputs differ"] == [
        "AVX-512 off and AVX-512 on, 1 thread: an output is not finite (NaN or infinity) on one side. "
        "A comparison of different results means nothing."
    ]
    assert ("good", "Outputs of both sides, compared in every pair") not in found


def test_outputs_that_are_not_the_same_answer_are_a_warning(reference: RunData) -> None:
    """The limit is that of the validator, which calls such a run an error."""
    other = {"identical": False, "max_abs_error": 1.5, "max_rel_error": 0.8, "cosine": 0.12}
    held = next(launch for launch in reference.launches if launch.pair == 3 and launch.agreement)
    found = notes(with_launches(reference, held.experiment, [3], agreement=(held.agreement[0] | other,)))
    assert found["warn", "Outputs differ"] == [
        "AVX-512 off and AVX-512 on, 1 thread: largest difference 1.5e+00 (8.0e-01 of the largest value), smallest "
        "cosine 0.120000. A comparison of different results means nothing."
    ]
    assert ("good", "Outputs of both sides, compared in every pair") not in found


def turn(number: int, set_aside: str) -> TurnRecord:
    times = {"ns": (5, 5), "wall_ns": 10, "cpu_ns": 9, "involuntary_switches": 0, "steal_ns": 0, "frequency_khz": None}
    return TurnRecord(**times, round=number, order=0, traced=False, left_out=1, set_aside=set_aside)


@pytest.mark.parametrize(
    ("aside", "tone", "said"),
    [
        (0, "good", "None of 160 rounds was disturbed."),
        (1, "good", "8 of 160 rounds were disturbed: only the fastest execution of each turn counts there."),
        (5, "warn", "40 of 160 rounds were disturbed: only the fastest execution of each turn counts there."),
    ],
)
def test_what_was_set_aside_is_counted_by_rounds(reference: RunData, aside: int, tone: str, said: str) -> None:
    """A round of both sides counts once; where many were set aside the report says what to do."""
    turns = tuple(turn(number, "lost 30 %" if number < aside else "") for number in range(20))
    run = replace(reference, launches=[replace(launch, turns=turns) for launch in reference.launches])
    told = notes(run)[tone, "How steady the machine was"]
    assert told[0] == said and told[1] == "Ready to run before launches, over a minute: 13 tasks."
    assert told[2] == "Not pinned to cores."
    assert told[3:] == ([] if tone == "good" else [
        "For a narrower interval, close other programs, measure at real-time priority (chrt -f 1 before the command), "
        'pin launches with "cpu_affinity" and plug a laptop in.'
    ])  # fmt: skip


def test_priority_cores_and_clock_rule_are_told(reference: RunData) -> None:
    manifest = replace(
        reference.manifest,
        host={**reference.manifest.host, "priority": "real-time (SCHED_FIFO, 1)"},
        affinity={"mac_sme2_on": (4, 5), "mac_sme2_off": (4, 5)},
    )
    launches = [replace(x, before={"load1": 0.2 + x.pair, "governor": "performance"}) for x in reference.launches]
    assert notes(replace(reference, manifest=manifest, launches=launches))["good", "How steady the machine was"] == [
        "Ready to run before launches, over a minute: 0 to 7 tasks (median 4).",
        "Priority: real-time (SCHED_FIFO, 1).",
        "Pinned to cores 4, 5.",
        "Frequency governor: performance.",
    ]


# How it was measured


def test_operators_without_a_category_are_named_once(reference: RunData) -> None:
    def unknown(summary: dict) -> None:
        for name, operators in (
            ("mac_sme2_off", ["native_call_frobnicate.out", "Mystery (NC, F16)"]),
            ("mac_sme2_on", ["native_call_frobnicate.out"]),
        ):
            summary["experiments"][name]["1"]["unmapped_operators"] = operators

    assert notes(with_summary(reference, unknown))["warn", "Operators without a category"] == [
        "Operators without a category of their own, counted as Other: Mystery (NC, F16) and native_call_frobnicate.out."
    ]


def test_a_comparison_that_was_asked_for_and_not_made_is_missed(reference: RunData) -> None:
    """Of an emulated CPU none is made, and so none is missed."""
    title = ("warn", "A comparison is missing")
    without = with_summary(reference, lambda summary: summary.update(comparisons=[]))
    assert notes(without)[title] == [
        "AVX-512 off and AVX-512 on share no complete pair of launches, so they are not compared."
    ]
    assert title not in notes(replace(without, manifest=replace(without.manifest, emulated=True)))
    assert title not in notes(reference)


@pytest.mark.parametrize("changes", [{"masked_cpu_features": ("avx512f",)}, {"active_cpu_features": ("avx512vnni",)}])
def test_one_launch_that_kept_the_feature_spoils_the_switch(reference: RunData, changes: dict) -> None:
    found = notes(with_launches(reference, "mac_sme2_off", [5], **changes))
    assert found["warn", "The switch did not work in every launch"] == [
        "Some launches of AVX-512 off still had some of AVX-512."
    ]
    assert ("good", "The switch was verified") not in found
    assert notes(reference)["good", "The switch was verified"] == [
        "In every launch of AVX-512 off the runtime saw a CPU without AVX-512."
    ]


def test_a_measured_noise_floor_is_told_with_where_it_stands(reference: RunData) -> None:
    run = with_summary(reference, lambda summary: summary["comparisons"][0].update(noise_floor_percent=2.4567))
    told = next(note for note in method_notes(run, naming_of(run)) if note.title == "Noise floor")
    assert plain(told.sentences[0]).startswith("An A/A calibration on this machine measured how large a difference")
    assert told.sentences[1:] == (
        ("1 thread: ", Quantity("2.5", 2.4567, "analysis_summary.json#/comparisons/0/noise_floor_percent", 1), " %."),
    )
    floors = ("info", "Noise floor"), ("info", "Noise floor not measured")
    assert [title in notes(run) for title in floors] == [True, False]
    assert [title in notes(reference) for title in floors] == [False, True]


# What a calibration came to


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (None, "One pair gives no interval, so nothing is calibrated."),
        ([0.99, 1.02], "The interval holds 1, as it should: the calibration passed."),
        (
            [1.627, 1.669],
            "The interval excludes 1 although both sides are the same: the calibration failed, and this machine is not "
            "quiet enough for verdicts.",
        ),
    ],
)
def test_a_calibration_passes_where_its_interval_holds_1(reference: RunData, interval: list | None, said: str) -> None:
    run = with_summary(reference, lambda summary: summary["comparisons"][0].update(ci95=interval))
    run = replace(run, manifest=replace(run.manifest, calibration=True))
    verdict = verdict_of(run, naming_of(run), 0)
    assert (verdict.badge, verdict.headline) == ("A/A calibration", "one experiment against itself")
    assert list(map(plain, verdict.sentences)) == [
        "One inference on 1 thread takes 4.32 ms with AVX-512 off and 2.62 ms with AVX-512 on.",
        said,
    ]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
