"""Total correlation and information gap against slow references, scikit-learn, exact values."""

import itertools
import math

import numpy as np
import pytest
import reference
import torch
from sklearn.metrics import mutual_info_score

from rvae_lite import disentanglement, metrics
from rvae_lite.disentanglement import decompose_rate, log_weights, total_correlation

SCALE = 0.5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch_of(batch_size=7, latent_dim=3):
    mean, log_scale = draw(batch_size, latent_dim), 0.3 * draw(batch_size, latent_dim, seed=1) - 1
    return mean + log_scale.exp() * draw(batch_size, latent_dim, seed=2), mean, log_scale


def grid(*sizes):
    return np.array(list(itertools.product(*(range(size) for size in sizes))))


# ---------------------------------------------------------------- total correlation


@pytest.mark.parametrize("num_data", [7, 50])
def test_total_correlation_is_that_of_plain_loops(num_data):
    z, mean, log_scale = batch_of()
    arrays = z.numpy(), mean.numpy(), log_scale.exp().numpy()
    joint = reference.stratified_log_density(*arrays, num_data, range(3))
    marginals = [reference.stratified_log_density(*arrays, num_data, [k]) for k in range(3)]
    expected = (joint - sum(marginals)).mean()
    assert float(total_correlation(z, mean, log_scale, num_data=num_data)) == pytest.approx(
        expected, abs=1e-10
    )


def test_each_row_of_the_weights_adds_up_to_one_and_the_own_datum_has_one_over_n():
    weights = log_weights(6, 40).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(weights.diagonal(), torch.full((6,), 1 / 40, dtype=torch.float64))
    assert torch.isfinite(log_weights(2, 2)).all()


def test_the_weights_estimate_the_aggregate_posterior_without_bias():
    values = np.array(
        [1.0, 4.0, 9.0, 16.0, 25.0]
    )  # densities at one sample, the first datum's own among them
    weights = log_weights(3, 5).exp().numpy()
    batches = [[0, *others] for others in itertools.permutations(range(1, 5), 2)]
    assert np.mean([weights[0] @ values[batch] for batch in batches]) == pytest.approx(
        values.mean()
    )


def gaussian_data(num_data, latent_dim, correlation):
    """Means with covariance 1 on the diagonal and `correlation` beside it, and the aggregate's."""
    covariance = torch.full(
        (latent_dim, latent_dim), correlation, dtype=torch.float64
    ).fill_diagonal_(1.0)
    mean = draw(num_data, latent_dim, seed=5)
    mean = mean - mean.mean(0)
    white = torch.linalg.solve_triangular(
        torch.linalg.cholesky(mean.T @ mean / num_data), mean.T, upper=False
    )
    mean = (torch.linalg.cholesky(covariance) @ white).T
    return mean, covariance + SCALE**2 * torch.eye(latent_dim, dtype=torch.float64)


