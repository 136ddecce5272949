"""Recommending from a run (torch) or a bundle (onnxruntime): one set of rules, two ways to score.

Neither torch nor transformers is imported for a bundle: `genrec recommend BUNDLE USER` answers within a second.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue
from genrec.errors import GenRecError
from genrec.folders import BUNDLE, RUN, require_kind
from genrec.histories import Found, Histories, extended
from genrec.placement import Placement
from genrec.scoring import Ranked, Scorer

SHOWN_HISTORY = 10
"""Items of the history, the newest, that an answer repeats."""

Items = NDArray[np.int64]


def load(
    model: str | Path,
    device: str = "auto",
    data: str | Path | None = None,
    provider: str = "auto",
    threads: int | None = None,
) -> "Model":
    """Open a run or a bundle for recommending.

    Args:
        model: Folder of the run or bundle.
        device: "auto", "cpu" or "cuda".
        data: A dataset that extends the model's, for newer histories: its first users and items are the
            model's, its further users are unknown to the model, and its further items are skipped.
        provider: What runs a bundle: "auto", "tensorrt", "cuda" or "cpu".
        threads: Threads of a bundle on the CPU; by default the cores that this process may use.

    Raises:
        GenRecError: A folder is missing, damaged or of another kind, or where to compute makes no sense or
            does not work.
    """
    path = Path(model)
    placement = Placement(device, provider, threads)
    scorer: Scorer
    if require_kind(path, RUN, BUNDLE) == BUNDLE:
        from genrec.runtime.recommender import Recommender

        scorer = recommender = Recommender(path, *placement)
        info = recommender.manifest
        counts = (info["user_count"], info["item_count"])
    else:
        placement.check_run(path)
        from genrec.device import choose_device
        from genrec.trained import open_run

        run = open_run(path, choose_device(device))
        scorer, info = run.scorer, run.info
        counts = (run.user_count, run.item_count)
    catalogue = Catalogue(path)
    histories = Histories(catalogue, *counts) if data is None else extended(data, path, info, counts)
    return Model(path, scorer, catalogue, histories)


class Model:
    """A run or a bundle, asked by external IDs.

    Args:
        path: Its folder.
        scorer: Ranks items by index.
        catalogue: Its items.
        histories: Its users.
    """

    def __init__(self, path: Path, scorer: Scorer, catalogue: Catalogue, histories: Histories) -> None:
        self.path = path
        self.scorer = scorer
        self.catalogue = catalogue
        self.histories = histories

    def recommend(
        self,
        user: str | int | None = None,
        history: Sequence[str | int] | None = None,
        k: int = 10,
        include_seen: bool = False,
        allow: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """The best next items for a user or a visitor.

        Args:
            user: External ID. Without a history the user's own is taken, its last item included.
            history: External IDs of items, oldest first, in place of the user's own history (a known user is
                still recognised by the ID). Unknown items are skipped and named in the result.
            k: Length of the list.
            include_seen: Whether items of the history may be recommended.
            allow: External IDs of the only items to recommend.
            deny: External IDs of items to leave out.

        Returns:
            {"user", "known_user", "items": [{"rank", "item", "score", "title"?, ...}], "milliseconds"}; besides
            "history" (the last 10 items, oldest first), "history_length", "unknown_history", "new_items" (items
            of `data` that the model does not know), "unknown_allow" and "unknown_deny" (how many), "backend",
            "provider", "trouble" (why that is not a better one). Fewer than k items come back where fewer are
            left. A score is a log-probability.

        Raises:
            GenRecError: Neither a known user nor a known item is given, or k or a list makes no sense.
        """
        started = time.perf_counter()
        check_k(k)
        user = None if user is None else str(user)
        if isinstance(history, str):
            raise GenRecError(f"the history is the text {history!r}; give a list of item IDs, oldest first")
        found, unknown = self._subject(user, None if history is None else list(map(str, history)))
        allowed, unknown_allow = self.allow_list(allow)
        banned, unknown_deny = self.item_list(deny)
        ranked = self.scorer([found.items], [found.index], not include_seen, [banned], [allowed], k)
        return {
            "user": user,
            "known_user": found.known,
            "items": self._rows(ranked),
            "milliseconds": (time.perf_counter() - started) * 1000,
            "history": self.catalogue.item_rows(found.items[-SHOWN_HISTORY:]),
            "history_length": len(found.items),
            "unknown_history": unknown,
            "new_items": found.new_items,
            "unknown_allow": unknown_allow,
            "unknown_deny": unknown_deny,
            "backend": self.scorer.backend,
            "provider": self.scorer.provider,
            "trouble": self.scorer.trouble,
        }

    def allow_list(self, ids: Iterable[str] | None) -> tuple[Items, int]:
        """Indexes of the only items to recommend, and how many of the IDs are unknown; empty where None.

        Raises:
            GenRecError: The list has no known item: it would allow nothing, not everything.
        """
        allowed, unknown = self.item_list(ids)
        if ids is not None and not len(allowed):
            what = f"none of its {unknown} items is in the model's catalogue" if unknown else "it is empty"
            raise GenRecError(f"the allow list allows nothing: {what}; list item IDs as the data names them")
        return allowed, unknown

    def item_list(self, ids: Iterable[str] | None) -> tuple[Items, int]:
        """int64 [n] indexes of the known items among `ids`, and how many are unknown."""
        indexes = self.catalogue.item_indexes(list(ids)) if ids is not None else np.empty(0, np.int64)
        return indexes[indexes > 0], int((indexes == 0).sum())

    def _subject(self, user: str | None, history: Sequence[str] | None) -> tuple[Found, list[str]]:
        """Whom to recommend to, and the items of the given history that are unknown."""
        if user is None and history is None:
            raise GenRecError("whom to recommend to? give a user or a history of items")
        found = self.histories.of(user) if user is not None else Found()
        if history is not None:
            items = self.catalogue.item_indexes(history)
            unknown = [item for item, index in zip(history, items, strict=True) if not index]
            if len(unknown) == len(history):
                named = f": {', '.join(unknown[:5])}" if unknown else ", it is empty"
                raise GenRecError(
                    f"no item of the history is in the model's catalogue{named}; "
                    "give item IDs as the data names them"
                )
            return Found(found.index, found.known, items[items > 0]), unknown
        # A new user whose items are all new too is one without a history, not a stranger.
        if not found.known and not len(found.items) and not found.new_items:
            raise GenRecError(self._stranger(user))
        return found, []

    def _stranger(self, user: str | None) -> str:
        hint = "give what the user had with --history ITEM, once per item, oldest first"
        if not self.histories.source.has_histories:
            return f"{self.path} was exported without users and histories; {hint}"
        return f"user {user!r} is unknown to {self.histories.source.folder}; {hint}"

    def _rows(self, ranked: Ranked) -> list[dict[str, Any]]:
        items, scores = ranked[0][0], ranked[1][0]
        rows = self.catalogue.item_rows(items[items > 0])
        return [
            {"rank": rank, "item": row["item"], "score": float(score)}
            | {name: value for name, value in row.items() if name not in ("rank", "item", "score")}
            for rank, (row, score) in enumerate(zip(rows, scores, strict=False), 1)
        ]


def check_k(k: int) -> None:
    """Refuse a length below 1.

    Raises:
        GenRecError: It is.
    """
    if k < 1:
        raise GenRecError(f"k is {k}; give a whole number from 1 on")
