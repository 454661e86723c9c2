# SPDX-License-Identifier: Apache-2.0
"""The CMake commands of a variant, every option that counts written out. Pure, but for finding tools.

Upstream's defaults change between releases, and some of what a profile needs is off in a
release build: without devtools there is no tracer, without the tracer no ``--etdump_path``,
without logging no timing line and no message when a model fails.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu.layout import normal_architecture
from model_profiling.pipeline.runners.native_build import AUDITOR, BINARY, SOURCES
from model_profiling.pipeline.runners.source.variants import ANDROID, HOST, LINUX, MAC, XNNTRACE, Variant
from model_profiling.pipeline.runners.toolchain import version_line

EXECUTOR_RUNNER = "executor_runner"
#: The project that builds the native runner together with ExecuTorch.
NATIVE_PROJECT = SOURCES / "source"
#: The library that holds XNNPACK, and the one that holds cpuinfo: the native runner loads the first after it has
#: cleared features in the second (runner/source/CMakeLists.txt).
BACKEND_LIBRARY, RUNTIME_LIBRARY = "libexecutorch_backend_xnnpack.so", "libexecutorch.so"
NATIVE_LIBRARIES = (
    RUNTIME_LIBRARY,
    BACKEND_LIBRARY,
    "libexecutorch_kernels_optimized.so",
    "libexecutorch_kernels_quantized.so",
)
#: Android's C++ library, which the runner and its libraries have to share, and where it lies in an NDK.
ANDROID_LIBCXX = "libc++_shared.so"
_NDK_LIBCXX = f"toolchains/llvm/prebuilt/{{host}}/sysroot/usr/lib/aarch64-linux-android/{ANDROID_LIBCXX}"

_EVERYWHERE = (
    ("EXECUTORCH_BUILD_XNNPACK", "ON"),
    ("EXECUTORCH_XNNPACK_ENABLE_KLEIDI", "ON"),
    ("EXECUTORCH_BUILD_KERNELS_OPTIMIZED", "ON"),
    ("EXECUTORCH_BUILD_KERNELS_QUANTIZED", "ON"),
    ("EXECUTORCH_BUILD_DEVTOOLS", "ON"),
    ("EXECUTORCH_ENABLE_EVENT_TRACER", "ON"),
    ("EXECUTORCH_ENABLE_LOGGING", "ON"),
)
#: What each variant of `executor_runner` is built with, beside where it runs and what it leaves out.
OPTIONS = (("CMAKE_BUILD_TYPE", "Release"), ("EXECUTORCH_BUILD_EXECUTOR_RUNNER", "ON"), *_EVERYWHERE)
#: The same of the native runner's: it reads programs through ExecuTorch's data loader, and, as with the wheel, a
#: damaged program is one line and no crash.
NATIVE_OPTIONS = (
    ("CMAKE_BUILD_TYPE", "Release"),
    ("EXECUTORCH_BUILD_EXTENSION_DATA_LOADER", "ON"),
    ("EXECUTORCH_ENABLE_PROGRAM_VERIFICATION", "ON"),
    *_EVERYWHERE,
)
#: XNNPACK's level "debug": a line for each kernel that enters a table. 5 adds a line per operator call, and costs 9 %.
XNNPACK_LOG_LEVEL = "4"
#: The first Android with everything that XNNPACK and ExecuTorch call, and older than any phone with SME2.
ANDROID_API = "android-28"
#: The first NDK whose clang (18) XNNPACK gives SME2 kernels to.
LEAST_NDK = 27

#: The newest first. Each comes with a C++ twin (clang++-19); none is written for one target only.
_CLANGS = ("clang", *(f"clang-{release}" for release in range(25, 17, -1)))
#: The first clang that XNNPACK gives SME2 kernels to (its CMakeLists.txt).
LEAST_CLANG = 18
CROSS_TRIPLE = "aarch64-linux-gnu"
_NDK_VARIABLES = ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK")
_REVISION = re.compile(r"^Pkg\.Revision\s*=\s*(\d+)\.", re.MULTILINE)
_CLANG_VERSION = re.compile(r"clang version (\d+)\.")
_NO_NDK = Path("$ANDROID_NDK_HOME")


@dataclass(frozen=True)
class Places:
    """Where a build reads and writes: absolute paths."""

    view: Path
    build: Path
    kleidiai: Path


@dataclass(frozen=True)
class Programs:
    """The programs that a build takes; `ndk` is Android's, None for other platforms."""

    cmake: str
    generator: str
    make_program: str
    python: str
    ndk: Path | None = None


