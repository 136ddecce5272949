"""The settings of a training run, what each means and which fit together."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PRESETS = ("bart-base", "base", "small", "tiny")
DEFAULT_PRESET = "small"
GENREC: Final = "genrec"
"""The model that is trained unless another is asked for."""

Indexing = Literal["text", "random", "sequential", "collaborative", "semantic", "hybrid", "leaky-sequential"]


class TrainerConfig(BaseModel):
    """What the trainer must know, whatever model it trains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counted: ClassVar[bool] = False
    """Whether the model counts once and has nothing to train."""

    model: str
    """What is trained: `genrec`, or one of the reference models of genrec.baselines."""
    epoch_examples: int = Field(0, ge=0)
    """Most examples of an epoch, drawn anew each time; 0 takes all."""
    pretrain_epochs: int = Field(10, ge=0)
    """Epochs of pretraining, where a model has one: GenRec's is the cloze task."""
    finetune_epochs: int = Field(20, ge=0)
    """Most epochs of next-item training."""
    patience: int = Field(5, ge=1)
    """Finetuning epochs without a better validation NDCG@10 before it stops."""
    minutes: float = Field(0.0, ge=0)
    """Minutes after which training ends, in mid-epoch too; a last validation follows, and the best epoch is kept.
    A phase before the last gets its share by its steps. 0 sets no limit."""
    valid_users: int = Field(0, ge=0)
    """Users in the validation after each epoch, a seeded sample; 0 takes all."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 128
    """Examples in a step, of all processes together; `auto` takes the largest power of two that fits."""
    least_steps: int = Field(0, ge=0)
    """Least steps of an epoch: where there are too few examples for that, batches are halved, though not below 32,
    and the learning rate falls by the square root of 2 each time. 0 takes batches as they are,
    as does a `batch_size` that is not the preset's."""
    gradient_accumulation: int = Field(1, ge=1)
    """Parts that a step's examples are computed in, one after the other, to save memory."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of matrix products: `auto` takes bf16 on GPUs that have it, else fp32. Weights stay fp32."""
    learning_rate: float = Field(1e-3, gt=0)
    """AdamW's peak learning rate."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decoupled weight decay."""
    warmup: float = Field(0.05, ge=0, le=1)
    """Share of steps in which the learning rate rises linearly; it then falls linearly to zero."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of everything that is drawn."""

    @property
    def step_examples(self) -> int:
        """Examples in a step, once that is decided.

        Raises:
            ValueError: `batch_size` is still "auto".
        """
        return int(self.batch_size)


