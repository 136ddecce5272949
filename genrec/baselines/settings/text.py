"""Settings of the reference model that reads and writes text."""

from typing import Any, Literal

from pydantic import Field

from genrec.baselines.settings.base import NetworkConfig
from genrec.config import SHAPE, Indexing


class P5Config(NetworkConfig):
    """Settings of P5."""

    model: Literal["p5"] = "p5"
    """What is trained."""
    shape: Literal["narrow", "small", "base"] | None = None
    """Where the five sizes come from unless they are set: `small` and `base` are T5's. Pretrained weights have
    their own."""
    weights: str | None = None
    """Pretrained T5 to start from: a hub name (google-t5/t5-small) or a local folder; None starts from scratch."""
    indexing: Indexing
    """The rule that gives each item its tokens; `text`, "item_1234", where weights with a tokenizer are given."""
    item_depth: int = Field(0, ge=0, le=8)
    """Tokens of an item, for rules other than `text`; 0 chooses by the size of the catalogue."""
    d_model: int | None = Field(None, ge=8)  # type: ignore[assignment]
    """Width of the model."""
    encoder_layers: int | None = Field(None, ge=1)
    """Layers of the encoder."""
    decoder_layers: int | None = Field(None, ge=1)
    """Layers of the decoder."""
    heads: int | None = Field(None, ge=1)
    """Attention heads; they divide `d_model`."""
    ffn_dim: int | None = Field(None, ge=8)
    """Inner width of the feed-forward networks."""
    user_dropout: float = Field(ge=0, le=1)
    """Share of examples whose user is shown as unknown, so that such users are served too."""
    prompt: int = Field(ge=1, le=9)
    """Which prompt is asked with; training draws among the first eight, the ninth it never sees."""
    beams: int = Field(ge=1)
    """Beams of the search in validation."""

    @classmethod
    def complete(cls, given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        """With the sizes of the shape, unless pretrained weights decide them."""
        shapes: dict[str, Any] = defaults["shapes"]
        values = {key: value for key, value in defaults.items() if key != "shapes"}
        if given.get("weights") is not None:
            return {**values, "shape": None, "indexing": "text", **given}
        values |= shapes.get(given.get("shape", values["shape"]), {})
        return {**values, **given}

    def faults(self) -> list[str]:
        """What does not fit together."""
        found = super().faults()
        if self.weights is not None:
            return found + (
                [f"weights have a shape of their own; leave out shape {self.shape}"] * bool(self.shape)
            )
        missing = [name for name in SHAPE if getattr(self, name) is None]
        if missing:
            found.append(f"{', '.join(missing)} must be set when no weights are given")
        if self.d_model and self.heads and self.d_model % self.heads:
            found.append(f"d_model {self.d_model} must be a multiple of heads {self.heads}")
        if self.indexing == "text":
            found.append("indexing 'text' needs weights with a tokenizer: --set weights=google-t5/t5-small")
        return found
