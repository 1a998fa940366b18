"""Coverage: distances, ways of choosing, and bounds that hold in the worst of cases."""

import math
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from toy import fit_quietly

from rvae_lite import VAE, coverage, data, select_points
from rvae_lite.alignment import linear_map
from rvae_lite.multirate import make_multirate


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# Distances


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("block", [1, 100, 2**20])
def test_distances_are_scipys_and_anchors_lie_at_zero(monkeypatch, shift, block):
    monkeypatch.setattr(coverage, "BLOCK", block)
    x = draw(70, 2, 3) + shift
    anchors = x[[3, 3, 5, 60, 60]]
    found = coverage.distances_to_anchors(x, anchors)
    assert np.allclose(found, cdist(x.reshape(70, 6), anchors.reshape(5, 6)).min(1), rtol=1e-12)
    assert not found[[3, 5, 60]].any() and (found[[0, 1, 2]] > 0).all()


def test_bytes_are_measured_in_the_models_units():
    x = np.random.default_rng(0).integers(0, 256, (20, 1, 3, 3)).astype(np.uint8)
    found = coverage.distances_to_anchors(x, x[:3])
    assert np.allclose(found, coverage.distances_to_anchors(x / 255, x[:3]), atol=1e-15)
    assert np.allclose(found, cdist(x.reshape(20, 9), x[:3].reshape(3, 9)).min(1) / 255)


def test_a_covering_tells_the_quantiles_of_the_distances_to_six_digits():
    x = draw(200, 3)
    found, distances = coverage.covering(x, x[:7]), coverage.distances_to_anchors(x, x[:7])
    assert found == dict(
        median=float(f"{np.median(distances):.6g}"),
        q95=float(f"{np.quantile(distances, 0.95):.6g}"),
        radius=float(f"{distances.max():.6g}"),
    )
    assert coverage.covering(x, x) == dict(median=0, q95=0, radius=0)


# Ways of choosing


def radius_of(x, rows):
    return cdist(x, x[list(rows)]).min(1).max()


