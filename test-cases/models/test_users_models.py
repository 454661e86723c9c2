# SPDX-License-Identifier: Apache-2.0
"""Models of users: several outputs, packages, integer inputs, ExecuTorch's classes, and where they are looked for."""

from __future__ import annotations

import sys

import pytest
from support.export import DTYPES, export_here, write_model

from model_profiling.errors import UserError
from model_profiling.models import loading, registry

pytestmark = pytest.mark.exports


LINEAR = """
class Mine:
    def get_eager_model(self): return nn.Linear(8, 4)
    def get_example_inputs(self): return (torch.ones(2, 8),)
"""


# Users' models --------------------------------------------------------------------------------------


def test_integer_inputs_and_state_survive_fp16(tmp_path):
    """A language model block with a cache: ids stay int64 and in their vocabulary, the cache starts empty."""
    path = write_model(
        tmp_path,
        """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(64, 32), nn.Linear(32, 64)
        self.register_buffer("cache", torch.zeros(1, 16, 32))
    def forward(self, token, position):
        self.cache.index_copy_(1, position, self.embed(token))
        return self.out(self.cache.mean(dim=1))
class Mine:
    def get_eager_model(self): return Block()
    def get_example_inputs(self): return (torch.tensor([[5]]), torch.tensor([0]))
    def get_calibration_inputs(self): return [(torch.tensor([[i * 9]]), torch.tensor([i])) for i in range(7)]
""",
    )
    for dtype in ("fp16", "int8"):
        about = export_here(tmp_path / "out", model_file=path, dtype=dtype).sidecar
        assert [(given["dtype"], given["low"], given["high"]) for given in about["inputs"]] == [
            ("int64", 0, 54),
            ("int64", 0, 6),
        ]
        operators = {entry["operator"] for entry in about["delegation"]["not_delegated"]}
        assert "aten.embedding.default" in operators and "" not in operators
        assert about["source"] == "file" and about["model"] == "mine"


def test_several_outputs_and_reasons(tmp_path):
    path = write_model(
        tmp_path,
        """
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.up = nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2, mode="nearest")
    def forward(self, image):
        score, label = self.up(self.conv(image)).flatten(2).max(dim=1)
        return {"score": score, "label": label}
class Mine:
    def get_eager_model(self): return Head()
    def get_example_inputs(self): return (torch.rand(1, 3, 8, 8),)
""",
    )
    result = export_here(tmp_path / "out", model_file=path)
    assert [made["dtype"] for made in result.sidecar["outputs"]] == ["float32", "int64"]
    upsample = next(entry for entry in result.delegation.not_delegated if "upsample" in entry.operator)
    assert upsample.module == "up" and upsample.source.endswith("mine.py:9")
    assert "does not know" in upsample.reason and "UpsampleNearest2d" in upsample.hint


def test_portable_backend(tmp_path):
    path = write_model(tmp_path, LINEAR)
    for dtype in DTYPES:
        result = export_here(tmp_path / "out", model_file=path, dtype=dtype, backend="portable")
        assert result.paths.pte.name == f"mine_portable_{dtype}.pte" and result.delegation.delegates == 0


def test_executorchs_class_and_registry(tmp_path):
    path = write_model(
        tmp_path,
        """
from executorch.examples.models.model_base import EagerModelBase
class Theirs(EagerModelBase):
    def get_eager_model(self): return nn.Linear(8, 4)
    def get_example_inputs(self): return (torch.ones(2, 8),)
""",
    )
    assert export_here(tmp_path / "out", model_file=path).sidecar["parameters"] == 36
    about = export_here(tmp_path / "out", model="conv1d").sidecar
    assert about["source"] == "executorch" and about["parameters"] == 160


def test_package_with_relative_import_and_weights_hook(tmp_path):
    import torch

    package = tmp_path / "models" / "my_package"
    write_model(
        package,
        "from .vendor.layers import Layer\nclass Packed:\n"
        "    def get_eager_model(self): return Layer()\n"
        "    def get_example_inputs(self): return (torch.ones(2, 8),)\n"
        "    def load_weights(self, module, state):\n"
        "        module.linear.weight.data.copy_(state['theirs']); return module\n",
        "model.py",
    )
    write_model(
        package / "vendor",
        "class Layer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.linear = nn.Linear(8, 4)\n    def forward(self, x): return self.linear(x)\n",
        "layers.py",
    )
    (package / "__init__.py").write_text(
        "from model_profiling.models.registry import register\nregister('packed', f'{__name__}.model:Packed')\n"
    )
    torch.save({"theirs": torch.full((4, 8), 2.0)}, tmp_path / "w.pth")
    for given in (package, package / "model.py", package / "__init__.py"):
        entry, _ = registry.entry_for_file(given, None)
        assert entry.name in ("packed", "my_package")
    loaded = loading.load(None, package, tmp_path / "w.pth")
    assert float(loaded.module.linear.weight.detach().min()) == 2.0


def test_a_model_that_builds_on_one_of_the_kits_is_the_files_own(tmp_path):
    """Importing the kit's class registers the kit's model: it is none of the file's, and stays known."""
    path = tmp_path / "larger.py"
    path.write_text(
        "from model_profiling.models.registry import register\n"
        "from model_profiling.models.edgetam_image_encoder.model import ReducedEdgeTamImageEncoder\n"
        "class Larger(ReducedEdgeTamImageEncoder):\n"
        "    pass\n"
    )
    sys.modules.pop("model_profiling.models.edgetam_image_encoder", None)
    entry, chosen = registry.entry_for_file(path, None)
    assert (entry.name, chosen.__name__) == ("larger", "Larger")
    assert registry.resolve(registry.find("edgetam_original")).__name__ == "OriginalEdgeTamImageEncoder"
    path.write_text(path.read_text() + 'register("mine", Larger)\nregister("small", ReducedEdgeTamImageEncoder)\n')
    assert sorted(registry._models_in(path)) == ["mine", "small"]


def test_search_path_adds_and_replaces(tmp_path, monkeypatch):
    write_model(tmp_path, LINEAR, "toy_cnn.py")
    write_model(tmp_path, "import not_installed_anywhere\n" + LINEAR, "other.py")
    monkeypatch.setenv(registry.SEARCH_PATH_VARIABLE, str(tmp_path))
    found = {entry.name: entry for entry in registry.entries()}
    assert (found["toy_cnn"].source, found["other"].missing) == ("file", ("not_installed_anywhere",))
    assert loading.load("toy_cnn", None).example_inputs[0].shape == (2, 8)
    monkeypatch.setenv(registry.SEARCH_PATH_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(UserError, match="SME2_MODEL_PATH"):
        registry.entries()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
