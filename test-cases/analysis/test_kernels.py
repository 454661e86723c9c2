# SPDX-License-Identifier: Apache-2.0
"""Kernel evidence: the auditor on emulated CPUs, its record, and who called what."""

from __future__ import annotations

import platform
import struct
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.emulation import Recorded, emulated, record

from model_profiling.analysis.kernels import uses as kernels
from model_profiling.analysis.kernels.record import CLOCK, KERNEL_PREFIX, KernelRecord, parse_record, read_record
from model_profiling.analysis.kernels.uses import KernelUse, coverage, kernel_rows, kernel_uses
from model_profiling.analysis.tables.kernels import EVIDENCE, kernels_csv, read_kernels
from model_profiling.analysis.traces.layers import attribute, model_layers
from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.devices.emulated.qemu import arm_wheel
from model_profiling.pipeline.kernel_names import FAMILIES, ROLES, family_of, role_of
from model_profiling.pipeline.kernel_recording import record_kernels, recording_request
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.runners import cross, native_build
from model_profiling.pipeline.runners.native import RECORD_VARIABLE, NativeRunner
from model_profiling.processes import run_child
from model_profiling.report.words.kernels import coverage_sentence

pytestmark = pytest.mark.emulator

SME_FEATURES = ("sme", "sme2", "sme2p1")
#: One reading of the clock by the auditor and the next by XNNPACK itself lie this close, emulated.
CLOCK_SLACK_US = 500.0


def record_bytes(names: list[str], events: list[tuple[int, int, int]], lost: int = 0) -> bytes:
    head = b"SMEKERN1" + struct.pack("<QQQ", len(names), len(events), lost)
    return head + b"".join(n.encode() + b"\0" for n in names) + b"".join(struct.pack("<QII", *e) for e in events)


@pytest.fixture(scope="session")
def toy_recorded(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(toy, tmp_path_factory.mktemp("toy"))


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("kernel", "family", "role"),
    [
        ("kai_run_matmul_clamp_f32_f32p2vlx1_f32p2vlx1biasf32_sme2_mopa", "sme2", "compute"),
        ("kai_run_matmul_clamp_f16_f16_f16p2vlx2b_1x8vl_sme_mla", "sme", "compute"),
        ("kai_run_matmul_clamp_f32_qai8dxp4x8_qsi4cxp8x8_8x8x32_neon_i8mm", "i8mm", "compute"),
        ("kai_run_matmul_clamp_f32_qai8dxp1x4_qsi8cxp4x4_1x4_neon_dotprod", "dotprod", "compute"),
        ("kai_run_lhs_imatmul_pack_x32p2vlx1_x32p_sme", "sme", "pack"),
        ("kai_run_rhs_pack_nxk_qsi8cxp_qsi8cx_neon", "neon", "pack"),
        ("kai_run_lhs_quant_pack_qai8dxp_f32", "other", "pack"),
        ("kai_run_rhs_pack_kxn_qsi4cxp_qs4cxs1s0", "other", "pack"),
    ],
)
def test_family_and_role_come_from_the_name(kernel: str, family: str, role: str) -> None:
    assert (family_of(kernel), role_of(kernel)) == (family, role)


def test_every_kernel_of_the_wheel_is_called_where_the_auditor_sees_it() -> None:
    """A kernel whose address is taken, or that is bound directly, would be called unseen."""
    emulated()
    readelf = cross.COMPILER.replace("g++", "readelf") if cross.can_build() else "readelf"
    said = run_child([readelf, "-rW", arm_wheel().library_dir / "libexecutorch_backend_xnnpack.so"], timeout_s=60)
    assert said.ok
    kinds = Counter(line.split()[2] for line in said.output.splitlines() if KERNEL_PREFIX in line)
    assert set(kinds) == {"R_AARCH64_JUMP_SLOT"} and kinds.total() > 40


# ---------------------------------------------------------------- calls and operators


def test_calls_add_up_to_the_record(toy_recorded: Recorded) -> None:
    assert sum(use.calls for use in toy_recorded.uses) == toy_recorded.record.kernel_calls > 1000
    assert all(use.layer for use in toy_recorded.uses if use.operator != kernels.LOADING)
    loading = [use for use in toy_recorded.uses if use.operator == kernels.LOADING]
    assert loading and all(use.role == "pack" and "_rhs_" in use.kernel for use in loading)


def test_operators_without_kernels_are_listed(toy_recorded: Recorded) -> None:
    t = toy_recorded.timeline
    leaves = {t.names[n] for n, leaf in zip(t.name, t.leaf, strict=True) if leaf}
    assert leaves <= {use.operator for use in toy_recorded.uses}
    without = [use for use in toy_recorded.uses if use.kernel == ""]
    assert {"Max Pooling (NHWC, F32) #1", "native_call_mean.out"} <= {use.operator for use in without}
    assert all((use.calls, use.family, use.role) == (0, "", "") for use in without)


