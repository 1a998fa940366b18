"""How independent the latents are, and how well each tells one factor of the data.

Chen et al. (2018), Sections 3 and 4, Appendix C: the parts of the rate, their minibatch estimator
and the mutual information gap; Locatello et al. (2019): the gap's histogram form.  All in nats.
Letters: B batch, N data points, K latent dimension, F factors, S samples.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite.alignment import finite
from rvae_lite.losses import total_correlation_loss
from rvae_lite.multirate import is_multirate

ESTIMATORS = ("histogram", "sampled")
BINS, NUM_SAMPLES = 20, 10_000  # of the two estimators, as published
CHUNK = 64  # samples compared with all data at once


class BetaTCVAE:
    """The objective distortion + rate + (beta - 1) * total correlation, see `losses`.

    It needs a diagonal posterior, and one beta a batch: a batch has one total correlation.
    """

    name = "beta-TCVAE"
    extra = ("total_correlation",)

    def check(self, model: nn.Module, law) -> None:
        """Raises ValueError where the objective does not suit the model, or the law of beta."""
        plain = model.module if is_multirate(model) else model
        posterior = getattr(getattr(plain, "head", None), "posterior", "unknown")
        if posterior not in ("diagonal", "constant"):
            remedy = "build it with posterior='diagonal'"
            raise ValueError(
                f"{self.name} is for diagonal posteriors, this model's is {posterior}: {remedy}"
            )
        if model.noise_dim != model.latent_dim:
            reason = "models whose only noise is the posterior's"
            raise ValueError(f"{self.name} is for {reason}: drop no words")
        if getattr(law, "per", "batch") != "batch":
            reason = "one beta a batch, whose total correlation it weighs"
            raise ValueError(f"{self.name} needs {reason}: pass per='batch', not {law.per!r}")

    def parts(self, model: nn.Module, x: Tensor, noise: Tensor, *, num_data: int):
        """Distortion and rate, each (B,), and the batch's total correlation, ()."""
        posterior = model.encode(x)
        z = posterior.sample(noise)
        correlation = total_correlation(z, *posterior, num_data=num_data)
        return model.distortion(x, z), posterior.kl_divergence(), correlation

    def combine(self, distortion: Tensor, rate: Tensor, correlation: Tensor, *, beta) -> Tensor:
        """The loss, all ()."""
        return total_correlation_loss(distortion, rate, correlation, beta=beta)


