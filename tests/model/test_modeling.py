"""The model against equation 2 of the paper and against a loss computed by hand."""

import math

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from genrec.model.inputs import InputBuilder
from genrec.model.modeling import IGNORED, GenRecForConditionalGeneration
from tests.helpers import make_model, text_like_scheme

USERS = 30


@pytest.fixture(scope="module")
def scheme():
    return text_like_scheme(USERS)


@pytest.fixture(scope="module")
def model(scheme):
    return make_model(scheme, users=USERS)


@pytest.fixture(scope="module")
def inputs(model, scheme):
    builder = InputBuilder(scheme, model.config)
    items = torch.tensor([[12, 3, builder.mask_item], [7, builder.mask_item, 0]])
    return builder(items, torch.tensor([25, 4]))._asdict()


def embedded(model, inputs):
    """What enters the encoder's first normalisation: the sum of equation 2."""
    caught = []
    hook = model.model.encoder.layernorm_embedding.register_forward_pre_hook(
        lambda module, arguments: caught.append(arguments[0].detach().clone())
    )
    with torch.no_grad():
        model.model.encoder(**inputs)
    hook.remove()
    return caught[0]


def test_equation_2_position_by_position(model, inputs):
    encoder = model.model.encoder
    found = embedded(model, inputs)
    for row in range(2):
        for j in range(found.shape[1]):
            token, user, item = (int(inputs[name][row, j]) for name in ("input_ids", "user_ids", "item_ids"))
            expected = encoder.embed_tokens.weight[token] + encoder.embed_positions.weight[j + 2]
            if user:
                expected = expected + encoder.user_embedding.weight[user]
            if item:
                expected = expected + encoder.item_embedding.weight[item]
            torch.testing.assert_close(found[row, j], expected.detach())


def test_merged_positions_hold_the_sum_of_an_items_tokens(scheme):
    model = make_model(scheme, users=USERS, merged_tokens=3)
    with torch.no_grad():
        model.model.shared.weight[scheme.special.pad] = 5.0  # as pretrained weights may have it
    builder = InputBuilder(scheme, model.config)
    inputs = builder(torch.tensor([[31, builder.mask_item]]), torch.tensor([0]))._asdict()
    encoder = model.model.encoder
    place = inputs["item_ids"][0].tolist().index(31)
    tokens = [int(token) for token in scheme.encoder_tokens[31] if token != scheme.special.pad]
    assert len(tokens) > 1
    expected = encoder.embed_tokens.weight[tokens].sum(0) + encoder.item_embedding.weight[31]
    expected = expected + encoder.embed_positions.weight[place + 2]
    torch.testing.assert_close(embedded(model, inputs)[0, place], expected.detach())


@pytest.mark.parametrize(("name", "index", "other"), [("user_ids", 25, 26), ("item_ids", 12, 13)])
def test_another_id_changes_its_own_positions_and_the_output(model, inputs, name, index, other):
    changed = {**inputs, name: torch.where(inputs[name] == index, other, inputs[name])}
    moved = (embedded(model, changed) != embedded(model, inputs)).any(-1)
    assert torch.equal(moved, inputs[name] == index)
    assert moved.sum() > 1  # several tokens share the ID
    with torch.no_grad():
        before = model.model.encoder(**inputs).last_hidden_state
        after = model.model.encoder(**changed).last_hidden_state
    assert not torch.equal(before[0], after[0])
    torch.testing.assert_close(before[1], after[1])  # the other user of the batch is not touched


def test_user_and_item_tables_are_separate_and_row_0_is_zero(model):
    encoder = model.model.encoder
    assert encoder.user_embedding.weight.shape[0] == USERS + 1
    assert encoder.user_embedding.weight.data_ptr() != encoder.item_embedding.weight.data_ptr()
    assert not encoder.user_embedding.weight[0].any()
    assert not encoder.item_embedding.weight[0].any()


def test_loss_is_the_hand_computed_one_and_ignores_padding(model, scheme, inputs):
    targets = scheme.item_tokens[[5, 31]]  # 3 and 4 tokens, [END] included
    labels = torch.from_numpy(targets).long()
    labels = torch.where(labels == scheme.special.pad, IGNORED, labels)
    with torch.no_grad():
        output = model(**inputs, labels=labels)
    total, count = 0.0, 0
    for row in range(2):
        for step in range(labels.shape[1]):
            if labels[row, step] != IGNORED:
                scores = output.logits[row, step].tolist()
                total += math.log(sum(map(math.exp, scores))) - scores[int(labels[row, step])]
                count += 1
    assert count == 7
    assert float(output.loss) == pytest.approx(total / count, rel=1e-5)


