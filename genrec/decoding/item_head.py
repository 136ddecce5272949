"""The item-level softmax that the auxiliary loss teaches, as a distribution over the catalogue."""

from torch import Tensor, nn

from genrec.decoding.prior import TransitionPrior
from genrec.model.inputs import EncoderInputs
from genrec.model.modeling import GenRecForConditionalGeneration


class ItemHead(nn.Module):
    """Gives every item a probability; 0 to those that training never showed.

    Args:
        model: Trained with `item_loss`.
        share: Of the head beside the decoder, between 0 and 1.
        prior: Multiplies it.
    """

    def __init__(
        self, model: GenRecForConditionalGeneration, share: float, prior: TransitionPrior | None = None
    ) -> None:
        super().__init__()
        self.share, self.item_logits, self.prior = share, model.item_logits, prior
        self.repeats = model.repeats  # the weights behind `item_logits` belong to a traced graph
        model.unseen_bias()  # is kept by the model, and so is a constant of a traced graph

    def forward(self, history: Tensor, inputs: EncoderInputs, states: Tensor) -> Tensor:
        """float32 [batch, items + 1], rows sum to 1.

        Args:
            history: int64 [batch, length] known items, zeros are padding.
            inputs: What the encoder read.
            states: [batch, length, d_model] its states.
        """
        logits = self.item_logits(inputs.input_ids, inputs.item_ids, states)
        if self.prior is not None:
            logits = logits + self.prior.log_factor(history, logits)
        return logits.softmax(1)
