# SPDX-License-Identifier: Apache-2.0
"""Where a run came from: machine, model, versions, and the commands that make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming, count, listed
from model_profiling.report.words.notes import EMULATED

Facts = tuple[tuple[str, str], ...]
#: Longer command lines are broken before their flags.
_WIDEST_COMMAND = 76


def switched(run: RunData, naming: Naming) -> tuple[str, ...]:
    """Say plainly what was switched between the experiments, and what the times do not mean."""
    manifest = run.manifest
    if manifest.calibration:
        return (
            "This is an A/A calibration: both names run the same experiment, so a difference between them is noise.",
        )
    sentences = [_sentence(manifest.feature.sentence or "no CPU feature was switched")]
    if naming.label and not naming.is_sme:
        sentences.append(f"These times measure {naming.label} and say nothing about SME2.")
        named = [name for name in run.summary["experiments"] if "sme" in name.lower()]
        if named:
            sentences.append(
                f"The configuration calls its experiments {listed(named)}; the report calls them by what was switched."
            )
    if manifest.emulated:
        sentences.append(EMULATED)
    return tuple(sentences)


def byline(run: RunData) -> tuple[str, ...]:
    """Return the few facts that stand under the title."""
    manifest = run.manifest
    cpu, host = manifest.cpu, manifest.host
    return (
        f"{cpu.model_name or cpu.architecture}, {count(cpu.cores, 'core')}",
        str(host.get("system") or ""),
        f"ExecuTorch {manifest.executorch.version}",
        manifest.started[:10],
    )


def machine(run: RunData) -> Facts:
    """Return the machine's facts."""
    manifest, cpu, host = run.manifest, run.manifest.cpu, run.manifest.host
    facts = [
        ("CPU", cpu.model_name or "unknown"),
        ("Architecture", cpu.architecture),
        ("Cores", str(cpu.cores)),
        ("System", " ".join(str(host[key]) for key in ("system", "release") if host.get(key))),
        ("Device", manifest.device),
    ]
    pinned = {name: cores for name, cores in manifest.affinity.items() if cores}
    facts += [(f"Cores of {name}", ", ".join(map(str, cores))) for name, cores in pinned.items()]
    governors = sorted({str(launch.before["governor"]) for launch in run.launches if launch.before.get("governor")})
    if governors:
        facts.append(("Frequency governor", ", ".join(governors)))
    feature = manifest.feature
    if feature.label:
        by_builds = f"by builds: left out of {', '.join(feature.off)}"
        facts.append((f"Switched ({feature.label})", ", ".join(feature.disabled) or by_builds))
    return tuple(facts)


def model_facts(run: RunData) -> Facts:
    """Return what identifies the model and its inputs, and what its export recorded."""
    manifest, model, record = run.manifest, run.manifest.model, run.export or {}
    inputs = "; ".join(f"{'×'.join(map(str, item.shape)) or 'scalar'} {item.dtype}" for item in manifest.inputs)
    facts = [
        ("File", model.path),
        ("Size", f"{model.bytes:,} bytes"),
        ("SHA-256", model.sha256),
        ("Inputs", inputs or "none"),
    ]
    for key, name in (("parameters", "Parameters"), ("multiply_adds", "Multiply-adds")):
        if record.get(key) is not None:
            facts.append((name, f"{record[key]:,}"))
    delegation = record.get("delegation") or {}
    if delegation.get("delegated_operators") is not None:
        facts.append(
            (
                "Delegation",
                f"{count(delegation['delegated_operators'], 'operator')} in "
                f"{count(delegation.get('delegates', 0), 'XNNPACK delegate')}, "
                f"{delegation.get('portable_operators', 0)} in portable kernels",
            )
        )
    return tuple(facts)


def versions(run: RunData) -> Facts:
    """Return the versions of everything that ran."""
    manifest, executorch = run.manifest, run.manifest.executorch
    facts = [
        ("ExecuTorch", executorch.version),
        ("ExecuTorch git SHA", executorch.git_sha),
        ("Kit", manifest.kit_version),
    ]
    if manifest.host.get("python"):
        facts.append(("Python", str(manifest.host["python"])))
    facts += _distinct_runners(manifest.runner).items()
    return (
        *facts,
        ("Seed", str(manifest.seed)),
        ("Started", manifest.started),
        ("Finished", manifest.finished or "not yet"),
    )