def configure_command(variant: Variant, places: Places, programs: Programs) -> list[str]:
    """Return the command that configures a variant."""
    switch = "ON" if variant.sme2 else "OFF"
    options = [
        *(NATIVE_OPTIONS if variant.native else OPTIONS),
        ("XNNPACK_ENABLE_ARM_SME2", switch),
        ("XNNPACK_ENABLE_ARM_SME", switch),
        ("CMAKE_MAKE_PROGRAM", programs.make_program),
        ("PYTHON_EXECUTABLE", programs.python),
        *_platform_options(variant, programs),
    ]
    if variant.native:
        options.append(("EXECUTORCH_SOURCES", str(places.view)))
    if variant.architecture == "aarch64":
        options.append(("KLEIDIAI_SOURCE_DIR", str(places.kleidiai)))
    if variant.purpose == XNNTRACE:
        options.append(("EXECUTORCH_XNNPACK_LOG_LEVEL", XNNPACK_LOG_LEVEL))
    return [
        programs.cmake,
        "-S",
        str(NATIVE_PROJECT if variant.native else places.view),
        "-B",
        str(places.build),
        "-G",
        programs.generator,
        *(f"-D{name}={value}" for name, value in options),
    ]


def program_of(variant: Variant) -> str:
    """Return the name of the runner's program, which is CMake's target too."""
    return BINARY if variant.native else EXECUTOR_RUNNER


def products_of(variant: Variant, places: Places, programs: Programs) -> dict[str, Path]:
    """Return what of a build is kept, the program first: names, and where the build left each."""
    names = [program_of(variant)]
    if variant.native:
        names += NATIVE_LIBRARIES
        if variant.architecture == "aarch64" and variant.platform != ANDROID:
            names.append(AUDITOR)
    if variant.native and variant.platform == ANDROID:
        return {**{name: places.build / name for name in names}, ANDROID_LIBCXX: _libcxx(programs.ndk)}
    return {name: places.build / name for name in names}


def proven_file(variant: Variant, places: Places) -> Path:
    """Return the file of a build that holds XNNPACK's kernels."""
    return places.build / (BACKEND_LIBRARY if variant.native else EXECUTOR_RUNNER)


def build_command(variant: Variant, places: Places, programs: Programs, jobs: int | None) -> list[str]:
    """Return the command that compiles and links the runner."""
    return [
        programs.cmake,
        "--build",
        str(places.build),
        "--target",
        program_of(variant),
        "--parallel",
        str(jobs or os.cpu_count() or 1),
    ]


def check_platform(variant: Variant) -> Path | None:
    """Return Android's NDK where the variant takes one.

    Raises
    ------
    UserError : this host cannot build for that platform, or lacks the compiler for it.
    """
    where = f"for {variant.name}"
    if variant.platform == MAC and (platform.system(), platform.machine()) != ("Darwin", "arm64"):
        raise UserError("macOS runners are built on an Apple silicon Mac", where, "build them there")
    if variant.native and variant.platform == HOST and platform.system() != "Linux":
        raise UserError(
            "here the native runner is built on ExecuTorch's wheel", where, "leave --source out: that runner can switch"
        )
    if _takes_clang(variant) and not find_clang():
        raise UserError(
            f"clang {LEAST_CLANG} or newer is not installed",
            where,
            "install clang-19 (Debian, Ubuntu) or clang (Fedora): GCC 12 stops at KleidiAI with an internal error",
        )
    if _is_cross(variant) and not shutil.which(f"{CROSS_TRIPLE}-g++"):
        raise UserError(
            f"there are no C++ libraries for {CROSS_TRIPLE}",
            where,
            "install g++-aarch64-linux-gnu (Debian, Ubuntu) or gcc-c++-aarch64-linux-gnu (Fedora)",
        )
    if variant.platform != ANDROID:
        return None
    ndk = _find_ndk(where)
    if variant.native and not _libcxx(ndk).is_file():
        raise UserError(
            f"the NDK has no {ANDROID_LIBCXX}",
            f"at {_libcxx(ndk)} ({where})",
            f"install NDK r{LEAST_NDK} or newer whole",
        )
    return ndk


def programs_for_show(cmake: str = "cmake") -> Programs:
    """Return programs by name alone, for printing commands on a host that cannot build."""
    return Programs(cmake, "Ninja", "ninja", sys.executable, _ndk_named() or _NO_NDK)


