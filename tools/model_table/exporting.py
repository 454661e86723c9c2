# SPDX-License-Identifier: Apache-2.0
"""Exports of every model of the table, in every recipe, as it stands and with all rewrites."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import KitError
from model_profiling.export import export_job, sidecar
from model_profiling.export.quiet import quiet
from model_profiling.export.recipes import recipes
from model_profiling.export.request import ExportRequest
from model_profiling.export.rewrites import ALL, find_rewrites
from tools import REPOSITORY
from tools.model_table.rows import ModelRow

_FOREIGN = REPOSITORY / "test-cases" / "foreign_models"
#: File (None: the kit's own) and name of each model, in the table's order.
MODELS: tuple[tuple[Path | None, str], ...] = (
    (None, "mobilenet_v3_small"),
    (None, "toy_transformer"),
    (None, "toy_decoder"),
    *((_FOREIGN / "transformer_encoders.py", name) for name in ("bert", "deit", "vit", "whisper_encoder")),
    *(
        (_FOREIGN / "transformer_models.py", name)
        for name in (
            "distilbert",
            "clip_text",
            "clip_image",
            "whisper_decoder",
            "wav2vec2",
            "segformer",
            "mobilevit",
            "qwen",
            "llama",
        )
    ),
)


@dataclass(frozen=True)
class TableCell:
    """One export: a model, where it is from, its recipe, and whether rewrites are applied."""

    file: Path | None
    model: str
    recipe: str
    rewritten: bool

    @property
    def name(self) -> str:
        return f"{self.model}, {self.recipe}{', rewritten' if self.rewritten else ''}"


def cells() -> list[TableCell]:
    """Return every export of the table, in its order."""
    return [
        TableCell(file, model, recipe, rewritten)
        for file, model in MODELS
        for recipe in recipes()
        for rewritten in (False, True)
    ]


def export_cell(work: Path, cell: TableCell) -> list[ModelRow]:
    """Return the rows of one export, one for each method; of one that fails its reason."""
    names = find_rewrites([ALL]) if cell.rewritten else ()
    folder = work / cell.name.replace(", ", "-")
    request = ExportRequest(cell.model, cell.file, None, cell.recipe, "xnnpack", folder, rewrites=names)
    try:
        with quiet(verbose=False):
            result = export_job.export(request, lambda text: None)
    except KitError as error:
        return [ModelRow.failure(cell.model, cell.recipe, cell.rewritten, str(error).partition("; ")[0])]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        ModelRow.of(cell.model, cell.recipe, cell.rewritten, method, record)
        for method, record in sidecar.method_records(result.sidecar).items()
    ]
