#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Export models that people ship in every recipe, with and without rewrites, and write the table of it.

The table is tools/model_table/models.json, with MODELS.md beside it; page 02 shows it in short. An export
takes some seconds to two minutes, and needs what setup_repo.sh --with-tests installs. Each model's rows are kept as
soon as they are made.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from itertools import chain, groupby
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("exports models")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import progress, say
from model_profiling.errors import UserError
from model_profiling.files import write_json, write_text
from tools import REPOSITORY
from tools.marked import ONBOARDING_PAGE, with_part
from tools.model_table.rows import COMMAND, TABLE, ModelRow, ModelTable
from tools.model_table.text import WHOLE, divided, page_markdown, whole_markdown


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="make_model_table.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", metavar="MODEL", nargs="+", help="export these again, and keep the rows of the others"
    )
    parser.add_argument("--jobs", metavar="N", type=int, help="exports at a time; default: one a core")
    parser.add_argument(
        "--check", action="store_true", help="export nothing; fail where the page or MODELS.md differ from the table"
    )
    return parser


def export_models(only: Sequence[str] | None, jobs: int) -> Iterator[ModelTable]:
    """Yield the table of the ExecuTorch and transformers that are installed, after each model that is exported anew."""
    from tools.model_table.exporting import MODELS, cells, export_cell

    order = [model for _, model in MODELS]
    if unknown := set(only or ()) - set(order):
        raise UserError(f"the table has no model {sorted(unknown)[0]}", "in --only", "name models of the table")
    rows = {model: [row for row in _standing() if row.model == model] for model in order}
    chosen = [cell for cell in cells() if not only or cell.model in only]
    with tempfile.TemporaryDirectory(prefix="models-") as work, progress("exporting", len(chosen)) as step:
        for model, of_model in groupby(chosen, lambda cell: cell.model):
            rows[model] = []
            # New processes for each model: PyTorch keeps what it compiled, gigabytes after some dozens of exports.
            with ProcessPoolExecutor(jobs, get_context("spawn")) as exporting:
                asked = list(of_model)
                for cell, exported in zip(asked, exporting.map(partial(export_cell, Path(work)), asked), strict=True):
                    rows[model] += exported
                    step(f"{cell.name}: {divided(exported[0])}")
            yield ModelTable(version("executorch"), version("transformers"), tuple(chain(*rows.values())))


def _standing() -> tuple[ModelRow, ...]:
    return ModelTable.read().rows if TABLE.is_file() else ()


def main() -> None:
    args = build_parser().parse_args()
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"{args.jobs} exports at a time make none", "in --jobs", "give 1 or more")
    if not args.check:
        for table in export_models(args.only, args.jobs or os.cpu_count() or 1):
            write_json(TABLE, table.to_json())
    table = ModelTable.read()
    texts = {WHOLE: whole_markdown(table), ONBOARDING_PAGE: with_part(ONBOARDING_PAGE, COMMAND, page_markdown(table))}
    if args.check:
        for path, text in texts.items():
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                shown = os.path.relpath(path, REPOSITORY)
                raise UserError("it shows another table of models", f"in {shown}", f"run {COMMAND} and commit it")
        say(f"the table of {len(table.rows)} exports is what the page and MODELS.md show")
        return
    for path, text in texts.items():
        write_text(path, text)
    for path in (TABLE, *texts):
        say(os.path.relpath(path, REPOSITORY))


if __name__ == "__main__":
    run_command(main)
