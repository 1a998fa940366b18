"""What is measured on trained models, as rows of the tidy tables: a metric, its value, and the run's seed.

Martinez & Pearson (2021), Section 2.3, with the companions that keep those metrics honest.
Letters: M replicas, N data points, K latent dimension, R Rosetta points.
"""

from collections.abc import Sequence

import numpy as np

from rvae_lite import alignment
from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.rosetta import RosettaPoints


def variability_rows(means: np.ndarray, **keys) -> list[dict]:
    """Retraining variability of an ensemble (M, N, K): of one number per datum mean, median and quartiles."""
    result = alignment.retraining_variability(means)
    volumes = alignment.log_volumes(means)
    q25, median, q75 = _quartiles(volumes)
    values = dict(
        rv=result.value,
        rv_median=median,
        rv_q25=q25,
        rv_q75=q75,
        rv_rank=result.rank,
        rv_relative=result.relative,
        within_fraction=result.within_fraction,
    )
    return [dict(keys, metric=metric, value=value) for metric, value in values.items()]


def _quartiles(values: np.ndarray) -> tuple[float, float, float]:
    if np.isneginf(values).all():
        return (-np.inf,) * 3
    return tuple(
        np.quantile(
            values, [0.25, 0.5, 0.75], method="inverted_cdf" if np.isinf(values).any() else "linear"
        )
    )


def distance_rows(
    means: np.ndarray, target: np.ndarray, seeds: Sequence[int], **keys
) -> list[dict]:
    """Unaligned distance of each run (M, N, K) to the target (N, K), as a share of the target's total variance."""
    variance = alignment.total_variance(target)
    distances = [alignment.mean_squared_distance(run, target) / variance for run in means]
    return run_rows(dict(unaligned=distances), seeds, **keys)


def quality_rows(runs: Fit, x, **keys) -> list[dict]:
    """Distortion and rate (nats) and squared error of each run on held-out data."""
    return run_rows(runs.evaluate(x)._asdict(), runs.seeds, **keys)


def run_rows(values: dict, seeds: Sequence[int], **keys) -> list[dict]:
    """A row for every metric and run: values maps metrics to a number for each run, (M,)."""
    return [
        dict(keys, seed=seed, metric=metric, value=float(value))
        for metric, each in values.items()
        for seed, value in zip(seeds, each, strict=True)
    ]


def portability_rows(means: np.ndarray, target: np.ndarray, dataset: Dataset) -> list[dict]:
    """One run against the joint target: LSD, R^2 and unaligned distance on D1 and D2, and the map's anatomy."""
    mapping = alignment.linear_map(means, target)
    mapped, variance = mapping(means), alignment.total_variance(target)
    rows = []
    for part in (1, 2):
        here = dataset.part == part
        lsd = alignment.mean_squared_distance(mapped[here], target[here])
        values = dict(
            lsd=lsd,
            r_squared=1 - lsd / variance,
            unaligned=alignment.mean_squared_distance(means[here], target[here]) / variance,
        )
        rows += [
            dict(part=f"D{part}", metric=metric, value=value) for metric, value in values.items()
        ]
    spectrum = alignment.polar_spectrum(mapping.matrix)
    anatomy = dict(
        distance_to_identity=alignment.distance_to_identity(mapping.matrix),
        bias_norm=float(np.linalg.norm(mapping.bias)),
        **{f"spectrum_{i}": value for i, value in enumerate(spectrum)},
    )
    return rows + [
        dict(part="all", metric=metric, value=float(value)) for metric, value in anatomy.items()
    ]


def anchored_rows(means, anchors, alice, points: RosettaPoints, dataset: Dataset) -> list[dict]:
    """One run against the first laboratory's space, on D1, where she knows the truth: what anchoring itself buys.

    Unaligned, and after an orthogonal and an affine map fitted on the R anchors alone (post-hoc
    alignment), as shares of her total variance on D1; and the share of labels that nearest
    neighbours carry over, unaligned.
    """
    here = dataset.part == 1
    own, hers, labels = means[here], alice[here], dataset.labels[here]
    variance = alignment.total_variance(hers)
    values = dict(unaligned_first=alignment.mean_squared_distance(own, hers) / variance)
    if len(points) > 1:
        orthogonal = alignment.orthogonal_map(anchors, points.z)
        values["orthogonal_first"] = (
            alignment.mean_squared_distance(orthogonal(own), hers) / variance
        )
        affine = alignment.linear_map(anchors, points.z)
        values["affine_first"] = alignment.mean_squared_distance(affine(own), hers) / variance
    values["label_transfer"] = alignment.label_transfer(hers, labels, own, labels)
    return [dict(part="D1", metric=metric, value=value) for metric, value in values.items()]
