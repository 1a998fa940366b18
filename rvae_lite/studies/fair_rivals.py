"""Does one need it?  Anchoring against everything else that one can do with the same file."""

from itertools import product

from rvae_lite.studies.protocols import distil, halves, train_methods
from rvae_lite.studies.rivals_setup import PROFILES, SETS, anchored_methods, rival_setup
from rvae_lite.studies.setup import Method, Result, Setup, train
from rvae_lite.studies.study import Study

WITH_WEIGHTS = {
    "from Alice's weights": Method(start=True),
    "Alice's encoder, frozen": Method(start=True, frozen=("encoder", "head")),
}


def two_laboratories(setup: Setup, *, template: int = 0) -> Result:
    """Alice trains on D1 and sends points, or her weights; Bob trains on D2 by every method."""
    training, validation = halves(setup)
    d1, d2 = (training.take(training.part == part) for part in (1, 2))
    first = train(setup, d1.x, seed=template, label=f"first laboratory {template}")
    points = distil(setup, first, d1)
    setup = setup._replace(methods=anchored_methods(setup) | WITH_WEIGHTS)
    how = dict(template=template, label=f"rivals {template}", first=first)
    fits = train_methods(setup, d2.x, points, **how)
    return Result(None, fits, first, points, validation, first)