class RateParts(NamedTuple):
    """The rate as a sum, each part a mean over the batch, (): see `decompose_rate`."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_kl: Tensor


def total_correlation(z: Tensor, mean: Tensor, log_scale: Tensor, *, num_data: int) -> Tensor:
    """KL(q(z) || prod_j q(z_j)), which is 0 for independent latents, estimated from one batch: ().

    q(z) = 1/N sum_n q(z|x_n) is the aggregate posterior.  Its density and those of its marginals
    come from the batch, with the weights W of `log_weights` (Chen et al. 2018, Appendix C.2):

        log q(z_i) = log sum_j W_ij prod_k q(z_ik|x_j)
        log q(z_ik) = log sum_j W_ij q(z_ik|x_j)

    With small batches the estimate is too low, the more so the more latents there are and the
    narrower their posteriors.

    Args:
        z: one sample of each posterior, (B, K).
        mean, log_scale: posteriors N(mean, diag(exp(2 log_scale))) of the same data, (B, K).
        num_data: N, from which the batch was drawn without replacement.

    Raises:
        ValueError: shapes that differ, or a batch of less than 2 or more than N.

    Differs from the paper: its code puts the weight of a sample's own datum in the first column, we
    put it on the diagonal.
    """
    joint, marginals = _aggregate(z, mean, log_scale, num_data)
    return (joint - marginals.sum(-1)).mean()


def decompose_rate(z: Tensor, mean: Tensor, log_scale: Tensor, *, num_data: int) -> RateParts:
    """The rate in three parts (Chen et al. 2018, Eq. 2); arguments as for `total_correlation`.

    mutual_information: I(x; z) = E log q(z|x) / q(z).  total_correlation: E log q(z) /
    prod_j q(z_j).  dimension_kl: sum_j KL(q(z_j) || p(z_j)).  Their sum is E log q(z|x) / p(z).
    """
    joint, marginals = _aggregate(z, mean, log_scale, num_data)
    conditional = _log_normal(z, mean, log_scale).sum(-1)
    prior = _log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(-1)
    product = marginals.sum(-1)
    parts = (conditional - joint, joint - product, product - prior)
    return RateParts(*(part.mean() for part in parts))


def log_weights(batch_size: int, num_data: int, *, like: Tensor | None = None) -> Tensor:
    """log W of minibatch-stratified sampling, (B, B) (Chen et al. 2018, Appendix C.2).

    Row i has 1/N for its own datum, (N-B+1) / (N (B-1)) for the next one, and 1/(B-1) for all
    others, so that each row sums to 1.
    """
    if not 2 <= batch_size <= num_data:
        wanted = f"from 2 to num_data={num_data} examples"
        raise ValueError(f"a batch must hold {wanted}, not {batch_size}")
    others = batch_size - 1
    device, dtype = (None, torch.float64) if like is None else (like.device, like.dtype)
    own = torch.eye(batch_size, dtype=torch.bool, device=device)
    weights = torch.full((batch_size, batch_size), -math.log(others), dtype=dtype, device=device)
    rest = math.log((num_data - others) / (num_data * others))
    weights = weights.masked_fill(own.roll(1, dims=1), rest)
    return weights.masked_fill(own, -math.log(num_data))


def _aggregate(z: Tensor, mean: Tensor, log_scale: Tensor, num_data: int) -> tuple[Tensor, Tensor]:
    """log q(z), (B,), and log q(z_k), (B, K), at each sample."""
    if z.ndim != 2 or not z.shape == mean.shape == log_scale.shape:
        shapes = ", ".join(str(tuple(values.shape)) for values in (z, mean, log_scale))
        raise ValueError(f"z, mean and log_scale must all be (B, K), not {shapes}")
    densities = _log_normal(z.unsqueeze(1), mean, log_scale)  # (B, B, K): log q(z_ik|x_j)
    weights = log_weights(len(z), num_data, like=z)
    joint = (weights + densities.sum(-1)).logsumexp(1)
    marginals = (weights.unsqueeze(-1) + densities).logsumexp(1)  # (B, K)
    return joint, marginals


def _log_normal(z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    whitened = (z - mean) * (-log_scale).exp()
    return -0.5 * (whitened.square() + math.log(2 * math.pi)) - log_scale


def mutual_information_gap(means, factors, **options) -> float:
    """MIG, from 0 to 1: how far each factor has a latent of its own (Chen et al. 2018, Eq. 6).

    MIG = mean over factors v of (I(z_a; v) - I(z_b; v)) / H(v), where latents a and b have the
    highest and second highest information.  Few data bias it upwards.

    means, factors, options: as for `mutual_information`; gaps of its two estimators do not compare.
    """
    information = np.sort(mutual_information(means, factors, **options), axis=1)
    gaps = (information[:, -1] - information[:, -2]) / factor_entropies(factors)
    return float(gaps.mean())


def mutual_information(
    means,
    factors,
    *,
    estimator: str = "histogram",
    log_scales=None,
    bins: int = BINS,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """I(z_j; v_k) of every factor and latent, in nats: (F, K) float64.

    Args:
        means: posterior means of N data, (N, K), K at least 2.
        factors: what each datum was made of, (N, F) integers; a full grid, or any sample of it.
        estimator: "histogram", of the means, each latent cut into equal bins between its extremes
            (Locatello et al. 2019); or "sampled", I(z_j; v_k) = E log q(z_j|v_k) / q(z_j), both
            densities mixtures of posteriors, of all data or of those with that v_k (Chen et al.
            2018, Section 4.1).
        log_scales: log standard deviations of the posteriors, (N, K); for "sampled".
        bins: of the histogram.
        num_samples: S, the number of data sampled, at most once each.
        seed: of the samples.

    Raises:
        ValueError: factors that do not match the means, or constant ones; an unknown estimator; no
            log_scales.

    Few data bias both upwards: "histogram" of unrelated latents by (bins - 1)(values - 1) / 2N,
    "sampled" by what a sample's own posterior adds to the mixtures.

    Differs from the paper: q(z_j) and q(z_j|v_k) share one set of samples, with less variance.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {sorted(ESTIMATORS)}, not {estimator!r}")
    means, factors = _latents("means", means), _factors(factors)
    if len(factors) != len(means):
        found = f"factors are of {len(factors)} images and means of {len(means)}"
        raise ValueError(f"{found}: pass those of the same images, in order")
    if estimator == "histogram":
        return _histogram_information(means, factors, bins)
    if log_scales is None:
        need = "estimator 'sampled' needs the posteriors"
        raise ValueError(f"{need}: pass log_scales=, their log standard deviations")
    log_scales = _latents("log_scales", log_scales)
    if log_scales.shape != means.shape:
        raise ValueError(f"log_scales must be like means, {means.shape}, not {log_scales.shape}")
    return _sampled_information(means, log_scales, factors, num_samples, seed)


