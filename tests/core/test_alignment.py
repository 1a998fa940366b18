"""Metrics of alignment against scikit-learn, SciPy, NumPy and slow references."""

import numpy as np
import pytest
import reference
import scipy.linalg
import torch
from scipy.stats import ortho_group
from sklearn.linear_model import LinearRegression

from rvae_lite import alignment


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def rotation(dim, seed=0):
    return ortho_group.rvs(dim, random_state=seed) if dim > 1 else np.ones((1, 1))


shapes = pytest.mark.parametrize(
    ("source_dim", "target_dim"), [(1, 1), (2, 2), (3, 5), (5, 3), (8, 8)]
)


@shapes
def test_latent_space_distortion_is_the_residual_of_linear_regression(source_dim, target_dim):
    source, target = (
        3 + draw(50, source_dim),
        draw(50, target_dim, seed=1) + source_dim * draw(50, 1, seed=2),
    )
    predicted = LinearRegression().fit(source, target).predict(source)
    expected = ((predicted - target) ** 2).sum(1).mean()
    assert alignment.latent_space_distortion(source, target) == pytest.approx(expected, rel=1e-10)


@shapes
def test_linear_map_has_the_coefficients_of_linear_regression(source_dim, target_dim):
    source, target = 3 + draw(50, source_dim), draw(50, target_dim, seed=1)
    model, found = LinearRegression().fit(source, target), alignment.linear_map(source, target)
    np.testing.assert_allclose(found.matrix, model.coef_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.bias, model.intercept_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found(source), model.predict(source), rtol=1e-10, atol=1e-10)


def test_a_space_rotated_and_shifted_has_distortion_0():
    source = draw(40, 4)
    assert alignment.latent_space_distortion(source, source @ rotation(4) + 7) < 1e-24


def test_a_space_mapped_affinely_has_distortion_0_and_the_map_is_found():
    source, matrix, bias = draw(40, 4), draw(4, 4, seed=1), draw(4, seed=2)
    target = source @ matrix.T + bias
    found = alignment.linear_map(source, target)
    assert alignment.latent_space_distortion(source, target) < 1e-24
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-10)
    np.testing.assert_allclose(found.bias, bias, atol=1e-10)


def test_distortion_is_one_minus_r_squared_times_the_targets_variance():
    source, target = draw(50, 3), draw(50, 3, seed=1)
    r_squared = alignment.r_squared(alignment.linear_map(source, target)(source), target)
    expected = (1 - r_squared) * target.var(0).sum()
    assert alignment.latent_space_distortion(source, target) == pytest.approx(expected, rel=1e-10)
    assert 0 < r_squared < 1


def test_tensors_count_as_arrays():
    source, target = draw(20, 3), draw(20, 3, seed=1)
    tensors = torch.from_numpy(source).requires_grad_(), torch.from_numpy(target)
    assert alignment.latent_space_distortion(*tensors) == alignment.latent_space_distortion(
        source, target
    )


def test_orthogonal_map_agrees_with_scipys_procrustes():
    source, target = draw(50, 4) + 2, draw(50, 4, seed=1) - 1
    found = alignment.orthogonal_map(source, target)
    expected, _ = scipy.linalg.orthogonal_procrustes(
        source - source.mean(0), target - target.mean(0)
    )
    np.testing.assert_allclose(found.matrix, expected.T, atol=1e-10)
    np.testing.assert_allclose(found(source).mean(0), target.mean(0), atol=1e-10)


def test_orthogonal_map_finds_a_rotation_and_does_not_scale():
    source = draw(50, 4)
    turned = source @ rotation(4).T + 3
    assert (
        alignment.mean_squared_distance(alignment.orthogonal_map(source, turned)(source), turned)
        < 1e-24
    )
    matrix = alignment.orthogonal_map(source, 5 * turned).matrix
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(4), atol=1e-10)


