"""The study on sprites: what it trains, what it measures, and its table beside the published one."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pandas as pd
import pytest
import torch

from rvae_lite.disentanglement import total_correlation
from rvae_lite.studies import disentanglement, over_beta_tables
from rvae_lite.studies.disentanglement import (
    BETAS,
    gap_curve,
    measure_sprites,
    medians,
    over_beta_sprites,
    posterior_of,
    spreads,
    sprite_setup,
    train_sprites,
)
from rvae_lite.studies.study import load_results

TINY = dict(
    hidden=(16,),
    decoder_hidden=(16,),
    latent_dim=3,
    epochs=1,
    batch_size=64,
)
MEASURED = dict(num_samples=50, num_rated=128)
LOADING = dict(size=16, num_positions=4, num_orientations=2)


@pytest.fixture(scope="module")
def setup():
    scale = dict(TINY, betas=(0.1, 10.0), replicas=2)
    return sprite_setup("procedural_sprites", loading=LOADING, **scale)


@pytest.fixture(scope="module")
def study(setup):
    return over_beta_sprites(setup, betas=(0.1, 1.0, 10.0), seeds=(0, 3), **MEASURED)


def test_the_defaults_are_the_papers_network_and_course():
    setup = sprite_setup("procedural_sprites", loading=dict(size=16))
    config = setup.model.config
    assert (config["hidden"], config["decoder_hidden"]) == ([1200, 1200], [1200, 1200, 1200])
    assert (config["decoder_activation"], config["posterior"], config["likelihood"]) == (
        "tanh",
        "diagonal",
        "bernoulli",
    )
    assert (config["latent_dim"], setup.epochs, setup.batch_size, setup.learning_rate) == (
        10,
        50,
        2048,
        1e-3,
    )
    assert len(BETAS) == 10 and len(setup.betas) == 5 and setup.replicas == 3
    assert set(setup.betas) < set(BETAS)
    assert (BETAS[0], BETAS[-1]) == pytest.approx((0.1, 10.0))


def test_the_table_has_a_row_for_every_method_beta_seed_and_metric(study):
    table = study.table
    assert not table.duplicated(["method", "beta", "seed", "metric"]).any()
    counts = table.groupby(["method", "metric"]).size().unstack(0)
    assert (counts["MR-VAE"] == 3 * 2).all() and (counts["beta-TCVAE"] == 2 * 2).all()
    metrics = {
        "mig_sampled",
        "mig_histogram",
        "rate",
        "distortion",
        "total_correlation",
        "active_units",
    }
    assert set(table.metric) == metrics and np.isfinite(table.value).all()
    scale = table.iloc[0]
    assert (scale.num_data, scale.steps, scale.hidden, scale.decoder) == (288, 5, "16", "16 tanh")


def test_every_training_has_the_same_number_of_steps(setup, study):
    fits = [*study.fits["MR-VAE"], *(one for plain in study.fits["beta-TCVAE"] for one in plain)]
    assert {fit.num_epochs * fit.info["num_batches"] for fit in fits} == {5}
    assert {fit.info["objective"] for fit in fits} == {"beta-TCVAE"}
    assert "per=batch" in study.fits["MR-VAE"][0].info["beta"]


def test_what_is_measured_is_the_plain_model_at_that_beta(setup, study):
    row = study.table[
        (study.table.method == "MR-VAE") & (study.table.beta == 1.0) & (study.table.seed == 0)
    ]
    again = measure_sprites(setup, study.fits["MR-VAE"][0].at_beta(1.0), seed=0, **MEASURED)
    assert row.set_index("metric").value.to_dict() == pytest.approx(again)


def test_posteriors_are_those_of_the_trained_model(setup, study):
    one = study.fits["beta-TCVAE"][0][0]
    posterior = posterior_of(one, setup.dataset.x)
    torch.testing.assert_close(posterior.mean, one.encode(setup.dataset.x)[0])
    assert posterior.log_scale.shape == (288, 3)
    assert torch.isfinite(total_correlation(posterior.mean, *posterior, num_data=288))


def test_trainings_are_kept_and_go_on(setup, tmp_path):
    kept = setup._replace(keep=tmp_path)
    first = train_sprites(kept, 0.1, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["beta-TCVAE-at-0-1-seed-0.npz"]
    assert torch.equal(train_sprites(kept, 0.1, seed=0).weights, first.weights)


def test_images_are_averaged_down_and_sets_without_factors_refused():
    assert sprite_setup("procedural_sprites", side=8, loading=LOADING).dataset.x.shape[1:] == (
        1,
        8,
        8,
    )
    with pytest.raises(
        ValueError, match="name must be a set with known factors, such as .*, not 'digits'"
    ):
        sprite_setup("digits")


def test_a_curve_is_the_median_over_seeds(study):
    curve = gap_curve(study.table, "MR-VAE", metric="rate")
    assert list(curve.beta) == [0.1, 1.0, 10.0]
    assert (curve["min"] <= curve["median"]).all() and (curve["median"] <= curve["max"]).all()
    assert list(medians(study.table).loc["rate", "MR-VAE"]) == list(curve["median"])


def test_the_published_gaps_stand_beside_the_sampled_form_alone():
    published = load_results("published")
    betas = np.geomspace(0.1, 10, 10)
    rows = [
        dict(method="MR-VAE", metric="mig_sampled", beta=b, value=v)
        for b in betas
        for v in (0.25, 0.35, 0.45)
    ]
    rows += [dict(row, metric="mig_histogram", value=0.9) for row in rows]
    rows += [dict(row, method="beta-TCVAE") for row in rows]
    assert list(over_beta_tables.published_gaps(published).index)[::9] == [0.1, 10.0]
    table = over_beta_tables.gaps_against_paper(pd.DataFrame(rows), published)
    assert list(table.index)[:3] == ["0.1", "0.17", "0.28"]
    assert list(table.paper) == [
        "0.27",
        "0.35",
        "0.48",
        "0.48",
        "0.48",
        "0.49",
        "0.48",
        "0.48",
        "0.48",
        "0.46",
    ]
    assert set(table.here) == {"0.35 (0.10)"}
    assert list(table.direction) == ["reference"] + ["not comparable"] * 9  # ours does not rise
    assert list(table["size"])[:3] == ["—", "smaller", "smaller"]
    rising = [dict(row, value=row["value"] + (row["beta"] > 0.1) * 0.2) for row in rows]
    verdicts = over_beta_tables.gaps_against_paper(pd.DataFrame(rising), published)
    assert set(verdicts.direction[1:]) == {"same"}
    assert list(verdicts["size"])[1:4] == ["larger", "agrees", "agrees"]


def test_the_committed_gap_depends_on_the_seed_more_than_on_beta():
    own = load_results("disentanglement")
    spread = spreads(own)
    assert spread.loc["MR-VAE", "over β"] < spread.loc["beta-TCVAE", "over β"] / 2
    assert spread.loc["MR-VAE", "over β"] < spread.loc["MR-VAE", "over seeds"]
    assert len(disentanglement.study.table(own)) == 10
    axes = disentanglement.study.figure(own, labels=dict(rate="rate", mig_sampled="gap"))
    assert [ax.get_ylabel() for ax in axes] == ["rate", "gap"]
    assert len(axes[0].lines) == 2 + 2 * own.seed.nunique()