def factor_entropies(factors) -> np.ndarray:
    """H(v_k) of factors (N, F) over these data, in nats: (F,)."""
    entropies = []
    for column in _factors(factors).T:
        share = np.unique(column, return_counts=True)[1] / len(column)
        entropies.append(-(share * np.log(share)).sum())
    return np.array(entropies)


def _histogram_information(means: np.ndarray, factors: np.ndarray, bins: int) -> np.ndarray:
    low, high = means.min(0), means.max(0)
    places = (means - low) / np.where(high > low, high - low, 1.0) * bins
    codes = places.astype(np.int64).clip(max=bins - 1)
    rows = []
    for factor in factors.T:
        rows.append([_discrete_information(code, factor) for code in codes.T])
    return np.array(rows)


def _discrete_information(a: np.ndarray, b: np.ndarray) -> float:
    """I(a; b) of two columns of small integers, (N,) each."""
    rows, columns = a.max() + 1, b.max() + 1
    counts = np.bincount(a * columns + b, minlength=rows * columns)
    joint = counts.reshape(rows, columns) / len(a)
    product = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())


def _sampled_information(means, log_scales, factors, num_samples: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    drawn = random.permutation(len(means))[:num_samples]
    scales = np.exp(log_scales)
    z = means[drawn] + scales[drawn] * random.standard_normal((len(drawn), means.shape[1]))
    members, columns = _members(factors)
    latents = zip(z.T, means.T, scales.T, strict=True)
    of_latents = [_pointwise(*latent, members, columns[drawn]) for latent in latents]
    return np.stack(of_latents, axis=1)


def _members(factors: np.ndarray) -> tuple[Tensor, Tensor]:
    """Shares 1/count of the data of each value, (N, values), and each datum's columns, (N, F)."""
    offsets = np.concatenate([[0], np.cumsum(factors.max(0) + 1)])
    columns = torch.from_numpy(factors + offsets[:-1])
    members = torch.zeros((len(factors), int(offsets[-1])), dtype=torch.float64)
    members.scatter_(1, columns, 1.0)
    return members / members.sum(0), columns


def _pointwise(z, mean, scale, members: Tensor, columns: Tensor) -> np.ndarray:
    """E log q(z|v_k) / q(z) of one latent: samples z (S,) and posteriors (N,) give (F,)."""
    z, mean, scale = (torch.from_numpy(values) for values in (z, mean, scale))
    total = torch.zeros(columns.shape[1], dtype=torch.float64)
    for points, own in zip(z.split(CHUNK), columns.split(CHUNK), strict=True):
        # The constant of the normal density cancels in the ratio.
        whitened = (points.unsqueeze(1) - mean) / scale  # (S, N)
        densities = whitened.square_().mul_(-0.5).exp_().div_(scale)
        given = (densities @ members).gather(1, own)  # (S, F): q(z|v_k) of each sample's own value
        total += (given.log() - densities.mean(1, keepdim=True).log()).sum(0)
    return (total / len(z)).numpy()


def _latents(name: str, values) -> np.ndarray:
    array = finite(name, values)
    if array.ndim != 2 or not len(array) or array.shape[1] < 2:
        raise ValueError(f"{name} must be (N, K) with at least 2 latents, not {array.shape}")
    return array


def _factors(factors) -> np.ndarray:
    """Factors as classes 0, 1, ... that all occur: (N, F) int64."""
    factors = np.asarray(factors.detach().cpu() if isinstance(factors, Tensor) else factors)
    if factors.ndim != 2 or not factors.size or factors.dtype.kind not in "iu":
        wanted = f"integers (N, F), one column a factor, not {factors.dtype} {factors.shape}"
        raise ValueError(f"factors must be {wanted}")
    columns = [np.unique(column, return_inverse=True)[1] for column in factors.T]
    classes = np.stack(columns, axis=1).astype(np.int64)
    constant = np.flatnonzero(classes.max(0) == 0).tolist()
    if constant:
        wrong = f"factors {constant} have a single value, which nothing can tell"
        raise ValueError(f"{wrong}: leave these columns out")
    return classes
