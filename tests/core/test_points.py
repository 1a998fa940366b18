"""The selection of Rosetta points against scikit-learn: the nearest data to the centres, none twice."""

import numpy as np
import pytest
import reference
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.mixture import GaussianMixture

from rvae_lite import RosettaPoints, coverage, data, select_points
from rvae_lite import points as selection
from rvae_lite.coverage import covering

METHODS = ("kmeans", "gaussian_mixture", "agglomerative", "random", "farthest_first", "d_optimal")
methods = pytest.mark.parametrize("method", METHODS)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def clustered(num_data=200, num_clusters=5):
    centres = 6 * draw(num_clusters, 3, seed=1)
    return centres[np.arange(num_data) % num_clusters] + draw(num_data, 3)


def centres_of(method, means, num_points, seed):
    if method == "kmeans":
        return KMeans(num_points, n_init=10, random_state=seed).fit(means).cluster_centers_
    if method == "gaussian_mixture":
        return GaussianMixture(num_points, random_state=seed).fit(means).means_
    labels = AgglomerativeClustering(num_points).fit_predict(means)
    return [means[labels == label].mean(0) for label in range(num_points)]


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture", "agglomerative"])
@pytest.mark.parametrize("num_points", [2, 5, 12])
def test_points_are_the_data_nearest_to_scikit_learns_centres(method, num_points):
    x, means = draw(200, 4, seed=2), clustered()
    points = select_points(x, means, num_points, method=method, seed=3)
    expected = reference.nearest_distinct(means, centres_of(method, means, num_points, 3))
    assert points.ids.tolist() == [str(i) for i in expected]
    assert np.array_equal(points.x, x[expected].astype(np.float32))
    assert np.array_equal(points.z, means[expected].astype(np.float32))


def test_random_points_are_drawn_without_replacement():
    means = clustered()
    chosen = {
        tuple(select_points(means, means, 50, method="random", seed=seed).ids) for seed in range(3)
    }
    assert len(chosen) == 3
    assert all(len(set(ids)) == 50 for ids in chosen)


@methods
def test_as_many_points_as_data_are_all_the_data(method):
    means = draw(9, 2)
    points = select_points(means, means, 9, method=method)
    assert sorted(points.ids.tolist()) == [str(i) for i in range(9)]


@methods
def test_a_single_point_can_be_selected(method):
    means = clustered()
    assert len(select_points(means, means, 1, method=method)) == 1


@methods
def test_the_same_seed_selects_the_same_points(method):
    means = clustered()
    first, again = (select_points(means, means, 12, method=method, seed=4) for _ in range(2))
    assert first.ids.tolist() == again.ids.tolist()


def test_a_centre_whose_nearest_datum_is_taken_gets_its_next_nearest(monkeypatch):
    means = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [9.0, 9.0]])
    centres = np.array(
        [[0.1, 0.0], [0.2, 0.1], [0.0, 0.2], [0.1, 0.1]]
    )  # datum 0 is the nearest to all
    monkeypatch.setitem(
        selection.SELECTION_METHODS, "given", selection.nearest_to(lambda *a: centres)
    )
    assert select_points(means, means, 4, method="given").ids.tolist() == ["0", "1", "2", "3"]


def test_data_of_one_latent_are_still_different_points():
    points = select_points(draw(6, 4), np.zeros((6, 2)), 4, method="random")
    assert len(set(points.ids)) == 4


def test_selection_takes_tensors_that_carry_gradients():
    means = torch.from_numpy(clustered()).requires_grad_()
    points = select_points(means.detach(), means, 5)
    assert (
        points.ids.tolist()
        == select_points(means.detach().numpy(), means.detach().numpy(), 5).ids.tolist()
    )


def test_farthest_first_looks_at_the_inputs_and_d_optimal_at_the_means():
    x, means = draw(90, 5, seed=2), clustered(90)
    farthest = select_points(x, means, 12, method="farthest_first")
    assert farthest.ids.tolist() == [str(row) for row in coverage.farthest_first(x, 12)]
    spread = select_points(x, means, 12, method="d_optimal")
    assert spread.ids.tolist() == [str(row) for row in coverage.d_optimal(means, 12)]
    radii = [points.header["covering"]["radius"] for points in (farthest, spread)]
    assert radii[0] < radii[1]


def test_the_covering_is_of_all_data_as_the_file_keeps_the_points():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4)).astype(np.uint8)
    for x in (pixels, pixels / 255, 1e3 + draw(40, 3)):
        points = select_points(x, draw(40, 2), 6)
        assert points.header["covering"] == covering(x, points.x)
        assert points.check(x).covering.share == 1
    everything = select_points(x, draw(40, 2), 40)
    assert everything.header["covering"]["radius"] < 1e-3
    assert everything.check(x).covering.uncovered == []


def test_points_keep_the_names_of_their_data():
    dataset = data.load("digits", num_examples=100)
    points = select_points(dataset.x, dataset.x[:, 0].mean(1), 7, ids=dataset.ids)
    position = {name: i for i, name in enumerate(dataset.ids)}
    assert np.array_equal(points.x, dataset.x[[position[name] for name in points.ids]])


def test_the_header_tells_how_the_points_were_made(tmp_path):
    means = clustered()
    own = dict(licence="CC0", preprocessing="none")
    points = select_points(means, means, 5, method="agglomerative", seed=7, header=own)
    points.save(tmp_path / "points.npz")
    header = RosettaPoints.load(tmp_path / "points.npz").header
    assert header["licence"] == "CC0"
    assert header["preprocessing"] == "none"
    assert header["selection_method"] == "agglomerative"
    assert header["selection_seed"] == 7
    assert header["covering"] == covering(means, points.x)
    assert header["versions"]["torch"] == torch.__version__
    assert header["versions"]["numpy"] == np.__version__
    assert header["latent_dim"] == 3
    assert header["data_shape"] == [3]
    assert header["num_points"] == 5
    assert header["dtype"] == "float32"
    assert header["value_range"] == [points.x.min(), points.x.max()]
    assert header["kind"] == "rosetta"
    assert header["schema_version"] == 1
    assert len(header["sha256"]) == 64


MEANS = draw(10, 2)


@pytest.mark.parametrize(
    ("x", "means", "num_points", "options", "message"),
    [
        (
            draw(10, 4),
            MEANS[:9],
            3,
            {},
            r"means must be \(N, K\) = \(10, K\), one row per datum, not \(9, 2\)",
        ),
        (draw(10, 4), MEANS[None], 3, {}, r"not \(1, 10, 2\): pass one replica's"),
        (draw(10, 4), MEANS * np.nan, 3, {}, "means hold NaN or infinite values: train again"),
        (draw(10, 4), MEANS, 11, {}, "num_points = 11 is more than the 10 data: select fewer"),
        (draw(10, 4), MEANS, 0, {}, "num_points must be a positive integer, not 0"),
        (draw(10, 4), MEANS, 2.0, {}, "num_points must be a positive integer, not 2.0"),
        (draw(10, 4), MEANS, True, {}, "num_points must be a positive integer, not True"),
        (
            draw(10, 4),
            MEANS,
            3,
            dict(method="dbscan"),
            r"method must be one of \['agglomerative', .*\], not 'dbscan'",
        ),
    ],
)
def test_impossible_selections_are_refused(x, means, num_points, options, message):
    with pytest.raises(ValueError, match=message):
        select_points(x, means, num_points, **options)
