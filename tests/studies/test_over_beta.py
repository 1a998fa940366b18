"""Rate-distortion curves of one training and of many, at a scale of seconds."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite import metrics
from rvae_lite.studies import experiments, linear_multirate, over_beta, rate_experiments
from rvae_lite.studies.over_beta import Curve

BETAS = (0.02, 0.1, 0.5)
RANGES = {
    "MR-VAE": Curve(beta_range=(0.01, 0.6)),
    "narrow": Curve(beta_range=(0.05, 0.6), gate="sigmoid", per="batch"),
}
METHODS = over_beta.METHODS | RANGES  # betas so low that a short training leaves the collapse


@pytest.fixture(scope="module")
def setting():
    options = dict(
        width=0.25, latent_dim=4, num_train=200, num_test=80, betas=BETAS, methods=METHODS
    )
    scale = dict(
        epochs=30, batch_size=20, learning_rate=1e-2, replicas=2, num_images=30, compile=False
    )
    return over_beta.rate_setting("binary_digits", network="mlp", **options, **scale)


@pytest.fixture(scope="module")
def study(setting):
    return over_beta.curve_study(setting)


def chosen(table, **keys):
    for column, key in keys.items():
        table = table[table[column] == key]
    return table


def test_every_method_has_a_curve_for_every_seed(study):
    counts = {name: [len(trained) for trained in fits] for name, fits in study.fits.items()}
    assert counts == {
        "MR-VAE": [1, 1],
        "beta-VAE": [3, 3],
        "beta-VAE, annealed": [3, 3],
        "narrow": [1, 1],
    }
    assert (
        set(study.table.seed) == {0, 1}
        and study.table[study.table.method != "narrow"].value.notna().all()
    )


def test_plain_curves_lie_at_the_betas_and_multirate_ones_between_them_too(study):
    rows = chosen(study.table, metric="rate", seed=0)
    assert sorted(rows[rows.method == "beta-VAE"].beta) == pytest.approx(BETAS)
    read = sorted(rows[rows.method == "MR-VAE"].beta)
    assert read == pytest.approx([0.02, np.sqrt(0.002), 0.1, np.sqrt(0.05), 0.5])


def test_a_curve_is_not_read_outside_its_range(study):
    rows = chosen(study.table, metric="rate", seed=0, method="narrow")
    assert rows.beta.min() == pytest.approx(0.1)


def test_the_table_holds_what_the_models_say(setting, study):
    trained = study.fits["MR-VAE"][1]
    row = chosen(study.table, method="MR-VAE", seed=1, beta=0.1).set_index("metric").value
    found = trained.evaluate(setting.test, beta=0.1)
    assert row["distortion"] == pytest.approx(found.distortion[0], rel=1e-5)
    assert row["loss"] == pytest.approx(row["distortion"] + 0.1 * row["rate"])
    assert row["negative_elbo"] == pytest.approx(row["distortion"] + row["rate"])
    means = trained.encode(setting.test, beta=0.1)[0]
    assert row["active_units"] == metrics.active_units(means, axes=True)


def test_areas_are_taken_with_the_multirate_curve_read_off_at_the_plain_ones_betas(study):
    rows = chosen(study.table, seed=0)
    curves = {}
    for method in ("MR-VAE", "beta-VAE"):
        wide = chosen(rows, method=method).pivot_table(
            index="beta", columns="metric", values="value"
        )
        curves[method] = wide.loc[[beta for beta in wide.index if np.isclose(beta, BETAS).any()]]
    expected = metrics.area_between(curves["MR-VAE"], curves["beta-VAE"])
    area = chosen(rows, metric="area", method="MR-VAE", against="beta-VAE").value
    assert float(area.iloc[0]) == pytest.approx(expected)
    assert set(chosen(rows, metric="dominance").against) == {"beta-VAE", "beta-VAE, annealed"}


def test_a_curve_from_many_trainings_costs_more(study):
    seconds = chosen(study.table, metric="seconds", seed=0).set_index("method").value
    assert seconds["MR-VAE"] < seconds["beta-VAE"]
    trainings = chosen(study.table, metric="trainings", seed=0).set_index("method").value
    assert trainings["MR-VAE"] == 1 and trainings["beta-VAE"] == 3


def test_the_gates_stay_open_and_add_few_parameters(study):
    assert (chosen(study.table, metric="closed_share").value < 0.05).all()
    parameters = chosen(study.table, metric="parameters", seed=0).set_index("method").value
    assert 1 < parameters["MR-VAE"] / parameters["beta-VAE"] < 1.1


def test_frechet_distances_are_to_the_test_images(study):
    kinds = study.table[study.table.metric.str.startswith("frechet_")]
    assert (kinds.value > 0).all() and set(kinds.metric) == {
        "frechet_samples",
        "frechet_reconstructions",
    }
    assert len(kinds) == 2 * 2 * (3 + 3 + 3 + 2)


def test_the_scale_stands_beside_every_number(study):
    row = study.table.iloc[0]
    assert (row.network, row.width, row.epochs, row.num_data, row.num_test) == (
        "mlp",
        0.25,
        30,
        200,
        80,
    )
    assert (row.batch_size, row.learning_rate, row.replicas, row.latent_dim) == (20, 1e-2, 2, 4)


def test_trainings_kept_in_a_folder_are_not_run_again(setting, tmp_path, monkeypatch):
    kept = setting._replace(
        folder=tmp_path / "kept", num_images=0, replicas=1, epochs=2, methods=over_beta.METHODS
    )
    before = over_beta.curve_study(kept).table
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == {"MR-VAE-seed-0.npz", "beta-VAE-seed-0.npz", "beta-VAE-annealed-seed-0.npz"}
    monkeypatch.setattr(over_beta, "training_seconds", lambda *_: 1.0)

    def refuse(*_):
        raise AssertionError("a finished training was run again")

    monkeypatch.setattr("rvae_lite.train._Trainer.run_epoch", refuse)
    after = over_beta.curve_study(kept).table
    timed = before.metric == "seconds"
    pd.testing.assert_frame_equal(after[~timed], before[~timed])


def test_curves_without_a_common_rate_have_no_area(setting):
    curves = {
        name: pd.DataFrame(dict(beta=BETAS, rate=rate, distortion=[3.0, 2.0, 1.0]))
        for name, rate in (("MR-VAE", [0.1, 0.2, 0.3]), ("beta-VAE", [1.0, 2.0, 3.0]))
    }
    rows = over_beta.compare_curves(setting, curves)
    assert [row["metric"] for row in rows] == ["area", "dominance"] and np.isnan(
        [row["value"] for row in rows]
    ).all()


def test_a_curve_is_read_out_of_the_table(study):
    one, both = (
        over_beta.curve_of(study.table, "beta-VAE", seed=1),
        over_beta.curve_of(study.table, "beta-VAE"),
    )
    rows = chosen(study.table, method="beta-VAE", metric="rate")
    assert list(one.beta) == pytest.approx(BETAS)
    assert list(one.rate) == pytest.approx(list(rows[rows.seed == 1].sort_values("beta").value))
    assert list(both.rate) == pytest.approx(list(rows.groupby("beta").value.median()))


def test_images_are_turned_by_quarters():
    images = np.arange(8).reshape(2, 1, 2, 2)
    turned, turns = over_beta.quarter_turns(images)
    assert turned.shape == (8, 1, 2, 2) and list(turns) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (np.rot90(turned[turns == 3], axes=(2, 3)) == images).all()


def test_networks_and_sets_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"network must be one of \('mlp', 'cnn', 'resnet', 'ladder'\), not 'rnn'"
    ):
        over_beta.rate_setting("binary_digits", network="rnn")
    with pytest.raises(
        ValueError, match="name must be a set of binary images with a test part.*not 'digits'"
    ):
        over_beta.rate_setting("digits")


def test_a_residual_network_is_built_at_its_width():
    setting = over_beta.rate_setting("binary_digits", width=1 / 16, latent_dim=4)
    assert setting.model.config == dict(
        network="resnet", data_shape=[1, 8, 8], latent_dim=4, width=1 / 16
    ) | {
        key: setting.model.config[key]
        for key in ("posterior", "likelihood")
        if key in setting.model.config
    }
    assert set(setting.dataset.part) == {over_beta.TRAIN, over_beta.TEST}


def test_a_ladder_has_a_curve_for_each_of_its_scales():
    methods = {"MR-VAE": Curve(tilt=2.0)} | over_beta.PLAIN
    options = dict(
        width=1 / 16, latent_dim=4, num_train=60, num_test=40, betas=BETAS, methods=methods
    )
    scale = dict(epochs=2, batch_size=20, learning_rate=1e-2, replicas=1, num_images=30)
    setting = over_beta.rate_setting("binary_digits", network="ladder", **options, **scale)
    assert setting.model.latent_shapes == [(4, 2, 2), (1, 4, 4)]
    study = over_beta.curve_study(setting)
    rows = study.table[study.table.beta.notna()].pivot_table(
        index=["method", "beta"], columns="metric", values="value"
    )
    assert (rows.rate_1 + rows.rate_2).to_numpy() == pytest.approx(rows.rate.to_numpy(), rel=1e-5)
    assert "active_units" not in rows and len(rows) == 3 + 5
    assert rows.frechet_samples.count() == 6
    gates = [layer for layer in study.fits["MR-VAE"][0].model.modules() if hasattr(layer, "tilt")]
    assert gates and all(gate.tilt == 2 for gate in gates)


@pytest.fixture(scope="module")
def linear_data():
    random = np.random.default_rng(0)
    return random.normal(size=(200, 6)) * np.array([3.0, 2.0, 1.0, 0.6, 0.2, 0.1])


def test_the_exact_linear_training_reaches_the_optimum_at_every_beta(linear_data):
    table = linear_multirate.linear_study(linear_data, latent_dim=4, epochs=400, iterations=1000)
    sampled, exact = (table[table.training == name].gap for name in ("sampled", "exact"))
    assert (table.gap > -1e-9).all() and len(exact) == 25
    assert exact.max() < 0.01 and exact.mean() < sampled.mean() / 10


def test_the_expected_loss_is_what_sampling_finds(linear_data):
    import torch

    from rvae_lite import VAE
    from rvae_lite.multirate import make_multirate

    torch.manual_seed(0)
    gated = make_multirate(VAE.linear(6, 3)).double()
    gated.module.head.linear.layer.bias.data.zero_()
    gated.module.decoder[0].layer.bias.data.zero_()
    x = torch.from_numpy(linear_data - linear_data.mean(0))
    betas = torch.tensor([0.1, 1.0], dtype=torch.float64)
    loss = linear_multirate.expected_loss(gated, torch.cov(x.T, correction=0), betas).detach()
    constant = 3 * np.log(2 * np.pi * 0.1)
    for beta, expected in zip(betas, loss, strict=True):
        posterior = gated.requires_grad_(False).encode(x.repeat(400, 1), float(beta))
        z = posterior.sample(torch.randn(len(x) * 400, 3, dtype=torch.float64))
        found = gated.distortion(x.repeat(400, 1), z, float(beta)).mean() - constant
        found = found + beta * posterior.kl_divergence().mean()
        assert float(expected) == pytest.approx(float(found), rel=5e-3)


def test_the_expected_loss_is_that_of_the_folded_model(linear_data):
    import torch

    from rvae_lite import VAE, linear_vae
    from rvae_lite.multirate import make_multirate

    torch.manual_seed(0)
    gated = make_multirate(VAE.linear(6, 3)).double()
    with torch.no_grad():
        for parameter in gated.parameters():
            parameter.normal_()
    covariance = torch.from_numpy(np.cov(linear_data, rowvar=False, ddof=0))
    betas = torch.tensor([0.01, 0.3, 10.0], dtype=torch.float64)
    loss = linear_multirate.expected_loss(gated, covariance, betas).detach()
    for beta, found in zip(betas, loss, strict=True):
        plain = gated.at_beta(float(beta))
        encoder, decoder = plain.head.linear.weight, plain.decoder[0].weight
        variance = (2 * plain.head.log_scale.value).exp()
        rate = linear_vae.expected_rate(covariance, encoder, variance)
        distortion = linear_vae.expected_distortion(
            covariance, encoder, decoder, posterior=variance, noise_variance=0.1
        )
        exact = (distortion + beta * rate).detach() - 3 * np.log(2 * np.pi * 0.1)
        assert float(found) == pytest.approx(float(exact), rel=1e-12)


def test_the_experiments_have_a_unit_per_set_and_network(monkeypatch):
    names = [name for name, _ in experiments.EXPERIMENTS["multi_rate"]("cpu")]
    assert names == ["binary_mnist-cnn", "binary_mnist-resnet", "omniglot-cnn", "omniglot-resnet"]
    seen = []
    monkeypatch.setattr(
        rate_experiments, "rate_setting", lambda name, **options: seen.append((name, options))
    )
    monkeypatch.setattr(rate_experiments, "curve_study", lambda setting: None)
    for _, run in experiments.EXPERIMENTS["multi_rate"]("paper"):
        run()
    assert {name for name, _ in seen} == {"binary_mnist", "omniglot"}
    assert all(options["epochs"] == 200 and "num_train" not in options for _, options in seen)


def test_the_hierarchy_is_one_training_against_four(monkeypatch):
    seen = []
    monkeypatch.setattr(
        rate_experiments, "rate_setting", lambda name, **options: seen.append(options)
    )
    monkeypatch.setattr(rate_experiments, "curve_study", lambda setting: None)
    for profile in experiments.PROFILES:
        ((name, run),) = experiments.EXPERIMENTS["hierarchy"](profile)
        run()
        assert name == "binary_mnist" and seen[-1]["betas"] == pytest.approx((0.01, 0.1, 1.0, 10.0))
        assert seen[-1]["methods"]["MR-VAE"].tilt == 2
    assert (seen[-1]["epochs"], seen[-1]["batch_size"], "num_train" in seen[-1]) == (
        400,
        256,
        False,
    )
    assert "beta-VAE, annealed" in seen[-1]["methods"]
