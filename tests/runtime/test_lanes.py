"""Parts of a batch at once: the same answer as the whole at once."""

import numpy as np
import pytest

from genrec.runtime import Recommender
from genrec.runtime.lanes import Lanes


class Recorder:
    """A session that remembers its batches and answers with them."""

    def __init__(self):
        self.batches = []

    def run(self, names, feed):
        self.batches.append(feed["user"].tolist())
        return [feed["history"] * feed["flag"], feed["user"]]


@pytest.mark.parametrize(("batch", "parts"), [(1, 1), (15, 1), (16, 2), (24, 3), (100, 4)])
def test_everybody_is_asked_once_and_in_order(batch, parts):
    session = Recorder()
    feed = {"history": np.arange(2 * batch).reshape(batch, 2), "user": np.arange(batch), "flag": np.array(2)}
    history, user = Lanes(session, 4).run(["history", "user"], feed)
    assert (history == 2 * feed["history"]).all()
    assert (user == feed["user"]).all()
    assert sorted(user for part in session.batches for user in part) == list(range(batch))
    assert len(session.batches) == parts
    assert min(map(len, session.batches)) >= min(batch, 8)


def test_an_error_in_a_part_is_the_callers():
    class Broken(Recorder):
        def run(self, names, feed):
            if 20 in feed["user"]:
                raise MemoryError
            return super().run(names, feed)

    feed = {"history": np.zeros((32, 1)), "user": np.arange(32), "flag": np.array(1)}
    with pytest.raises(MemoryError):
        Lanes(Broken(), 2).run(["history", "user"], feed)


def test_threads_do_not_change_the_lists(trained):
    histories = [[1 + n % 9, 3, 7] for n in range(40)]
    one, three = (Recommender(trained.bundle, threads=threads)(histories, [0] * 40) for threads in (1, 3))
    assert (one[0] == three[0]).all()
    np.testing.assert_allclose(one[1], three[1], atol=1e-5)