def test_mean_squared_distance_and_total_variance_are_sums_over_dimensions():
    source, target = draw(30, 3), draw(30, 3, seed=1)
    loop = np.mean([np.linalg.norm(a - b) ** 2 for a, b in zip(source, target, strict=True)])
    assert alignment.mean_squared_distance(source, target) == pytest.approx(loop, rel=1e-12)
    assert alignment.total_variance(source) == pytest.approx(
        np.trace(np.cov(source.T, ddof=0)), rel=1e-12
    )


def test_r_squared_of_a_collapsed_target_is_nan():
    assert np.isnan(alignment.r_squared(draw(10, 2), np.ones((10, 2))))


def test_r_squared_takes_another_variance_as_its_yardstick():
    predicted, target = draw(30, 3), draw(30, 3, seed=1)
    distance = alignment.mean_squared_distance(predicted, target)
    assert alignment.r_squared(predicted, target, variance=50.0) == pytest.approx(
        1 - distance / 50, rel=1e-12
    )


@pytest.mark.parametrize(("num_replicas", "latent_dim"), [(3, 1), (4, 2), (10, 2), (10, 6)])
def test_retraining_variability_is_the_mean_log_determinant_where_k_is_below_m(
    num_replicas, latent_dim
):
    means = draw(num_replicas, 25, latent_dim) * np.arange(1, latent_dim + 1) + draw(
        25, latent_dim, seed=1
    )
    found = alignment.retraining_variability(means)
    covariances = [np.atleast_2d(np.cov(means[:, i].T)) for i in range(25)]
    expected = np.mean([np.linalg.slogdet(covariance).logabsdet for covariance in covariances])
    assert found.rank == latent_dim
    assert found.value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("num_replicas", "latent_dim"), [(2, 2), (4, 4), (10, 16), (3, 8), (10, 2)]
)
def test_retraining_variability_agrees_with_the_reference_at_any_rank(num_replicas, latent_dim):
    means = draw(num_replicas, 25, latent_dim) + 2 * draw(25, latent_dim, seed=1)
    found = alignment.retraining_variability(means)
    assert found.rank == min(latent_dim, num_replicas - 1)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(
        found, reference.retraining_variability(means), rtol=1e-10, atol=1e-10
    )


def test_float32_means_are_accumulated_in_float64():
    means = (100 + draw(10, 25, 4)).astype(np.float32)
    found, expected = (
        alignment.retraining_variability(m) for m in (means, means.astype(np.float64))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert alignment.retraining_variability(torch.from_numpy(means)) == found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("num_replicas", "latent_dim"), [(2, 2), (10, 2), (40, 1), (40, 2), (10, 16)]
)
def test_identical_replicas_have_variability_minus_infinity(num_replicas, latent_dim, dtype):
    means = np.stack([draw(25, latent_dim).astype(dtype)] * num_replicas)
    found = alignment.retraining_variability(means)
    assert found.value == found.relative == -np.inf
    assert found.within_fraction < 1e-25


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_replicas_that_differ_by_rounding_have_variability_minus_infinity(dtype):
    means = np.stack([100 + draw(25, 2).astype(dtype)] * 10)
    upwards = np.nextafter(means, dtype(np.inf))
    rounded = np.where(draw(*means.shape, seed=1) > 0, upwards, means)
    assert not np.array_equal(rounded[0], rounded[1])
    assert alignment.retraining_variability(rounded).value == -np.inf
    apart = means + 100 * (upwards - means) * draw(*means.shape, seed=2).astype(dtype)
    assert np.isfinite(alignment.retraining_variability(apart).value)


@pytest.mark.parametrize(("num_replicas", "latent_dim"), [(10, 3), (4, 8)])
@pytest.mark.parametrize("scale", [1e-3, 0.5, 100.0])
def test_scaling_shifts_the_value_by_twice_rank_log_scale_and_nothing_else(
    num_replicas, latent_dim, scale
):
    means = draw(num_replicas, 25, latent_dim) + draw(25, latent_dim, seed=1)
    once, scaled = (
        alignment.retraining_variability(means),
        alignment.retraining_variability(scale * means),
    )
    assert scaled.value - once.value == pytest.approx(2 * once.rank * np.log(scale), abs=1e-9)
    assert scaled.relative == pytest.approx(once.relative, abs=1e-9)
    assert scaled.within_fraction == pytest.approx(once.within_fraction, rel=1e-9)


