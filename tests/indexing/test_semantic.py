"""Vectors of titles and attributes, by TF-IDF or by a model; one clear error where there are neither."""

import sys
import types

import numpy as np
import pyarrow as pa
import pytest

from genrec.data.dataset import load_dataset
from genrec.data.tables import Sequences
from genrec.errors import GenRecError
from genrec.indexing.evidence import read_descriptions
from genrec.indexing.scheme import own_scheme
from genrec.indexing.semantic import term_vectors
from genrec.settings import make_config
from genrec.training.build import build
from tests.helpers import make_dataset, save_dataset
from tests.indexing.helpers import ITEMS, KINDS, descriptions, make_sequences, some_descriptions

NAMES = ["semantic", "hybrid"]


def first_codes(name: str = "semantic", seed: int = 0, describe=some_descriptions) -> np.ndarray:
    return own_scheme(make_sequences(), ITEMS, name, seed, describe=describe).item_tokens[1:, 0]


@pytest.mark.parametrize("name", NAMES)
def test_like_items_share_first_codes_more_often_than_chance(name):
    """Random histories say nothing, so hybrid codes are those of the descriptions."""
    kinds = np.arange(ITEMS) % KINDS
    alike = kinds[:, None] == kinds
    np.fill_diagonal(alike, False)
    shared, by_chance = [], []
    for seed in range(5):
        codes = first_codes(name, seed)
        same = codes[:, None] == codes
        shared.append(same[alike].mean())
        by_chance.append((same.sum() - ITEMS) / (ITEMS * (ITEMS - 1)))
    assert np.mean(shared) > (4 if name == "semantic" else 1.5) * np.mean(by_chance)


def test_titles_alone_and_attributes_alone_are_enough():
    full = some_descriptions()
    kinds = np.arange(ITEMS) % KINDS
    for partial in (
        descriptions(full.titles.to_pylist(), [None] * ITEMS),
        descriptions([None] * ITEMS, full.attributes.to_pylist()),
    ):
        vectors = term_vectors(partial, seed=0)
        likeness = vectors @ vectors.T
        alike = kinds[:, None] == kinds
        assert likeness[alike].min() > likeness[~alike].max() + 0.1


def test_items_of_which_nothing_is_said_have_no_vector():
    vectors = term_vectors(
        descriptions(["red soap", None, "", "red towel", "!?"], [["bath"], None, [], ["bath", None], [""]]), seed=0
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0, 1, 0], atol=1e-6)


def test_words_are_told_apart_in_any_script():
    found = term_vectors(descriptions(["Crème-brûlée", "crème", "МЫЛО 5", "мыло"], [None] * 4), seed=0)
    likeness = found @ found.T
    assert likeness[0, 1] > 0.99
    assert likeness[2, 3] > 0.99
    assert abs(likeness[0, 2]) < 0.01


def dataset(folder, **columns):
    ids = [f"i{number}" for number in range(4)]
    folder.mkdir()
    table = pa.table({"item_id": ids, **columns})
    save_dataset(folder, ["u"], table, Sequences(np.array([1, 2, 3, 4], np.int32), np.array([0, 4])))
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"price": [1, 2, 3, 4]},
        {"title": pa.nulls(4, pa.string())},
        {"attributes": pa.array([None, [], None, []], pa.list_(pa.string()))},
    ],
    ids=["no columns", "another column", "empty titles", "empty attributes"],
)
def test_a_dataset_without_descriptions_is_refused(tmp_path, name, columns):
    data = load_dataset(dataset(tmp_path / "data", **columns))
    config = make_config({"preset": "tiny", "indexing": name})
    with pytest.raises(GenRecError) as caught:
        build(config, data)
    message = str(caught.value)
    assert "neither titles nor attributes" in message
    assert "--items FILE" in message
    assert "--set indexing=collaborative" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_built_of_a_datasets_descriptions(tmp_path, name):
    data = load_dataset(make_dataset(tmp_path / "data"))
    scheme = build(make_config({"preset": "tiny", "indexing": name}), data).scheme
    assert scheme.indexing == name
    assert scheme.item_count == data.item_count


def test_descriptions_are_in_index_order(tmp_path):
    found = read_descriptions(dataset(tmp_path / "data", title=["a", None, "c", "d"]))
    assert found.titles.to_pylist() == ["a", None, "c", "d"]
    assert found.attributes.to_pylist() == [None] * 4
    assert found.take(np.array([3, 1])).titles.to_pylist() == ["c", "a"]


def test_a_text_encoder_reads_titles_and_attributes(monkeypatch):
    read = []

    class Model:
        def __init__(self, name, **options):
            self.name = name

        def encode(self, texts, **options):
            read.extend(texts)
            return np.array([np.eye(KINDS)[int(text[-1])] for text in texts])

    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = Model
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    said = descriptions([f"Thing {n}" for n in range(ITEMS)], [["big", f"kind {n % KINDS}"] for n in range(ITEMS)])
    scheme = own_scheme(make_sequences(), ITEMS, "semantic", 0, 2, lambda: said, text_encoder="any")
    assert sorted(read)[0] == "Thing 0. big, kind 0"
    codes = scheme.item_tokens[1:, 0]
    kinds = np.arange(ITEMS) % KINDS
    same, alike = codes[:, None] == codes, kinds[:, None] == kinds
    assert same[alike].mean() > 3 * same[~alike].mean()


def test_a_missing_text_encoder_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(GenRecError, match=r"pip install '\.\[text\]'"):
        own_scheme(make_sequences(), ITEMS, "hybrid", 0, describe=some_descriptions, text_encoder="folder")


def test_a_text_encoder_is_for_rules_that_read():
    with pytest.raises(GenRecError, match=r"text_encoder is for item_descriptions or indexing .*, not 'random'"):
        make_config({"preset": "tiny", "indexing": "random", "text_encoder": "folder"})
    for reads in ({"indexing": "hybrid"}, {"item_descriptions": True}):
        assert make_config({"preset": "tiny", **reads, "text_encoder": "folder"}).text_encoder == "folder"
