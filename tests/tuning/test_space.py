"""The search space: what is read, what is refused, what is drawn."""

import pytest

from genrec.config import TrainConfig
from genrec.errors import GenRecError
from genrec.settings import make_config
from genrec.tuning.space import as_it_is, describe, load_space, suggest


class Lowest:
    """Draws the low end of every range and the first of every choice."""

    def suggest_int(self, name, low, high, *, log):
        return low

    def suggest_float(self, name, low, high, *, log):
        return low

    def suggest_categorical(self, name, choices):
        return choices[0]


def space_of(tmp_path, text, **fixed):
    (tmp_path / "space.toml").write_text(text)
    return load_space(tmp_path / "space.toml", fixed)


@pytest.mark.parametrize("preset", ["tiny", "small", "base"])
def test_genrecs_own_space_fits_the_presets(preset):
    space = load_space(None, {"preset": preset})
    assert make_config({"preset": preset, **suggest(space, Lowest())})
    as_is = as_it_is(space, {"preset": preset})
    assert set(as_is) == set(space)
    assert make_config({"preset": preset, **as_is}) == make_config({"preset": preset})


def test_what_a_space_lacks_is_not_taken_as_it_is(tmp_path):
    space = space_of(
        tmp_path, "dropout = {low = 0.1, high = 0.2}\nbatch_size = [7]\nclip = [1.0, 5.0]", preset="tiny"
    )
    assert as_it_is(space, {"preset": "tiny"}) == {"clip": make_config({"preset": "tiny"}).clip}


def test_the_own_space_leaves_out_what_is_fixed_and_what_weights_decide():
    own = load_space(None, {"preset": "tiny", "dropout": 0.3})
    assert "dropout" not in own
    assert "d_model" in own
    pretrained = load_space(None, {"preset": "bart-base"})
    assert not {"d_model", "encoder_layers", "decoder_layers"} & set(pretrained)


def test_a_file_gives_choices_and_ranges(tmp_path):
    space = space_of(
        tmp_path, "batch_size = [8, 16]\nclip = {low = 0.1, high = 9.0, log = true}\npatience = {low=2, high=5}"
    )
    assert describe(space)["clip"] == {"low": 0.1, "high": 9.0, "log": True}
    drawn = suggest(space, Lowest())
    assert drawn == {"batch_size": 8, "clip": 0.1, "patience": 2}
    assert isinstance(drawn["patience"], int)


def test_all_faults_come_in_one_message(tmp_path):
    text = """
learning_rat = [1]
dropout = {low = 0.5, high = 0.1}
heads = [4, -1]
clip = 3
warmup = {low = 0, high = 1, log = true}
seed = [1]
batch_size = [4]
"""
    with pytest.raises(GenRecError) as caught:
        space_of(tmp_path, text, batch_size=8)
    message = str(caught.value)
    for part in (
        "learning_rat: this is no setting",
        "low 0.5 is not below high 0.1",
        "heads = -1",
        "clip: give a list of choices",
        "must begin above 0",
        "seed: this is no setting",
        "batch_size: it is fixed at 8 too",
    ):
        assert part in message
    with pytest.raises(GenRecError, match="nothing is left"):
        space_of(tmp_path, "")
    with pytest.raises(GenRecError, match="no readable TOML"):
        space_of(tmp_path, "= 3")
    with pytest.raises(GenRecError, match="does not exist"):
        load_space(tmp_path / "none.toml", {})


def test_every_setting_of_the_own_space_exists():
    assert set(load_space(None, {})) <= set(TrainConfig.model_fields)
