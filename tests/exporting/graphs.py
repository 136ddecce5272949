"""A model as module, graph and oracle, of several kinds."""

from genrec.decoding.recommender import RecommenderModule
from genrec.exporting.graph import export_graph
from tests.exporting.helpers import TwoWays
from tests.helpers import MAX_LENGTH
from tests.oracle import Oracle

TOLERANCE = {"torch": 1e-5, "onnxruntime": 5e-5}


class Case(TwoWays):
    """A model as module, graph and oracle."""

    def __init__(self, model, scheme, folder, k, beams, prior=None):
        folder.mkdir(parents=True)
        module = RecommenderModule(model, scheme, beams, k, prior).eval()
        self.files = export_graph(module, k, folder, 18)
        super().__init__(module, folder / self.files[0])
        self.oracle = Oracle(model, scheme, MAX_LENGTH)
        self.k = k


KINDS: dict[str, dict[str, object]] = {
    "own": {"repeats": 3},
    "text": {},
    "merged": {"merged_tokens": 3, "user_buckets": 7, "repeats": 2},
    "ids": {"merged_tokens": 1, "ids_alone": True},
    "newest": {"newest_first": True, "distances": 5, "repeats": 1},
    "causal": {"causal_encoder": True, "merged_tokens": 3, "distances": 5},
}