@pytest.mark.slow
def test_of_a_gaussian_the_bias_falls_with_the_batch_and_is_within_2_percent_at_2048():
    mean, covariance = gaussian_data(20_000, 3, 0.6)
    exact = 0.5 * (covariance.diagonal().log().sum() - torch.logdet(covariance))
    joint = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance)
    alone = torch.distributions.Normal(0.0, covariance.diagonal().sqrt())
    random, biases = torch.Generator().manual_seed(0), []
    for batch_size in (32, 128, 512, 2048):
        differences = []
        for _ in range(max(2, 2048 // batch_size)):
            some = mean[torch.randperm(len(mean), generator=random)[:batch_size]]
            z = some + SCALE * torch.randn(some.shape, generator=random, dtype=torch.float64)
            estimate = total_correlation(
                z, some, torch.full_like(some, math.log(SCALE)), num_data=len(mean)
            )
            # The exact log ratio at the same samples leaves only the estimator's bias.
            differences.append(estimate - (joint.log_prob(z) - alone.log_prob(z).sum(1)).mean())
        biases.append(abs(float(torch.stack(differences).mean() / exact)))
    assert biases == sorted(biases, reverse=True)
    assert biases[-1] < 0.02


def test_posteriors_equal_to_the_prior_have_no_total_correlation():
    z, zero = draw(64, 4), torch.zeros(64, 4, dtype=torch.float64)
    assert abs(float(total_correlation(z, zero, zero, num_data=1000))) < 1e-12


def test_the_parts_of_the_rate_add_up_at_the_same_samples():
    z, mean, log_scale = batch_of(50)
    parts = decompose_rate(z, mean, log_scale, num_data=400)
    posterior = torch.distributions.Normal(mean, log_scale.exp()).log_prob(z).sum(1)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    torch.testing.assert_close(sum(parts), (posterior - prior).mean())
    torch.testing.assert_close(
        parts.total_correlation, total_correlation(z, mean, log_scale, num_data=400)
    )


def test_a_collapsed_posterior_carries_no_mutual_information():
    z, zero = draw(64, 4), torch.zeros(64, 4, dtype=torch.float64)
    parts = decompose_rate(z, zero, zero, num_data=1000)
    assert max(abs(float(part)) for part in parts) < 1e-12


def test_total_correlation_is_vectorised_and_differentiated():
    batches = [torch.stack([part, 2 * part]) for part in batch_of()]
    together = torch.func.vmap(lambda *parts: total_correlation(*parts, num_data=30))(*batches)
    alone = [total_correlation(*(part[m] for part in batches), num_data=30) for m in range(2)]
    torch.testing.assert_close(together, torch.stack(alone))
    parts = tuple(part.requires_grad_() for part in batch_of(4, 2))
    assert torch.autograd.gradcheck(lambda *parts: total_correlation(*parts, num_data=30), parts)


def test_single_precision_is_enough_for_narrow_posteriors():
    z, mean, log_scale = batch_of(64)
    narrow = mean + 0.01 * (z - mean), mean, log_scale - math.log(100)
    exact = total_correlation(*narrow, num_data=10_000)
    single = total_correlation(*(part.float() for part in narrow), num_data=10_000)
    assert float(single) == pytest.approx(float(exact), abs=1e-3)


def test_batches_and_shapes_that_do_not_fit_are_refused():
    z, mean, log_scale = batch_of()
    with pytest.raises(ValueError, match="a batch must hold from 2 to num_data=5 examples, not 7"):
        total_correlation(z, mean, log_scale, num_data=5)
    with pytest.raises(
        ValueError, match=r"log_scale must all be \(B, K\), not \(7, 3\), \(7, 3\), \(7, 2\)"
    ):
        total_correlation(z, mean, log_scale[:, :2], num_data=50)


# ---------------------------------------------------------------- mutual information gap

FACTORS = grid(4, 5, 3)
SHARP = np.full((len(FACTORS), 4), -6.0)


def code(*, scrambled=False):
    """A latent for each factor and an empty one; scrambled, each latent turns with all factors."""
    latents = np.concatenate([FACTORS, np.zeros((len(FACTORS), 1))], axis=1)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    return latents @ turn if scrambled else latents


FORMS = [dict(estimator="histogram"), dict(estimator="sampled", log_scales=SHARP)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["estimator"])
def test_a_latent_for_each_factor_has_a_gap_of_one(form):
    assert metrics.mutual_information_gap(code(), FACTORS, **form) == pytest.approx(1.0, abs=1e-6)
    information = disentanglement.mutual_information(code(), FACTORS, **form)
    expected = np.concatenate([np.diag(np.log([4, 5, 3])), np.zeros((3, 1))], axis=1)
    np.testing.assert_allclose(information, expected, atol=1e-6)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["estimator"])
def test_the_gap_does_not_depend_on_the_order_or_names_of_anything(form):
    order, latents = np.random.default_rng(1).permutation(len(FACTORS)), [3, 1, 0, 2]
    shuffled = 7 - code()[order][:, latents]
    names = np.array([10, 30, 20, 50, 40])[FACTORS[order]]
    assert metrics.mutual_information_gap(shuffled, names, **form) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["estimator"])
def test_a_factor_that_two_latents_tell_equally_has_no_gap(form):
    twice = np.concatenate([FACTORS[:, :1], FACTORS[:, :1], 0 * FACTORS[:, :2]], axis=1)
    assert metrics.mutual_information_gap(twice, FACTORS[:, :1], **form) == pytest.approx(
        0.0, abs=1e-6
    )


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["estimator"])
def test_turning_the_space_closes_the_gap(form):
    assert metrics.mutual_information_gap(code(scrambled=True), FACTORS, **form) < 0.5


def test_the_histogram_form_is_scikit_learns_mutual_information_of_binned_means():
    random = np.random.default_rng(0)
    factors, means = random.integers(0, 4, (500, 2)), random.normal(size=(500, 3))
    means[:, 0] += factors[:, 0]
    means[:, 2] -= 2 * factors[:, 1]
    found = disentanglement.mutual_information(means, factors, bins=20)
    for j, column in enumerate(means.T):
        binned = np.digitize(column, np.histogram(column, 20)[1][1:-1])
        for k in range(2):
            assert found[k, j] == pytest.approx(mutual_info_score(factors[:, k], binned), abs=1e-10)