class TrainConfig(TrainerConfig):
    """Everything that decides what a run of GenRec learns, but for the data."""

    model: Literal["genrec"] = GENREC
    """What is trained."""
    preset: str = DEFAULT_PRESET
    """Where the defaults come from; a key of presets.toml."""
    indexing: Indexing = "collaborative"
    """The rule that gives each item its tokens."""
    item_depth: int = Field(0, ge=0, le=8)
    """Tokens of an item, for rules other than `text`; 0 chooses by the size of the catalogue."""
    text_encoder: str | None = None
    """sentence-transformers model that reads titles and attributes for `semantic`, `hybrid` and
    `item_descriptions`: a local folder or a hub name; None takes TF-IDF."""
    weights: str | None = None
    """Pretrained BART to start from: a hub name or a local folder; None starts from scratch."""
    d_model: int | None = Field(None, ge=8)
    """Width of the model; this and the next four come from the weights where those are given."""
    encoder_layers: int | None = Field(None, ge=1)
    """Layers of the encoder."""
    decoder_layers: int | None = Field(None, ge=1)
    """Layers of the decoder."""
    heads: int | None = Field(None, ge=1)
    """Attention heads; they divide `d_model`."""
    ffn_dim: int | None = Field(None, ge=8)
    """Inner width of the feed-forward layers."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of activations dropped in training."""
    attention_dropout: float | None = Field(None, ge=0, lt=1)
    """Share of attention's weights dropped in training, which rules out the quicker kinds of attention; None takes
    that of the pretrained weights, else 0."""
    user_dropout: float = Field(0.2, ge=0, le=1)
    """Share of examples whose user is shown as unknown, which trains user 0."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Probability mass that the loss spreads over the vocabulary."""
    item_loss: float = Field(0.0, ge=0)
    """Weight of an auxiliary loss: the newest item's state must name the next by the item-ID table. It costs a
    product with the whole table, and teaches the encoder several times faster than the tokens alone. The item head
    that learns so ranks beside the decoder; validation chooses its share."""
    repeats: int = Field(0, ge=0, le=4096)
    """Steps of a history that the item head tells apart when it asks whether an item was in it already: each adds
    a learned logit, older ones sharing the last. Where people take nothing twice, or often do, items' embeddings
    need not learn it. 0 does not ask."""
    max_length: int = Field(128, ge=8, le=16384)
    """Positions of the encoder's input, those of special tokens included; the newest items are kept."""
    encoder_merge: Literal["none", "item", "id"] = "none"
    """`none` gives the encoder a position per token, `item` one per item that sums its tokens, and `id` one per
    item that shows its ID embedding alone: codes made of the very transitions to be learned give answers that
    new histories lack. Items that training never shows then look alike."""
    encoder_attention: Literal["both", "causal"] = "both"
    """`both` lets a position see all others, `causal` only itself and those before; then, with
    items at one position each and `prefixes=all`, finetuning learns all prefixes of a sequence in one pass."""
    distances: int = Field(0, ge=0, le=4096)
    """Distances that the encoder's attention tells apart, in place of embeddings of positions: what is learned of
    short histories then holds for long ones. 0 leaves the positions."""
    item_order: Literal["oldest", "newest"] = "oldest"
    """The item that the encoder's input begins with. With `newest` a position always tells how long ago its item
    was, which short histories teach about long ones too."""
    item_descriptions: bool = False
    """Whether titles and attributes, where there are any, are part of items' embeddings: those of an item's terms
    (words of its title and attributes, weighed by TF-IDF, or the numbers of `text_encoder`) are added to its ID
    embedding, for the encoder and the item head. After the training they become part of the ID embeddings."""
    user_buckets: int | None = Field(None, ge=0)
    """Rows that users are hashed into, for hundreds of millions of users; 0 drops user embeddings."""
    sparse_ids: bool = False
    """Whether a step updates only the ID rows of its batch, so that its cost does not grow with the users; with
    `item_loss` or `item_descriptions`, which touch all items, only of its users."""
    prior: Literal["none", "transitions"] = "none"
    """What ranks beside the model: `transitions` counts what followed each item in training, and multiplies the
    item head, or is mixed with the decoder where there is none; after training, validation chooses the weight, and
    how far apart two items may stand."""
    prefixes: Literal["all", "last"] = "all"
    """Finetuning examples: every prefix of the training sequence, or only the longest."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again in the backward pass, to save memory."""
    torch_compile: bool = False
    """Whether torch.compile makes kernels for the model; needs a C++ compiler, pays on long runs."""
    pretrain_learning_rate: float | None = Field(None, gt=0)
    """The peak in pretraining, if it is another."""
    beams: int = Field(20, ge=1)
    """Beams of the search in validation."""

    @property
    def head_repeats(self) -> int:
        """`repeats`, where there is an item head."""
        return self.repeats if self.item_loss else 0

    @property
    def learns_prefixes(self) -> bool:
        """Whether finetuning learns all prefixes of a sequence in one pass; not checkpointed, not compiled."""
        one_pass = not (self.gradient_checkpointing or self.torch_compile)
        causal = self.encoder_attention == "causal" and self.encoder_merge != "none" and self.prefixes == "all"
        return one_pass and causal and self.indexing != "text"

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        faults = []
        shape = {name: getattr(self, name) for name in SHAPE}
        if self.weights is None:
            missing = [name for name, value in shape.items() if value is None]
            if missing:
                faults.append(f"{', '.join(missing)} must be set when no weights are given")
            if self.d_model and self.heads and self.d_model % self.heads:
                faults.append(f"d_model {self.d_model} must be a multiple of heads {self.heads}")
            if self.indexing == "text":
                faults.append("indexing 'text' needs weights with a tokenizer, as in preset bart-base")
        reads = self.item_descriptions or self.indexing in ("semantic", "hybrid")
        if self.text_encoder is not None and not reads:
            faults.append(
                f"text_encoder is for item_descriptions or indexing semantic or hybrid, not {self.indexing!r}"
            )
        if self.distances and self.weights is not None:
            faults.append("distances would drop the positions that pretrained weights know; set distances=0")
        if self.item_order == "newest" and self.encoder_attention == "causal":
            faults.append("item_order=newest hides the history from a causal encoder; take encoder_attention=both")
        if self.pretrain_epochs == 0 and self.finetune_epochs == 0:
            faults.append("pretrain_epochs and finetune_epochs are both 0: nothing to train")
        if faults:
            raise ValueError("; ".join(faults))
        return self


SHAPE = ("d_model", "encoder_layers", "decoder_layers", "heads", "ffn_dim")
"""The settings that pretrained weights decide by themselves."""

STRUCTURE = (
    "preset",
    "indexing",
    "item_depth",
    "text_encoder",
    "weights",
    "max_length",
    "encoder_merge",
    "encoder_attention",
    "item_order",
    "distances",
    "item_descriptions",
    "repeats",
    "user_buckets",
    *SHAPE,
)
"""The settings that a pretrained run decides for those that are finetuned from it."""
