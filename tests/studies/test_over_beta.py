"""Rate-distortion curves of one training and of many, at a scale of seconds."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite import metrics
from rvae_lite.data.dataset import TEST, TRAIN
from rvae_lite.studies import over_beta
from rvae_lite.studies.setup import Method

BETAS = (0.02, 0.1, 0.5)
RANGES = {
    "MR-VAE": Method(gates=dict(beta_range=(0.01, 0.6))),
    "narrow": Method(gates=dict(beta_range=(0.05, 0.6), gate="sigmoid"), per="batch"),
}
METHODS = over_beta.METHODS | RANGES  # betas so low that a short training leaves the collapse


@pytest.fixture(scope="module")
def setup():
    options = dict(
        width=0.25, latent_dim=4, num_train=200, num_test=80, betas=BETAS, methods=METHODS
    )
    scale = dict(
        epochs=15, batch_size=20, learning_rate=2e-2, replicas=2, num_images=30, compile=False
    )
    return over_beta.rate_setup("binary_digits", network="mlp", **options, **scale)


@pytest.fixture(scope="module")
def study(setup):
    return over_beta.over_beta(setup)


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


def test_the_table_holds_what_the_models_say(setup, study):
    trained = study.fits["MR-VAE"][1]
    row = chosen(study.table, method="MR-VAE", seed=1, beta=0.1).set_index("metric").value
    found = trained.evaluate(setup.test, beta=0.1)
    assert row["distortion"] == pytest.approx(found.distortion[0], rel=1e-5)
    assert row["loss"] == pytest.approx(row["distortion"] + 0.1 * row["rate"])
    assert row["negative_elbo"] == pytest.approx(row["distortion"] + row["rate"])
    means = trained.encode(setup.test, beta=0.1)[0]
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


def test_trainings_and_their_seconds_are_counted(study):
    seconds = chosen(study.table, metric="seconds", seed=0).set_index("method").value
    assert (seconds > 0).all()
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
        15,
        200,
        80,
    )
    assert (row.batch_size, row.learning_rate, row.replicas, row.latent_dim) == (20, 2e-2, 2, 4)


def test_trainings_kept_in_a_folder_are_not_run_again(setup, tmp_path, monkeypatch):
    kept = setup._replace(
        keep=tmp_path / "kept", num_images=0, replicas=1, epochs=2, methods=over_beta.METHODS
    )
    before = over_beta.over_beta(kept).table
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == {"MR-VAE-seed-0.npz", "beta-VAE-seed-0.npz", "beta-VAE-annealed-seed-0.npz"}
    monkeypatch.setattr(over_beta, "training_seconds", lambda *_: 1.0)

    def refuse(*_):
        raise AssertionError("a finished training was run again")

    monkeypatch.setattr("rvae_lite.engine.Trainer.run_epoch", refuse)
    after = over_beta.over_beta(kept).table
    timed = before.metric == "seconds"
    pd.testing.assert_frame_equal(after[~timed], before[~timed])


def test_curves_without_a_common_rate_have_no_area(setup):
    curves = {
        name: pd.DataFrame(dict(beta=BETAS, rate=rate, distortion=[3.0, 2.0, 1.0]))
        for name, rate in (("MR-VAE", [0.1, 0.2, 0.3]), ("beta-VAE", [1.0, 2.0, 3.0]))
    }
    rows = over_beta.compare_curves(setup, curves)
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


def test_networks_and_sets_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"network must be one of \('mlp', 'cnn', 'resnet', 'ladder'\), not 'rnn'"
    ):
        over_beta.rate_setup("binary_digits", network="rnn")
    with pytest.raises(
        ValueError, match="name must be a set of binary or colour images with a test.*not 'digits'"
    ):
        over_beta.rate_setup("digits")


def test_a_residual_network_is_built_at_its_width():
    setup = over_beta.rate_setup("binary_digits", width=1 / 16, latent_dim=4)
    assert setup.model.config == dict(
        network="resnet", data_shape=[1, 8, 8], latent_dim=4, width=1 / 16
    ) | {
        key: setup.model.config[key]
        for key in ("posterior", "likelihood")
        if key in setup.model.config
    }
    assert set(setup.dataset.part) == {TRAIN, TEST}


def test_a_ladder_has_a_curve_for_each_of_its_scales():
    methods = {"MR-VAE": Method(gates=dict(tilt=2.0))} | over_beta.PLAIN
    options = dict(
        width=1 / 16, latent_dim=4, num_train=60, num_test=40, betas=BETAS, methods=methods
    )
    scale = dict(epochs=2, batch_size=20, learning_rate=1e-2, replicas=1, num_images=30)
    setup = over_beta.rate_setup("binary_digits", network="ladder", **options, **scale)
    assert setup.model.latent_shapes == [(4, 2, 2), (1, 4, 4)]
    study = over_beta.over_beta(setup)
    rows = study.table[study.table.beta.notna()].pivot_table(
        index=["method", "beta"], columns="metric", values="value"
    )
    assert (rows.rate_1 + rows.rate_2).to_numpy() == pytest.approx(rows.rate.to_numpy(), rel=1e-5)
    assert "active_units" not in rows and len(rows) == 3 + 5
    assert rows.frechet_samples.count() == 6
    gates = [layer for layer in study.fits["MR-VAE"][0].model.modules() if hasattr(layer, "tilt")]
    assert gates and all(gate.tilt == 2 for gate in gates)


def test_what_belongs_to_a_whole_curve_is_a_row_for_each_method(study):
    whole = over_beta.whole_of(study.table)
    assert list(whole.index) == list(METHODS) and list(whole.trainings) == [1, 3, 3, 1]
    assert not {"area", "dominance", "rate"} & set(whole.columns)
    gated, plain = (study.fits[name][0].weights.shape[1] for name in ("MR-VAE", "beta-VAE"))
    assert (whole.parameters["MR-VAE"], whole.parameters["beta-VAE"]) == (gated, plain)


def test_curves_are_compared_where_both_were_read_and_over_the_rates_that_both_reach():
    ours = pd.DataFrame(dict(beta=[0.1, 0.3, 1.0], rate=[9.0, 5.0, 2.0]))
    theirs = pd.DataFrame(dict(beta=[0.1, 1.0], rate=[7.0, 1.0]))
    assert list(over_beta.at_betas_of(theirs, ours).beta) == [0.1, 1.0]
    assert over_beta.common_rates(ours, theirs) == 5.0
    assert over_beta.common_rates(ours, theirs - 2) == 3.0
