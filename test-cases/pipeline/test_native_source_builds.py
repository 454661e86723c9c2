# SPDX-License-Identifier: Apache-2.0
"""The native runner on sources: its commands, its proof, and where a run takes it from."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.kit import KIT, kit
from support.source_build import ANDROID_NATIVE, ARM_NATIVE, ARM_ON, HOST_NATIVE, write_sources

from model_profiling.errors import UserError
from model_profiling.pipeline.config import Experiment
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.devices import OnThisHost
from model_profiling.pipeline.devices.adb.device import AdbDevice
from model_profiling.pipeline.devices.adb.identity import Identity
from model_profiling.pipeline.preparation import runner_of
from model_profiling.pipeline.runners import choose_runner
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.pipeline.runners.source import building, job, proof, recipe
from model_profiling.pipeline.runners.source.native import native_at, native_of
from model_profiling.pipeline.runners.source.records import BuiltRunner, find_built

SME2_PHONE = CpuFeatures("aarch64", "a phone's CPU", frozenset({"sme", "sme2"}), 8)
LIBRARIES = {
    "libexecutorch.so",
    "libexecutorch_backend_xnnpack.so",
    "libexecutorch_kernels_optimized.so",
    "libexecutorch_kernels_quantized.so",
}
PAIR = ("android-arm64-sme2-on-timing", "android-arm64-sme2-off-timing")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltRunner:
    """The runner for Arm Linux on the stand-in for ExecuTorch: compiled, linked and proven as the real one is."""
    folder = tmp_path_factory.mktemp("native")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(job, "runners_folder", lambda: folder / "runners")
        (job.work_folder() / "sources" / f"kleidiai-{'0' * 12}").mkdir(parents=True)
        return building.build([ARM_NATIVE], write_sources(folder / "my sources"), None)[0]


@pytest.fixture
def runners(made: BuiltRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runners with that one in it, twice: as if it were Android's too."""
    monkeypatch.setattr(job, "runners_folder", lambda: tmp_path / "runners")
    for variant in (ARM_NATIVE, ANDROID_NATIVE):
        shutil.copytree(made.path.parent, tmp_path / "runners" / variant.name)
    return tmp_path / "runners"


def phone(cpu: CpuFeatures, *, glibc: bool) -> AdbDevice:
    """Return a device that has every library asked for, and glibc or not."""
    shell = SimpleNamespace(
        serial="TEST", shell=lambda script: SimpleNamespace(ok=glibc, text="", status=0 if glibc else 1)
    )
    identity = Identity("TEST", "a phone", "Android 15 (API 35)", "6.1", cpu, {}, "boot", "")
    config = SimpleNamespace(output_root=Path("run"), device_mode=None)
    return AdbDevice(shell, identity, config)


# ---------------------------------------------------------------- what is built


def test_the_runner_comes_with_its_libraries_and_its_proof(made: BuiltRunner) -> None:
    folder = made.path.parent
    kept = {"sme_runner", "libsme_kernel_auditor.so", "version.json", "CMakeCache.txt", "kernels.txt", *LIBRARIES}
    assert {file.name for file in folder.iterdir()} == kept
    assert made.record.libraries.keys() == {*LIBRARIES, "libsme_kernel_auditor.so"}
    assert (made.record.sme2_kernels, made.record.sme_kernels, made.record.purpose) == (2, 1, "native")
    for name in ("CMakeCache.txt", "version.json"):
        text = (folder / name).read_text()
        assert str(KIT) not in text and str(folder.parents[1]) not in text, name


def test_xnnpack_is_not_loaded_with_the_runner_and_asks_for_its_cpuinfo(made: BuiltRunner) -> None:
    def symbols(name: str) -> str:
        return subprocess.run(["nm", made.path.with_name(name)], check=True, capture_output=True, text=True).stdout

    backend, runtime = symbols("libexecutorch_backend_xnnpack.so"), symbols("libexecutorch.so")
    needed = ["libexecutorch.so", "libc.so.6"]
    proof.check_switch(ARM_NATIVE, needed, backend, runtime)
    own = backend.replace("U cpuinfo_isa", "B cpuinfo_isa")
    assert own != backend
    for changed, told in (
        (([*needed, "libexecutorch_backend_xnnpack.so"], backend, runtime), "is loaded with the runner"),
        ((needed, own, runtime), "does not read the cpuinfo that the runner clears"),
        ((needed, backend, ""), "does not read the cpuinfo that the runner clears"),
    ):
        with pytest.raises(UserError, match=told):
            proof.check_switch(ARM_NATIVE, *changed)


