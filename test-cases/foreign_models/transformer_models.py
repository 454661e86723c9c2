# SPDX-License-Identifier: Apache-2.0
"""Models as people ship them, beside the encoders: the real classes of `transformers`, in small, with random weights.

What a deployed program does not give is left out by small modules around the library's own (`Part`, `Step`); the
library itself is not touched.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import transformers
from torch import nn

from model_profiling.models.registry import register

VOCABULARY, TOKENS, CONTEXT = 128, 24, 32
#: What every small language model has.
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
#: Towers of CLIP.
TOWER = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def _ids() -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (1, TOKENS), generator=_generator())


def _image() -> torch.Tensor:
    return torch.randn(1, 3, 64, 64, generator=_generator())


class Part(nn.Module):
    """One of a model's results, as `take` finds it."""

    def __init__(self, model: nn.Module, take: Callable[[object], torch.Tensor]) -> None:
        super().__init__()
        self.model, self.take = model, take

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.take(self.model(*inputs))


class _Shipped:
    """A model of one method; what differs is given by the classes below."""

    def build(self) -> nn.Module:
        raise NotImplementedError

    def take(self, result: object) -> torch.Tensor:
        return result.last_hidden_state

    def get_eager_model(self) -> nn.Module:
        torch.manual_seed(1)
        return Part(self.build(), self.take).eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return (_image(),)


class DistilBert(_Shipped):
    def build(self) -> nn.Module:
        return transformers.DistilBertModel(
            transformers.DistilBertConfig(
                vocab_size=VOCABULARY, dim=48, n_layers=2, n_heads=3, hidden_dim=96, max_position_embeddings=64
            )
        )

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return _ids(), (torch.arange(TOKENS) < TOKENS - 5).long()[None]


class ClipText(_Shipped):
    def build(self) -> nn.Module:
        return transformers.CLIPTextModel(
            transformers.CLIPTextConfig(
                vocab_size=VOCABULARY, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, **TOWER
            )
        )

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return (_ids(),)


class ClipImage(_Shipped):
    def build(self) -> nn.Module:
        return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(image_size=64, patch_size=16, **TOWER))


class Wav2Vec2(_Shipped):
    """A quarter of a second of sound at 16 kHz."""

    def build(self) -> nn.Module:
        return transformers.Wav2Vec2Model(
            transformers.Wav2Vec2Config(
                conv_dim=(32, 32, 32),
                conv_stride=(5, 4, 4),
                conv_kernel=(10, 4, 4),
                num_conv_pos_embeddings=16,
                num_conv_pos_embedding_groups=4,
                **TOWER,
            )
        )

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return (torch.randn(1, 4000, generator=_generator()),)


class Segformer(_Shipped):
    def build(self) -> nn.Module:
        return transformers.SegformerForSemanticSegmentation(
            transformers.SegformerConfig(
                hidden_sizes=[16, 32, 48, 64],
                depths=[1, 1, 1, 1],
                num_attention_heads=[1, 2, 3, 4],
                decoder_hidden_size=32,
                num_labels=5,
            )
        )

    def take(self, result: object) -> torch.Tensor:
        return result.logits


class MobileVit(_Shipped):
    def build(self) -> nn.Module:
        model = transformers.MobileViTModel(
            transformers.MobileViTConfig(
                image_size=64, hidden_sizes=[32, 48, 64], neck_hidden_sizes=[16, 16, 24, 32, 48, 64, 96]
            )
        )
        for layer in model.modules():  # as drawn by the library, nothing would be left of an image at the end
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.ones_(layer.weight)
        return model


class WhisperDecoder(_Shipped):
    """One decoding step without a cache: ids so far and the encoder's states in, scores of states out."""

    def build(self) -> nn.Module:
        return _Named(
            transformers.models.whisper.modeling_whisper.WhisperDecoder(
                transformers.WhisperConfig(
                    d_model=48,
                    decoder_layers=2,
                    decoder_attention_heads=3,
                    decoder_ffn_dim=96,
                    encoder_layers=1,
                    encoder_attention_heads=3,
                    vocab_size=VOCABULARY,
                    max_target_positions=64,
                    pad_token_id=0,
                    bos_token_id=1,
                    eos_token_id=2,
                )
            ),
            ("input_ids", "encoder_hidden_states"),
            {"use_cache": False},
        )

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return _ids(), torch.randn(1, 30, 48, generator=_generator())


class _Named(nn.Module):
    """Calls a model with its inputs by name, and with settings."""

    def __init__(self, model: nn.Module, names: tuple[str, ...], settings: dict[str, object]) -> None:
        super().__init__()
        self.model, self.names, self.settings = model, names, settings

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.model(**dict(zip(self.names, inputs, strict=True)), **self.settings)


class Step(nn.Module):
    """A causal language model with the library's static cache: ids and their positions to the last one's scores.

    The cache's tensors are buffers of this module, so that a program keeps them as its state.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config = model.config
        size = config.hidden_size // config.num_attention_heads
        self.cache = transformers.StaticCache(config=config, max_cache_len=CONTEXT)
        self.cache.early_initialization(1, config.num_key_value_heads, size, torch.float32, torch.device("cpu"))
        for number, layer in enumerate(self.cache.layers):
            self.register_buffer(f"keys_{number}", layer.keys, persistent=False)
            self.register_buffer(f"values_{number}", layer.values, persistent=False)

    def forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.cache.layers):
            layer.keys, layer.values = getattr(self, f"keys_{number}"), getattr(self, f"values_{number}")
            layer.cumulative_length = positions[0].clone()  # the library counts, a program is told where it is
        visible = torch.arange(CONTEXT)[None, :] <= positions[:, None]
        mask = torch.where(visible, 0.0, -1e4)[None, None]
        result = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions[None], past_key_values=self.cache, use_cache=True
        )
        return result.logits[:, -1]


class _Decoder:
    """A causal language model with two methods."""

    def build(self) -> nn.Module:
        raise NotImplementedError

    def get_methods(self) -> dict[str, tuple[nn.Module, tuple[torch.Tensor, ...]]]:
        torch.manual_seed(1)
        step = Step(self.build().eval()).eval()
        prompt = _ids(), torch.arange(TOKENS)
        return {"prefill": (step, prompt), "decode": (step, (_ids()[:, :1], torch.tensor([TOKENS])))}

    def get_tokens(self) -> dict[str, int]:
        return {"prefill": TOKENS, "decode": 1}


class Qwen(_Decoder):
    def build(self) -> nn.Module:
        return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SMALL))


class Llama(_Decoder):
    def build(self) -> nn.Module:
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL))


for name, model in {
    "distilbert": DistilBert,
    "clip_text": ClipText,
    "clip_image": ClipImage,
    "wav2vec2": Wav2Vec2,
    "segformer": Segformer,
    "mobilevit": MobileVit,
    "whisper_decoder": WhisperDecoder,
    "qwen": Qwen,
    "llama": Llama,
}.items():
    register(name, model)
