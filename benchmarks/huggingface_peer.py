"""The peer of inference.py: Hugging Face `generate`, held in the catalogue by a prefix function."""

from collections import defaultdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig

from genrec.indexing.tokens import TokenScheme
from genrec.model.inputs import InputBuilder
from genrec.model.modeling import GenRecForConditionalGeneration
from genrec.scoring import pad


class HuggingFacePeer:
    """Beam search as everybody would write it: the library's own, with the allowed tokens of each prefix.

    Args:
        model: In evaluation mode; stays on the device where it is.
        scheme: Its tokens.
        beams: Beams of the search, and length of the lists.
    """

    def __init__(self, model: GenRecForConditionalGeneration, scheme: TokenScheme, beams: int) -> None:
        self.model, self.beams, self.depth = model, beams, scheme.depth
        self.inputs = InputBuilder(scheme, model.config).to(model.device)
        self.pad = scheme.special.pad
        children: dict[tuple[int, ...], set[int]] = defaultdict(set)
        self.items: dict[tuple[int, ...], int] = {}
        for item, row in enumerate(scheme.item_tokens.tolist()):
            path = tuple(token for token in row if token != self.pad)
            if item:
                self.items[path] = item
                for depth, token in enumerate(path):
                    children[path[:depth]].add(token)
        self.children = {prefix: sorted(tokens) for prefix, tokens in children.items()}
        self.ending = GenerationConfig(
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=self.depth,
            min_new_tokens=None,
            length_penalty=0.0,
            early_stopping=True,
            renormalize_logits=True,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            pad_token_id=scheme.special.pad,
            bos_token_id=scheme.special.begin,
            eos_token_id=scheme.special.end,
            decoder_start_token_id=scheme.special.end,
        )

    def _allowed(self, batch: int, tokens: torch.Tensor) -> list[int]:
        return self.children.get(tuple(tokens.tolist()[1:]), [self.pad])

    @torch.inference_mode()
    def __call__(
        self, history: list[list[int]], users: list[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Items and scores, both [batch, beams]."""
        rows = torch.from_numpy(self._with_mask(history))
        inputs = self.inputs(rows.to(self.model.device), torch.tensor(users, device=self.model.device))
        found: Any = self.model.generate(
            **inputs._asdict(), generation_config=self.ending, prefix_allowed_tokens_fn=self._allowed
        )
        paths = found.sequences[:, 1:].tolist()
        items = [self.items.get(tuple(token for token in path if token != self.pad), 0) for path in paths]
        shape = (len(users), self.beams)
        return np.array(items).reshape(shape), found.sequences_scores.cpu().numpy().reshape(shape)

    def _with_mask(self, history: list[list[int]]) -> NDArray[np.int64]:
        return pad([[*items, self.inputs.mask_item] for items in history], len(history))
