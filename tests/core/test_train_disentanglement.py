"""`fit` with the objective "beta-TCVAE": identities, what it does to the total correlation, refusals."""

import numpy as np
import pytest
import reference
import torch
from toy import assert_close, batch_loss, terms_of, toy_data, toy_model

from rvae_lite import VAE, Fit, RosettaPoints, fit, losses
from rvae_lite.checks import check_objective
from rvae_lite.disentanglement import BetaTCVAE
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.objective import BETA_VAE, TERMS
from rvae_lite.text.model import TextVAE

LAW = LogUniform(0.1, 10.0)
BY_BATCH = LogUniform(0.1, 10.0, per="batch")
TC = dict(objective=BetaTCVAE(), compile=False)
TC_TERMS = (*TERMS, "total_correlation")


def tc_fit(*, model=None, **options):
    """Trainings of a small VAE with a diagonal posterior, float64, two epochs long."""
    model = toy_model(posterior="diagonal") if model is None else model
    return fit(model, toy_data(), **dict(epochs=2, batch_size=25) | TC | options)


def gated():
    return make_multirate(toy_model(posterior="diagonal"), beta_range=(0.1, 10.0))


def last(trained, name, replica=0):
    return terms_of(trained)[-1, TC_TERMS.index(name), replica]


def test_the_loss_is_the_negative_elbo_but_for_the_weight_of_the_total_correlation():
    parts = torch.tensor([80.0, 12.0, 3.0], dtype=torch.float64)
    assert float(losses.total_correlation_loss(*parts, beta=4.0)) == 80 + 12 + 3 * 3
    trained = tc_fit(replicas=2, beta=[0.5, 4.0])
    for m, beta in enumerate((0.5, 4.0)):
        parts = [last(trained, name, m) for name in ("distortion", "rate", "total_correlation")]
        assert last(trained, "loss", m) == pytest.approx(
            losses.total_correlation_loss(*parts, beta=beta), abs=1e-10
        )


