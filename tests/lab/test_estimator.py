"""The estimator keeps scikit-learn's promises, and ours: the points' space, trained as by `fit`."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from rvae_lite import VAE, RosettaPoints, fit
from rvae_lite.lab.estimator import RosettaVAE
from rvae_lite.multirate import LogUniform, make_multirate

QUICK = dict(hidden=(8,), epochs=3, batch_size=32)


@parametrize_with_checks([RosettaVAE(**QUICK)])
def test_scikit_learns_own_checks_hold(estimator, check):
    check(estimator)


def circle(num_data=200, *, seed=0):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, num_data)
    return np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1)


def points():
    x = circle(12, seed=3).astype(np.float32)
    return RosettaPoints(x, 1.5 * x[:, :2])


def test_it_is_the_very_training_of_fit():
    x = circle()
    estimator = RosettaVAE(random_state=4, **QUICK).fit(x)
    direct = fit(VAE.mlp(3, 2, (8,)), x.astype(np.float32), epochs=3, batch_size=32, seed=4)
    assert np.array_equal(estimator.transform(x.astype(np.float32)), direct.encode(x)[0].numpy())
    assert estimator.score(x) == -direct.evaluate(x).loss()[0]
    assert np.allclose(
        estimator.inverse_transform(estimator.transform(x)),
        direct.reconstruct(x)[0].numpy(),
        atol=1e-6,
    )


def test_points_pull_the_space_onto_their_own():
    x, chosen = circle(), points()
    settings = dict(
        hidden=(32, 32),
        epochs=60,
        batch_size=16,
        noise_variance=0.01,
        learning_rate=3e-3,
        random_state=0,
    )
    anchored = RosettaVAE(rho=20.0, **settings).fit(x, points=chosen)
    assert anchored.anchor_distance_ < 0.1
    assert anchored.points_.z is chosen.z or np.array_equal(anchored.points_.z, chosen.z)
    free = RosettaVAE(**settings).fit(x)
    assert free.anchor_distance_ is None and free.points_ is None
    assert free.fit_.anchor_distance(chosen)[0] > 0.3


def test_points_may_be_a_parameter_a_file_or_an_argument(tmp_path):
    points().save(tmp_path / "points.npz")
    given = [
        RosettaVAE(points=points(), **QUICK),
        RosettaVAE(points=tmp_path / "points.npz", **QUICK),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        latents = [estimator.fit(circle()).transform(circle()) for estimator in given]
        latents.append(RosettaVAE(**QUICK).fit(circle(), points=points()).transform(circle()))
    assert np.array_equal(latents[0], latents[1]) and np.array_equal(latents[0], latents[2])


def test_points_out_of_reach_are_a_warning():
    with pytest.warns(
        RuntimeWarning, match=r"the Rosetta points were not reached .*: raise epochs or rho"
    ):
        RosettaVAE(points=points(), **QUICK).fit(circle())


def test_a_pipeline_a_clone_and_a_grid_work():
    x = circle()
    pipeline = make_pipeline(StandardScaler(), RosettaVAE(**QUICK))
    assert pipeline.fit_transform(x).shape == (200, 2)
    assert pipeline.get_feature_names_out().tolist() == ["rosettavae0", "rosettavae1"]
    again = clone(pipeline).fit(x)
    assert np.array_equal(again.transform(x), pipeline.transform(x))
    grid = GridSearchCV(RosettaVAE(**QUICK), dict(beta=[0.1, 1.0]), cv=2).fit(x)
    assert grid.best_params_["beta"] in (0.1, 1.0)


def test_rows_may_be_images_of_any_network():
    x = np.random.default_rng(0).uniform(size=(40, 64))
    estimator = RosettaVAE(network="patch", data_shape=(1, 8, 8), latent_dim=3, epochs=1).fit(x)
    assert estimator.transform(x).shape == (40, 3)
    assert estimator.inverse_transform(estimator.transform(x)).shape == (40, 64)
    images = RosettaPoints((255 * x[:9]).astype(np.uint8).reshape(9, 1, 8, 8), np.zeros((9, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        estimator.fit(x, points=images)
    assert estimator.points_.x.shape == (9, 1, 8, 8) and estimator.points_.x.max() <= 1


def test_a_multi_rate_model_is_read_at_any_beta_and_distilled_into_curves():
    x = circle()
    estimator = RosettaVAE(beta_range=(0.01, 10.0), beta=0.1, **QUICK).fit(x)
    space = fit(
        make_multirate(VAE.mlp(3, 2, (8,))), x, epochs=3, batch_size=32, beta=LogUniform(0.01, 10.0)
    )
    for beta in (0.1, 3.0):
        assert np.allclose(
            estimator.set_params(beta=beta).transform(x), space.encode(x, beta=beta)[0], atol=1e-6
        )
        assert np.isclose(estimator.score(x), -space.evaluate(x, beta=beta).loss()[0])
        assert estimator.inverse_transform(estimator.transform(x)).shape == x.shape
    curves = estimator.select_points(x, 7)
    assert curves.z.shape == (10, 7, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        held = RosettaVAE(beta=0.1, points=curves, **QUICK).fit(x)
        everywhere = RosettaVAE(beta_range=(0.01, 10.0), points=curves, **QUICK).fit(x)
    assert np.isclose(held.anchor_distance_, held.fit_.anchor_distance(curves.at_beta(0.1))[0])
    assert np.isclose(
        everywhere.anchor_distance_, everywhere.fit_.anchor_distance(curves, beta=1.0)[0]
    )


def test_curves_of_images_hold_rows():
    x = np.random.default_rng(0).uniform(size=(40, 64))
    options = dict(network="patch", data_shape=(1, 8, 8), latent_dim=3, epochs=1)
    images = RosettaVAE(beta_range=(0.01, 10.0), **options).fit(x).select_points(x, 5)
    rows = RosettaPoints(
        images.x.reshape(5, 64), images.z, betas=images.betas, recon=images.recon.reshape(10, 5, 64)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        held = [
            RosettaVAE(**options).fit(x, points=points).transform(x) for points in (images, rows)
        ]
    assert np.array_equal(*held)


def test_its_space_can_be_distilled(tmp_path):
    x = circle()
    estimator = RosettaVAE(**QUICK).fit(x)
    chosen = estimator.select_points(x, 7, header=dict(licence="CC0"))
    chosen.save(tmp_path / "points.npz")
    loaded = RosettaPoints.load(tmp_path / "points.npz")
    assert loaded.header["licence"] == "CC0" and len(loaded) == 7
    assert np.allclose(loaded.z, estimator.transform(loaded.x), atol=1e-6)


def test_the_seed_decides_and_none_is_another_one_each_time():
    x = circle(40)
    runs = [
        RosettaVAE(random_state=state, **QUICK).fit(x).transform(x)
        for state in (1, 1, 2, None, None)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[3], runs[4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            dict(data_shape=(1, 2, 2)),
            r"data_shape \(1, 2, 2\) does not hold the 3 features of X: correct it",
        ),
        (dict(network="lstm"), r"network must be one of \['cnn', .*\], not 'lstm'"),
        (
            dict(points=RosettaPoints(np.ones((4, 5)), np.ones((4, 2)))),
            "the points' inputs have shape .5,., X has 3",
        ),
        (
            dict(latent_dim=3, points=points()),
            "points have K = 2 latent dimensions, the model has 3",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RosettaVAE(**QUICK | options).fit(circle())


def test_data_that_float32_cannot_tell_apart_are_refused():
    with pytest.raises(
        ValueError, match="X has values near .* which float32 cannot hold: subtract"
    ):
        RosettaVAE(**QUICK).fit(circle() + 1e8)
    with pytest.raises(ValueError, match="X has masked values in .* examples: drop them"):
        RosettaVAE(**QUICK).fit(np.ma.masked_array(circle(), mask=circle() > 0.5))


def test_points_of_a_table_are_called_after_its_index():
    table = pd.DataFrame(circle(), columns=list("abc"), index=[f"bird {n}" for n in range(200)])
    estimator = RosettaVAE(**QUICK).fit(table)
    assert set(estimator.select_points(table, 5).ids) < set(table.index)
    named = estimator.select_points(table, 5, ids=np.arange(200))
    assert set(named.ids) < set(map(str, range(200)))


@pytest.mark.parametrize("score_beta", [0.0, 1.0, 4.0])
def test_the_score_weighs_the_rate_as_it_is_told_whatever_beta_is(score_beta):
    x = circle()
    for beta in (0.1, 4.0):
        estimator = RosettaVAE(beta=beta, score_beta=score_beta, **QUICK).fit(x)
        terms = estimator.fit_.evaluate(x)
        assert np.isclose(estimator.score(x), -(terms.distortion + score_beta * terms.rate)[0])


@pytest.mark.parametrize(("score_beta", "best"), [(0.01, 0.01), (10.0, 10.0)])
def test_a_grid_finds_the_beta_whose_loss_the_score_is(score_beta, best):
    longer = dict(hidden=(16,), epochs=40, batch_size=32, learning_rate=5e-3)
    grid = GridSearchCV(RosettaVAE(score_beta=score_beta, **longer), dict(beta=[0.01, 10.0]), cv=2)
    assert grid.fit(circle()).best_params_ == dict(beta=best)


@pytest.mark.parametrize("score_beta", [-1, np.inf, np.nan, None, True, "1"])
def test_a_weight_that_no_score_can_have_is_refused_before_the_training(score_beta):
    message = "score_beta must be a finite number from 0 upwards, not "
    estimator = RosettaVAE(score_beta=score_beta, **QUICK)
    with pytest.raises(ValueError, match=message):
        estimator.fit(circle())
    assert not hasattr(estimator, "fit_")
    fitted = RosettaVAE(**QUICK).fit(circle()).set_params(score_beta=score_beta)
    with pytest.raises(ValueError, match=message):
        fitted.score(circle())


# ---------------------------------------------------------------- tables


def table(columns="abc"):
    names = [f"bird {n}" for n in range(200)]
    return pd.DataFrame(circle(), columns=list(columns), index=names)


def test_a_table_keeps_its_index_and_latents_have_names():
    x = table()
    estimator = RosettaVAE(**QUICK).set_output(transform="pandas").fit(x)
    latents = estimator.transform(x)
    assert isinstance(latents, pd.DataFrame) and latents.index.equals(x.index)
    names = estimator.get_feature_names_out().tolist()
    assert latents.columns.tolist() == names == ["rosettavae0", "rosettavae1"]
    assert estimator.feature_names_in_.tolist() == ["a", "b", "c"]
    plain = RosettaVAE(**QUICK).fit(x).transform(x)
    assert isinstance(plain, np.ndarray) and np.array_equal(latents, plain)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        estimator.transform(x[["b", "a", "c"]])


def test_names_go_through_a_pipeline_into_the_file_and_to_the_receiver(tmp_path):
    pipeline = make_pipeline(StandardScaler(), RosettaVAE(**QUICK)).set_output(transform="pandas")
    latents = pipeline.fit_transform(table())
    assert latents.index.equals(table().index)
    scaled = pipeline[:-1].transform(table())
    pipeline[-1].select_points(scaled, 7).save(tmp_path / "points.npz")
    received = RosettaPoints.load(tmp_path / "points.npz")
    assert received.header["names"] == ["a", "b", "c"]
    assert set(received.ids) < set(table().index)
    again = RosettaVAE(points=tmp_path / "points.npz", **QUICK).fit(scaled)
    assert again.points_.header["names"] == ["a", "b", "c"]


def test_points_whose_columns_are_in_another_order_or_of_other_names_are_told():
    x = table()
    named = RosettaVAE(**QUICK).fit(x).select_points(x, 7)
    order = "column 0 of the data is 'b', of the points 'a': bring the columns into the points' ord"
    with pytest.raises(ValueError, match=f"^points do not fit the data: {order}er$"):
        RosettaVAE(points=named, **QUICK).fit(table("bac"))
    other = "column 2 of the data is 'd', of the points 'c' .1 of 3 differ.: are they the same quan"
    with pytest.warns(UserWarning, match=f"^the Rosetta points and X: {other}tities.$"):
        RosettaVAE(points=named, **QUICK).fit(table("abd"))
