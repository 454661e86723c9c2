# SPDX-License-Identifier: Apache-2.0
"""Models of `transformers`, as their library defines them: with the rewrites they run in XNNPACK, and agree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.export import export_here
from support.kit import REPOSITORY

from model_profiling.errors import KitError
from model_profiling.export.rewrites import find_rewrites

pytestmark = pytest.mark.slow

ENCODERS = REPOSITORY / "test-cases" / "foreign_models" / "transformer_encoders.py"
#: Model and dtype: most delegates, most operators outside. A token's embedding and its mask's type stay outside.
LIMITS = {
    ("bert", "fp32"): (3, 3),
    ("bert", "fp16"): (3, 3),
    ("deit", "fp32"): (1, 1),
    ("deit", "fp16"): (1, 1),
    ("vit", "fp32"): (1, 1),
    ("whisper_encoder", "fp32"): (1, 1),
    ("whisper_encoder", "fp16"): (1, 1),
}


#: Those of every run; the others are of a night.
_EVERY_RUN = (("bert", "fp32"), ("whisper_encoder", "fp16"))


@pytest.mark.parametrize(
    ("model", "dtype"),
    [case if case in _EVERY_RUN else pytest.param(*case, marks=pytest.mark.nightly) for case in LIMITS],
)
def test_an_encoder_runs_in_xnnpack(model: str, dtype: str, tmp_path: Path) -> None:
    """That it agrees with the eager model is a part of every export."""
    result = export_here(tmp_path, model=model, model_file=ENCODERS, dtype=dtype, rewrites=find_rewrites(["all"]))
    divided = result.delegation
    assert (divided.delegates, divided.portable_operators) <= LIMITS[model, dtype], divided.not_delegated
    assert divided.portable_operators <= LIMITS[model, dtype][1]
    applied = result.sidecar["rewrites"]
    assert applied["attention"] == 2 and applied["layer-norm"] in (5, 6) and bool(applied["gelu"]) == (dtype == "fp16")


MODELS = ENCODERS.with_name("transformer_models.py")
#: The same of further models: most delegates, most operators outside of each method.
FURTHER = {
    "distilbert": (1, 2),
    "clip_text": (1, 1),
    "clip_image": (1, 0),
    "whisper_decoder": (1, 1),
    "wav2vec2": (1, 0),
    "segformer": (1, 0),
    "mobilevit": (1, 0),
    "qwen": (5, 25),
    "llama": (5, 25),
}


@pytest.mark.nightly
@pytest.mark.parametrize("model", FURTHER)
def test_a_further_model_runs_in_xnnpack(model: str, tmp_path: Path) -> None:
    result = export_here(tmp_path, model=model, model_file=MODELS, rewrites=find_rewrites(["all"]))
    for divided in result.delegations.values():
        assert divided.delegates <= FURTHER[model][0] and divided.portable_operators <= FURTHER[model][1]


@pytest.mark.nightly
@pytest.mark.parametrize(("rewrites", "told"), [("none", "ExecuTorch's lowering fails"), ("all", "XNNPACK refuses")])
def test_a_convolution_that_8da8w_does_not_bear_names_other_recipes(rewrites: str, told: str, tmp_path: Path) -> None:
    given = {"model": "segformer", "model_file": MODELS, "rewrites": find_rewrites([rewrites])}
    with pytest.raises(KitError) as raised:
        export_here(tmp_path / "refused", dtype="8da8w", **given)
    assert told in str(raised.value) and "8da4w or int8" in str(raised.value)
    for dtype in ("8da4w", "int8"):
        assert export_here(tmp_path / dtype, dtype=dtype, **given).sidecar["agreement"]["passed"]


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", ["fp16", "int8", "8da8w", "8da4w"])
@pytest.mark.parametrize("model", ["qwen", "distilbert", "whisper_decoder"])
def test_what_reads_tokens_is_exported_in_the_recipes_of_language_models(
    model: str, dtype: str, tmp_path: Path
) -> None:
    """That it agrees with the eager model is a part of every export."""
    result = export_here(tmp_path, model=model, model_file=MODELS, dtype=dtype, rewrites=find_rewrites(["all"]))
    assert all(reach.share > 0.5 for reach in result.reaches.values())


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
