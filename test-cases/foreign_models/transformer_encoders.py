# SPDX-License-Identifier: Apache-2.0
"""Encoders as people ship them: the real classes of `transformers`, in small, with random weights."""

from __future__ import annotations

import torch
import transformers
from torch import nn

from model_profiling.models.registry import register

VOCABULARY, TOKENS = 128, 24


class Encoder:
    """An encoder of `transformers` as the kit takes it; what differs is given by the classes below."""

    kind: type[nn.Module]
    configuration: transformers.PreTrainedConfig

    def get_eager_model(self) -> nn.Module:
        torch.manual_seed(1)
        return LastHidden(self.kind(self.configuration)).eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return (torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)),)


class LastHidden(nn.Module):
    """The last hidden state alone, as deployed encoders give it."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.encoder(*inputs).last_hidden_state


class Bert(Encoder):
    """Token ids and an attention mask, as a sentence encoder has them."""

    kind = transformers.BertModel
    configuration = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        max_position_embeddings=64,
    )

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        ids = torch.randint(0, VOCABULARY, (1, TOKENS), generator=torch.Generator().manual_seed(2))
        return ids, (torch.arange(TOKENS) < TOKENS - 5).long()[None]


class Deit(Encoder):
    kind = transformers.DeiTModel
    configuration = transformers.DeiTConfig(
        image_size=32, patch_size=8, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96
    )


class Vit(Encoder):
    kind = transformers.ViTModel
    configuration = transformers.ViTConfig(
        image_size=32, patch_size=8, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96
    )


class WhisperEncoder(Encoder):
    """80 mel bands by 60 frames in, 30 states out."""

    kind = transformers.models.whisper.modeling_whisper.WhisperEncoder
    configuration = transformers.WhisperConfig(
        d_model=48,
        encoder_layers=2,
        encoder_attention_heads=3,
        encoder_ffn_dim=96,
        num_mel_bins=80,
        max_source_positions=30,
        decoder_layers=1,
        decoder_attention_heads=3,
        vocab_size=VOCABULARY,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return (torch.randn(1, 80, 60, generator=torch.Generator().manual_seed(2)),)


register("bert", Bert)
register("deit", Deit)
register("vit", Vit)
register("whisper_encoder", WhisperEncoder)