def test_padding_changes_nothing(model, scheme, inputs):
    """The second row alone, without the padding that the first row's length forces on it."""
    length = int(inputs["attention_mask"][1].sum())
    labels = torch.from_numpy(scheme.item_tokens[[31]]).long()
    alone = {name: values[1:, :length] for name, values in inputs.items()}
    padded = {name: values[1:] for name, values in inputs.items()}
    with torch.no_grad():
        torch.testing.assert_close(model(**alone, labels=labels).loss, model(**padded, labels=labels).loss)


def test_saving_and_loading_is_bit_exact(model, inputs, tmp_path):
    model.save_pretrained(tmp_path)
    for loaded in (
        GenRecForConditionalGeneration.from_pretrained(tmp_path),
        AutoModelForSeq2SeqLM.from_pretrained(tmp_path),
    ):
        assert isinstance(loaded, GenRecForConditionalGeneration)
        state = loaded.state_dict()
        assert all(torch.equal(state[name], weight) for name, weight in model.state_dict().items())
        labels = torch.tensor([[4, 6, 2], [4, 7, 2]])
        with torch.no_grad():
            before = model(**inputs, labels=labels).logits
            assert torch.equal(before, loaded.eval()(**inputs, labels=labels).logits)


def test_token_embedding_is_shared_with_the_decoder_and_the_head(model):
    shared = model.model.shared.weight.data_ptr()
    assert model.model.encoder.embed_tokens.weight.data_ptr() == shared
    assert model.model.decoder.embed_tokens.weight.data_ptr() == shared
    assert model.lm_head.weight.data_ptr() == shared


def test_forgotten_items_have_zero_rows(scheme):
    model = make_model(scheme, users=USERS)
    model.forget_items(torch.tensor([3, 5]))
    assert not model.model.encoder.item_embedding.weight[[3, 5]].any()
    assert model.model.encoder.item_embedding.weight[4].any()


@pytest.mark.parametrize("merged", [0, 3])
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("repeats", [0, 2])
def test_the_item_loss_by_hand(scheme, merged, joined, repeats):
    """-log softmax of the newest's state times the items' rows; one that training never shows has no share."""
    how = {"merged_tokens": merged, "item_loss": 0.5, "repeats": repeats, "mask_token": scheme.special.mask}
    model = make_model(scheme, users=USERS, **how)
    model.forget_items(torch.tensor([5, 6]))
    model.joined = joined
    model.config.dropout = model.model.encoder.dropout = model.model.decoder.dropout = 0.0
    for layer in (*model.model.encoder.layers, *model.model.decoder.layers):
        layer.dropout = 0.0
    builder = InputBuilder(scheme, model.config)
    inputs = builder(torch.tensor([[12, builder.mask_item, 3], [7, 9, builder.mask_item]]), torch.tensor([25, 4]))
    labels, targets = torch.tensor([[4, 7, 2], [4, 8, IGNORED]]), torch.tensor([11, 0])
    given = {**inputs._asdict(), "labels": labels}
    model.train()
    plain, loss = (float(model(**given, **more).loss.detach()) for more in ({}, {"target_items": targets}))
    states = model.model.encoder(**inputs._asdict()).last_hidden_state
    first = inputs.input_ids[0, :, 0] if merged else inputs.input_ids[0]
    place = first.tolist().index(scheme.special.mask)
    table = model.model.encoder.item_embedding.weight
    scores = {item: (states[0, place - 1] @ table[item]).item() for item in range(1, 41) if item not in (5, 6)}
    if repeats:
        scores[12] += 10 * model.repeats.weight[0].item()  # item 3 comes after [MASK]
    log_sum = math.log(sum(math.exp(score) for score in scores.values()))
    assert loss - plain == pytest.approx(0.5 * (log_sum - scores[11]) / 5, rel=1e-4)  # five labels in all
    model(**given, target_items=targets).loss.backward()
    assert not table.grad[[0, 5, 6]].any()
    assert table.grad[1].any()
    assert not repeats or model.repeats.weight.grad[0] != 0