def test_boundaries_are_those_of_the_trace(toy_recorded: Recorded) -> None:
    """The time between the readings that enclose an operator is the time that the ETDump gives it."""
    r, t = toy_recorded.record, toy_recorded.timeline
    rows = kernels._operators_after_readings(t, model_layers(toy_recorded.graph), attribute(t, toy_recorded.graph))
    times = r.time_ns[r.positions(CLOCK)].astype(np.int64) / 1e3
    spans: dict[int, float] = Counter()
    for row, start, end in zip(rows.tolist(), times, times[1:], strict=False):
        if row >= 0:
            spans[row] += end - start
    close = [abs(span - t.duration_ns[row] / 1e3) < CLOCK_SLACK_US + 0.02 * span for row, span in spans.items()]
    assert len(close) > 10 and sum(close) >= 0.9 * len(close)  # a few may be preempted in between
    concatenation = [row for row in spans if rows.tolist().count(row) == 2]
    assert [t.names[t.name[row]].partition(" (")[0] for row in concatenation] == ["Copy"]


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_masking_in_the_runner_and_switching_sme_off_give_the_same_kernels(
    dtype: str, exported, tmp_path: Path
) -> None:
    model = exported("toy_cnn", dtype)
    names = emulated().cpu_features().names
    masked = record(model, tmp_path / "masked", disabled=tuple(f for f in SME_FEATURES if f in names))
    off = record(model, tmp_path / "off", cpu="max,sme=off")
    assert masked.uses == off.uses
    assert not any(use.family in ("sme", "sme2") for use in off.uses)
    assert [a.tobytes() for a in masked.recording.tensors] == [a.tobytes() for a in off.recording.tensors]


def test_two_threads(toy: Path, toy_recorded: Recorded, tmp_path: Path) -> None:
    """Each thread takes tiles of an operator: the same kernels, the calls adding up, on two threads."""
    both = record(toy, tmp_path, threads=2)
    assert sum(use.calls for use in both.uses) == both.record.kernel_calls
    used = [{(use.operator, use.kernel) for use in r.uses} for r in (both, toy_recorded)]
    assert used[0] == used[1]
    computing = both.record.positions(KERNEL_PREFIX + "matmul")
    assert len(set(both.record.thread[computing].tolist())) == 2


def test_the_auditor_changes_nothing_that_is_computed(toy: Path, toy_recorded: Recorded, tmp_path: Path) -> None:
    device, runner = emulated(), NativeRunner(emulated().native_build)
    inputs = sorted((toy_recorded.recording.record.parents[1] / "inputs").iterdir())
    request = recording_request(ProgramFiles(toy, tuple(inputs)), (), 1, tmp_path, tmp_path / "log")
    plain = replace(request, kernel_record=None)
    argv, env = runner.command(plain)
    assert env == {}
    runner.read(plain, device.run(argv, env=env, timeout_s=120, log=plain.log))
    assert (tmp_path / "outputs" / "output_0.bin").read_bytes() == toy_recorded.recording.tensors[0].tobytes()
    assert not list(tmp_path.glob("*.kernels"))
    # Loaded without being told where to write, it leaves the process alone.
    argv, env = runner.command(request)
    del env[RECORD_VARIABLE]
    assert device.run(argv, env=env, timeout_s=120, log=request.log).ok and not request.kernel_record.exists()


def test_coverage_counts_matrix_layers_and_their_multiply_adds(toy_recorded: Recorded) -> None:
    layers = model_layers(toy_recorded.graph)
    found = coverage(layers, toy_recorded.uses)
    depthwise = [layer for layer in layers if layer.kind == "DepthwiseConv2d"]
    assert found.all_layers - found.layers == len(depthwise) == 1
    assert found.all_multiply_adds - found.multiply_adds == sum(layer.multiply_adds for layer in depthwise)
    assert coverage_sentence(found) == "7 of 8 matrix layers, over 99 % of multiply-adds, reach SME2 kernels"
    assert coverage(layers, toy_recorded.uses, ("sme",)).layers == 0, "packing alone is no computing"
    assert (
        coverage_sentence(coverage((), ())) == "The model has no matrix layers, so nothing of it can reach SME2 kernels"
    )