def test_rotating_all_replicas_together_changes_no_variability():
    means = draw(6, 25, 4) + draw(25, 4, seed=1)
    once, turned = (
        alignment.retraining_variability(means),
        alignment.retraining_variability(means @ rotation(4)),
    )
    np.testing.assert_allclose(turned, once, rtol=1e-10)


def test_the_within_fraction_is_about_1_for_unrelated_spaces_and_small_for_one_space():
    unrelated = alignment.retraining_variability(draw(20, 200, 3))
    one_space = alignment.retraining_variability(draw(200, 3) + 0.01 * draw(20, 200, 3, seed=1))
    assert 0.97 < unrelated.within_fraction < 1.03
    assert 0.5e-4 < one_space.within_fraction < 2e-4
    assert one_space.relative < unrelated.relative - 20


def test_log_volumes_are_one_per_datum_and_average_to_the_value():
    means = draw(5, 12, 3)
    volumes = alignment.log_volumes(means)
    assert volumes.shape == (12,)
    assert volumes.mean() == pytest.approx(alignment.retraining_variability(means).value, rel=1e-12)
    alone = np.linalg.slogdet(np.cov(means[:, 7].T)).logabsdet
    assert volumes[7] == pytest.approx(alone, abs=1e-10)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_polar_spectrum_is_that_of_scipys_polar_factor(dim):
    matrix = draw(dim, dim)
    _, p = scipy.linalg.polar(matrix)
    spectrum = alignment.polar_spectrum(matrix)
    np.testing.assert_allclose(spectrum, np.linalg.eigvalsh(p)[::-1], rtol=1e-10, atol=1e-10)
    assert (np.diff(spectrum) <= 0).all()


def test_distance_to_identity_ignores_scale_and_measures_the_rest():
    assert alignment.distance_to_identity(3 * np.eye(4)) == pytest.approx(0, abs=1e-12)
    assert np.isnan(alignment.distance_to_identity(np.zeros((4, 4))))
    assert alignment.distance_to_identity(-np.eye(4)) == pytest.approx(
        4, rel=1e-12
    )  # |-2 I| in 4 dimensions
    matrix = draw(4, 4)
    expected = scipy.linalg.norm(matrix / scipy.linalg.svdvals(matrix).max() - np.eye(4))
    assert alignment.distance_to_identity(matrix) == pytest.approx(expected, rel=1e-12)
    assert alignment.distance_to_identity(7 * matrix) == pytest.approx(expected, rel=1e-12)


def test_label_transfer_is_the_share_of_nearest_neighbours_with_the_same_label():
    source, target = draw(40, 3), draw(30, 3, seed=1)
    source_labels, target_labels = np.arange(40) % 4, np.arange(30) % 4
    nearest = [min(range(40), key=lambda i: np.linalg.norm(source[i] - point)) for point in target]
    expected = np.mean(
        [source_labels[i] == label for i, label in zip(nearest, target_labels, strict=True)]
    )
    assert alignment.label_transfer(source, source_labels, target, target_labels) == pytest.approx(
        expected
    )


def test_label_transfer_is_1_in_a_shared_space_and_0_where_the_clusters_have_swapped_places():
    labels = np.repeat([0, 1], 20)
    source = draw(40, 2) + 100 * labels[:, None]
    assert alignment.label_transfer(source, labels, source + 0.1, labels) == 1
    assert alignment.label_transfer(source, labels, 100 - source, labels) == 0


def test_label_transfer_refuses_spaces_and_labels_that_do_not_fit():
    labels = np.zeros(10)
    with pytest.raises(ValueError, match="K must agree: source has 3, target 4 dimensions"):
        alignment.label_transfer(draw(10, 3), labels, draw(10, 4), labels)
    with pytest.raises(
        ValueError, match=r"target_labels must be one per point \(10\), not of shape \(9,\)"
    ):
        alignment.label_transfer(draw(10, 3), labels, draw(10, 3), labels[:9])


