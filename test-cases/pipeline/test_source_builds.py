# SPDX-License-Identifier: Apache-2.0
"""`build_runners.sh --source`: the commands of every variant, and that no build is kept unproven."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kit import KIT
from support.source_build import ARM_OFF, ARM_ON, FIXTURES, HOST_OFF, HOST_ON, publish, write_sources

from model_profiling.errors import UserError
from model_profiling.pipeline.build_pairs import switched_by_builds
from model_profiling.pipeline.cpu import claims
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.runners.source import building, checkout, job, recipe
from model_profiling.pipeline.runners.source.records import BuiltRunner, check_pair, find_built
from model_profiling.pipeline.runners.source.variants import ALL, named

SME2_CPU = CpuFeatures("aarch64", "a CPU", frozenset({"sme", "sme2"}), 8)


# ---------------------------------------------------------------- names and commands


def test_there_are_sixteen_variants_of_pairs_and_three_of_one_build() -> None:
    assert len(ALL) == len({variant.name for variant in ALL}) == 19
    paired = [variant for variant in ALL if variant.partner]
    assert len(paired) == 16 and all(variant.partner.partner == variant != variant.partner for variant in paired)
    assert [variant.name for variant in ALL if not variant.partner] == [
        "host-native",
        "linux-arm64-native",
        "android-arm64-native",
    ]


def test_a_word_names_all_that_begin_so() -> None:
    assert [variant.name for variant in named(["android-arm64-sme2-on", "host-sme2-off-timing"])] == [
        "android-arm64-sme2-on-timing",
        "android-arm64-sme2-on-xnntrace",
        "host-sme2-off-timing",
    ]
    assert len(named(["linux-arm64", "linux-arm64-sme2-on-timing"])) == 5
    with pytest.raises(UserError, match="did you mean android-arm64"):
        named(["android-arm"])


def build_runners(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(KIT / "scripts" / "build_runners.sh"), *map(str, words)], capture_output=True, text=True
    )


def test_dry_run_prints_every_command_of_every_variant() -> None:
    """On a host that can build few of them, so nothing is looked for and nothing is made."""
    said = build_runners("--dry-run", "--jobs", 3, "--source", "host", "mac-arm64", "linux-arm64", "android-arm64")
    assert said.returncode == 0, said.stderr
    blocks = {block.split("\n", 1)[0]: block.split("\n")[1:] for block in said.stdout.split("# ")[1:]}
    assert blocks.keys() == {variant.name for variant in ALL}
    for variant in (variant for variant in ALL if variant.partner):
        words = [shlex.split(line) for line in blocks[variant.name] if line]
        configure = next(line for line in words if "-S" in line)
        switch = "ON" if variant.sme2 else "OFF"
        assert {f"-DXNNPACK_ENABLE_ARM_SME2={switch}", f"-DXNNPACK_ENABLE_ARM_SME={switch}"} < set(configure)
        assert {f"-D{name}={value}" for name, value in recipe.OPTIONS} < set(configure)
        assert ("-DEXECUTORCH_XNNPACK_LOG_LEVEL=4" in configure) == (variant.purpose == "xnntrace")
        partner = next(line for line in map(shlex.split, blocks[variant.partner.name]) if "-S" in line)
        differing = {word.partition("=")[0] for word in set(configure) ^ set(partner) if word.startswith("-D")}
        assert differing == {"-DXNNPACK_ENABLE_ARM_SME2", "-DXNNPACK_ENABLE_ARM_SME"}
        assert (
            words[0][:3] == ["git", "-c", "advice.detachedHead=false"]
            and words[0][words[0].index("--branch") + 1] == "v1.5.1"
        )
        assert ["--parallel", "3"] == words[-3][-2:]
        assert words[-1][-1].endswith(f"/runners/{variant.name}/executor_runner")


def test_list_says_what_can_be_built() -> None:
    said = build_runners("--list")
    assert said.returncode == 0, said.stderr
    lines = {line.split()[0]: line for line in said.stdout.splitlines() if line}
    assert all(variant.name in lines for variant in ALL)
    if sys.platform == "linux":
        assert "built on an Apple silicon Mac" in lines["mac-arm64-sme2-on-timing"]


@pytest.mark.parametrize(
    "words, told",
    [
        (("--source", "hots"), "hots names no variant (did you mean host?), in --source: see build_runners.sh --list"),
        (("--executorch-dir", "/nowhere"), "--executorch-dir is for variants built from source"),
        (("--source", "host", "--executorch-dir", "/nowhere"), "there are no sources of ExecuTorch, in /nowhere"),
        (("--jobs", "0"), "--jobs 0 is no number of jobs"),
    ],
)
def test_wrong_words_are_one_line(words: tuple[str, ...], told: str) -> None:
    said = build_runners(*words)
    assert said.returncode == 2 and said.stdout == "" and len(said.stderr.splitlines()) == 1
    assert told in said.stderr


def test_ndks_that_would_drop_sme2_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (android,) = named(["android-arm64-sme2-on-timing"])
    for variable in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(
        UserError, match="Android's NDK is not named, .*install NDK r27 or newer and set ANDROID_NDK_HOME"
    ):
        recipe.check_platform(android)
    monkeypatch.setenv("ANDROID_NDK_ROOT", str(tmp_path))
    with pytest.raises(UserError, match="there is no NDK"):
        recipe.check_platform(android)
    for revision, told in (
        ("26.3.11579264", "NDK r26 has a clang that XNNPACK drops SME2 for"),
        ("27.0.12077973", None),
    ):
        (tmp_path / "source.properties").write_text(f"Pkg.Desc = Android NDK\nPkg.Revision = {revision}\n")
        if told:
            with pytest.raises(UserError, match=told):
                recipe.check_platform(android)
        else:
            assert recipe.check_platform(android) == tmp_path


# ---------------------------------------------------------------- the whole way, on sources of a test's size


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, and a folder for runners, of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(job, "runners_folder", lambda: tmp_path / "runners")
    for flags in ("CFLAGS", "CXXFLAGS", "LDFLAGS"):
        monkeypatch.delenv(flags, raising=False)
    return tmp_path


@pytest.fixture
def own(places: Path) -> Path:
    """Sources that lie there already, and their KleidiAI."""
    sources = write_sources(places / "my sources")
    (job.work_folder() / "sources" / f"kleidiai-{'0' * 12}").mkdir(parents=True)
    return sources


def test_both_sides_are_built_proven_and_kept(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on, off = building.build([ARM_ON, ARM_OFF], own, None)
    assert (on.record.sme2_kernels, on.record.sme_kernels, off.record.sme2_kernels, off.record.sme_kernels) == (
        2,
        1,
        0,
        0,
    )
    assert on.record.definitions == {"XNN_ENABLE_ARM_SME": "1", "XNN_ENABLE_ARM_SME2": "1"}
    assert on.path.parent.name == "linux-arm64-sme2-on-timing"
    assert sorted(p.name for p in on.path.parent.iterdir()) == [
        "CMakeCache.txt",
        "executor_runner",
        "kernels.txt",
        "version.json",
    ]
    kernels = (on.path.parent / "kernels.txt").read_text().split()
    assert "kai_run_matmul_clamp_f32_f32p2vlx1_f32p2vlx1biasf32_sme2_mopa" in kernels and len(kernels) == 4
    check_pair(on, off)
    # Nothing was written into the user's sources, and what is there is not built again.
    assert not (own / "build").exists() and "2 SME2 and 1 SME kernels among 4" in capsys.readouterr().out
    stamp = on.path.stat().st_mtime_ns
    assert building.build([ARM_ON], own, None) == [on] and on.path.stat().st_mtime_ns == stamp
    # A binary that changed since is no longer what its version file says: it is linked and proven anew.
    on.path.write_bytes(on.path.read_bytes()[:-1])
    assert find_built(on.path) is None
    assert building.build([ARM_ON], own, None)[0].record.sme2_kernels == 2


def test_kept_files_name_no_folder_of_this_machine(own: Path) -> None:
    (on,) = building.build([ARM_ON], own, None)
    for name in ("CMakeCache.txt", "version.json"):
        text = (on.path.parent / name).read_text()
        assert str(own.parent) not in text and sys.executable not in text, name


@pytest.mark.skipif(HOST_ON.architecture == "aarch64", reason="here the host variant has SME2 kernels")
def test_a_host_without_sme2_has_no_kernels_for_it_on_either_side(own: Path) -> None:
    on, off = building.build([HOST_ON, HOST_OFF], own, None)
    assert on.record.sme2_kernels == off.record.sme2_kernels == 0 and not HOST_ON.expects_sme2
    subprocess.run([on.path], check=True)
    feature = switched_by_builds(
        [("b", "a")], {"a": on.path, "b": off.path}, replace(SME2_CPU, architecture=HOST_ON.architecture)
    )
    assert feature.label is None and "both builds run the same kernels" in feature.sentence


def test_sme2_that_the_compiler_dropped_is_found_out(places: Path, own: Path) -> None:
    old = write_sources(places / "old", STAND_IN_OLD_COMPILER="ON")
    with pytest.raises(UserError, match=r"made XNNPACK drop SME2 \(XNN_ENABLE_ARM_SME=0, XNN_ENABLE_ARM_SME2=0\)"):
        building.build([ARM_ON], old, None)
    assert not job.runner_path(ARM_ON).exists()


def test_sme_that_stays_in_is_found_out(places: Path, own: Path) -> None:
    left = write_sources(places / "left", STAND_IN_LEAVES_SME="ON")
    with pytest.raises(UserError, match="XNNPACK is compiled with XNN_ENABLE_ARM_SME=1"):
        building.build([ARM_OFF], left, None)
    assert not job.runner_path(ARM_OFF).exists()


def test_a_side_configured_otherwise_is_refused(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    building.build([ARM_ON], own, None)
    monkeypatch.setenv("CXXFLAGS", "-march=armv8.6-a")
    with pytest.raises(
        UserError, match=r"configurations differ in more than SME2: CMAKE_CXX_FLAGS \( and -march=armv8.6-a\)"
    ):
        building.build([ARM_OFF], own, None)
    assert not job.runner_path(ARM_OFF).exists()


def test_a_failed_build_goes_on_where_it_stopped(own: Path) -> None:
    broken = own / "runner.cpp"
    text = broken.read_text()
    broken.unlink()  # not written in place: the view shares the file
    broken.write_text("int missing();\nint main() { return missing(); }\n")  # compiles, does not link
    with pytest.raises(
        UserError,
        match=r"building linux-arm64-sme2-on-timing failed \(cmake exited with status \d+: "
        r".*undefined reference to .*missing.*\), in .*build.log",
    ):
        building.build([ARM_ON], own, None)
    broken.unlink()
    broken.write_text(text)
    before = {p: p.stat().st_mtime_ns for p in job.work_folder().rglob("neonsme*.c.o")}
    assert len(before) == 2
    building.build([ARM_ON], own, None)
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_sources_are_cloned_at_the_wheels_version(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in publish(places / "public", "v1.5.1").items():
        monkeypatch.setenv(name, value)
    (on,) = building.build([ARM_ON], None, None)
    assert on.record.executorch_version == "1.5.1"
    assert on.record.commits.keys() == {"executorch", "kleidiai", *checkout.SUBMODULES}
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in on.record.commits.values())
    shutil.rmtree(places / "public")  # what is there is not fetched again
    assert building.build([ARM_OFF], None, None)[0].record.commits == on.record.commits


def test_sources_that_cannot_be_had(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = places / "gitconfig"
    config.write_text(f'[url "{places}/nothing"]\n\tinsteadOf = https://\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    with pytest.raises(
        UserError,
        match=r"git exited with status 128 while fetching sources \(.*\), "
        r"in .*sources.log: mend that .* --executorch-dir",
    ):
        building.build([ARM_ON], None, None)
    incomplete = write_sources(places / "incomplete")
    shutil.rmtree(incomplete / checkout.XNNPACK)
    with pytest.raises(
        UserError, match="the submodule backends/xnnpack/third-party/XNNPACK is not there.*submodule update --init"
    ):
        building.build([ARM_ON], incomplete, None)
    (incomplete / checkout.XNNPACK).mkdir()
    (incomplete / checkout.XNNPACK / "LICENSE").write_text("\n")
    with pytest.raises(UserError, match="XNNPACK does not say which KleidiAI it takes"):
        building.build([ARM_ON], incomplete, None)


# ---------------------------------------------------------------- pairs of builds in a run


def test_a_pair_of_builds_is_the_feature_of_a_run(own: Path) -> None:
    on, off = building.build([ARM_ON, ARM_OFF], own, None)
    runners = {"a": on.path, "b": off.path}
    feature = switched_by_builds([("b", "a")], runners, SME2_CPU)
    assert (feature.label, feature.off) == ("SME2", ("b",))
    with pytest.raises(UserError, match=r"the pair compares SME2 on and off, and this CPU \(a CPU\) has none"):
        claims.check_claim(["sme2"], replace(SME2_CPU, names=frozenset()), "")
    assert switched_by_builds([], runners, SME2_CPU) is None
    with pytest.raises(UserError, match="the runner is for aarch64, the CPU is x86_64"):
        switched_by_builds([("b", "a")], runners, replace(SME2_CPU, architecture="x86_64"))
    (off.path.parent / "version.json").unlink()
    with pytest.raises(UserError, match="nothing says how this runner was built"):
        switched_by_builds([("b", "a")], runners, SME2_CPU)


def test_pairs_that_differ_in_more_are_refused(own: Path) -> None:
    on, off = building.build([ARM_ON, ARM_OFF], own, None)
    with pytest.raises(UserError, match="both builds have the same side of SME2"):
        check_pair(on, on)
    other = BuiltRunner(off.path, replace(off.record, commits={**off.record.commits, "executorch": "f" * 40}))
    with pytest.raises(UserError, match="the builds are of different sources"):
        check_pair(on, other)
    cache = off.path.parent / "CMakeCache.txt"
    cache.write_text(cache.read_text().replace('"CMAKE_BUILD_TYPE":STRING=Release', '"CMAKE_BUILD_TYPE":STRING=Debug'))
    with pytest.raises(UserError, match=r"CMAKE_BUILD_TYPE \(Release and Debug\)"):
        check_pair(on, off)


@given(
    st.dictionaries(
        st.sampled_from(["schema_version", "sha256", "commits", "kernels", "sme2", "more"]),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
        min_size=1,
    )
)
def test_any_version_file_is_read_or_passed_over(tmp_path_factory: pytest.TempPathFactory, changes: dict) -> None:
    folder = tmp_path_factory.mktemp("version")
    (folder / "executor_runner").write_bytes(b"x")
    known = json.loads((FIXTURES / "linux-arm64-sme2-on-timing" / "version.json").read_text())
    (folder / "version.json").write_text(json.dumps({**known, **changes}))
    assert find_built(folder / "executor_runner") is None


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