def test_a_record_of_another_launch_is_refused(toy_recorded: Recorded, exported, tmp_path: Path) -> None:
    other, layers = record(exported("toy_cnn", "int8"), tmp_path), model_layers(toy_recorded.graph)
    with pytest.raises(UserError, match="readings of XNNPACK's clock .* record kernels and trace in the same launch"):
        kernel_uses(other.record, toy_recorded.timeline, toy_recorded.graph, layers, "here")
    r = toy_recorded.record
    end = len(r)  # a kernel call after the last operator
    kernel = int(r.name[r.positions(KERNEL_PREFIX)[0]])
    longer = KernelRecord(
        r.names, np.append(r.name, kernel), np.append(r.thread, 1), np.append(r.time_ns, r.time_ns[end - 1])
    )
    with pytest.raises(UserError, match="between a delegate's executions"):
        kernel_uses(longer, toy_recorded.timeline, toy_recorded.graph, layers, "here")


# ---------------------------------------------------------------- records


def test_a_small_record_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "calls.kernels"
    path.write_bytes(record_bytes(["clock_gettime", "kai_run_x"], [(5, 1, 0), (7, 2, 1), (9, 1, 0)]))
    found = read_record(path)
    assert found.name.tolist() == [0, 1, 0] and found.thread.tolist() == [1, 2, 1] and found.kernel_calls == 1
    assert found.time_ns.tolist() == [5, 7, 9]
    path.write_bytes(record_bytes([], []))
    assert read_record(path).kernel_calls == 0


def test_records_that_cannot_be_used(tmp_path: Path) -> None:
    whole = record_bytes(["clock_gettime", "kai_run_x"], [(5, 1, 0), (7, 2, 1)])
    for cut in range(len(whole)):
        with pytest.raises(UserError, match="no record|damaged|truncated"):
            parse_record(whole[:cut], "here")
    for data, told in (
        (record_bytes(["a"], [(1, 1, 3)]), "a call without a name"),
        (whole + b"x", "truncated or damaged"),
        (record_bytes(["a"], [], lost=3), "3 calls were not recorded"),
        (b"SMEKERN1" + struct.pack("<QQQ", 2**60, 2**60, 0), "damaged"),
    ):
        with pytest.raises(UserError, match=told):
            parse_record(data, "here")
    with pytest.raises(UserError, match="there is no record"):
        read_record(tmp_path / "none")
    with pytest.raises(UserError, match="cannot be read"):
        read_record(tmp_path)


@given(st.binary(max_size=200), st.integers(0, 120))
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_a_record_or_a_user_error(noise: bytes, at: int) -> None:
    whole = record_bytes(["clock_gettime", "kai_run_x"], [(5, 1, 0), (7, 2, 1)])
    for data in (noise, whole[:at] + noise, whole[:at] + noise + whole[at:]):
        try:
            assert isinstance(parse_record(data, "here"), KernelRecord)
        except UserError as problem:
            assert "\n" not in str(problem)


def test_an_auditor_that_cannot_write_is_reported(toy: Path, tmp_path: Path) -> None:
    device = emulated()

    class Elsewhere(NativeRunner):
        def command(self, request):
            argv, env = super().command(request)
            return argv, {**env, RECORD_VARIABLE: str(tmp_path / "no" / "such" / "folder")}

    with pytest.raises(MeasurementError, match="the kernel auditor left no record"):
        record_kernels(device, Elsewhere(device.native_build), ProgramFiles(toy, ()), (), tmp_path / "work")


@pytest.mark.skipif(platform.machine() in ("aarch64", "arm64"), reason="this host's own runner has the auditor")
def test_a_runner_without_the_auditor_says_so(toy: Path, tmp_path: Path) -> None:
    request = recording_request(ProgramFiles(toy, ()), (), 1, tmp_path, tmp_path / "log")
    with pytest.raises(UserError, match='cannot record kernel calls, in mode "kernels": use Arm Linux'):
        NativeRunner(native_build.build_native()).command(request)


# ---------------------------------------------------------------- tables

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
USES = st.one_of(
    st.builds(
        KernelUse,
        TEXT,
        TEXT,
        TEXT.filter(bool),
        st.sampled_from(FAMILIES),
        st.sampled_from(ROLES),
        st.integers(0, 10**12),
        st.sampled_from(EVIDENCE),
    ),
    st.builds(KernelUse, TEXT, TEXT, st.just(""), st.just(""), st.just(""), st.just(0)),
)


@given(TEXT, TEXT, st.lists(USES, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_kernel_table_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, model: str, experiment: str, uses: list[KernelUse]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "kernels.csv"
    rows = kernel_rows(model, experiment, uses)
    path.write_bytes(kernels_csv(rows))
    assert list(read_kernels(path)) == rows


# ---------------------------------------------------------------- in the pipeline


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