@pytest.mark.parametrize("seed", range(12))
def test_farthest_first_covers_within_twice_the_best_radius(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((9, 2)) if seed % 2 else rng.integers(0, 4, (9, 2)).astype(float)
    for num_points in (1, 2, 3, 4):
        best = min(radius_of(x, rows) for rows in combinations(range(9), num_points))
        for first in (None, *range(9)):
            rows = coverage.farthest_first(x, num_points, first=first)
            assert len(set(rows)) == num_points and radius_of(x, rows) <= 2 * best + 1e-12
            assert first is None or rows[0] == first


def test_farthest_first_takes_always_the_farthest_from_the_one_nearest_to_the_mean():
    x = draw(80, 4)
    rows = coverage.farthest_first(x, 10)
    assert rows[0] == cdist(x, x.mean(0, keepdims=True)).argmin()
    for count in range(1, 10):
        assert rows[count] == cdist(x, x[rows[:count]]).min(1).argmax()
    pixels = (50 * x).clip(0, 255).astype(np.uint8)
    assert np.array_equal(
        coverage.farthest_first(pixels, 9), coverage.farthest_first(pixels / 255, 9)
    )


def test_d_optimal_points_raise_the_determinant_as_much_as_one_datum_can():
    z = draw(60, 3) * [1.0, 30.0, 0.01] + 5
    rows = coverage.d_optimal(z, 12)
    v = np.column_stack([np.ones(60), z])

    def determinant(chosen):
        return np.linalg.det(v[chosen].T @ v[chosen])

    for count in range(4, 12):
        chosen, rest = list(rows[:count]), np.setdiff1d(np.arange(60), rows[:count])
        grown = np.array([determinant([*chosen, row]) for row in rest])
        assert math.isclose(grown.max(), determinant(rows[: count + 1]), rel_tol=1e-9)
        leverages = coverage.leverage(z[rest], z[chosen])
        assert np.allclose(grown, determinant(chosen) * (1 + leverages))
    drawn = [np.random.default_rng(seed).choice(60, 12, replace=False) for seed in range(200)]
    assert determinant(rows) > max(map(determinant, drawn))


def test_d_optimal_points_do_not_depend_on_the_coordinates():
    z, turn = draw(100, 4), draw(4, 4, seed=1)
    rows = coverage.d_optimal(z, 20)
    assert np.array_equal(rows, coverage.d_optimal(1e-3 * z @ turn + 1e3, 20))
    copied = np.column_stack([z, z[:, 0], np.full(100, 7.0)])  # directions without variance
    assert set(rows[:5]) == set(coverage.d_optimal(copied, 5))


CROWDS = dict(
    same=np.zeros((9, 2)), few=np.repeat(draw(3, 2), 3, 0), line=np.outer(np.arange(9), [1.0, 2.0])
)


@pytest.mark.parametrize("crowd", CROWDS)
def test_no_datum_is_chosen_twice_among_duplicates(crowd):
    for num_points in range(1, 10):
        for choose in (coverage.d_optimal, coverage.farthest_first):
            assert len(set(choose(CROWDS[crowd], num_points))) == num_points


# Leverage


def anchors_of(seed):
    """Anchors in K dimensions: random, repeated, in a plane, in nearly one, far away, K + 1."""
    rng = np.random.default_rng(seed)
    num_latents, more = rng.integers(1, 7), int(rng.integers(0, 8))
    num_points = num_latents + 1 if seed % 2 else 1 + more
    anchors = rng.standard_normal((num_points, num_latents)) * np.exp(rng.normal(0, 2, num_latents))
    if seed % 5 == 1:
        anchors[rng.integers(num_points)] = anchors[0]
    if seed % 5 == 2:
        anchors[:, -1] = 2 * anchors[:, 0]
    if seed % 5 == 3:
        anchors[:, -1] = 3 + 10.0 ** -rng.uniform(1, 9) * rng.standard_normal(num_points)
    return anchors + rng.normal(0, 10 ** rng.uniform(-2, 3)), rng


def places_among(anchors, rng):
    """The anchors, places between and far from them."""
    far = anchors.mean(0) + 5 * rng.standard_normal((20, anchors.shape[1]))
    return np.concatenate([anchors, rng.dirichlet(np.ones(len(anchors)), 5) @ anchors, far])


def test_leverage_is_the_hat_matrix_and_sums_to_its_rank():
    for seed in range(200):
        anchors, _ = anchors_of(seed)
        v = np.column_stack([np.ones(len(anchors)), anchors - anchors.mean(0)])
        v /= np.linalg.norm(v, axis=0) + (v == 0).all(0)
        found = coverage.leverage(anchors, anchors)
        assert np.isfinite(found).all() and (found <= 1 + 1e-6).all()
        if seed % 5 < 2:  # nearly degenerate anchors cost the oracle its digits
            assert np.allclose(found, np.diag(v @ np.linalg.pinv(v)), atol=1e-6)
            assert math.isclose(found.sum(), np.linalg.matrix_rank(v, 1e-9), rel_tol=1e-6)
            middle = coverage.leverage(anchors.mean(0)[None], anchors)
            spans = np.linalg.matrix_rank(v, 1e-9) == v.shape[1]
            assert not spans or np.isclose(middle, 1 / len(anchors))


def test_leverage_is_the_same_in_other_coordinates_and_inf_where_nothing_is_spanned():
    anchors, z, turn = draw(6, 3), draw(10, 3, seed=1), draw(3, 3, seed=2)
    own = coverage.leverage(z, anchors)
    assert np.allclose(own, coverage.leverage(z @ turn + 1e3, anchors @ turn + 1e3))
    flat = np.column_stack([anchors[:, :2], np.ones(6)])
    assert np.isinf(coverage.leverage(z, flat)).all()
    inside = np.column_stack([z[:, :2], np.ones(10)])
    assert np.allclose(coverage.leverage(inside, flat), coverage.leverage(z[:, :2], flat[:, :2]))
    assert coverage.leverage(anchors, anchors[:1]).tolist() == [1.0] + 5 * [np.inf]


# Bounds


def test_maps_of_bounded_slope_stay_within_the_covering_bound():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        slopes, turns = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
        x = rng.standard_normal((60, 3)) * 3
        anchors = np.concatenate([x[: rng.integers(1, 9)], x[:1]])
        differences = np.sin(x @ slopes.T) + np.abs(x @ turns.T)  # f - g
        constant = np.linalg.norm(slopes, 2) + np.linalg.norm(turns, 2)
        own = np.linalg.norm(differences, axis=1)
        errors = np.concatenate([own[: len(anchors) - 1], own[:1]])
        bound = coverage.covering_bound(x, anchors, errors, constant=constant)
        assert (own <= bound * (1 + 1e-12)).all()
        loose = errors.max() + constant * coverage.distances_to_anchors(x, anchors)
        assert (bound <= loose * (1 + 1e-12)).all()
        single = coverage.covering_bound(x, anchors, errors.max(), constant=constant)
        assert np.allclose(single, loose)


def test_no_smaller_covering_bound_holds():
    x, anchors, errors = draw(50, 2), draw(5, 2, seed=1), np.array([0.1, 2.0, 0.0, 0.3, 9.0])
    options = dict(errors=errors, constant=1.5)
    own = coverage.covering_bound(x, anchors, **options)  # as a map of constant 1.5 itself
    assert (coverage.covering_bound(anchors, anchors, **options) <= errors).all()
    slopes = np.abs(own[:, None] - own) / (cdist(x, x) + np.eye(50))
    assert slopes.max() <= 1.5 + 1e-12


def test_affine_maps_stay_within_the_affine_bound_in_the_worst_of_cases():
    for seed in range(400):
        anchors, rng = anchors_of(seed)
        centre, z = anchors.mean(0), places_among(anchors, rng)
        leverages = coverage.leverage(z, anchors)
        _, sizes, axes = np.linalg.svd(anchors - centre, full_matrices=True)
        thin = np.linalg.norm((anchors - centre) @ axes[-1]) or 1.0
        steep = np.outer(rng.standard_normal(2), axes[-1]) / thin  # small at the anchors alone
        exact = 1 + 1e-6 + 100 * coverage.EPS * sizes[0] / thin  # planes are so up to rounding
        for matrix in (rng.standard_normal((2, len(centre))), steep):
            differences = (z - centre) @ matrix.T + rng.standard_normal(2)
            own = np.linalg.norm(differences, axis=1)
            errors = own[: len(anchors)]
            rounding = 1e-9 * np.abs(matrix).sum() * np.abs(z - centre).max()
            bound = coverage.affine_bound(z, anchors, errors)
            assert (own <= bound * exact + rounding).all()
            # The looser statements follow from it, where anything is spanned.
            spanned = np.isfinite(leverages)
            middle = np.sqrt(leverages[spanned] * np.square(errors).sum())
            loose = errors.max() * np.sqrt(len(anchors) * leverages[spanned])
            assert (bound[spanned] <= middle * (1 + 1e-9)).all()
            assert (middle <= loose * (1 + 1e-9)).all()
            # Maps that are affine up to `bend`.
            bend = 10 ** rng.uniform(-3, 1)
            noise = rng.standard_normal(differences.shape)
            noise *= bend * rng.random((len(z), 1)) / np.linalg.norm(noise, axis=1, keepdims=True)
            own = np.linalg.norm(differences + noise, axis=1)
            bound = coverage.affine_bound(z, anchors, own[: len(anchors)], bend=bend)
            assert (own <= bound * exact + rounding).all()
            mean_square = np.sqrt(np.square(own[: len(anchors)]).mean())
            told = (mean_square + bend) * np.sqrt(len(anchors) * leverages[spanned]) + bend
            assert (bound[spanned] <= told * (1 + 1e-9)).all()


def test_an_affine_map_meets_the_bound_from_the_root_mean_square():
    anchors, z = draw(9, 3), draw(5, 3, seed=1)
    v, at = (np.column_stack([np.ones(len(a)), a]) for a in (anchors, z))
    for row, place in enumerate(at):
        slopes = np.linalg.solve(v.T @ v, place)  # f - g, whose errors are proportional to w
        errors = np.abs(v @ slopes)
        bound = coverage.affine_bound(z, anchors, errors)[row]
        assert math.isclose(place @ slopes, bound)
        leverages = coverage.leverage(z, anchors)[row]
        assert math.isclose(bound, math.sqrt(leverages * np.square(errors).sum()))


def test_of_as_few_anchors_as_can_span_the_bound_is_met_whatever_the_errors():
    anchors, z, errors = draw(4, 3), draw(5, 3, seed=1), np.array([0.1, 2.0, 0.0, 0.3])
    v, at = (np.column_stack([np.ones(len(a)), a]) for a in (anchors, z))
    for row, place in enumerate(at):
        weights = np.linalg.solve(v.T, place)
        slopes = np.linalg.solve(v, errors * np.sign(weights))
        assert math.isclose(place @ slopes, coverage.affine_bound(z, anchors, errors)[row])


def test_beyond_the_anchors_plane_nothing_is_promised():
    flat = np.column_stack([draw(6, 2), np.ones(6)])
    assert np.isinf(coverage.affine_bound(draw(4, 3), flat, np.zeros(6), bend=1.0)).all()


# Lipschitz constants of networks

MODELS = dict(
    mlp=lambda: VAE.mlp(6, 2, (16, 8)),
    diagonal=lambda: VAE.mlp(6, 2, (16, 8), posterior="diagonal"),
    linear=lambda: VAE.linear(6, 2),
    conv=lambda: VAE.conv((2, 8, 8), 3, (4, 8), head_dim=16),
    residual=lambda: VAE.residual((1, 8, 8), 3, (4, 8), hidden=(20,)),
    patch=lambda: VAE.patch((1, 8, 8), 3, channels=6, hidden=(12,)),
    resnet=lambda: VAE.resnet((1, 9, 12), 2, width=0.05),
)


def steepest(model, *, steps=60):
    """The largest ratio of distances that gradient ascent finds, of means over inputs."""
    x = torch.randn(40, *model.data_shape, dtype=torch.float64, requires_grad=True)
    step = torch.randn_like(x).mul(1e-3).requires_grad_()
    optimiser, largest = torch.optim.Adam([x, step], lr=0.02), 0.0
    for _ in range(steps):
        moved = (model.encode(x + step).mean - model.encode(x).mean).square().sum(1)
        ratios = (moved / step.square().flatten(1).sum(1)).sqrt()
        largest = max(largest, float(ratios.max().detach()))
        optimiser.zero_grad()
        (-ratios.clamp(min=1e-12).log().sum()).backward()
        optimiser.step()
    return largest


@pytest.mark.parametrize("name", MODELS)
def test_no_pair_of_inputs_exceeds_the_certified_constant(name):
    torch.manual_seed(0)
    model = MODELS[name]().double()
    bound = coverage.lipschitz_bound(model)
    x, y = (torch.randn(1000, *model.data_shape, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        moved = (model.encode(x).mean - model.encode(y).mean).norm(dim=1)
    assert (moved <= bound * (x - y).flatten(1).norm(dim=1)).all()
    assert 0 < steepest(model) <= bound * (1 + 1e-9)


def test_of_a_linear_encoder_the_constant_is_exact():
    model = VAE.linear(6, 2).double()
    assert math.isclose(steepest(model, steps=400), coverage.lipschitz_bound(model), rel_tol=1e-3)


@pytest.mark.parametrize("kernel, stride", [(4, 2), (3, 2), (3, 1), (1, 1), (5, 2), (2, 3)])
def test_a_convolution_is_bounded_by_its_matrix(kernel, stride):
    for padding in (0, 1):
        layer = torch.nn.Conv2d(2, 3, kernel, stride=stride, padding=padding).double()
        basis = torch.eye(2 * 64, dtype=torch.float64).reshape(-1, 2, 8, 8)
        matrix = (layer(basis) - layer(0 * basis)).flatten(1).detach().numpy()
        exact = np.linalg.norm(matrix, 2)
        assert exact <= coverage._norm("layer", layer) * (1 + 1e-12)
        assert kernel > stride or math.isclose(coverage._norm("layer", layer), exact)


def test_layers_without_a_known_norm_are_named():
    with pytest.raises(ValueError, match=r"no bound is known of layer encoder.1 \(BatchNorm2d\)"):
        coverage.lipschitz_bound(VAE.cnn((1, 16, 16), 2, width=0.05))
    model = VAE.conv((1, 8, 8), 2, (4,))
    model.encoder[0] = torch.nn.Conv2d(1, 4, 4, stride=2, padding=1, padding_mode="circular")
    with pytest.raises(ValueError, match=r"layer encoder.0 \(Conv2d\): use linear layers, plain"):
        coverage.lipschitz_bound(model)
    with pytest.raises(ValueError, match="no bound is known of a MultiRate: pass a plain VAE"):
        coverage.lipschitz_bound(make_multirate(VAE.mlp(5, 2)))


# On data


def gaussians():
    x = data.load("eight_gaussians", num_per_class=40).x / 40
    return x, VAE.mlp(5, 2, (16, 16))


def digits():
    return data.load("digits", num_examples=300).x, VAE.residual((1, 8, 8), 4, (4, 8))


@cache
def chairs():
    x = data.load("procedural_chairs", num_designs=10, views_per_design=6).x
    return x, VAE.conv((1, 64, 64), 3, (2, 4))


@cache
def finch():
    colony = dict(num_birds=2, songs_per_bird=3, size=32)
    x = data.load("synthetic_finch", **colony).x
    return x, VAE.patch((1, 32, 32), 4, channels=8, hidden=(32,))


@pytest.mark.parametrize("load", [gaussians, digits, chairs, finch])
@pytest.mark.parametrize("method", ["kmeans", "farthest_first", "d_optimal"])
def test_both_bounds_hold_for_every_example(load, method):
    x, model = load()
    plan = dict(epochs=3, batch_size=30, compile=False)
    template = fit_quietly(model, x, **plan)
    points = select_points(x, template.encode(x)[0], 12, method=method)
    second = fit_quietly(model, x, seed=1, rho=5.0, points=points, **plan)
    theirs, own = (each.encode(x)[0].double().numpy() for each in (template, second))
    away = np.linalg.norm(own - theirs, axis=1)
    at_points, on_points = (
        each.encode(points.x)[0].double().numpy() for each in (template, second)
    )
    errors = np.linalg.norm(on_points - at_points, axis=1)
    rounding = 1e-5 * (1 + np.abs(own).max())
    # In the inputs: constants that the networks certify.
    constant = sum(coverage.lipschitz_bound(each.replica(0)) for each in (template, second))
    bound = coverage.covering_bound(x, points.x, errors, constant=constant)
    assert (away <= bound + rounding).all()
    # In the latents: an affine map of them, exactly, and what is not affine as `bend`.
    fitted = linear_map(theirs, own - theirs)
    straight = np.linalg.norm(fitted(theirs), axis=1)
    held = np.linalg.norm(fitted(at_points), axis=1)
    assert (straight <= coverage.affine_bound(theirs, at_points, held) + rounding).all()
    rest = np.linalg.norm(own - theirs - fitted(theirs), axis=1)
    beyond = np.linalg.norm(on_points - at_points - fitted(at_points), axis=1)
    bend = max(rest.max(), beyond.max())
    assert (away <= coverage.affine_bound(theirs, at_points, errors, bend=bend) + rounding).all()


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: coverage.distances_to_anchors(draw(5, 2), draw(3, 3)), "one shape, not x"),
        (lambda: coverage.distances_to_anchors(draw(5, 2), draw(0, 2)), "one shape, not x"),
        (lambda: coverage.distances_to_anchors(draw(5, 2) * np.nan, draw(3, 2)), "x has NaN"),
        (lambda: coverage.farthest_first(draw(5, 2), 6), "whole number from 1 to .*, 5, not 6"),
        (lambda: coverage.farthest_first(draw(5, 2), 2, first=5), "first must be a row"),
        (lambda: coverage.farthest_first(draw(0, 2), 2), "one shape, not x"),
        (lambda: coverage.d_optimal(draw(5, 2), 0), "num_points must be a whole number"),
        (lambda: coverage.d_optimal(draw(5), 2), r"z must be \(N, K\) with at least one row"),
        (lambda: coverage.leverage(draw(5, 2), draw(4, 3)), "anchors have 3 dimensions, z has 2"),
        (lambda: coverage.leverage(draw(5, 2) * np.inf, draw(4, 2)), "z holds NaN or infinite"),
        (
            lambda: coverage.affine_bound(draw(5, 2), draw(4, 2), [1, 2]),
            r"errors must be a number from 0 upwards or one per anchor \(4\)",
        ),
        (
            lambda: coverage.affine_bound(draw(5, 2), draw(4, 2), 1.0, bend=-1),
            "bend must be a number from 0 upwards, not -1",
        ),
        (
            lambda: coverage.covering_bound(draw(5, 2), draw(4, 2), -1.0, constant=1.0),
            "errors must be a number from 0 upwards",
        ),
        (
            lambda: coverage.covering_bound(draw(5, 2), draw(4, 2), 1.0, constant=np.inf),
            "constant must be a number from 0 upwards, not inf",
        ),
    ],
)
def test_impossible_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
