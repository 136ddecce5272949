"""The search, beside Hugging Face's layers and brute force."""

import numpy as np
import torch

from genrec.baselines.p5.recommender import P5Recommender, P5Scorer
from genrec.data.dataset import load_dataset
from genrec.data.split import train_part
from genrec.decoding.t5 import T5EncoderPass, t5_generator
from genrec.training.p5 import BuiltP5
from tests.baselines.p5.helpers import P5Oracle, settings
from tests.helpers import ITEMS, USERS, write_dataset
from tests.oracle import assert_exact


def test_the_encoder_is_hugging_faces(built):
    torch.manual_seed(0)
    embedded, mask = torch.randn(3, 150, 16), torch.ones(3, 150, dtype=torch.long)
    mask[1, 70:], mask[2, 3:] = 0, 0
    with torch.no_grad():
        expected = built.model.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        states, padding = T5EncoderPass(built.model.encoder)(embedded, mask)
    found = states.view_as(expected)
    torch.testing.assert_close(found[mask > 0], expected[mask > 0], rtol=1e-4, atol=1e-4)
    assert ((padding[:, 0, 0] == 0) == (mask > 0)).all()


def test_steps_of_the_decoder_are_hugging_faces(built):
    torch.manual_seed(0)
    batch, beams, steps, length = 2, 3, 4, 9
    model = built.model
    states, mask = torch.randn(batch, length, 16), torch.ones(batch, length, dtype=torch.long)
    mask[1, 5:] = 0
    tokens = torch.randint(3, 60, (batch, beams, steps))
    stepper = t5_generator(model).decoder
    padding = torch.where(mask > 0, 0.0, -torch.inf)[:, None, None, :]
    own = torch.where(torch.eye(beams) > 0, 0.0, -torch.inf)  # no beam sees another one's tokens
    past, found = None, []
    with torch.no_grad():
        encoded = stepper.remember(states.flatten(0, 1), padding)
        prefix = torch.zeros(batch, 2, dtype=torch.long)
        causal = torch.full((2, 2), -torch.inf).triu(1)[None, None]
        _, past = stepper.step(stepper.embed(prefix, 0, 2), encoded, padding, None, causal)
        for place in range(steps):
            sight = torch.cat([torch.zeros(beams, 2), own.repeat(1, place + 1)], 1)[None, None]
            rows, past = stepper.step(stepper.embed(tokens[:, :, place], 2), encoded, padding, past, sight)
            found.append(rows)
        expected = model.decoder(
            input_ids=torch.cat([prefix.repeat_interleave(beams, 0), tokens.flatten(0, 1)], 1),
            encoder_hidden_states=states.repeat_interleave(beams, 0),
            encoder_attention_mask=mask.repeat_interleave(beams, 0),
            use_cache=False,
        ).last_hidden_state[:, 2:]
    torch.testing.assert_close(torch.stack(found, 1), expected, rtol=1e-4, atol=1e-4)


def test_lists_are_those_of_brute_force(built):
    scorer, oracle = P5Scorer(built.model, built.scheme, ITEMS), P5Oracle(built)
    histories, users = [[], [7], [5, 9, 9, 2, 8, 1, 3, 30]], [0, 3, USERS]
    items, scores = scorer(histories, users, exclude_seen=False, k=ITEMS)
    assert np.allclose(np.exp(scores).sum(1), 1, atol=1e-4)
    for row, (history, user) in enumerate(zip(histories, users, strict=True)):
        assert_exact(items[row], scores[row], oracle.scores(history, user), set(range(1, ITEMS + 1)), 1e-4)
    seen, _ = scorer(histories, users, k=ITEMS)
    assert not set(histories[2]) & set(seen[2].tolist())
    items, scores = P5Scorer(built.model, built.scheme, 5)(histories, users, allowed=[[], [], [30, 8, 4]], k=5)
    assert set(items[2].tolist()) == {4, 0}


def test_a_batch_is_its_rows_wherever_its_zeros_stand(built):
    module = P5Recommender(built.model, built.scheme, 5, 5).eval()
    none, yes = torch.zeros(2, 0, dtype=torch.long), torch.tensor(True)
    rows = torch.tensor([[0, 4, 0, 5, ITEMS + 1, -2, 6], [1, 2, 3, 4, 5, 6, 7]])
    with torch.no_grad():
        both = module(rows, torch.tensor([-1, 2]), yes, none, none)
        alone = module(torch.tensor([[4, 5, 6]]), torch.tensor([0]), yes, none[:1], none[:1])
    assert both[0][0].tolist() == alone[0][0].tolist()
    torch.testing.assert_close(both[1][0], alone[1][0])


def test_numbers_of_items_mean_nothing(tmp_path):
    """Renumbered, items have the same tokens, and so the same scores."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 21, rng.integers(3, 8)).tolist() for _ in range(40)]
    moved = np.concatenate([[0], rng.permutation(20) + 1])
    names = [f"i{n}" for n in range(20)]
    users = [f"u{n}" for n in range(40)]
    write_dataset(tmp_path / "one", users, names, rows)
    write_dataset(tmp_path / "other", users, names, [[int(moved[item]) for item in row] for row in rows])
    one, other = (BuiltP5(settings(), load_dataset(tmp_path / name)) for name in ("one", "other"))
    shown = np.unique(train_part(load_dataset(tmp_path / "one").sequences).items)
    assert (one.scheme.item_tokens[shown] == other.scheme.item_tokens[moved[shown]]).all()
    history = [int(item) for item in shown[:4]]
    lists = []
    for built, asked in ((one, history), (other, [int(moved[item]) for item in history])):
        items, scores = P5Scorer(built.model.eval(), built.scheme, 20)([asked], [3], exclude_seen=False)
        lists.append(dict(zip(items[0].tolist(), scores[0].tolist(), strict=True)))
    for item in shown:
        assert abs(lists[0][item] - lists[1][int(moved[item])]) < 1e-4
