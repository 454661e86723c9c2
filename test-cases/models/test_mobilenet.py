# SPDX-License-Identifier: Apache-2.0
"""MobileNetV3-Small has torchvision's names and shapes, and takes its weights strictly."""

from __future__ import annotations

import os
import sys

import pytest

from model_profiling.errors import UserError
from model_profiling.models import loading

pytestmark = pytest.mark.exports


# MobileNetV3-Small and its weights ---------------------------------------------------------------


def expected_mobilenet_entries() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's `mobilenet_v3_small`, from the published table alone."""
    entries: dict[str, tuple[int, ...]] = {}

    def conv_norm(prefix: str, out: int, inputs: int, kernel: int) -> None:
        entries[f"{prefix}.0.weight"] = (out, inputs, kernel, kernel)
        entries.update({f"{prefix}.1.{part}": (out,) for part in ("weight", "bias", "running_mean", "running_var")})
        entries[f"{prefix}.1.num_batches_tracked"] = ()

    table = [
        (3, 16, 16, 8),
        (3, 72, 24, 0),
        (3, 88, 24, 0),
        (5, 96, 40, 24),
        (5, 240, 40, 64),
        (5, 240, 40, 64),
        (5, 120, 48, 32),
        (5, 144, 48, 40),
        (5, 288, 96, 72),
        (5, 576, 96, 144),
        (5, 576, 96, 144),
    ]
    conv_norm("features.0", 16, 3, 3)
    channels = 16
    for index, (kernel, expanded, out, squeezed) in enumerate(table, start=1):
        block, at = f"features.{index}.block", 0
        if expanded != channels:
            conv_norm(f"{block}.{at}", expanded, channels, 1)
            at += 1
        conv_norm(f"{block}.{at}", expanded, 1, kernel)
        at += 1
        if squeezed:
            for layer, shape in (("fc1", (squeezed, expanded)), ("fc2", (expanded, squeezed))):
                entries[f"{block}.{at}.{layer}.weight"] = (*shape, 1, 1)
                entries[f"{block}.{at}.{layer}.bias"] = shape[:1]
            at += 1
        conv_norm(f"{block}.{at}", out, expanded, 1)
        channels = out
    conv_norm("features.12", 576, 96, 1)
    for layer, shape in (("0", (1024, 576)), ("3", (1000, 1024))):
        entries[f"classifier.{layer}.weight"] = shape
        entries[f"classifier.{layer}.bias"] = shape[:1]
    return entries


def test_mobilenet_has_torchvisions_entries():
    state = loading.load("mobilenet_v3_small", None).module.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected_mobilenet_entries()


def test_weights_load_strictly(tmp_path):
    import torch

    state = {
        name: torch.full(shape, 0.01) if shape else torch.tensor(1)
        for name, shape in expected_mobilenet_entries().items()
    }
    torch.save({"state_dict": state}, tmp_path / "good.pth")
    module = loading.load("mobilenet_v3_small", None, tmp_path / "good.pth").module
    assert float(module.classifier[3].weight.detach().mean()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("stem.bias"), "1 missing (stem.bias)"),
        (lambda state: state.update({"extra.weight": state["stem.bias"]}), "1 unknown (extra.weight)"),
        (
            lambda state: state.update({"stem.weight": state["stem.weight"][:, :1]}),
            "1 wrong-shaped (stem.weight 32x1x3x3 instead of 32x3x3x3)",
        ),
    ],
)
def test_checkpoint_that_does_not_fit_is_listed(tmp_path, change, told):
    import torch

    state = dict(loading.load("toy_cnn", None).module.state_dict())
    change(state)
    torch.save(state, tmp_path / "bad.pth")
    with pytest.raises(UserError) as raised:
        loading.load("toy_cnn", None, tmp_path / "bad.pth")
    assert told in str(raised.value)


def test_pickle_that_would_run_code_is_refused(tmp_path):
    import torch

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"stem.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="no checkpoint of tensors alone"):
        loading.load("toy_cnn", None, tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(40), b"\x80\x02."])
def test_file_that_is_no_checkpoint(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError):
        loading.load("toy_cnn", None, tmp_path / "w.pth")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
