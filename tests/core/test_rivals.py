"""Maps fitted after training: against SciPy, scikit-learn, brute force and exact identities."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
from scipy.interpolate import RBFInterpolator
from scipy.stats import ortho_group
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from rvae_lite import alignment, rivals

CASES = [(12, 2), (20, 5), (33, 16), (32, 32), (9, 20), (40, 1)]  # (R, K)
cases = pytest.mark.parametrize(("num", "dim"), CASES)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def moved(points, *, scale=1.0, seed=0):
    """Points rotated or mirrored, scaled and shifted."""
    dim = points.shape[1]
    matrix = ortho_group.rvs(dim, random_state=seed) if dim > 1 else -np.ones((1, 1))
    return scale * points @ matrix.T + 5 * draw(dim, seed=seed + 1)


def noisy_pair(num, dim, *, seed=0, noise=0.3):
    """Latents of different widths, and an affine image of them with noise."""
    source = draw(num, dim, seed=seed) * np.geomspace(1, 0.1, dim) + 3
    target = source @ draw(dim, dim, seed=seed + 1) + noise * draw(num, dim, seed=seed + 2)
    return source, target


# Rotation and scale


@cases
def test_rotation_and_scale_are_those_of_scipy(num, dim):
    for seed in range(3):
        source, target = noisy_pair(num, dim, seed=seed)
        found = rivals.similarity_map(source, target)
        one, other = source - source.mean(0), target - target.mean(0)
        rotation, singular = scipy.linalg.orthogonal_procrustes(one, other)
        scale = singular / np.square(one).sum()
        np.testing.assert_allclose(found(source), scale * one @ rotation + target.mean(0))
        *_, disparity = scipy.spatial.procrustes(target, source)
        error = num * alignment.mean_squared_distance(found(source), target)
        assert error / np.square(other).sum() == pytest.approx(disparity, abs=1e-12)


def test_a_scaled_rotation_is_found_and_coinciding_anchors_are_met_at_their_mean():
    source = draw(20, 4)
    target = moved(source, scale=7)
    found = rivals.similarity_map(source[:9], target[:9])
    np.testing.assert_allclose(found(source), target, atol=1e-10)
    target = draw(5, 3)
    for fitted in (rivals.similarity_map, rivals.ridge_map, rivals.smooth_map, rivals.relative_map):
        found = fitted(np.ones((5, 3)), target)(np.ones((2, 3)))
        np.testing.assert_allclose(found, np.tile(target.mean(0), (2, 1)), atol=1e-9)


# Ridge


def whitened(source):
    return (source - source.mean(0)) / np.sqrt(source.var(0).sum())


def by_brute_force(source, target):
    """The strength with the lowest leave-one-out error, and its map, by scikit-learn."""
    x, errors = whitened(source), []
    strengths = rivals.STRENGTHS * len(x)
    for strength in strengths:
        left_out = cross_val_predict(Ridge(alpha=strength), x, target, cv=LeaveOneOut())
        errors.append(np.square(left_out.reshape(target.shape) - target).sum(1).mean())
    best = Ridge(alpha=strengths[np.argmin(errors)], solver="svd").fit(x, target)
    return min(errors), best


@pytest.mark.parametrize(("num", "dim"), [(6, 2), (12, 5), (12, 12), (8, 11), (20, 1)])
def test_ridge_has_the_strength_and_coefficients_of_brute_force(num, dim):
    for seed in range(2):
        source, target = noisy_pair(num, dim, seed=seed)
        error, expected = by_brute_force(source, target)
        x = whitened(source)
        assert rivals._left_out(x @ x.T, target)[0] == pytest.approx(error, rel=1e-5)
        found = rivals.ridge_map(source, target)
        scale = np.sqrt(source.var(0).sum())
        np.testing.assert_allclose(
            found.matrix * scale, np.atleast_2d(expected.coef_), rtol=1e-4, atol=1e-6
        )
        new = draw(5, dim, seed=9)
        shown = expected.predict((new - source.mean(0)) / scale).reshape(new.shape)
        np.testing.assert_allclose(found(new), shown, rtol=1e-4, atol=1e-5)


def test_ridge_survives_as_many_anchors_as_dimensions():
    for seed in range(5):
        source, target = noisy_pair(32, 32, seed=seed)
        new = draw(200, 32, seed=50) * np.geomspace(1, 0.1, 32) + 3
        expected = new @ draw(32, 32, seed=seed + 1)
        ridge, affine = (
            alignment.mean_squared_distance(fitted(source, target)(new), expected)
            for fitted in (rivals.ridge_map, alignment.linear_map)
        )
        assert ridge < 0.5 * alignment.total_variance(expected)
        assert ridge < 0.5 * affine


@cases
def test_ridge_and_smooth_have_no_units(num, dim):
    source, target = noisy_pair(num, dim)
    new = draw(4, dim, seed=7)
    for fitted in (rivals.ridge_map, rivals.smooth_map):
        once = fitted(source, target)(new)
        scaled = fitted(1e4 * source - 3, 1e-3 * target + 1)(1e4 * new - 3)
        np.testing.assert_allclose(scaled, 1e-3 * once + 1, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("source_dim", "target_dim"), [(3, 3), (2, 5), (5, 2)])
def test_affinely_related_spaces_are_recovered(source_dim, target_dim):
    source = draw(30, source_dim)
    target = source @ draw(source_dim, target_dim, seed=1) + 4
    for name in ("affine", "ridge affine", "smooth"):
        found = rivals.fit_map(name, source[:12], target[:12])(source)
        np.testing.assert_allclose(found, target, atol=1e-5)


def test_ridge_goes_from_the_affine_map_to_the_mean_as_the_penalty_grows(monkeypatch):
    source, target = noisy_pair(20, 4)
    affine, away = alignment.linear_map(source, target).matrix, []
    for strength in (1e-4, 1e-5, 1e-6, 1e-7):
        monkeypatch.setattr(rivals, "STRENGTHS", np.array([strength]))
        away.append(np.abs(rivals.ridge_map(source, target).matrix - affine).max())
    np.testing.assert_allclose(np.divide(away[:-1], away[1:]), 10, rtol=0.05)
    monkeypatch.setattr(rivals, "STRENGTHS", np.array([1e12]))
    np.testing.assert_allclose(rivals.ridge_map(source, target)(source), [target.mean(0)] * 20)


# Smooth


@pytest.mark.parametrize(("num", "dim"), [(12, 2), (20, 5), (16, 16)])
def test_the_bend_is_scipys_multiquadric(num, dim, monkeypatch):
    source, target = noisy_pair(num, dim)
    height, width, strength = 1e7, 1.5, 1e-2  # so high that the linear part does not count
    monkeypatch.setattr(rivals, "HEIGHTS", (height,))
    monkeypatch.setattr(rivals, "WIDTHS", (width,))
    monkeypatch.setattr(rivals, "STRENGTHS", np.array([height * strength]))
    options = dict(kernel="multiquadric", epsilon=1 / width, degree=0, smoothing=strength * num)
    x, new = whitened(source), draw(7, dim, seed=5)
    expected = RBFInterpolator(x, x, **options)
    shown = expected((new - source.mean(0)) / np.sqrt(source.var(0).sum()))
    np.testing.assert_allclose(rivals.smooth_map(source, x)(new), shown, rtol=1e-4, atol=1e-5)


def smooth_by_brute_force(kernel, target, strength):
    """Leave-one-out predictions of kernel @ w + shift, each from a system of its own."""
    predicted = []
    for i in range(len(kernel)):
        rows = np.arange(len(kernel)) != i
        count = rows.sum()
        system = np.ones((count + 1, count + 1))
        system[:count, :count] = kernel[np.ix_(rows, rows)] + strength * np.eye(count)
        system[count, count] = 0
        right = np.concatenate([target[rows], np.zeros((1, target.shape[1]))])
        weights = scipy.linalg.solve(system, right)
        predicted.append(kernel[i, rows] @ weights[:-1] + weights[-1])
    return np.array(predicted)


def test_leave_one_out_errors_of_any_covariance_are_those_of_brute_force(monkeypatch):
    for seed, (num, dim) in enumerate([(7, 2), (12, 3), (9, 9)]):
        x, target = whitened(draw(num, dim, seed=seed)), draw(num, 3, seed=seed + 9)
        away = scipy.spatial.distance.cdist(x, x)
        kernel = x @ x.T - 0.7 * np.sqrt(1 + away**2)
        for strength in (1e-4, 1e-1, 10.0):
            monkeypatch.setattr(rivals, "STRENGTHS", np.array([strength]))
            left_out = smooth_by_brute_force(kernel, target, strength * num)
            error = np.square(left_out - target).sum(1).mean()
            assert rivals._left_out(kernel, target)[0] == pytest.approx(error, rel=1e-7)


def test_a_bent_space_is_met_by_the_smooth_map_alone():
    for seed in range(3):
        source = draw(400, 2, seed=seed)
        target = np.stack([source[:, 0], source[:, 1] + source[:, 0] ** 2], axis=1)
        errors = {
            name: alignment.mean_squared_distance(
                rivals.fit_map(name, source[:60], target[:60])(source[60:]), target[60:]
            )
            for name in ("ridge affine", "smooth")
        }
        assert errors["smooth"] < 0.1 * errors["ridge affine"]


def test_the_smooth_map_is_the_ridge_map_where_no_bend_helps(monkeypatch):
    source, target = noisy_pair(20, 4)
    monkeypatch.setattr(rivals, "HEIGHTS", ())
    new = draw(9, 4, seed=5)
    expected = rivals.ridge_map(source, target)(new)
    np.testing.assert_allclose(rivals.smooth_map(source, target)(new), expected, rtol=1e-8)


# Relative representations


def test_relative_representations_of_a_hand_computed_case():
    anchors = np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2]]) + 10  # their mean is (10, 10)
    points = np.array([[13.0, 14.0], [10, 10]])
    cosines = rivals.relative(points, anchors)
    np.testing.assert_allclose(cosines, [[0.6, -0.6, 0.8, -0.8], [0, 0, 0, 0]], atol=1e-15)
    distances = rivals.relative(points, anchors, kind="distance")
    squares = [[4 + 16, 16 + 16, 9 + 4, 9 + 36], [1, 1, 4, 4]]
    np.testing.assert_allclose(distances, np.sqrt(squares))


@pytest.mark.parametrize("scale", [1.0, 0.01, 30.0])
@pytest.mark.parametrize("kind", ["cosine", "distance"])
def test_spaces_that_differ_by_rotation_and_scale_are_recovered_exactly(kind, scale):
    for seed, (num, dim) in enumerate([(3, 2), (12, 5), (17, 16), (64, 8), (5, 1)]):
        source = draw(num + 20, dim, seed=seed) * np.geomspace(1, 0.1, dim)
        target = moved(source, scale=scale, seed=seed)
        seen = rivals.relative(source, source[:num], kind=kind)
        ratio = scale if kind == "distance" else 1
        np.testing.assert_allclose(
            rivals.relative(target, target[:num], kind=kind), ratio * seen, rtol=1e-8, atol=1e-9
        )
        found = rivals.relative_map(source[:num], target[:num], kind=kind)
        np.testing.assert_allclose(found(source), target, rtol=1e-6, atol=1e-6 * scale)


def test_the_way_back_is_least_squares_where_all_directions_serve():
    source, target = draw(30, 3), moved(draw(30, 3)) + 0.01 * draw(30, 3, seed=4)
    new = draw(6, 3, seed=3)
    scale = np.sqrt(target.var(0).sum() / source.var(0).sum())
    anchors = target - target.mean(0)
    units = anchors / np.linalg.norm(anchors, axis=1, keepdims=True)
    direction = np.linalg.lstsq(units, rivals.relative(new, source).T, rcond=None)[0].T
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = scale * np.linalg.norm(new - source.mean(0), axis=1, keepdims=True)
    found = rivals.relative_map(source, target)(new)
    np.testing.assert_allclose(found, target.mean(0) + length * direction, rtol=1e-8)

    # |z - a|^2 = |z|^2 - 2 a z + |a|^2: unknown are z and |z|^2.
    squares = np.square(scale * rivals.relative(new, source, kind="distance"))
    matrix = np.concatenate([-2 * target, np.ones((30, 1))], axis=1)
    right = squares.T - np.square(target).sum(1)[:, None]
    places = np.linalg.lstsq(matrix, right, rcond=None)[0][:3].T
    found = rivals.relative_map(source, target, kind="distance")(new)
    np.testing.assert_allclose(found, places, rtol=1e-8)


@pytest.mark.parametrize("name", ["relative cosines", "relative distances"])
def test_directions_that_a_model_leaves_empty_do_not_send_points_away(name):
    for seed in range(3):
        spaces = []
        for one in range(2):
            noise = np.random.default_rng([seed, one]).standard_normal((200, 6))
            joint = moved(draw(200, 3, seed=seed), seed=one) + 0.1 * noise[:, :3]
            spaces.append(np.concatenate([joint, 1e-3 * noise[:, 3:]], axis=1))
        source, target = spaces
        found = rivals.fit_map(name, source[:40], target[:40])(source)
        share = alignment.mean_squared_distance(found, target) / alignment.total_variance(target)
        assert share < 0.1


# What all have in common


@cases
@pytest.mark.parametrize("name", rivals.MAPS)
def test_every_map_returns_points_of_the_target_without_warnings(name, num, dim):
    source, target = noisy_pair(num, dim)
    if num <= dim and rivals.NEEDS[name](dim) > num:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rivals.fit_map(name, source.astype(np.float32), target.tolist())(source)
    assert found.shape == target.shape and found.dtype == np.float64
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", [one for one in rivals.MAPS if one not in rivals.ONE_DIM])
@pytest.mark.parametrize(("source_dim", "target_dim"), [(3, 6), (6, 3)])
def test_maps_without_one_k_join_spaces_of_different_k(name, source_dim, target_dim):
    source, target = draw(50, source_dim), draw(50, target_dim, seed=1)
    assert rivals.fit_map(name, source, target)(draw(7, source_dim)).shape == (7, target_dim)


@pytest.mark.parametrize("name", rivals.MAPS)
def test_every_map_is_fitted_with_as_many_anchors_as_it_needs_and_not_with_fewer(name):
    for dim in (1, 2, 5, 16):
        num = rivals.NEEDS[name](dim)
        source, target = draw(num, dim), draw(num, dim, seed=1)
        assert np.isfinite(rivals.fit_map(name, source, target)(source)).all()
        with pytest.raises(ValueError, match=f"^{name} needs {num} different anchors"):
            rivals.fit_map(name, source[:-1], target[:-1])


def test_an_unknown_map_names_the_known_ones():
    with pytest.raises(ValueError, match=r"name must be one of \['rotation', .*\], not 'magic'"):
        rivals.fit_map("magic", draw(9, 2), draw(9, 2))
    for function in (rivals.relative, rivals.relative_map):
        with pytest.raises(ValueError, match=r"kind must be one of \['cosine', 'distance'\], not"):
            function(draw(9, 2), draw(9, 2), kind="angle")


def test_too_few_anchors_are_counted_and_humbler_maps_named():
    few = draw(9, 16), draw(9, 16, seed=1)
    message = (
        "affine needs 17 different anchors that span 16 directions, and source has 9 that span 8: "
        "pass more, or take a map that needs fewer: rotation (16), rotation and scale (16), "
        "ridge affine (3), smooth (3), relative cosines (3), relative distances (3)"
    )
    with pytest.raises(ValueError) as error:
        rivals.fit_map("affine", *few)
    assert str(error.value) == message
    with pytest.raises(ValueError) as error:
        rivals.fit_map("smooth", draw(2, 5), draw(2, 4))
    assert str(error.value) == "smooth needs 3 different anchors, and source has 2: pass more"
    # There is no rotation between different K.
    with pytest.raises(ValueError, match=r"fewer: ridge affine \(3\), smooth \(3\), relative co"):
        rivals.fit_map("affine", draw(4, 5), draw(4, 4))


def test_anchors_that_coincide_count_once():
    source, target = np.repeat(draw(2, 3), 10, 0), np.repeat(draw(2, 3, seed=1), 10, 0)
    with pytest.raises(ValueError, match="^ridge affine needs 3 different anchors, and source has"):
        rivals.fit_map("ridge affine", source, target)
    with pytest.raises(ValueError, match="and target has 1: pass more$"):
        rivals.fit_map("smooth", draw(20, 3), np.ones((20, 3)))


@pytest.mark.parametrize(
    ("name", "flat"),
    [
        ("rotation", "source"),
        ("rotation and scale", "target"),
        ("affine", "source"),
    ],
)
def test_anchors_in_a_plane_do_not_determine_a_map_of_space(name, flat):
    spaces = dict(source=draw(30, 5), target=draw(30, 5, seed=1))
    plane = draw(30, 2, seed=2) @ draw(2, 5, seed=3) + 7
    spaces[flat] = plane.astype(np.float32)  # flat up to rounding
    need = rivals.NEEDS[name](5)
    message = f"^{name} needs {need} different anchors that span {need - 1} directions, and {flat}"
    with pytest.raises(ValueError, match=message + " has 30 that span 2: pass more, or take"):
        rivals.fit_map(name, **spaces)
    assert rivals.fit_map("ridge affine", **spaces)(draw(4, 5)).shape == (4, 5)


@pytest.mark.parametrize("name", rivals.ONE_DIM)
def test_rotations_need_one_k(name):
    message = rf"^{name} needs one K, and source has 3, target 4 dimensions: take one of \['affine'"
    with pytest.raises(ValueError, match=message):
        rivals.fit_map(name, draw(9, 3), draw(9, 4))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="source has 9 points, target 8: encode the same data"):
        rivals.fit_map("smooth", draw(9, 3), draw(8, 3))
    with pytest.raises(ValueError, match="target holds NaN or infinite values"):
        rivals.fit_map("affine", draw(9, 3), np.full((9, 3), np.nan))
    with pytest.raises(ValueError, match="K must agree: z has 2, anchors 3 dimensions"):
        rivals.relative(draw(9, 2), draw(9, 3))
