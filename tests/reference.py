"""Slow references: what the package does fast, done again by plain loops and independent libraries.

Letters as in the package: M replicas, N data points, B batch, K latent dimension, R Rosetta points.
"""

import numpy as np
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence


def dense_layers(weights, prefix):
    """The (weight, bias) pairs of one part of a fully connected network, in order."""
    layers = [
        name.removesuffix(".weight")
        for name in weights
        if name.startswith(prefix) and name.endswith(".weight")
    ]
    return [(weights[f"{layer}.weight"], weights[f"{layer}.bias"]) for layer in layers]


def encode(weights, x):
    """q(z|x) of a fully connected network with a full covariance, its Cholesky factor filled in by loops."""
    features = x.flatten(1)
    for weight, bias in dense_layers(weights, "encoder"):
        features = torch.clamp(features @ weight.T + bias, min=0)
    ((weight, bias),) = dense_layers(weights, "head")
    output = features @ weight.T + bias
    latent_dim = next(k for k in range(1, 100) if 2 * k + k * (k - 1) // 2 == output.shape[1])
    mean, log_diagonal, lower = output.split(
        [latent_dim, latent_dim, output.shape[1] - 2 * latent_dim], dim=1
    )
    rows, count = [], 0
    for i in range(latent_dim):
        entries = []
        for j in range(latent_dim):
            if j < i:
                entries.append(lower[:, count])
                count += 1
            else:
                entries.append(log_diagonal[:, i].exp() if j == i else torch.zeros_like(mean[:, 0]))
        rows.append(torch.stack(entries, dim=1))
    return MultivariateNormal(mean, scale_tril=torch.stack(rows, dim=1))


def decode(weights, z):
    """The decoder's output, flat: (B, D)."""
    *inner, (weight, bias) = dense_layers(weights, "decoder")
    for inner_weight, inner_bias in inner:
        z = torch.clamp(z @ inner_weight.T + inner_bias, min=0)
    return z @ weight.T + bias


def terms(weights, x, noise, *, likelihood="gaussian", noise_variance=0.1):
    """Distortion and rate of each example: (B,) and (B,)."""
    posterior = encode(weights, x)
    z = posterior.loc + torch.einsum("bij,bj->bi", posterior.scale_tril, noise)
    output, flat = decode(weights, z), x.flatten(1)
    conditional = (
        Bernoulli(logits=output)
        if likelihood == "bernoulli"
        else Normal(output, noise_variance**0.5)
    )
    prior = MultivariateNormal(torch.zeros_like(z), torch.eye(z.shape[1], dtype=z.dtype))
    return -conditional.log_prob(flat).sum(1), kl_divergence(posterior, prior)


def rosetta_penalty(weights, points_x, points_z, *, x_weight, z_weight):
    """The Rosetta term, point by point."""
    total = 0.0
    for x, z in zip(points_x, points_z, strict=True):
        recon, mean = decode(weights, z[None])[0], encode(weights, x[None]).loc[0]
        total = (
            total
            + x_weight * ((x.flatten() - recon) ** 2).sum()
            + z_weight * ((z - mean) ** 2).sum()
        )
    return total / len(points_x)


def train(
    weights,
    x,
    orders,
    noises,
    *,
    beta,
    rho=0.0,
    points=None,
    x_weight=1.0,
    z_weight=1.0,
    learning_rate=1e-3,
):
    """Train one replica with torch.optim.Adam in a plain loop.

    Args:
        weights: initial parameters by name.
        x: (N, *data).
        orders, noises: for each epoch the batches' examples (num_batches, B) and noise (num_batches, B, K).

    Returns:
        The trained parameters by name, and the mean loss of each epoch.
    """
    weights = {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}
    optimizer = torch.optim.Adam(weights.values(), lr=learning_rate)
    history = []
    for order, noise in zip(orders, noises, strict=True):
        losses = []
        for batch, batch_noise in zip(order, noise, strict=True):
            distortion, rate = terms(weights, x[batch], batch_noise)
            loss = (distortion + beta * rate).mean()
            if points is not None:
                loss = loss + rho * rosetta_penalty(
                    weights, *points, x_weight=x_weight, z_weight=z_weight
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(np.mean(losses))
    return {name: weight.detach() for name, weight in weights.items()}, np.array(history)


def retraining_variability(means):
    """Eq. 3 datum by datum, over the min(K, M - 1) leading eigenvalues: (value, rank, relative, within_fraction)."""
    num_replicas, num_data, latent_dim = means.shape
    rank = min(latent_dim, num_replicas - 1)

    def log_volume(points):
        eigenvalues = np.linalg.eigvalsh(np.cov(points.T).reshape(latent_dim, latent_dim))
        return np.log(eigenvalues[-rank:]).sum()

    value = np.mean([log_volume(means[:, i]) for i in range(num_data)])
    pooled = np.concatenate(list(means))
    within = np.mean(
        [np.trace(np.cov(means[:, i].T).reshape(latent_dim, latent_dim)) for i in range(num_data)]
    )
    total = np.trace(np.cov(pooled.T).reshape(latent_dim, latent_dim))
    return value, rank, value - log_volume(pooled), within / total


def nearest_distinct(means, centres):
    """For each centre in turn the nearest datum that no earlier centre took."""
    taken = []
    for centre in centres:
        by_distance = sorted(range(len(means)), key=lambda i: np.linalg.norm(means[i] - centre))
        taken.append(next(i for i in by_distance if i not in taken))
    return taken


def stratified_log_density(z, mean, scale, num_data, dimensions):
    """log q(z) over some latent dimensions at each sample, pair by pair: minibatch-stratified weights, (B,)."""
    batch, others = len(z), len(z) - 1
    values = []
    for i in range(batch):
        total = 0.0
        for j in range(batch):
            weight = 1 / others
            if j == i:
                weight = 1 / num_data
            elif j == (i + 1) % batch:
                weight = (num_data - others) / (num_data * others)
            product = 1.0
            for k in dimensions:
                product *= (
                    np.exp(-0.5 * ((z[i, k] - mean[j, k]) / scale[j, k]) ** 2)
                    / scale[j, k]
                    / np.sqrt(2 * np.pi)
                )
            total += weight * product
        values.append(np.log(total))
    return np.array(values)


def sampled_information(z, drawn, mean, scale, factors):
    """I(z_j; v_k) at samples z (S, K) of the data `drawn` (S,), from mixtures written out as sums: (F, K)."""
    information = np.zeros((factors.shape[1], mean.shape[1]))
    for k in range(factors.shape[1]):
        for j in range(mean.shape[1]):
            for sample, n in zip(z[:, j], drawn, strict=True):
                densities = np.exp(-0.5 * ((sample - mean[:, j]) / scale[:, j]) ** 2) / scale[:, j]
                alike = factors[:, k] == factors[n, k]
                information[k, j] += np.log(densities[alike].mean() / densities.mean()) / len(z)
    return information
