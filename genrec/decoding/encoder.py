"""GenRec's encoder for serving; tested against the model's own forward."""

import torch
from torch import Tensor, nn

from genrec.decoding.layers import attend, feed_forward, project_self
from genrec.model.encoder import GenRecEncoder
from genrec.model.inputs import EncoderInputs


class EncoderPass(nn.Module):
    """Encodes users once."""

    def __init__(self, encoder: GenRecEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.own = nn.ModuleList(project_self(layer.self_attn) for layer in encoder.layers)

    def forward(self, inputs: EncoderInputs) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            inputs: Each [batch, length].

        Returns:
            States [batch * length, d_model], and a mask [batch, 1, 1, length]: 0, or -inf on padding.
        """
        encoder = self.encoder
        batch, length = inputs.attention_mask.shape
        embedded = encoder.sum_up(inputs.input_ids, inputs.user_ids, inputs.item_ids)
        first = encoder.embed_positions.offset
        embedded = embedded + encoder.embed_positions.weight[first : first + length]
        rows = encoder.layernorm_embedding(embedded).flatten(0, 1)
        padding = torch.where(inputs.attention_mask > 0, 0.0, -torch.inf).to(rows.dtype)[:, None, None, :]
        sight = encoder.sight(padding, length)
        for layer, project in zip(encoder.layers, self.own, strict=True):
            query, key, value = project(rows, batch, length)
            attended = attend(query, key, value, sight, layer.self_attn.out_proj)
            rows = feed_forward(layer, layer.self_attn_layer_norm(rows + attended))
        return rows, padding
