# SPDX-License-Identifier: Apache-2.0
"""What makes analysis, validation, reports and onboarding fail: the failure tables of skills 05 to 08."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from support.causes_run import MEASURE, VALIDATE, edit
from support.run import renamed
from support.skill_failures import Desk, Typed, cause

RUN = "out_toy_cnn/runs/mac"
ANALYZE = f"python model_profiling/scripts/analyze_results.py --run-dir {RUN}"
REPORT = f"python model_profiling/scripts/generate_report.py --run-dir {RUN}"
COMBINE = "python model_profiling/scripts/generate_combined_report.py --run-dirs"
TO_CSV = "python model_profiling/tools/etdump_to_csv.py"
NEW_MODEL = "python model_profiling/scripts/new_model.py"
#: The fix is the corrected command.
FIX_IS_PROOF = ""


def table(desk: Desk, kind: str) -> Path:
    """Return the table of this kind of the desk's run, feature on."""
    return next((desk / RUN / "mac_sme2_on").glob(f"*_{kind}.csv"))


# ---------------------------------------------------------------- 05: analysis


@cause("05", "there is no run directory")
def nothing_measured(desk: Desk) -> Typed:
    shutil.rmtree(desk / RUN)
    return Typed(ANALYZE)


@cause("05", "error: the folder holds no run (manifest.json is missing)")
def folder_above(desk: Desk) -> Typed:
    return Typed("python model_profiling/scripts/analyze_results.py --run-dir out_toy_cnn/runs", then=FIX_IS_PROOF)


@cause("05", "error: the table does not exist")
def not_analyzed(desk: Desk) -> Typed:
    for made in (desk / RUN).glob("*/*.csv"):
        made.unlink()
    return Typed(
        f"python model_profiling/tools/analyze_etdump_csv.py --timeline-csv {RUN}/mac_sme2_off/*_all_runs_timeline.csv "
        f"--compare {RUN}/mac_sme2_on/*_all_runs_timeline.csv --output-dir {RUN}"
    )


@cause("05", "the traces give")
def edited_table(desk: Desk) -> Typed:
    path = table(desk, "ops_stats")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    calls = lines[0].split(",").index("total_ms_per_run")
    words = lines[1].split(",")
    words[calls] = "0.001"
    path.write_text("".join([lines[0], ",".join(words), *lines[2:]]), encoding="utf-8")
    return Typed(VALIDATE)


@cause("05", "error    traces")
def edited_trace(desk: Desk) -> Typed:
    trace = sorted((desk / RUN / "mac_sme2_on").glob("*.etdump"))[0]
    data = bytearray(trace.read_bytes())
    data[len(data) // 2] ^= 1
    trace.write_bytes(data)
    return Typed(VALIDATE)


@cause("05", "error: this is no ETDump")
def model_for_trace(desk: Desk) -> Typed:
    return Typed(
        f"{TO_CSV} --etdump out_toy_cnn/artifacts/toy_cnn_xnnpack_fp16.pte --out-dir out_toy_cnn/etdump",
        then=FIX_IS_PROOF,
    )


@cause("05", "(quick: no verdict)")
def too_few_pairs(desk: Desk) -> Typed:
    edit(desk / "out_toy_cnn/config.json", '"pairs": 2', '"pairs": 6')
    return Typed(
        f"{MEASURE} --quick",
        then=f'grep -E \'"verdict": "(faster|slower|no difference shown)"\' {RUN}/analysis_summary.json',
        status=(0,),
    )


# ---------------------------------------------------------------- 06: validation


@cause("06", "error    report ... missing")
def deleted_report(desk: Desk) -> Typed:
    for name in ("report.html", "report.md"):
        (desk / RUN / name).unlink()
    return Typed(VALIDATE)


@cause("06", "The runs differ in model:")
def other_model(desk: Desk) -> Typed:
    renamed(desk / "out_toy_cnn/artifacts/toy_cnn_xnnpack_fp16.pte", desk / "out_other", "other")
    config = json.loads((desk / "out_toy_cnn/config.json").read_text(encoding="utf-8"))
    config |= {"model": "out_other/other.pte", "output_root": "out_other/runs/mac"}
    (desk / "out_other/config.json").write_text(json.dumps(config), encoding="utf-8")
    desk.type("python model_profiling/scripts/mac_pipeline.py --config out_other/config.json").check_returncode()
    return Typed(
        f"python model_profiling/scripts/compare_runs.py --baseline {RUN} --candidate out_other/runs/mac",
        then=FIX_IS_PROOF,
        status=(0,),
    )


@cause("06", "error: the noise floor cannot be used")
def damaged_noise_floor(desk: Desk) -> Typed:
    folder = desk / "out_toy_cnn/runs/mac_aa"
    folder.mkdir()
    (folder / "noise_floor.json").write_text(json.dumps({"schema_version": 1}), encoding="utf-8")
    return Typed(MEASURE)


@cause("06", "error    record")
def edited_record(desk: Desk) -> Typed:
    path = desk / RUN / "launches.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    launch = json.loads(lines[0])
    launch["latency_ns"] = [value // 2 for value in launch["latency_ns"]]
    path.write_text("".join([json.dumps(launch) + "\n", *lines[1:]]), encoding="utf-8")
    return Typed(VALIDATE)


@cause("06", "error: --quick and --precision contradict each other")
def contradicting_flags(desk: Desk) -> Typed:
    return Typed(f"{MEASURE} --quick --precision 2", then=FIX_IS_PROOF)


# ---------------------------------------------------------------- 07: reports


@cause("07", "error: the run has not been analyzed (analysis_summary.json is missing)")
def summary_deleted(desk: Desk) -> Typed:
    (desk / RUN / "analysis_summary.json").unlink()
    return Typed(REPORT)


@cause("07", "is no format of a report")
def unknown_format(desk: Desk) -> Typed:
    return Typed(f"{REPORT} --out out_toy_cnn/report.pdf", then=FIX_IS_PROOF)


@cause("07", "error: a combined report needs at least two runs")
def one_run(desk: Desk) -> Typed:
    _second_run(desk)
    return Typed(f"{COMBINE} {RUN} --out out_toy_cnn/combined.html", then=FIX_IS_PROOF)


@cause("07", "is named twice")
def same_run_twice(desk: Desk) -> Typed:
    _second_run(desk)
    return Typed(f"{COMBINE} {RUN} {RUN} --out out_toy_cnn/combined.html", then=FIX_IS_PROOF)


@cause("07", "error: the timeline lacks the column")
def column_lost(desk: Desk) -> Typed:
    edit(table(desk, "run0_timeline"), "duration_us", "duration")
    return Typed(REPORT)


def _second_run(desk: Desk) -> None:
    shutil.copytree(desk / RUN, desk / "out_toy_cnn_fp32/runs/mac")


# ---------------------------------------------------------------- 08: onboarding


@cause("08", "error: there is something with that name already")
def made_before(desk: Desk) -> Typed:
    desk.type(f"{NEW_MODEL} --name my_model --dest models").check_returncode()
    return Typed(f"{NEW_MODEL} --name my_model --dest models", then="test -s models/my_model_2/model.py")


@cause("08", "cannot be the name of a Python package")
def hyphen_in_the_name(desk: Desk) -> Typed:
    return Typed(f"{NEW_MODEL} --name my-model --dest models", then=FIX_IS_PROOF)


@cause("08", "error: the model file does not exist")
def no_package(desk: Desk) -> Typed:
    return Typed("python model_profiling/export/export_model.py --model-file models/my_model --dtype fp32")
