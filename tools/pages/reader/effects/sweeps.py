# SPDX-License-Identifier: Apache-2.0
"""What sweeps read and leave."""

from __future__ import annotations

import json
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.fleet.config import parse_sweep_config
from model_profiling.fleet.directory import SweepDirectory
from model_profiling.fleet.plan import make_plan
from model_profiling.fleet.templates import sweep_template
from model_profiling.models.registry import find
from tools.pages.reader.effects.pipelines import config_of, make_run
from tools.pages.reader.kit_call import Call, asked_of_the_kit


def generate(call: Call) -> None:
    """Give the reader the configuration that `generate_config.py --sweep` writes."""
    for model in filter(call.known, call.args.sweep):
        if model.endswith(".pte") or "/" in model:
            call.needs_file(model, "--sweep")
        else:
            asked_of_the_kit(call, model, find)
    folder = Path(str(call.args.output))
    config = sweep_template(list(map(str, call.args.sweep)), call.args.platform, folder)
    call.reader.make(call.path(folder / "config.json"), content=json.dumps(config))


def sweep(call: Call) -> None:
    """Give the reader a finished sweep directory, with a finished run directory for each of its cells."""
    args, config = call.args, config_of(call)
    call.needs_file(args.certificates, "--certificates")
    if config is None or args.dry_run:
        return
    directory = SweepDirectory(Path(call.path(config.get("output_root"))))
    for path in (directory.record, directory.summary, directory.table, directory.page):
        call.reader.make(str(path))
    for folder in (directory.artifacts, directory.cells):
        call.reader.make(str(folder), folder=True, open=True)
    try:
        plan = make_plan(parse_sweep_config(dict(config), Path(str(args.config))), seed=0)
    except UserError:  # said where the configuration is written
        return
    for name in filter(call.known, args.only or ()):
        asked_of_the_kit(call, name, lambda one: plan.only([one]))
    for cell in plan.cells:
        if cell.device.timed:
            model = f"{cell.model}_xnnpack_{cell.program.dtype}.pte"
            make_run(call.reader, str(directory.run(cell).root), model, cell.config["experiments"])


def fleet_worker(call: Call) -> None:
    """Give the reader the certificates of a fleet; what else it does is to go on."""
    call.needs_file(call.args.certificates, "--certificates")
    if call.args.make_certificates:
        call.reader.make(call.path(call.args.make_certificates), folder=True, open=True)