def test_the_sampled_form_is_that_of_mixtures_written_out():
    random = np.random.default_rng(3)
    factors, means = random.integers(0, 3, (40, 2)), random.normal(size=(40, 3))
    log_scales = random.normal(size=(40, 3)) - 1
    found = disentanglement.mutual_information(
        means, factors, estimator="sampled", log_scales=log_scales, num_samples=9, seed=4
    )
    again = np.random.default_rng(4)
    drawn = again.permutation(40)[:9]
    z = means[drawn] + np.exp(log_scales[drawn]) * again.standard_normal((9, 3))
    expected = reference.sampled_information(z, drawn, means, np.exp(log_scales), factors)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_sampled_form_meets_the_exact_information_of_two_overlapping_classes():
    # z | v = N(+-1, 1), v a fair coin: I = log 2 - E log(1 + exp(-2 z)) under N(1, 1).
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    exact = np.log(2) - (weights * np.log1p(np.exp(-2 * (points + 1)))).sum() / weights.sum()
    factors = np.arange(4000)[:, None] % 2
    means = np.repeat(2.0 * factors - 1, 2, axis=1)
    options = dict(estimator="sampled", log_scales=0 * means, num_samples=2000)
    found = disentanglement.mutual_information(means, factors, **options)
    np.testing.assert_allclose(found, exact, atol=0.03)


def test_unrelated_latents_have_a_gap_near_zero_but_for_the_bias_of_few_data():
    random = np.random.default_rng(0)
    factors = np.tile(grid(4, 5), (100, 1))
    means = random.normal(size=(len(factors), 3))
    assert 0 <= metrics.mutual_information_gap(means, factors) < 0.02
    smooth = dict(estimator="sampled", log_scales=np.full(means.shape, -1.0), num_samples=500)
    assert abs(metrics.mutual_information_gap(means, factors, **smooth)) < 0.02
    bias = disentanglement.mutual_information(random.uniform(size=(2000, 3)), factors).mean(1)
    np.testing.assert_allclose(bias, [19 * 3 / 4000, 19 * 4 / 4000], rtol=0.5)


def test_a_collapsed_latent_tells_nothing_in_either_form():
    still, wide = np.zeros((len(FACTORS), 4)), np.zeros((len(FACTORS), 4))
    assert metrics.mutual_information_gap(still, FACTORS) == 0
    assert metrics.mutual_information_gap(
        still, FACTORS, estimator="sampled", log_scales=wide
    ) == pytest.approx(0)


def test_entropies_of_a_grid_are_the_logs_of_its_sides():
    np.testing.assert_allclose(disentanglement.factor_entropies(FACTORS), np.log([4, 5, 3]))


def test_tensors_do_as_well_and_the_same_seed_gives_the_same_gap():
    means, log_scales = torch.from_numpy(code(scrambled=True)), torch.full((len(FACTORS), 4), -1.0)
    options = dict(estimator="sampled", log_scales=log_scales, num_samples=20)
    values = [
        metrics.mutual_information_gap(means, torch.from_numpy(FACTORS), seed=s, **options)
        for s in (0, 0, 1)
    ]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            dict(factors=FACTORS[:-1]),
            "factors are of 59 images and means of 60: pass those of the same images",
        ),
        (
            dict(factors=FACTORS / 2),
            r"factors must be integers \(N, F\), one column a factor, not float64 \(60, 3\)",
        ),
        (dict(factors=FACTORS[:, 0]), r"factors must be integers \(N, F\)"),
        (
            dict(factors=FACTORS * [1, 0, 1]),
            r"factors \[1\] have a single value, which nothing can tell",
        ),
        (
            dict(means=code()[:, :1]),
            r"means must be \(N, K\) with at least 2 latents, not \(60, 1\)",
        ),
        (dict(means=code() + np.nan), "means holds NaN or infinite values"),
        (
            dict(estimator="kernel"),
            r"estimator must be one of \['histogram', 'sampled'\], not 'kernel'",
        ),
        (dict(estimator="sampled"), "estimator 'sampled' needs the posteriors: pass log_scales="),
        (
            dict(estimator="sampled", log_scales=SHARP[:5]),
            r"log_scales must be like means, \(60, 4\), not \(5, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(changes, message):
    arguments = dict(means=code(), factors=FACTORS) | changes
    with pytest.raises(ValueError, match=message):
        metrics.mutual_information_gap(
            arguments.pop("means"), arguments.pop("factors"), **arguments
        )
