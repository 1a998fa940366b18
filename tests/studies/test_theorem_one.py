"""Theorem 1: the corrected response functions are exact, the published ones and trained gates are not."""

import matplotlib

matplotlib.use("agg")

import math

import pytest
import torch

from rvae_lite import linear_vae
from rvae_lite.studies import theorem_one
from rvae_lite.studies.study import load_results

GAP_VALUES = torch.tensor([8.0, 1.0, 0.1], dtype=torch.float64)
GAP_LOG_BETAS = torch.linspace(math.log(0.01), math.log(10), 61, dtype=torch.float64)


def loss(covariance, encoder, decoder, log_variance, *, beta, noise_variance):
    rate = linear_vae.expected_rate(covariance, encoder, log_variance.exp())
    distortion = linear_vae.expected_distortion(
        covariance, encoder, decoder, posterior=log_variance.exp(), noise_variance=noise_variance
    )
    return distortion + beta * rate


def gap(response):
    return theorem_one.excess_loss(
        response, GAP_LOG_BETAS, eigenvalues=GAP_VALUES, noise_variance=1.0
    )


def test_the_corrected_response_functions_are_exact_at_every_beta():
    corrected = theorem_one.response_corrected(
        GAP_LOG_BETAS, eigenvalues=GAP_VALUES, noise_variance=1.0
    )
    assert gap(corrected).abs().max() < 1e-14
    for t in (0, 30, 60):
        best = linear_vae.optimum(
            GAP_VALUES.diag(), latent_dim=3, beta=float(GAP_LOG_BETAS[t].exp()), noise_variance=1.0
        )
        torch.testing.assert_close(corrected.posterior_variance[t], best.posterior_variance)
        torch.testing.assert_close(corrected.encoder[t], best.encoder.diagonal().abs())
        torch.testing.assert_close(corrected.decoder[t], best.decoder.diagonal().abs())


def test_the_published_weights_are_each_right_and_together_not_optimal():
    published = theorem_one.response_published(
        GAP_LOG_BETAS, eigenvalues=GAP_VALUES, noise_variance=1.0
    )
    corrected = theorem_one.response_corrected(
        GAP_LOG_BETAS, eigenvalues=GAP_VALUES, noise_variance=1.0
    )
    torch.testing.assert_close(published.decoder, corrected.decoder)
    assert (gap(published) > 1e-6).all()
    assert gap(published).mean() == pytest.approx(0.188, abs=1e-3)
    assert gap(published).max() == pytest.approx(1.814, abs=1e-3)


def test_the_published_encoder_is_the_best_response_to_the_fixed_decoder():
    scale = torch.tensor([1.3, 0.8, 0.4], dtype=torch.float64)
    response = theorem_one.response_published(
        GAP_LOG_BETAS, eigenvalues=GAP_VALUES, noise_variance=0.5, decoder_scale=scale
    )
    for t in (0, 20, 40, 60):
        encoder = response.encoder[t].diag().requires_grad_()
        log_variance = response.posterior_variance[t].log().requires_grad_()
        options = dict(beta=float(GAP_LOG_BETAS[t].exp()), noise_variance=0.5)
        value = loss(GAP_VALUES.diag(), encoder, scale.diag(), log_variance, **options)
        assert (
            max(
                gradient.abs().max()
                for gradient in torch.autograd.grad(value, (encoder, log_variance))
            )
            < 1e-12
        )


@pytest.mark.parametrize("decoder_gate", ["sqrt", "sigmoid"])
def test_two_trained_gates_come_close_to_the_optimum_but_do_not_reach_it(decoder_gate):
    options = dict(eigenvalues=GAP_VALUES[:2], noise_variance=1.0)
    trained = theorem_one.response_trained(
        GAP_LOG_BETAS, decoder_gate=decoder_gate, starts=2, **options
    )
    assert (
        trained.encoder.shape
        == trained.decoder.shape
        == trained.posterior_variance.shape
        == (61, 2)
    )
    excess = theorem_one.excess_loss(trained, GAP_LOG_BETAS, **options)
    assert excess.min() > -1e-12
    assert 1e-5 < excess.mean() < 0.005 and excess.max() < 0.03


def test_the_gradient_of_the_sqrt_gate_is_finite_where_it_is_closed():
    x = torch.tensor([-3.0, -1e-9, 0.0, 2.0, 1000.0], dtype=torch.float64, requires_grad=True)
    gate = theorem_one.sqrt_gate(x)
    torch.testing.assert_close(
        gate.detach(), (1 - x.detach().exp()).clamp(min=0).sqrt(), rtol=1e-7, atol=1e-12
    )
    assert torch.isfinite(torch.autograd.grad(gate.sum(), x)[0]).all()


def test_eigenvalues_and_gates_that_are_none_are_refused():
    with pytest.raises(
        ValueError, match=r"eigenvalues must be positive numbers, \(K,\), not \[1.0, 0.0\]"
    ):
        theorem_one.response_corrected(
            GAP_LOG_BETAS, eigenvalues=torch.tensor([1.0, 0.0]), noise_variance=1.0
        )
    with pytest.raises(
        ValueError, match=r"decoder_gate must be one of \['sigmoid', 'sqrt'\], not 'relu'"
    ):
        theorem_one.response_trained(
            GAP_LOG_BETAS, eigenvalues=GAP_VALUES, noise_variance=1.0, decoder_gate="relu"
        )


def test_the_committed_excess_is_nothing_for_the_corrected_gates_alone():
    own = load_results("theorem_one")
    table = theorem_one.study.table(own)
    assert table.loc["corrected"].abs().max() < 1e-12
    assert table.loc["proof's weights", "largest excess"] > 1
    trained = table.loc[["same gates, optimised", "all sigmoid, optimised"]]
    assert (trained["largest excess"] < 0.05).all() and (trained["mean excess"] > 1e-5).all()
    assert len(theorem_one.study.figure(own).lines) == 3


def test_a_unit_is_the_excess_of_its_weights():
    table = theorem_one.study.run("quick", ("proof's weights",))
    log_beta = torch.linspace(math.log(0.01), math.log(10), 13, dtype=torch.float64)
    response = theorem_one.response_published(log_beta, **theorem_one.CASE)
    excess = theorem_one.excess_loss(response, log_beta, **theorem_one.CASE)
    assert list(table.value) == excess.tolist() and set(table.metric) == {"excess"}


def test_the_proofs_weights_are_not_exact_in_the_committed_table():
    found = theorem_one.against_paper(load_results("theorem_one")).verdict
    assert found.to_dict() == {
        "proof's weights are exact": "differs",
        "corrected are exact": "new",
    }