def compiler(variant: Variant, programs: Programs) -> str:
    """Return the C++ compiler that CMake will take."""
    if variant.platform == ANDROID:
        return str(
            next(
                iter(programs.ndk.glob("toolchains/llvm/prebuilt/*/bin/clang++")) if programs.ndk else iter(()),
                "clang++",
            )
        )
    named = dict(_platform_options(variant, programs)).get("CMAKE_CXX_COMPILER")
    return named or os.environ.get("CXX") or "c++"


def find_clang() -> tuple[str, str] | None:
    """Return the paths of clang and its C++ twin, of the first that is new enough."""
    for name in _CLANGS:
        plain, twin = shutil.which(name), shutil.which(name.replace("clang", "clang++"))
        if plain and twin and (version := _CLANG_VERSION.search(version_line(twin))) and int(version[1]) >= LEAST_CLANG:
            return plain, twin
    return None


def _platform_options(variant: Variant, programs: Programs) -> list[tuple[str, str]]:
    if variant.platform == MAC:
        return [("CMAKE_OSX_ARCHITECTURES", "arm64")]
    if variant.platform == ANDROID:
        return _android_options(variant, programs)
    options = []
    if _is_cross(variant):
        options += [
            ("CMAKE_SYSTEM_NAME", "Linux"),
            ("CMAKE_SYSTEM_PROCESSOR", "aarch64"),
            *((f"CMAKE_{language}_COMPILER_TARGET", CROSS_TRIPLE) for language in ("C", "CXX", "ASM")),
        ]
    if _takes_clang(variant):
        # In full: CMake keeps a name as it is given at first, and as a path when it configures again.
        c, cxx = find_clang() or ("clang", "clang++")
        options += [("CMAKE_C_COMPILER", c), ("CMAKE_CXX_COMPILER", cxx)]
    if variant.platform == LINUX or platform.system() == "Linux":
        # ExecuTorch links with -s under GCC; of two, the linker obeys the last. The proof reads the symbols.
        options.append(("CMAKE_EXE_LINKER_FLAGS", "-Wl,--strip-debug"))
    return options


def _android_options(variant: Variant, programs: Programs) -> list[tuple[str, str]]:
    options = [
        ("CMAKE_TOOLCHAIN_FILE", f"{programs.ndk}/build/cmake/android.toolchain.cmake"),
        ("ANDROID_ABI", "arm64-v8a"),
        ("ANDROID_PLATFORM", ANDROID_API),
        # The native runner's libraries pass objects of the C++ library to each other: one copy for all of them.
        ("ANDROID_STL", "c++_shared" if variant.native else "c++_static"),
    ]
    # Else XNNPACK's messages go to logcat, mixed with those of every other process.
    return [*options, ("CMAKE_C_FLAGS", "-DXNN_LOG_TO_STDIO=1")] if variant.purpose == XNNTRACE else options


def _libcxx(ndk: Path | None) -> Path:
    # An NDK for a Mac is named x86_64 whatever the Mac's CPU.
    return (ndk or _NO_NDK) / _NDK_LIBCXX.format(host=f"{platform.system().lower()}-x86_64")


def _takes_clang(variant: Variant) -> bool:
    """Whether the build is for Arm Linux, where the choice is ours: Apple's and Android's are clang anyway."""
    on_linux = variant.platform == LINUX or (variant.platform == HOST and platform.system() == "Linux")
    return on_linux and variant.architecture == "aarch64"


def _is_cross(variant: Variant) -> bool:
    here = (platform.system(), normal_architecture(platform.machine()))
    return variant.platform == LINUX and here != ("Linux", "aarch64")


def _ndk_named() -> Path | None:
    return next((Path(os.environ[name]) for name in _NDK_VARIABLES if os.environ.get(name)), None)


def _find_ndk(where: str) -> Path:
    ndk = _ndk_named()
    if ndk is None:
        raise UserError(
            "Android's NDK is not named", where, f"install NDK r{LEAST_NDK} or newer and set {_NDK_VARIABLES[0]}"
        )
    properties = ndk / "source.properties"
    revision = (
        _REVISION.search(properties.read_text(encoding="utf-8", errors="replace")) if properties.is_file() else None
    )
    if not revision:
        raise UserError(
            "there is no NDK", f"at {ndk} ({where})", f"set {_NDK_VARIABLES[0]} to the folder of NDK r{LEAST_NDK}"
        )
    if int(revision[1]) < LEAST_NDK:
        raise UserError(
            f"NDK r{revision[1]} has a clang that XNNPACK drops SME2 for",
            f"at {ndk} ({where})",
            f"install NDK r{LEAST_NDK} or newer",
        )
    return ndk
