# SPDX-License-Identifier: Apache-2.0
"""EdgeTAM's image encoder: the original's outputs, folding, exact forms, checkpoints, programs, preview."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.edgetam import at_equal_distances, bare_state, checkpoint_entries, official_layout, recorded_original
from support.emulation import emulated
from support.export import DTYPES
from support.kit import kit
from torch import nn

from model_profiling.errors import UserError
from model_profiling.export import lowering
from model_profiling.models import loading
from model_profiling.models.contract import structured_images
from model_profiling.models.edgetam_image_encoder import architecture, fusion, gelu, model, variants
from model_profiling.models.edgetam_image_encoder.enlarging import enlarging_forms
from model_profiling.models.edgetam_image_encoder.position_encoding import position_encodings

pytestmark = pytest.mark.exports

REDUCED = "edgetam_image_encoder_64"
TOLERANCE = 1e-4  # what this encoder may differ from the original by, in fp32
FORMS = tuple(enlarging_forms(4))


@pytest.fixture(scope="module")
def fused() -> nn.Module:
    return model.load_from_state_dict(bare_state())


@pytest.fixture(scope="module")
def unfused() -> architecture.ImageEncoder:
    return model.load_encoder(bare_state())


# The original --------------------------------------------------------------------------------------------


def test_entries_are_the_official_checkpoints():
    assert {name: list(value.shape) for name, value in bare_state().items()} == checkpoint_entries()
    assert len(checkpoint_entries()) == 684


@pytest.mark.parametrize("recorded", recorded_original(), ids=lambda r: "x".join(map(str, r["shape"])))
def test_outputs_are_the_originals(recorded, fused):
    image = structured_images(tuple(recorded["shape"]), 1, recorded["seed"])[0][0]
    with torch.no_grad():
        maps = fused(image)
    assert [list(level.shape) for level in maps] == [level["shape"] for level in recorded["maps"]]
    for level, expected in zip(maps, recorded["maps"], strict=True):
        samples = torch.tensor(expected["samples"])
        assert (at_equal_distances(level, len(samples)) - samples).abs().max() < TOLERANCE
        assert level.double().mean() == pytest.approx(expected["mean"], abs=1e-5)
        assert level.double().std() == pytest.approx(expected["std"], abs=1e-5)
        assert samples.std() > 0.3  # the recorded outputs say something
    for encoding, expected in zip(position_encodings(maps), recorded["encodings"], strict=True):
        assert list(encoding.shape) == expected["shape"]
        samples = torch.tensor(expected["samples"])
        assert (at_equal_distances(encoding, len(samples)) - samples).abs().max() < 1e-6
        assert encoding.double().std() == pytest.approx(expected["std"], abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (2, 3, 96, 32), (1, 3, 160, 224)])
def test_folded_encoder_is_the_unfolded_one(shape, fused, unfused):
    image = structured_images(shape, 1, 3)[0][0]
    with torch.no_grad():
        for got, expected in zip(fused(image), unfused(image), strict=True):
            assert got.shape == expected.shape and (got - expected).abs().max() < 1e-5
    assert not [m for m in fused.modules() if isinstance(m, nn.BatchNorm2d)]


def test_any_change_of_weights_shows(fused):
    """The comparison above can fail: one scale of one batch norm, a hundredth larger, is seen in the outputs."""
    state = bare_state()
    state["trunk.body.stages_3.blocks.1.channel_mixer.conv2.bn.weight"] *= 1.01
    image = structured_images((1, 3, 64, 64), 1, 3)[0][0]
    with torch.no_grad():
        changed, before = model.load_from_state_dict(state)(image)[2], fused(image)[2]
    assert (changed - before).abs().max() > TOLERANCE


# Folding and forms ---------------------------------------------------------------------------------------


def _drawn(module: nn.Module, seed: int, spread: float) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator) * spread
            value.copy_(drawn.abs() + 0.01 if name.endswith("running_var") else drawn)
    return module.eval()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    spread=st.floats(0.1, 10),
    channels=st.sampled_from([1, 3, 8]),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    stride=st.sampled_from([1, 2]),
)
def test_folding_is_exact_for_any_statistics(seed, spread, channels, height, width, stride):
    image = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed)).double()
    layers = (architecture.ConvNorm(channels, 4, 3, stride=stride), architecture.TokenMixer(channels))
    for layer, fold in zip(layers, (fusion.fuse_conv_norm, fusion.fuse_token_mixer), strict=True):
        _drawn(layer, seed, spread)
        with torch.no_grad():
            expected, got = layer.double()(image), fold(layer).double()(image)
        assert (got - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (1, 4, 3, 5), (2, 4, 8, 2)])
def test_every_form_of_enlarging_is_exact(form, dtype, shape):
    generator = torch.Generator().manual_seed(5)
    coarse = torch.randn(shape, generator=generator).to(dtype) * 1000
    fine = torch.randn(*shape[:2], 2 * shape[2], 2 * shape[3], generator=generator).to(dtype)
    expected = fine + coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(enlarging_forms(4)[form].to(dtype)(coarse, fine), expected)


def test_bilinear_resizing_of_the_map_itself_is_no_candidate():
    coarse = torch.arange(4.0).reshape(1, 1, 2, 2)
    bilinear = nn.functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
    assert (bilinear - nn.functional.interpolate(coarse, scale_factor=2.0)).abs().max() > 0.5


@pytest.mark.parametrize(("name", "coefficients"), [("cubic", gelu.CUBIC), ("quintic", gelu.QUINTIC)])
def test_gelu_forms_keep_their_bound(name, coefficients):
    form, x = gelu.SigmoidGelu(coefficients).double(), torch.linspace(-300, 300, 2_000_001).double()
    error = (form(x).flatten() - nn.functional.gelu(x)).abs().max()
    assert 0.5 * gelu.ERROR_BOUNDS[name] < error <= gelu.ERROR_BOUNDS[name]


@pytest.mark.parametrize("coefficients", [gelu.CUBIC, gelu.QUINTIC])
def test_gelu_forms_in_every_float16(coefficients):
    x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.float16)
    x = x[x.isfinite()]
    got, expected = gelu.SigmoidGelu(coefficients).half()(x).flatten().double(), nn.functional.gelu(x.double())
    assert not got.isnan().any()
    # A unit in the last place of the result, and where it is small, of what it is computed from.
    assert ((got - expected).abs() <= 2**-10 * expected.abs() + 5e-4).all()


def test_gelu_is_pytorchs_in_float32():
    x = torch.randn(100)
    assert torch.equal(gelu.GeluFor16(gelu.SigmoidGelu(gelu.CUBIC))(x), nn.functional.gelu(x))


@pytest.mark.parametrize("name", sorted({name for names in variants.variant_names().values() for name in names}))
def test_every_variant_gives_the_same_maps(name, unfused):
    image = structured_images((1, 3, 64, 64), 1, 3)[0][0]
    with torch.no_grad():
        got, expected = variants.build(name, 64)(image), unfused(image)
    assert all((a - b).abs().max() < 1e-5 for a, b in zip(got, expected, strict=False))  # plain adds encodings


# Checkpoints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layout",
    [official_layout, lambda state: state, lambda state: {"state_dict": state}],
    ids=["official", "bare", "state_dict"],
)
def test_checkpoint_layouts(layout, tmp_path, fused):
    state = bare_state()
    state["neck.convs.3.conv.bias"] += 1
    torch.save(layout(state), tmp_path / "edgetam.pt")
    loaded = loading.load(REDUCED, None, tmp_path / "edgetam.pt").module
    image = structured_images((1, 3, 64, 64), 1, 3)[0][0]
    with torch.no_grad():
        assert (loaded(image)[0] - fused(image)[0] - 1).abs().max() < 1e-5


def _without(state, names):
    return {name: value for name, value in state.items() if name not in names}


STEM = "trunk.body.stem.conv1.c.weight"
BAD = {
    "missing": (lambda s: _without(s, [STEM, "neck.convs.0.conv.bias"]), f"2 missing ({STEM}, neck.convs.0.conv.bias)"),
    "many missing": (lambda s: _without(s, list(s)[:100]), "100 missing (trunk.body.stem.conv1.c.weight, "),
    "extra": (lambda s: {**s, "trunk.head.weight": torch.ones(1)}, "1 unknown (trunk.head.weight)"),
    "shape": (lambda s: {**s, STEM: torch.ones(24, 1, 3, 3)}, f"1 wrong-shaped ({STEM} 24x1x3x3 instead of 24x3x3x3)"),
    "another model": (lambda s: {"fc.weight": torch.ones(2, 2)}, "684 missing ("),
}


@pytest.mark.parametrize("prefix", ["image_encoder.", ""], ids=["official", "bare"])
@pytest.mark.parametrize("case", BAD)
def test_checkpoint_that_does_not_fit(case, prefix):
    change, told = BAD[case]
    with pytest.raises(UserError) as raised:
        model.load_from_state_dict({prefix + name: value for name, value in change(bare_state()).items()})
    message = str(raised.value)
    assert told in message and "\n" not in message and len(message) < 1000


def test_bad_checkpoint_is_one_line_and_leaves_nothing(tmp_path):
    torch.save(official_layout(_without(bare_state(), [STEM])), tmp_path / "bad.pt")
    done = kit(
        "export/export_model.py", "--model", REDUCED, "--weights", tmp_path / "bad.pt", "--outdir", tmp_path / "out"
    )
    line = done.error_line()
    assert f"1 missing ({STEM})" in line and "give the checkpoint" in line and not (tmp_path / "out").exists()


def test_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"model": {f"image_encoder.{STEM}": Evil()}}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match="no checkpoint of tensors alone"):
        loading.load(REDUCED, None, tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_broken_statistics_are_told(tmp_path):
    state = bare_state()
    state["trunk.body.stem.conv1.bn.running_var"][3] = -5
    torch.save(state, tmp_path / "broken.pt")
    with pytest.raises(UserError, match="NaNs"):
        loading.load(REDUCED, None, tmp_path / "broken.pt")


# Programs ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def programs(shared_exports):
    return shared_exports.fetch([(REDUCED, dtype) for dtype in DTYPES])


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_encoder_is_one_delegate(dtype, programs):
    about = programs[REDUCED, dtype].sidecar
    assert (about["delegation"]["delegates"], about["delegation"]["portable_operators"]) == (1, 0)
    assert [tuple(out["shape"]) for out in about["outputs"]] == [(1, 256, 16, 16), (1, 256, 8, 8), (1, 256, 4, 4)]
    assert about["agreement"]["passed"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_program_is_little_more_than_its_weights(dtype, programs):
    """ExecuTorch 1.5.1 keeps the weights of fp16 convolutions in float32, so fp16 is as large as fp32."""
    about = programs[REDUCED, dtype].sidecar
    assert about["pte"]["bytes"] <= 1.1 * about["parameters"] * (1 if dtype == "int8" else 4)


def test_plain_program_has_what_was_removed():
    plain = variants.build(variants.PLAIN, 256)
    program = lowering.capture(plain, (torch.zeros(1, 3, 256, 256),), {}, None)
    operators = [str(node.target) for node in program.graph.nodes]
    assert [
        sum(name in operator for operator in operators) for name in ("upsample_nearest", "repeat", "batch_norm")
    ] == [1, 3, 106]
    baked = sum(value.numel() for value in program.constants.values() if value.dim() == 3)
    assert baked == 256 * (64**2 + 32**2 + 16**2)  # the position encodings


def test_variants_are_models_of_a_file():
    loaded = loading.load("plain_64", Path(variants.__file__))
    assert loaded.name == "plain_64" and loaded.example_inputs[0].shape == (1, 3, 64, 64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_preview_in_emulation(dtype, programs, tmp_path):
    emulated()
    pte = programs[REDUCED, dtype].pte
    kit("scripts/preview_sme2.py", "--model", pte, "--output-dir", tmp_path).ok()
    found = json.loads((tmp_path / f"{pte.stem}_sme2_preview.json").read_text())
    assert found["disagreements"] == [] and found["variants"]["sme2"]["compute_calls"]["sme2"] > 0
    assert not {"sme", "sme2"} & found["variants"]["no_sme"]["compute_calls"].keys()
