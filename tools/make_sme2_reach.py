#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Record on an emulated CPU which layers of each recipe reach SME2 kernels, and write the table of it.

The table is model_profiling/export/sme2_reach.json, which `export_model.py --explain` and the export's record
answer from; page 02 shows it. A new version of ExecuTorch needs it recorded again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("records kernels")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import progress, say
from model_profiling.errors import UserError
from model_profiling.export.quiet import quiet
from model_profiling.export.sme2_reach import TABLE, ReachRow, ReachTable
from model_profiling.files import write_json, write_text
from tools import REPOSITORY
from tools.marked import ONBOARDING_PAGE

PAGE = ONBOARDING_PAGE


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="make_sme2_reach.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail and name every layer that ran otherwise than the table says",
    )
    parser.add_argument(
        "--page-only",
        action="store_true",
        help="record nothing: write the page's table, or check it, from the table that is there",
    )
    return parser


def record() -> ReachTable:
    """Return the table of the ExecuTorch that is installed."""
    from model_profiling.export.recipes import find_grouped
    from model_profiling.pipeline.devices.emulated.device import EmulatedDevice
    from tools.sme2_reach.recording import record_recipe, scopes, table_of

    device, rows = EmulatedDevice.of(), list[ReachRow]()
    with tempfile.TemporaryDirectory(prefix="sme2-reach-") as work, progress("recording", len(scopes())) as step:
        for dtype, group_size in scopes():
            label = find_grouped(dtype, group_size).label
            with quiet(verbose=False):
                recorded = record_recipe(device, dtype, group_size, Path(work) / label)
            rows += recorded
            step(f"{label}: {sum(row.reaches for row in recorded)} of {len(recorded)} layers reach SME2")
    return table_of(device, tuple(rows))


def _begin_anew() -> None:
    """Put an empty table where none can be read: the exports that fill it ask for one."""
    try:
        ReachTable.read()
    except UserError:
        write_json(TABLE, ReachTable("", "", "", ()).to_json())


def differences(held: ReachTable, recorded: ReachTable) -> list[str]:
    """Return what another recording says otherwise; the emulator's version may differ."""

    def keyed(table: ReachTable) -> dict[tuple[str, str, int], ReachRow]:
        return {(row.recipe, row.kind, row.rows): row for row in table.rows}

    before, now = keyed(held), keyed(recorded)
    told = [] if held.executorch == recorded.executorch else [f"ExecuTorch {held.executorch}"]
    return told + [f"{key[1]}, {key[2]} rows, {key[0]}" for key in {**before, **now} if before.get(key) != now.get(key)]


def check(recorded: ReachTable | None, page: str) -> None:
    """Raise the `UserError` that names what differs; `recorded` is None where nothing was recorded."""
    if recorded is not None and (wrong := differences(ReachTable.read(), recorded)):
        raise UserError(
            f"the table of SME2 kernels says otherwise than what ran: {'; '.join(wrong)}",
            f"at {os.path.relpath(TABLE, REPOSITORY)}",
            "run tools/make_sme2_reach.py and commit the result",
        )
    if PAGE.read_text(encoding="utf-8") != page:
        raise UserError(
            "the page shows another table of SME2 kernels than the recorded one",
            f"in {os.path.relpath(PAGE, REPOSITORY)}",
            "run tools/make_sme2_reach.py --page-only and commit the result",
        )


def main() -> None:
    args = build_parser().parse_args()
    from tools.sme2_reach.text import with_table

    if not args.check:
        _begin_anew()
    recorded = None if args.page_only else record()
    table = recorded or ReachTable.read()
    page = with_table(PAGE, table)
    if args.check:
        check(recorded, page)
        said = "its recording" if recorded else "the page"
        say(f"the table of {len(table.rows)} layers is what {said} says")
        return
    if recorded:
        write_json(TABLE, recorded.to_json())
        say(os.path.relpath(TABLE, REPOSITORY))
    write_text(PAGE, page)
    say(os.path.relpath(PAGE, REPOSITORY))


if __name__ == "__main__":
    run_command(main)
