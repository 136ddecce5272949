"""The item-level softmax that the auxiliary loss teaches, as a distribution over the catalogue."""

from torch import Tensor, nn

from genrec.model.inputs import EncoderInputs
from genrec.model.modeling import GenRecForConditionalGeneration


class ItemHead(nn.Module):
    """Gives every item a probability; 0 to those that training never showed.

    Args:
        model: Trained with `item_loss`.
        share: Of the head beside the decoder, between 0 and 1.
    """

    def __init__(self, model: GenRecForConditionalGeneration, share: float) -> None:
        super().__init__()
        self.share, self.item_logits = share, model.item_logits
        model.unseen_bias()  # is kept by the model, and so is a constant of a traced graph

    def forward(self, inputs: EncoderInputs, states: Tensor) -> Tensor:
        """float32 [batch, items + 1], rows sum to 1.

        Args:
            inputs: What the encoder read.
            states: [batch, length, d_model] its states.
        """
        return self.item_logits(inputs.input_ids, states).float().softmax(1)
