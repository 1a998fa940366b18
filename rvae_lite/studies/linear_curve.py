"""The exact rate-distortion curve of linear models that were trained (Bae et al. 2023, Figure 4).

Nats, summed over dimensions and averaged over data; the loss is distortion + beta * rate.  Letters:
M replicas, N data points, D data dimension, K latent dimension, T values of beta.
"""

import numpy as np
import torch

from rvae_lite import linear_vae


def linear_curve(fit, x, betas=None):
    """Rate and distortion of trained linear VAEs, in expectation: no sampling noise.

    Args:
        fit: a Fit of `VAE.linear`, plain or multi-rate.
        x: data, (N, D), centred or not.
        betas: where a multi-rate Fit is read off, (T,); a plain one gives a point per replica.

    Returns:
        A pandas DataFrame, a row per replica and beta: replica, beta, rate, distortion, loss, nats.

    Raises:
        ValueError: the models are not linear, or betas are missing or too many.
    """
    import pandas as pd

    trained = np.asarray(fit.beta, dtype=np.float64)
    if bool(np.isnan(trained).any()) != (betas is not None):
        rule = "needed for a multi-rate Fit and refused for a plain one, whose replicas have theirs"
        raise ValueError(f"betas are {rule}")
    x = torch.as_tensor(np.asarray(x), dtype=torch.float64)
    mean, covariance = x.mean(0), torch.cov(x.T, correction=0)
    rows = []
    for beta in [None] if betas is None else betas:
        plain = fit if beta is None else fit.at_beta(float(beta))
        for m in range(len(fit)):
            rate, distortion = _expected(plain.replica(m), mean, covariance)
            row = dict(replica=m, beta=float(plain.beta[m]), rate=rate, distortion=distortion)
            rows.append(row)
    table = pd.DataFrame(rows).sort_values(["replica", "beta"], ignore_index=True)
    return table.assign(loss=table.distortion + table.beta * table.rate)


def _expected(model, mean, covariance) -> tuple[float, float]:
    """Rate and distortion of one plain linear VAE on data of that mean and covariance."""
    if getattr(model, "head", None) is None or model.head.posterior != "constant":
        needed = "linear models, made by VAE.linear: others have no exact rate and distortion"
        raise ValueError(f"fit must hold {needed}")
    model = model.double()
    with torch.no_grad():
        encoder, decoder = model.head.linear.weight, model.decoder[0].weight  # (K, D), (D, K)
        latent_mean = encoder @ mean + model.head.linear.bias
        residual_mean = mean - decoder @ latent_mean - model.decoder[0].bias
        posterior = (2 * model.head.log_scale.value).exp()
        rate = linear_vae.expected_rate(covariance, encoder, posterior, latent_mean=latent_mean)
        options = dict(posterior=posterior, noise_variance=model.noise_variance)
        options["residual_mean"] = residual_mean
        distortion = linear_vae.expected_distortion(covariance, encoder, decoder, **options)
    return float(rate), float(distortion)