def test_each_of_its_files_counts(runners: Path) -> None:
    runner = runners / ARM_NATIVE.name / "sme_runner"
    for file in sorted(runner.parent.glob("lib*.so")):
        whole = file.read_bytes()
        assert find_built(runner)
        file.write_bytes(whole[:-1])
        assert find_built(runner) is None, file.name
        file.write_bytes(whole)


def test_another_source_of_the_runner_is_another_build(monkeypatch: pytest.MonkeyPatch) -> None:
    places, programs = job.places_of(ARM_NATIVE, Path("k")), recipe.programs_for_show()
    sources = SimpleNamespace(version="1.5.1", commits={})
    native, pair = (job.Job(variant, sources, places, programs, "c++") for variant in (ARM_NATIVE, ARM_ON))
    before = native.digest, pair.digest
    monkeypatch.setattr(job, "sources_digest", lambda: "another")
    assert native.digest != before[0] and pair.digest == before[1]


def test_the_commands_for_android(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No NDK is needed to read them; what a phone lacks of the C++ library comes with the runner."""
    ndk = tmp_path / "ndk"
    programs = replace(recipe.programs_for_show(), ndk=ndk)
    places = recipe.Places(tmp_path / "executorch", tmp_path / "build", tmp_path / "kleidiai")
    configure = recipe.configure_command(ANDROID_NATIVE, places, programs)
    assert configure[1:5] == ["-S", str(KIT / "runner" / "source"), "-B", str(tmp_path / "build")]
    assert {
        f"-DCMAKE_TOOLCHAIN_FILE={ndk}/build/cmake/android.toolchain.cmake",
        "-DANDROID_ABI=arm64-v8a",
        "-DANDROID_PLATFORM=android-28",
        "-DANDROID_STL=c++_shared",
        "-DXNNPACK_ENABLE_ARM_SME=ON",
        "-DXNNPACK_ENABLE_ARM_SME2=ON",
        "-DEXECUTORCH_ENABLE_EVENT_TRACER=ON",
        f"-DEXECUTORCH_SOURCES={tmp_path / 'executorch'}",
        f"-DKLEIDIAI_SOURCE_DIR={tmp_path / 'kleidiai'}",
    } < set(configure)
    assert "-DEXECUTORCH_BUILD_EXECUTOR_RUNNER=ON" not in configure
    build = recipe.build_command(ANDROID_NATIVE, places, programs, 3)
    assert build[1:] == ["--build", str(tmp_path / "build"), "--target", "sme_runner", "--parallel", "3"]
    products = recipe.products_of(ANDROID_NATIVE, places, programs)
    assert products.keys() == {"sme_runner", "libc++_shared.so", *LIBRARIES}
    assert products["libc++_shared.so"].relative_to(ndk).parts[-4:-1] == ("usr", "lib", "aarch64-linux-android")
    assert recipe.proven_file(ANDROID_NATIVE, places) == tmp_path / "build" / "libexecutorch_backend_xnnpack.so"


def test_an_ndk_without_its_cpp_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path))
    (tmp_path / "source.properties").write_text("Pkg.Desc = Android NDK\nPkg.Revision = 27.0.12077973\n")
    with pytest.raises(
        UserError, match=r"the NDK has no libc\+\+_shared.so, at .*/libc\+\+_shared.so \(for android-arm64-native\)"
    ):
        recipe.check_platform(ANDROID_NATIVE)
    programs = replace(recipe.programs_for_show(), ndk=tmp_path)
    shared = recipe.products_of(ANDROID_NATIVE, job.places_of(ANDROID_NATIVE, tmp_path), programs)["libc++_shared.so"]
    shared.parent.mkdir(parents=True)
    shared.touch()
    assert recipe.check_platform(ANDROID_NATIVE) == tmp_path


def test_a_mac_has_it_from_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(UserError, match="here the native runner is built on ExecuTorch's wheel, for host-native"):
        recipe.check_platform(HOST_NATIVE)


# ---------------------------------------------------------------- where a run takes it from


def test_a_configuration_may_name_it(runners: Path) -> None:
    runner = choose_runner("auto", str(runners / ARM_NATIVE.name / "sme_runner"))
    assert isinstance(runner, NativeRunner) and runner.name == "native"
    about = runner.describe()
    assert about["build"]["variant"] == "linux-arm64-native" and about["executorch_version"] == "1.5.1"
    assert runner.build.auditor == runners / ARM_NATIVE.name / "libsme_kernel_auditor.so"
    assert json.loads(json.dumps(about)) == about


def test_one_that_nobody_built_is_refused(runners: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely" / "sme_runner"
    lonely.parent.mkdir()
    shutil.copy(runners / ARM_NATIVE.name / "sme_runner", lonely)
    with pytest.raises(UserError, match="nothing says how this runner was built"):
        choose_runner("auto", str(lonely))
    with pytest.raises(UserError, match=r"build_runners.sh --source host-native$"):
        choose_runner("auto", str(runners / HOST_NATIVE.name / "sme_runner"))


def test_the_native_runner_on_the_wheel_may_be_named_too() -> None:
    runner = choose_runner("native", None)
    assert native_at(runner.build.path) == runner.build


def test_android_takes_it_by_itself(runners: Path) -> None:
    device = phone(SME2_PHONE, glibc=False)
    runner = device.runner("auto", None)
    assert isinstance(runner, NativeRunner) and runner.build == native_of("android-arm64")
    assert runner.build.path == runners / ANDROID_NATIVE.name / "sme_runner"
    assert device.native_build == runner.build
    (runner.build.path.parent / "version.json").unlink()
    with pytest.raises(UserError, match="build_runners.sh --source android-arm64-native makes the native runner"):
        phone(SME2_PHONE, glibc=False).runner("auto", None)


@pytest.mark.parametrize(
    ("built", "named", "asked_for"),
    [
        ((), ["android-arm64-native"], "android-arm64-native"),
        (("android-arm64-native",), ["android-arm64-native"], ""),
        (PAIR, list(PAIR), ""),
        ((PAIR[0],), ["android-arm64-native"], "android-arm64-native"),
        ((*PAIR, "android-arm64-native"), ["android-arm64-native"], ""),
    ],
)
def test_a_configuration_for_android_names_what_is_built(
    built: tuple[str, ...], named: list[str], asked_for: str, toy: Path, tmp_path: Path
) -> None:
    """First the one build that is both sides; where nothing is built, that is what is asked for."""
    for name in built:
        folder = tmp_path / ".venv" / "share" / "sme-executorch-profiling" / "runners" / name
        folder.mkdir(parents=True)
        (folder / ("sme_runner" if name.endswith("native") else "executor_runner")).touch()
    words = ("--platform", "android", "--model", toy, "--output", "out")
    said = kit("scripts/generate_config.py", *words, cwd=tmp_path).ok().stdout
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    paths = [keys["runner_path"] for keys in (config, *config["experiments"]) if "runner_path" in keys]
    assert [Path(path).parent.name for path in paths] == named
    assert [e.get("disable_cpu_features") for e in config["experiments"]] == [None, "auto" if len(named) == 1 else None]
    asked = re.search(r"^first: bash \S+build_runners.sh --source (\S+)  #", said, re.MULTILINE)
    assert (asked[1] if asked else "") == asked_for


def test_it_logs_no_kernels(runners: Path) -> None:
    logging = Experiment("log", mode="xnntrace", runner_path=str(runners / ARM_NATIVE.name / "sme_runner"))
    device = OnThisHost()
    device.native_build = None
    with pytest.raises(UserError, match='the native runner logs no kernels, in "mode" of log'):
        runner_of(logging, device)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
