"""What is measured on trained models, as rows of the tidy tables: metric, value, the run's seed.

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
    """Retraining variability of an ensemble (M, N, K), with median and quartiles over the data."""
    result = alignment.retraining_variability(means)
    q25, median, q75 = _quartiles(alignment.log_volumes(means))
    values = dict(rv=result.value, rv_median=median, rv_q25=q25, rv_q75=q75)
    values.update(rv_rank=result.rank, rv_relative=result.relative)
    values.update(within_fraction=result.within_fraction)
    return _rows(values, **keys)


def _rows(values: dict, **keys) -> list[dict]:
    return [dict(keys, metric=metric, value=value) for metric, value in values.items()]


def _quartiles(values: np.ndarray) -> tuple[float, float, float]:
    infinite = np.isneginf(values)
    if infinite.all():
        return (-np.inf,) * 3
    method = "inverted_cdf" if np.isinf(values).any() else "linear"
    return tuple(np.quantile(values, [0.25, 0.5, 0.75], method=method))


def distance_rows(means: np.ndarray, target: np.ndarray, seeds: Sequence[int], **keys):
    """Unaligned distance of each run (M, N, K) to the target (N, K), a share of its variance."""
    variance = alignment.total_variance(target)
    distances = [alignment.mean_squared_distance(run, target) / variance for run in means]
    return run_rows(dict(unaligned=distances), seeds, **keys)


def quality_rows(runs: Fit, x, **keys) -> list[dict]:
    """Distortion and rate (nats) and squared error of each run on held-out data."""
    return run_rows(runs.evaluate(x)._asdict(), runs.seeds, **keys)


def run_rows(values: dict, seeds: Sequence[int], **keys) -> list[dict]:
    """A row for every metric and run: values maps metrics to a number for each run, (M,)."""
    rows = []
    for metric, each in values.items():
        pairs = zip(seeds, each, strict=True)
        rows += [dict(keys, seed=seed, metric=metric, value=float(value)) for seed, value in pairs]
    return rows


def portability_rows(means: np.ndarray, target: np.ndarray, dataset: Dataset) -> list[dict]:
    """One run against the joint target: LSD, R^2, unaligned distance by part; the map's anatomy."""
    mapping = alignment.linear_map(means, target)
    mapped, variance = mapping(means), alignment.total_variance(target)
    rows = []
    for part in (1, 2):
        here = dataset.part == part
        lsd = alignment.mean_squared_distance(mapped[here], target[here])
        unaligned = alignment.mean_squared_distance(means[here], target[here]) / variance
        values = dict(lsd=lsd, r_squared=1 - lsd / variance, unaligned=unaligned)
        rows += _rows(values, part=f"D{part}")
    anatomy = dict(distance_to_identity=alignment.distance_to_identity(mapping.matrix))
    anatomy["bias_norm"] = np.linalg.norm(mapping.bias)
    for i, value in enumerate(alignment.polar_spectrum(mapping.matrix)):
        anatomy[f"spectrum_{i}"] = value
    return rows + _rows({name: float(value) for name, value in anatomy.items()}, part="all")


def anchored_rows(means, anchors, alice, *, points: RosettaPoints, dataset: Dataset) -> list[dict]:
    """One run against the first laboratory's space, on D1, where she knows the truth.

    Unaligned, and after an orthogonal and an affine map fitted on the R anchors alone (post-hoc
    alignment), as shares of her total variance on D1; and the share of labels that nearest
    neighbours carry over, unaligned.
    """
    here = dataset.part == 1
    own, hers, labels = means[here], alice[here], dataset.labels[here]
    maps = dict(unaligned_first=lambda x: x)
    if len(points) > 1:
        maps["orthogonal_first"] = alignment.orthogonal_map(anchors, points.z)
        maps["affine_first"] = alignment.linear_map(anchors, points.z)
    variance, values = alignment.total_variance(hers), {}
    for name, mapping in maps.items():
        values[name] = alignment.mean_squared_distance(mapping(own), hers) / variance
    values["label_transfer"] = alignment.label_transfer(hers, labels, own, labels)
    return _rows(values, part="D1")
