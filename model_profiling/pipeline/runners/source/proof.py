# SPDX-License-Identifier: Apache-2.0
"""Proves from a build what it is: which kernels the binary holds, and how XNNPACK was compiled.

CMake's cache cannot tell. XNNPACK drops SME, SME2 and KleidiAI without a word for compilers
that are too old and for other targets than Arm, while the cache still says ON
(XNNPACK's CMakeLists.txt, at its compiler checks).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import SME, SME2, family_of
from model_profiling.pipeline.runners.source.variants import Variant

#: Counted up when what is proven, or how kernels are counted, changes: then finished runners are proven again.
VERSION = 2
#: The definitions that XNNPACK's sources look at.
DEFINITIONS = ("XNN_ENABLE_ARM_SME", "XNN_ENABLE_ARM_SME2")

_DEFINED = re.compile(r"-D\s?(XNN_ENABLE_ARM_SME2?)=(\S+)")
_OF_XNNPACK = re.compile(r"/XNNPACK/src/")
#: A function in the symbol table: address, type, name. Apple's names begin with one more underscore.
_SYMBOL = re.compile(r"^[0-9a-fA-F]+\s+[tTwW]\s+_?((?:kai|xnn)_\w+)$", re.MULTILINE)
#: Without the functions that only say how large a kernel's tile is.
_KERNEL = re.compile(r"kai_run_\w+|xnn_\w*ukernel\w*(?<!_get_mr)(?<!_get_nr)")
#: cpuinfo's struct in what `nm` lists: asked for, and held as data.
_CPUINFO_TAKEN = re.compile(r"^\s+U cpuinfo_isa$", re.MULTILINE)
_CPUINFO_GIVEN = re.compile(r"^[0-9a-fA-F]+\s+[BDV] cpuinfo_isa$", re.MULTILINE)
#: In the name of the library that registers XNNPACK when it is loaded.
BACKEND = "backend_xnnpack"
_AGAIN = "delete its build folder and build it again"
_OLD_COMPILER = "use clang 18 or GCC 10, or newer (Android: NDK r27 or newer)"


@dataclass(frozen=True)
class Proof:
    """What a build holds. `definitions` are the values that XNNPACK's sources were compiled with, by name."""

    kernels: tuple[str, ...]
    definitions: dict[str, str]

    @property
    def sme2(self) -> int:
        """Number of SME2 kernels in the binary."""
        return sum(family_of(kernel) == SME2 for kernel in self.kernels)

    @property
    def sme(self) -> int:
        """Number of SME kernels in the binary that are not SME2."""
        return sum(family_of(kernel) == SME for kernel in self.kernels)


def kernels_of(symbols: str) -> tuple[str, ...]:
    """Return the kernels among the functions that `nm` lists, XNNPACK's and KleidiAI's, sorted."""
    return tuple(sorted({name for name in _SYMBOL.findall(symbols) if _KERNEL.fullmatch(name)}))


def definitions_of(commands: Sequence[object], where: str) -> dict[str, str]:
    """Return how XNNPACK's own sources define `DEFINITIONS`, from the entries of compile_commands.json.

    Raises
    ------
    UserError : no source of XNNPACK is compiled, or its sources disagree; `where` names the file.
    """
    lines = [entry for entry in commands if isinstance(entry, dict) and _OF_XNNPACK.search(str(entry.get("file", "")))]
    if not lines:
        raise UserError("no source of XNNPACK is compiled", f"in {where}", "build the variant again")
    values_of: dict[str, set[str]] = {name: set() for name in DEFINITIONS}
    for entry in lines:
        defined = dict(_DEFINED.findall(str(entry.get("command") or " ".join(entry.get("arguments", ())))))
        for name in DEFINITIONS:
            values_of[name].add(defined.get(name, "undefined"))
    mixed = [name for name, values in values_of.items() if len(values) > 1]
    if mixed:
        raise UserError(
            f"sources of XNNPACK disagree about {mixed[0]} ({', '.join(sorted(values_of[mixed[0]]))})",
            f"in {where}",
            "delete the build folder and build the variant again",
        )
    return {name: values.pop() for name, values in values_of.items()}


def read_definitions(compile_commands: Path) -> dict[str, str]:
    """Return `definitions_of` a compile_commands.json; raises so too, and where it cannot be read."""
    where = str(compile_commands)
    try:
        commands = json.loads(compile_commands.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"the compile commands cannot be read ({error})", f"at {where}", "build the variant again"
        ) from error
    if not isinstance(commands, list):
        raise UserError("the compile commands are no list", f"at {where}", "build the variant again")
    return definitions_of(commands, where)


def check(variant: Variant, proof: Proof, compiler: str) -> None:
    """Return if the build is what its variant says.

    Raises
    ------
    UserError : it is not, or its binary does not tell (stripped); `compiler` is named.
    """
    where = f"in the build of {variant.name}"
    if not proof.kernels:
        raise UserError("the binary names no XNNPACK kernel", where, "link it without -s: nothing can be proven of it")
    wanted = "1" if variant.expects_sme2 else "0"
    wrong = [f"{name}={value}" for name, value in proof.definitions.items() if value != wanted]
    if wrong and variant.expects_sme2:
        raise UserError(f"{compiler} made XNNPACK drop SME2 ({', '.join(wrong)})", where, _OLD_COMPILER)
    if wrong:
        raise UserError(
            f"XNNPACK is compiled with {', '.join(wrong)}", where, "delete its build folder and build it again"
        )
    if variant.expects_sme2 and not proof.sme2:
        raise UserError(f"the binary holds no SME2 kernel (of {len(proof.kernels)} kernels)", where, _OLD_COMPILER)
    if not variant.expects_sme2 and proof.sme2 + proof.sme:
        raise UserError(
            f"the binary holds {proof.sme2} SME2 and {proof.sme} SME kernels",
            where,
            "delete its build folder and build it again",
        )


def check_switch(variant: Variant, needed: Sequence[str], backend: str, runtime: str) -> None:
    """Return if XNNPACK's backend is loaded after the runner has started, and reads the cpuinfo that it clears.

    Parameters
    ----------
    needed : the libraries that the system loads with the program.
    backend, runtime : what `nm` lists of the libraries of XNNPACK and of the runtime.

    Raises
    ------
    UserError : the switch at run time could not work.
    """
    where = f"in the build of {variant.name}"
    if any(BACKEND in name for name in needed):
        raise UserError("XNNPACK is loaded with the runner, before features are cleared", where, _AGAIN)
    if not _CPUINFO_TAKEN.search(backend) or not _CPUINFO_GIVEN.search(runtime):
        raise UserError("XNNPACK does not read the cpuinfo that the runner clears", where, _AGAIN)


def sme_names(kernels: Iterable[str]) -> tuple[str, ...]:
    """Return those of `kernels` that are for SME or SME2."""
    return tuple(kernel for kernel in kernels if family_of(kernel) in (SME, SME2))
