# SPDX-License-Identifier: Apache-2.0
"""Opportunities in words: what each is, what to do about it, and the command that shows or tries it.

The line that each rule of `analysis/advice/rules` has in `_WORDS` says both.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from model_profiling.analysis.advice.opportunity import Opportunity
from model_profiling.wording import capitalized, count

Facts = Mapping[str, str]
_SCRIPTS = "model_profiling/scripts/"
#: What makes layers slow, and what is done about it.
_REASONS = {
    "depthwise": (
        "each channel is filtered by itself, so nothing is computed twice with what was loaded once",
        "Use fewer channels or a larger stride here, or spend the same time in 1x1 convolutions",
    ),
    "few rows": (
        "the product has so few rows that its weights are read for little work",
        "Give the model more rows at once: several tokens, or a larger batch",
    ),
    "odd channels": (
        "the channels do not fill the tiles that kernels compute",
        "Make the channels a multiple of 8, better of 16",
    ),
    "small": (
        "the layer has so few positions that its weights are read for little work",
        "Use fewer channels at this size, or fewer layers",
    ),
}
_BYTES_PER_MB = 1e6
#: What the runtime itself executes where shapes vary.
_OF_VARYING_SHAPES = ("et_view",)
_MEMORY = (
    "it moves more numbers than it computes with",
    "Join it with the layer before or after, or use numbers of fewer bits",
)
_UNKNOWN = ("no usual reason fits", "Compare its shape with that of the layers that reach more")


@dataclass(frozen=True)
class Told:
    """What an opportunity is, why it is there, and what to do, as sentences without their last stop.

    `place` is the module and line of the largest part of it, as "blocks.0.norm, model.py:12"; "" where none is known.
    """

    what: str
    why: str
    do: str
    place: str = ""


def told(opportunity: Opportunity) -> Told:
    """Return an opportunity in words."""
    return replace(_WORDS[opportunity.kind](opportunity.facts), place=_place(opportunity.facts))


def command(opportunity: Opportunity) -> str:
    """Return the command that tries the change, or shows where it is; "" where none would.

    It is for models that are known by name: of others the record does not say in which file they lie. A change that the
    model's author makes by hand has none.
    """
    facts = opportunity.facts
    if facts.get("source") not in ("kit", "executorch"):
        return ""
    model = ["--model", facts["model"], "--dtype", facts["dtype"]]
    for flag in ("group_size", "method"):
        model += [f"--{flag.replace('_', '-')}", facts[flag]] if facts.get(flag) else []
    if facts.get("rewrite"):
        folder = f"out_{facts['model']}/tuned"
        return _typed([f"{_SCRIPTS}tune_model.py", *model, "--rewrites", facts["rewrite"], "--outdir", folder])
    if facts.get("recipe"):
        return _typed(["model_profiling/export/export_model.py", *model[:2], "--dtype", facts["recipe"]])
    if opportunity.kind in ("outside", "split", "fp16-island"):
        return _typed(["model_profiling/export/export_model.py", *model, "--explain"])
    return ""


def opportunity_json(opportunity: Opportunity) -> dict[str, object]:
    """Return an entry of "opportunities" in analysis_summary.json."""
    return {**opportunity.to_json(), "do": told(opportunity).do, "command": command(opportunity)}


def _typed(words: list[str]) -> str:
    return shlex.join(["python", *words])


def _place(facts: Facts) -> str:
    return ", ".join(part for part in (facts.get("module"), facts.get("line")) if part)


def _outside(facts: Facts) -> Told:
    number = int(facts["count"])
    operators = f"{count(number, 'operator')} outside XNNPACK: {facts['operators']}"
    after, before = int(facts["delegates_after"]), int(facts["delegates"])
    gone = f"; {before} delegates would become {after}" if after < before else ""
    do = "Find a form that XNNPACK takes: --explain says what its reason is"
    if facts.get("rewrite"):
        do = f"Export with --rewrite {facts['rewrite']}, and measure"
    elif facts.get("hint"):
        do = capitalized(facts["hint"])
    elif facts["operators"] in _OF_VARYING_SHAPES:
        do = "Give the method fixed shapes: where they vary, the runtime itself makes every view"
    reason = f"the partitioner says: {facts['reason']}" if facts.get("reason") else "the export left no record of it"
    return Told(operators, reason + gone, do)


def _split(facts: Facts) -> Told:
    whole = _outside(facts)
    after = int(facts["delegates_after"])
    why = f"it divides what could be {count(after, 'delegate')} into {facts['delegates']}, and that costs more than it"
    return Told(whole.what, why, whole.do)


def _island(facts: Facts) -> Told:
    whole = _outside(facts)
    what = f"float32 islands in an fp16 program: {count(int(facts['count']), 'conversion')} of type"
    return Told(what, whole.why, whole.do)


def _transpose(facts: Facts) -> Told:
    number = count(int(facts["count"]), "transpose")
    if facts["asked"] == "model":
        return Told(
            f"{number} that the model asks for",
            "moving dimensions moves all numbers, and convolutions take NHWC in XNNPACK whatever order the model has",
            "Leave the dimensions where they are, and let the layer in between work on another one",
        )
    return Told(
        f"{number} that XNNPACK adds",
        "convolutions take NHWC, and what is outside a delegate, or of another kind, takes NCHW",
        "Keep convolutions together, and take in what stands between them",
    )


def _conversion(facts: Facts) -> Told:
    number = count(int(facts["count"]), "conversion")
    by = "the model asks for" if facts["asked"] == "model" else "the recipe adds"
    return Told(
        f"{number} of type that {by}",
        "layers of one recipe stand between layers of another",
        "Quantize what stands between two quantized layers too, or leave all of them in floating point",
    )


def _below(facts: Facts) -> Told:
    why, do = _REASONS.get(facts["reason"]) or (_MEMORY if facts["bound"] == "memory" else _UNKNOWN)
    number, one = int(facts["count"]), facts["detail"]
    what = one if number == 1 else f"{number} layers like {one}"
    return Told(f"{what}: far below what this machine can do", why, do)


def _large_depthwise(facts: Facts) -> Told:
    number, one = int(facts["count"]), facts["detail"]
    return Told(
        one if number == 1 else f"{number} layers like {one}",
        "XNNPACK has depthwise kernels of up to 25 taps, and runs larger ones as a matrix product of one column for "
        "each channel",
        f"Export with --rewrite {facts['rewrite']}, which makes a sum of smaller ones of them, and measure",
    )


def _memory_bound(facts: Facts) -> Told:
    number, one = int(facts["count"]), facts["detail"]
    return Told(
        one if number == 1 else f"{number} layers like {one}",
        "it moves its numbers nearly as fast as this machine can, so that only fewer bytes make it faster",
        f"Try {facts['recipe']}, whose numbers are smaller, or join it with the layer before or after",
    )


def _recipe(facts: Facts) -> Told:
    return Told(
        f"{count(int(facts['count']), 'matrix layer')} without an SME2 kernel in {facts['dtype']}",
        f"this release has one for them in {facts['recipe']}",
        f"Export in {facts['recipe']}, and measure",
    )


def _slower_numbers(facts: Facts) -> Told:
    return Told(
        f"{count(int(facts['count']), 'matrix layer')} in {facts['dtype']}, for which this CPU has no arithmetic",
        f"each number is converted before and after, and kernels of {facts['recipe']} are faster here",
        f"Export in {facts['recipe']} for this CPU, and measure",
    )


def _slower_layers(facts: Facts) -> Told:
    return Told(
        f"{count(int(facts['count']), 'layer')} slower with the feature than without",
        "XNNPACK chooses kernels by what the CPU has, not by what is faster for a shape",
        "Give them another shape, or report them to XNNPACK with this report",
    )


def _slower_model(facts: Facts) -> Told:
    return Told(
        "The whole is slower with the feature than without",
        "XNNPACK chooses kernels by what the CPU has, not by what is faster for a shape",
        "Run this program without the feature",
    )


def _threads(facts: Facts) -> Told:
    return Told(
        "More threads do not pay",
        "what they save in computing they lose in waiting for each other, or the cores were not free",
        f"Run on {count(int(facts['threads']), 'thread')}",
    )


def _constants(facts: Facts) -> Told:
    beside, file = (int(facts[key]) / _BYTES_PER_MB for key in ("bytes", "file_bytes"))
    where = f"{beside:.3g} of the file's {file:.3g} MB: the largest is {facts['name']}"
    if facts["stored"] == "weight":
        return Told(
            f"{count(int(facts['count']), 'weight')} stored twice, {where}",
            "XNNPACK packs its own copy of what an operator outside it reads too",
            "Take in the operator outside that uses it, or give each its own smaller weight",
        )
    return Told(
        f"{count(int(facts['count']), 'constant')} beside the weights, {where}",
        "a tensor that depends on no input is stored whole, and read with the program",
        "Compute it in forward() from something smaller, or hand it in as an input",
    )


def _loading(facts: Facts) -> Told:
    return Told(
        f"Loading takes as long as {count(int(facts['executions']), 'execution')}",
        "weights are read and packed for the kernels each time",
        "Load once and keep the program loaded",
    )


def _first(facts: Facts) -> Told:
    return Told(
        "The first execution is slower than those after it",
        "memory is touched for the first time, and caches are empty",
        "Execute once before the first result is waited for",
    )


_WORDS: Mapping[str, Callable[[Facts], Told]] = {
    "outside": _outside,
    "split": _split,
    "fp16-island": _island,
    "transpose": _transpose,
    "conversion": _conversion,
    "large-depthwise": _large_depthwise,
    "below-ceiling": _below,
    "memory-bound": _memory_bound,
    "recipe": _recipe,
    "slower-numbers": _slower_numbers,
    "slower-layers": _slower_layers,
    "slower-model": _slower_model,
    "threads": _threads,
    "constants": _constants,
    "loading": _loading,
    "first-execution": _first,
}