FLAT, SHORT, WIDE = draw(10), draw(9, 3), draw(10, 4)
WITH_NAN = np.full((10, 3), np.nan)
PAIRED = [
    alignment.linear_map,
    alignment.orthogonal_map,
    alignment.latent_space_distortion,
    alignment.mean_squared_distance,
]


@pytest.mark.parametrize("function", PAIRED)
@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (
            FLAT,
            draw(10, 3),
            r"source must be \(N, K\) with at least one point, "
            r"not \(10,\): pass one replica's means",
        ),
        (
            draw(10, 3),
            draw(2, 10, 3),
            r"target must be \(N, K\) with at least one point, not \(2, 10, 3\)",
        ),
        (draw(0, 3), draw(0, 3), r"source must be \(N, K\) with at least one point, not \(0, 3\)"),
        (draw(10, 3), SHORT, "source has 10 points, target 9: encode the same data with both"),
        (draw(10, 3), WITH_NAN, "target holds NaN or infinite values: check the training"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(function, source, target, message):
    with pytest.raises(ValueError, match=message):
        function(source, target)


@pytest.mark.parametrize("function", [alignment.orthogonal_map, alignment.mean_squared_distance])
def test_distances_need_spaces_of_one_dimension(function):
    with pytest.raises(ValueError, match="K must agree: source has 3, target 4 dimensions"):
        function(draw(10, 3), WIDE)


@pytest.mark.parametrize(
    ("means", "message"),
    [
        (
            draw(10, 3),
            r"means must be \(M, N, K\) with at least 2 replicas, "
            r"not \(10, 3\): train more replicas",
        ),
        (draw(1, 10, 3), r"with at least 2 replicas, not \(1, 10, 3\)"),
        (draw(2, 0, 3), r"with at least 2 replicas, not \(2, 0, 3\)"),
        (WITH_NAN[None].repeat(2, 0), "means hold NaN or infinite values: check the training"),
        (draw(3, 1, 2), "means must hold at least 2 data points"),
    ],
)
def test_means_without_a_variability_are_refused(means, message):
    with pytest.raises(ValueError, match=message):
        alignment.retraining_variability(means)


@pytest.mark.parametrize(("count", "dim"), [(5, 4), (20, 30), (2, 1), (40, 39)])
def test_few_points_are_met_exactly_by_any_map_and_that_is_said(count, dim):
    source, target = draw(count, dim), draw(count, dim, seed=1)
    predicted = alignment.linear_map(source, target)(source)
    message = f"{count} points in {dim} dimensions are met exactly by an affine map, whatever"
    for times in (1, 3):  # the same points again are no more points
        both = np.tile(source, (times, 1)), np.tile(target, (times, 1))
        with pytest.raises(ValueError, match="are met exactly by an affine map, whatever"):
            alignment.latent_space_distortion(*both)
        with pytest.warns(UserWarning, match=f"in {dim} dimensions is 1 for any map that was fit"):
            assert alignment.r_squared(np.tile(predicted, (times, 1)), both[1]) > 1 - 1e-9
    with pytest.raises(ValueError, match=message):
        alignment.latent_space_distortion(source, target)
    more = draw(dim + 2, dim), draw(dim + 2, dim, seed=1)
    assert alignment.latent_space_distortion(*more) > 0
    collapsed = alignment.latent_space_distortion(source, np.ones((count, dim)))
    assert collapsed == pytest.approx(0, abs=1e-20)


def test_dead_directions_leave_variability_as_it_is():
    means = draw(4, 30, 2)
    expected = alignment.retraining_variability(means)
    dead = np.concatenate([means, np.full((4, 30, 3), 2.0)], axis=2)
    for found in (alignment.retraining_variability(dead @ rotation(5)),):
        assert found.rank == expected.rank == 2
        assert np.allclose(found, expected)
    assert np.allclose(alignment.log_volumes(dead), alignment.log_volumes(means))
