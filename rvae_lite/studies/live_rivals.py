"""How near a chapter's own trainings come to Alice, as they are and behind maps from her points.

Letters: N data points, K latent dimension.
"""

import numpy as np

from rvae_lite import alignment, rivals
from rvae_lite.fitted import Fit
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.rival_rows import AS_IT_IS, Alice, latents_of, mapped_rows
from rvae_lite.studies.setup import Result


def reached(result: Result):
    """Where a second laboratory arrives on D1: a row per method, medians over its runs.

    distance, labels: as it is, see `rival_rows.space_rows`; best map: of those fitted on the
    points, the one that brings held-out data nearest, which flatters it; distance by it, labels
    by it: behind it.
    """
    import pandas as pd

    alice, found = Alice.of(result.first, result.points, result.validation), {}
    for name, runs in result.fits.items():
        means, anchors = latents_of(alice, runs)
        rows = mapped_rows(alice, dict(D1=means["D1"]), anchors, runs.seeds)
        layout = dict(index="mapping", columns="metric", values="value")
        own = pd.DataFrame(rows).pivot_table(aggfunc="median", **layout)
        plain, own = own.loc[AS_IT_IS], own.drop(AS_IT_IS)
        best = own.distance.idxmin()
        found[name] = {"distance": plain.distance, "labels": plain.labels, "best map": best}
        moved = {f"{one} by it": own.loc[best, one] for one in ("distance", "labels")}
        found[name].update(moved)
    return pd.DataFrame(found.values(), index=list(found))


def distance_by(name: str, runs: Fit, x, points: RosettaPoints, hers) -> float:
    """Distance to her latents of x, (N, K), behind one of `rivals.MAPS` fitted on the points.

    The median over runs, a share of her variance.
    """
    away = []
    for means, anchors in zip(runs.encode(x), runs.encode(points.x), strict=True):
        moved = rivals.fit_map(name, anchors, points.z)(means)
        away.append(alignment.mean_squared_distance(moved, hers))
    return float(np.median(away)) / alignment.total_variance(hers)
