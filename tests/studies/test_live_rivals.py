"""A chapter's own trainings behind maps from the points, against maps fitted by hand."""

import numpy as np
import pytest

from rvae_lite import VAE, alignment, data, rivals
from rvae_lite.studies import live_rivals, protocols
from rvae_lite.studies.setup import Setup, methods_of

pytestmark = pytest.mark.filterwarnings("ignore::rvae_lite.anchors.PointsNotReached")


@pytest.fixture(scope="module")
def result():
    dataset = data.load("eight_gaussians", num_per_class=40)
    scale = dict(epochs=4, batch_size=32, methods=methods_of(), replicas=2, compile=False)
    return protocols.sequential(Setup(dataset, VAE.mlp(5, 2, (16,)), num_points=6, **scale))


@pytest.fixture(scope="module")
def known(result):
    return result.validation.x[result.validation.part == 1]


def test_the_distance_behind_a_map_is_that_of_a_map_fitted_by_hand(result, known):
    hers, runs = result.first.encode(known)[0].numpy().astype(float), result.fits["VAE"]
    expected = []
    for run in range(2):
        anchors = runs.encode(result.points.x)[run].numpy()
        mapping = alignment.linear_map(anchors, result.points.z)
        moved = mapping(runs.encode(known)[run].numpy())
        expected.append(np.square(moved - hers).sum(1).mean() / hers.var(0).sum())
    found = live_rivals.distance_by("affine", runs, known, result.points, hers)
    assert found == pytest.approx(np.median(expected))


def test_the_best_map_is_the_one_that_leaves_the_least_distance(result, known):
    hers = result.first.encode(known)[0].numpy()
    reached = live_rivals.reached(result)
    assert list(reached.index) == list(result.fits)
    for name, row in reached.iterrows():
        how = (result.fits[name], known, result.points, hers)
        distances = {one: live_rivals.distance_by(one, *how) for one in rivals.MAPS}
        assert row["best map"] == min(distances, key=distances.get)
        assert row["distance by it"] == pytest.approx(min(distances.values()))


def test_untouched_distances_and_labels_are_those_of_the_protocols_table(result):
    reached, table = live_rivals.reached(result), result.table
    for column, metric in dict(distance="unaligned_first", labels="label_transfer").items():
        medians = table[table.metric == metric].groupby("method").value.median()
        assert reached[column].to_dict() == pytest.approx(medians.to_dict())