def _distinct_runners(runners: Mapping[str, Mapping]) -> dict[str, str]:
    """Describe each runner once, under the names of the experiments that used it."""
    names: dict[str, list[str]] = {}
    for name, described in runners.items():
        words = [str(described.get("name") or "runner")]
        words += [str(described[key]) for key in ("version", "compiler") if described.get(key)]
        words += [f"SHA-256 {described['sha256']}"] if described.get("sha256") else []
        names.setdefault(", ".join(words), []).append(name)
    if len(names) == 1:
        return {"Runner": next(iter(names))}
    return {f"Runner of {listed(group)}": text for text, group in names.items()}


def commands(run: RunData, run_dir: str) -> Facts:
    """Return (what it does, command) of everything it takes to make this run again."""
    manifest, script = run.manifest, "model_profiling/scripts/"
    native = [
        f"bash {script}build_runners.sh" for runner in manifest.runner.values() if runner.get("name") == "native"
    ][:1]
    lines = [
        (
            f"Set up the kit with ExecuTorch {manifest.executorch.version.split('+')[0]}",
            "\n".join([f"bash {script}setup_repo.sh", *native, "source .venv/bin/activate"]),
        )
    ]
    if run.export and run.export.get("source") in ("kit", "executorch"):
        lines.append(
            (
                "Export the same model",
                _typed(
                    [
                        "model_profiling/export/export_model.py",
                        "--model",
                        str(run.export["model"]),
                        "--dtype",
                        str(run.export["dtype"]),
                        "--backend",
                        str(run.export["backend"]),
                        "--outdir",
                        str(Path(manifest.model.path).parent),
                    ]
                ),
            )
        )
    for number, line in enumerate(manifest.command_lines):
        words = shlex.split(line)
        if number == 0 and not any(word.startswith("--seed") for word in words):
            words += ["--seed", str(manifest.seed)]
        lines.append(("Run the experiment" if number == 0 else "Take it up again, as was done here", _typed(words)))
    lines.append(("Analyze the run", _typed([f"{script}analyze_results.py", "--run-dir", run_dir])))
    lines.append(("Write this report", _typed([f"{script}generate_report.py", "--run-dir", run_dir])))
    return tuple(lines)


def _typed(words: Sequence[str]) -> str:
    """Return a command as one types it: with python before a script, long ones a flag a line."""
    if words and words[0].endswith(".py"):
        words = ["python", *words]
    line = shlex.join(words)
    if len(line) <= _WIDEST_COMMAND:
        return line
    groups: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--") and groups[-1]:
            groups.append([])
        groups[-1].append(word)
    return " \\\n  ".join(shlex.join(group) for group in groups)


def configuration(run: RunData) -> str:
    """Return the resolved configuration as indented JSON."""
    return json.dumps(run.manifest.config_json, indent=2, ensure_ascii=False)


def files(run: RunData) -> Facts:
    """Return the run directory's files that a reader may want next."""
    model = run.manifest.model.id
    kernels = [("kernel_launches.jsonl", "the launches that recorded kernels, with digests of what each left")]
    return (
        ("manifest.json", f"what was run, on what, with which seed ({count(len(run.launches), 'launch')})"),
        ("launches.jsonl", "every launch with all its latencies"),
        *(kernels if run.summary.get("kernels") else ()),
        ("analysis_summary.json", "the numbers of this report, unrounded"),
        (
            f"<experiment>/{model}_<experiment>_t<threads>_*.csv",
            "every event, operator, layer and kernel"
            if run.summary.get("kernels")
            else "every event, operator and layer",
        ),
        ("timeline.json", "one execution of each experiment, for ui.perfetto.dev"),
    )


def _sentence(text: str) -> str:
    return (text[:1].upper() + text[1:]).rstrip(".") + "."