def test_the_objective_on_one_batch_is_that_of_plain_loops():
    model, x = toy_model(posterior="diagonal"), toy_data()[:9]
    noise = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    beta, rho = torch.tensor(3.0, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    loss, terms = batch_loss(model, x, noise, beta, rho, None, objective=BetaTCVAE())
    posterior = model.encode(x)
    arrays = [
        part.detach().numpy()
        for part in (posterior.sample(noise), posterior.mean, posterior.log_scale.exp())
    ]
    joint, *marginals = (
        reference.stratified_log_density(*arrays, 97, kept) for kept in ([0, 1], [0], [1])
    )
    distortion, rate = (part.mean() for part in model.distortion_and_rate(x, noise))
    expected = distortion + rate + 2 * (joint - sum(marginals)).mean()
    assert_close(loss.detach(), expected.detach())
    assert_close(terms[-1], (joint - sum(marginals)).mean())


def test_at_beta_one_it_is_the_vae():
    correlated, plain = tc_fit(beta=1.0, seed=[5]), tc_fit(beta=1.0, seed=[5], objective=BETA_VAE)
    assert_close(correlated.weights, plain.weights)
    assert_close(terms_of(correlated)[:, :5], terms_of(plain))


def test_replicas_together_equal_replicas_alone():
    together, alone = tc_fit(replicas=2, beta=[0.5, 4.0], seed=[1, 2]), tc_fit(beta=4.0, seed=[2])
    assert_close(together.weights[1], alone.weights[0])
    assert_close(terms_of(together)[:, :, 1], terms_of(alone)[:, :, 0])
    together, alone = tc_fit(model=gated(), beta=BY_BATCH, replicas=2, seed=[1, 2]), None
    alone = tc_fit(model=gated(), beta=BY_BATCH, seed=[2])
    assert_close(together.weights[1], alone.weights[0])


@pytest.mark.slow
def test_compiled_replicas_equal_the_eager_ones(traced):
    eager, compiled = (
        tc_fit(replicas=2, beta=[0.5, 4.0], compile=compiled) for compiled in (False, True)
    )
    assert compiled.info["engine"] == "compiled"
    assert_close(compiled.weights, eager.weights)
    assert_close(terms_of(compiled), terms_of(eager))


@pytest.mark.slow
def test_the_more_it_weighs_the_less_total_correlation_is_left():
    options = dict(
        epochs=60, batch_size=48, learning_rate=1e-2, replicas=2, beta=[0.2, 8.0], seed=[0, 0]
    )
    loose, strict = (last(tc_fit(**options), "total_correlation", m) for m in range(2))
    assert strict < 0.5 * loose


def test_the_history_names_the_total_correlation_where_there_is_one(tmp_path):
    trained, plain = tc_fit(replicas=2), tc_fit(objective=BETA_VAE)
    assert list(trained.history)[4:] == list(TC_TERMS)
    assert list(plain.history)[4:] == list(TERMS)
    assert (trained.info["objective"], plain.info.get("objective")) == ("beta-TCVAE", None)
    trained.save(tmp_path / "space.npz")
    loaded = Fit.load(tmp_path / "space.npz")
    assert np.array_equal(terms_of(loaded), terms_of(trained)) and loaded.history.equals(
        trained.history
    )
    assert terms_of(trained.select([1])).shape == (2, 6, 1)


def test_anchors_hold_beside_it():
    x = toy_data()[::17]
    points = RosettaPoints(x, 1.5 * x[:, :2])
    with pytest.warns(RuntimeWarning, match="did not reach"):
        trained = tc_fit(rho=2.0, points=points, beta=3.0)
    parts = [last(trained, name) for name in ("distortion", "rate", "total_correlation")]
    anchors = last(trained, "anchor_x") + last(trained, "anchor_z")
    assert last(trained, "loss") == pytest.approx(
        losses.total_correlation_loss(*parts, beta=3.0) + 2 * anchors
    )


def test_an_interrupted_training_resumes_and_another_objective_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    tc_fit(beta=4.0, epochs=1, checkpoint=path)
    assert torch.equal(tc_fit(beta=4.0, checkpoint=path).weights, tc_fit(beta=4.0).weights)
    with pytest.raises(ValueError, match="belongs to a training with another objective"):
        tc_fit(beta=4.0, objective=BETA_VAE, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a training with another model"):
        tc_fit(
            model=toy_model(posterior="diagonal", decoder_activation="tanh"),
            beta=4.0,
            checkpoint=path,
        )


def test_what_the_objective_does_not_allow_is_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"objective must be an object such as .*BetaTCVAE\(\), .* not 'tc'"
    ):
        tc_fit(objective="tc")
    with pytest.raises(
        ValueError, match="diagonal posteriors, this model's is full: build it with posterior='diag"
    ):
        tc_fit(model=toy_model())
    with pytest.raises(
        ValueError, match="needs one beta a batch, .*: pass per='batch', not 'example'"
    ):
        tc_fit(model=gated(), beta=LAW)
    low_rank = make_multirate(toy_model(posterior="low_rank"), beta_range=(0.1, 10.0))
    with pytest.raises(ValueError, match="this model's is low_rank"):
        tc_fit(model=low_rank, beta=BY_BATCH)
    dropping = TextVAE(num_tokens=8, length=4, latent_dim=2, word_dropout=0.3)
    with pytest.raises(
        ValueError, match="models whose only noise is the posterior's: drop no words"
    ):
        check_objective(BetaTCVAE(), dropping, BY_BATCH)


def test_the_papers_network_has_a_deeper_decoder_with_tanh():
    network = dict(
        decoder_hidden=(7, 8, 9),
        decoder_activation="tanh",
        posterior="diagonal",
        likelihood="bernoulli",
    )
    model = VAE.mlp((1, 4, 4), 10, (12, 11), **network)
    kinds = [type(layer).__name__ for layer in model.decoder]
    assert kinds == ["Linear", "Tanh"] * 3 + ["Linear", "Unflatten"]
    assert [layer.out_features for layer in model.decoder if hasattr(layer, "out_features")] == [
        7,
        8,
        9,
        16,
    ]
    assert {type(layer).__name__ for layer in model.encoder} == {"Flatten", "Linear", "ReLU"}
    again = VAE.from_config(model.config)
    assert [tuple(p.shape) for p in again.parameters()] == [
        tuple(p.shape) for p in model.parameters()
    ]
    with pytest.raises(
        ValueError, match=r"activation must be one of \['relu', 'tanh'\], not 'gelu'"
    ):
        VAE.mlp(5, 2, decoder_activation="gelu")
