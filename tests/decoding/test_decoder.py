"""The beam decoder against Hugging Face's decoder on the same weights."""

import torch

from genrec.decoding.decoder import BeamDecoder
from tests.helpers import make_model, text_like_scheme


def test_steps_equal_the_whole_forward():
    scheme = text_like_scheme()
    model = make_model(scheme, users=30)
    torch.manual_seed(0)
    batch, beams, steps, length = 3, 4, 3, 9
    states = torch.randn(batch, length, model.config.d_model)
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[1, 5:] = 0
    tokens = torch.randint(0, scheme.vocabulary, (batch, beams, steps))
    stepper = BeamDecoder(model.model.decoder)
    padding = torch.where(mask > 0, 0.0, -torch.inf)[:, None, None, :]
    with torch.no_grad():
        encoded = stepper.remember(states.flatten(0, 1), padding)
        past, found = None, []
        for position in range(steps):
            own = torch.where(torch.eye(beams) > 0, 0.0, -torch.inf)  # no beam sees another one's tokens
            sight = own.repeat(1, position + 1)[None, None]
            embedded = stepper.embed(tokens[:, :, position], position)
            hidden, past = stepper.step(embedded, encoded, padding, past, sight)
            found.append(hidden)
        expected = model.model.decoder(
            input_ids=tokens.flatten(0, 1),
            encoder_hidden_states=states.repeat_interleave(beams, 0),
            encoder_attention_mask=mask.repeat_interleave(beams, 0),
            use_cache=False,
        ).last_hidden_state
    torch.testing.assert_close(torch.stack(found, 1), expected, rtol=1e-4, atol=1e-4)
