"""The shares of a mixture, chosen by validation once the model is trained: the item head's and the prior's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genrec import ranks
from genrec.data.followers import REACHES, count_followers, save_followers
from genrec.data.split import train_part
from genrec.data.tables import read_sequences
from genrec.decoding.prior import TransitionPrior
from genrec.ids import TRANSITIONS_FILE
from genrec.training.build import Built
from genrec.training.history import BEST
from genrec.training.validation import Validation

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Of a prior beside a decoder. Neither takes all: the other part still ranks what it knows nothing of."""

HEAD_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""Of an item head beside a decoder."""

POWERS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
"""To which a prior multiplies an item head."""


_TRIED_POWER, _TRIED_SHARE = 0.6, 0.4
"""Weights at which the reaches of a prior are compared, with an item head and beside a decoder."""


def choose_shares(run: Path, built: Built, validation: Validation, device: Any) -> dict[str, Any]:
    """Choose on the validation items, seen items excluded as `genrec recommend` does.

    Args:
        run: Holds the sequences; takes up the transition counts, if they are to be used.
        built: The trained model; it takes the shares on.
        validation: Of that model.
        device: Where to compute.

    Returns:
        Of "item_head" and "prior" what the settings ask for: {"weight": the best, "tried": {weight: the metric
        that chooses}}; with both, "item_head" has "tried_with_prior" too, which decided. "prior" has "decay" and
        "tried_decays" too. Nothing is tried where nobody has a validation item.
    """
    found = {}
    settings = built.model.config

    def take_head(share: float) -> None:
        settings.item_share = share

    if built.config.item_loss:
        found["item_head"] = _choose(HEAD_SHARES, take_head, validation, settings.item_share)
    if built.config.prior != "none":
        powers = POWERS if settings.item_share else SHARES
        decays = _choose_reach(
            run, built, validation, _TRIED_POWER if settings.item_share else _TRIED_SHARE, device
        )
        prior = built.prior
        assert prior is not None

        def take_prior(weight: float) -> None:
            prior.weight = weight

        found["prior"] = {**decays, **_choose(powers, take_prior, validation, 0.0)}
        if settings.item_share and prior.weight:  # the head is another now
            again = _choose(HEAD_SHARES[1:], take_head, validation, settings.item_share)
            found["item_head"] |= {"weight": again["weight"], "tried_with_prior": again["tried"]}
    return found


def _choose_reach(run: Path, built: Built, validation: Validation, weight: float, device: Any) -> dict[str, Any]:
    """Give the model the prior that is best at a weight, and the run its counts."""
    train = train_part(read_sequences(run))
    reaches = {reach.decay: reach for reach in REACHES}
    items = built.scheme.item_count
    followers = {decay: count_followers(train, items, reach) for decay, reach in reaches.items()}

    def take(decay: float) -> None:
        built.prior = TransitionPrior(followers[decay], reaches[decay], weight).to(device)

    chosen = _choose(tuple(reaches), take, validation, REACHES[0].decay)
    ranks.on_main(lambda: save_followers(followers[chosen["weight"]], run / TRANSITIONS_FILE))
    return {"decay": chosen["weight"], "tried_decays": chosen["tried"]}


def _choose(
    shares: Sequence[float], take: Callable[[float], None], validation: Validation, untried: float
) -> dict[str, Any]:
    """Take the best share; `untried` is that which is left where there is nothing to validate with."""
    tried: dict[float, float] = {}
    for share in shares if validation.possible else ():
        take(share)
        tried[share] = validation(exclude_seen=True)[BEST]
    best = max(tried, key=lambda share: tried[share], default=untried)
    take(best)
    return {"weight": best, "tried": tried}
