"""Linear multi-rate VAEs beside their exact optimum at every beta.

Bae et al. (2023), Section 5.1 and Figure 4.  Losses are distortion + beta * rate in nats, summed
over dimensions and averaged over data; gaps are shares of the optimal loss without its constant
D/2 log(2 pi s2).
Letters: N data points, D data dimension, K latent dimension, R Rosetta points, T values of beta.
"""

import math
import time
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rvae_lite import linear_vae
from rvae_lite.anchors import Weighted
from rvae_lite.fitted import Fit
from rvae_lite.laws import Cosine, LogUniform
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import BETA_RANGE, MultiRate, make_multirate
from rvae_lite.rosetta import RosettaPoints, along_beta
from rvae_lite.train import fit

REFINED_BETAS = 60
TARGETS = ("recon", "z", "x")


def linear_gaps(
    x,
    *,
    latent_dim: int,
    epochs: int,
    iterations: int = 0,
    noise_variance: float = 0.1,
    beta_range: tuple[float, float] = BETA_RANGE,
    betas=None,
    gate=None,
    per: str = "example",
    seed: int = 0,
    batch_size: int | None = None,
    learning_rate: float = 0.02,
):
    """Train a linear multi-rate VAE and measure its gap to the exact optimum (Figure 4).

    "sampled" is `fit` alone (Adam, a fortieth of the epochs warm-up, cosine); "exact" goes on with
    L-BFGS on the expected loss divided by its optimum, averaged over 60 betas.

    Args:
        x: data, (N, D); they are centred here.
        latent_dim: K.
        epochs, batch_size, learning_rate, seed: of the sampled training; by default full batches.
        iterations: of L-BFGS; 0 leaves the exact training out.
        noise_variance: s2, in squared units of the data.
        beta_range, gate, per: as in `make_multirate` and `LogUniform`.
        betas: where the gap is measured, by default 25 over the range.

    Returns:
        A pandas DataFrame, a row per training and beta: training, beta, gap, loss, seconds, device.
    """
    import pandas as pd

    x, covariance = _centred(x)
    betas = np.geomspace(*beta_range, 25) if betas is None else betas
    model = VAE.linear(x.shape[1], latent_dim, noise_variance=noise_variance)
    begun = time.process_time()
    gates = dict(beta_range=beta_range, gate=gate)
    course = dict(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    gated, device = _trained(x, model, gates, per=per, **course)
    pieces = []
    for training in ("sampled", "exact") if iterations else ("sampled",):
        if training == "exact":
            refine(gated, covariance, iterations)
        found = _measured(gated, covariance, betas)
        seconds = time.process_time() - begun
        pieces.append(found.assign(training=training, seconds=seconds, device=device))
    return pd.concat(pieces, ignore_index=True)


def anchored_gaps(
    x,
    *,
    latent_dim: int,
    epochs: int,
    iterations: int = 0,
    target: str = "recon",
    rho: float = 2.75,
    num_points: int = 64,
    noise_variance: float = 0.1,
    beta_range: tuple[float, float] = BETA_RANGE,
    betas=(0.03, 0.1, 0.3, 1.0, 3.0),
    seed: int = 0,
    learning_rate: float = 0.05,
):
    """Train a linear multi-rate VAE anchored to the exact curves: how near are loss and space?

    With anchors no sign or order of the latents is left free, so that encoder and decoder
    themselves are compared.

    Args:
        others: as in `linear_gaps`.  The first `num_points` data are the Rosetta points.
        target: what the decoder is to make of z_r(beta): "recon", the exact reconstruction, or "x",
            the raw x_r; "z" leaves that term out.
        rho: weight of the points; 0 trains without.

    Returns:
        A pandas DataFrame with a row per beta: target, rho, beta; loss, its gap; encoder, the root
        mean squared distance of posterior means from the optimum's, as a share of the root of their
        total variance; decoder, |D - D*| / |D*| in the Frobenius norm; device.
    """
    if target not in TARGETS:
        raise ValueError(f"target must be one of {TARGETS}, not {target!r}")
    x, covariance = _centred(x)
    exact = dict(latent_dim=latent_dim, noise_variance=noise_variance)
    model, nodes = VAE.linear(x.shape[1], **exact), np.geomspace(*beta_range, REFINED_BETAS)
    z, recon = linear_vae.anchor_curve(covariance, x[:num_points], betas=nodes, **exact)
    recon = recon if target == "recon" else None
    points = RosettaPoints(x[:num_points], z, betas=nodes, recon=recon)
    weighted = Weighted(points, x=0.0 if target == "z" else 1.0)
    course = dict(epochs=epochs, learning_rate=learning_rate, seed=seed, points=weighted, rho=rho)
    gated, device = _trained(x, model, dict(beta_range=beta_range), **course)
    if iterations:
        penalty = partial(_expected_penalty, weighted=weighted, rho=rho)
        refine(gated, covariance, iterations, penalty=penalty)
    table = _measured(gated, covariance, betas)[["beta", "gap"]].rename(columns=dict(gap="loss"))
    jitter = 1e-12 * covariance.trace() * torch.eye(len(covariance))
    root, errors = torch.linalg.cholesky(covariance + jitter), dict(encoder=[], decoder=[])
    for beta in betas:
        plain, best = gated.at_beta(beta), linear_vae.optimum(covariance, beta=beta, **exact)
        encoder, decoder = plain.head.linear.weight.detach(), plain.decoder[0].weight.detach()
        errors["encoder"].append(_relative(encoder @ root, best.encoder @ root))
        errors["decoder"].append(_relative(decoder, best.decoder))
    return table.assign(**errors, target=target, rho=rho, device=device)


def _relative(own: Tensor, exact: Tensor) -> float:
    return float((own - exact).norm() / exact.norm())


def _centred(x) -> tuple[Tensor, Tensor]:
    """Centred data, (N, D) float32, and their covariance, (D, D) float64."""
    x = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    x = x - x.mean(0)
    return x, torch.cov(x.double().T, correction=0)


def _trained(
    x, model, gates: dict, *, epochs, learning_rate, batch_size=None, per="example", **options
):
    """The model made multi-rate and trained by sampling, and the device that did it."""
    # The learning rates here are high enough for the gates too.
    gated = make_multirate(model, gate_speed=1.0, **gates)
    trained = fit(
        gated,
        x,
        epochs=epochs,
        batch_size=batch_size or len(x),
        beta=LogUniform(*gated.beta_range, per=per),
        learning_rate=Cosine(learning_rate, warmup_epochs=epochs // 40),
        compile=False,
        **options,
    )
    gated = trained.replica(0).double()
    with torch.no_grad():
        gated.module.head.linear.layer.bias.zero_()  # the data are centred
    return gated, trained.info["device"]


def expected_loss(gated: MultiRate, covariance: Tensor, betas: Tensor) -> Tensor:
    """The gated linear VAE's loss at betas (T,), without its constant: (T,).

    For centred data and no biases.  Exact and differentiable: nothing is sampled.
    """
    h, head, decoder = gated.h(betas), gated.module.head, gated.module.decoder[0]
    encoder_gate, decoder_gate = head.linear.gate.scale(h), decoder.input_gate.scale(h)  # (T, K)
    log_variance = h.unsqueeze(1) * head.log_scale.weight + head.log_scale.bias  # (T, K)
    log_variance = log_variance.clamp(max=0)
    E, D = head.linear.layer.weight, decoder.layer.weight
    # The gates stand at the latents: but for these (K, K) matrices nothing depends on the data.
    seen, mixed, gram = E @ covariance @ E.T, E @ covariance @ D, D.T @ D
    second = encoder_gate.unsqueeze(2) * seen * encoder_gate.unsqueeze(1)  # E[z z^T], (T, K, K)
    second = second + torch.diag_embed(log_variance.exp())
    squared = covariance.trace() - 2 * (encoder_gate * decoder_gate * mixed.diagonal()).sum(1)
    weighed = decoder_gate.unsqueeze(2) * gram * decoder_gate.unsqueeze(1)  # (T, K, K)
    squared = squared + (weighed * second).sum((1, 2))
    rate = 0.5 * (second.diagonal(dim1=1, dim2=2) - 1 - log_variance).sum(1)
    return squared / (2 * gated.noise_variance) + betas * rate


def _expected_penalty(gated: MultiRate, betas: Tensor, *, weighted: Weighted, rho: float) -> Tensor:
    """The Rosetta term at betas (T,), for centred data and no biases: (T,)."""
    points = weighted.points
    h, head, first = gated.h(betas), gated.module.head.linear, gated.module.decoder[0]
    encoder = head.gate.scale(h).unsqueeze(2) * head.layer.weight  # (T, K, D)
    decoder = first.layer.weight * first.input_gate.scale(h).unsqueeze(1)  # (T, D, K)
    nodes, each = torch.from_numpy(points.betas), betas.unsqueeze(1).expand(-1, len(points.x))
    x, z = torch.from_numpy(points.x).double(), torch.from_numpy(points.z).double()
    z = along_beta(nodes, z, each)  # (T, R, K)
    target = x
    if points.recon is not None:
        target = along_beta(nodes, torch.from_numpy(points.recon).double(), each)
    recon_error = (target - z @ decoder.mT).square().sum(2).mean(1)
    return rho * (weighted.x * recon_error + (z - x @ encoder.mT).square().sum(2).mean(1))


def optimal_loss(gated: MultiRate, covariance: Tensor, betas: Tensor) -> Tensor:
    """The least loss of any linear VAE of this size at betas (T,), without its constant: (T,)."""
    variance = gated.noise_variance
    options = dict(latent_dim=gated.latent_dim, betas=betas, noise_variance=variance)
    best = linear_vae.rate_distortion(covariance, **options)
    constant = 0.5 * len(covariance) * math.log(2 * math.pi * variance)
    return best.distortion - constant + betas * best.rate


def refine(gated: MultiRate, covariance: Tensor, iterations: int, *, penalty=None) -> None:
    """L-BFGS on the mean over betas of the expected loss divided by its optimum, in place.

    penalty: what is added to the loss, a function of `gated` and betas (T,) that returns (T,).
    """
    betas = torch.from_numpy(np.geomspace(*gated.beta_range, REFINED_BETAS))
    best = optimal_loss(gated, covariance, betas)
    named = gated.named_parameters()
    weights = [parameter for name, parameter in named if not name.endswith("layer.bias")]
    search = dict(max_iter=iterations, history_size=50, line_search_fn="strong_wolfe")
    optimiser = torch.optim.LBFGS(weights, tolerance_grad=1e-12, tolerance_change=1e-14, **search)

    def closure():
        optimiser.zero_grad()
        loss = expected_loss(gated, covariance, betas)
        if penalty is not None:
            loss = loss + penalty(gated, betas)
        loss = (loss / best).mean()
        loss.backward()
        return loss

    optimiser.step(closure)


def _measured(gated: MultiRate, covariance: Tensor, betas):
    import pandas as pd

    betas = torch.as_tensor(betas, dtype=torch.float64)
    best = optimal_loss(gated, covariance, betas)
    with torch.no_grad():
        loss = expected_loss(gated, covariance, betas)
    columns = dict(beta=betas.numpy(), gap=(loss / best - 1).numpy(), loss=loss.numpy())
    return pd.DataFrame(columns)


def linear_curve(trained: Fit, x, betas=None):
    """Rate and distortion of trained linear VAEs, in expectation: nothing is sampled.

    Args:
        trained: a Fit of `VAE.linear`, plain or multi-rate.
        x: data, (N, D), centred or not.
        betas: where a multi-rate Fit is read off, (T,); a plain one's replicas give a point each.

    Returns:
        A pandas DataFrame, a row per replica and beta: replica, beta, rate, distortion, loss, nats.

    Raises:
        ValueError: the models are not linear, or betas are missing or too many.
    """
    import pandas as pd

    if bool(np.isnan(np.asarray(trained.beta)).any()) != (betas is not None):
        wanted = "betas are needed for a multi-rate Fit and refused for a plain one"
        raise ValueError(f"{wanted}, whose replicas have theirs")
    x = torch.as_tensor(np.asarray(x), dtype=torch.float64)
    mean, covariance = x.mean(0), torch.cov(x.T, correction=0)
    rows = []
    for beta in [None] if betas is None else betas:
        plain = trained if beta is None else trained.at_beta(float(beta))
        for m in range(len(plain)):
            rate, distortion = _expected(plain.replica(m), mean, covariance)
            row = dict(replica=m, beta=float(plain.beta[m]), rate=rate, distortion=distortion)
            rows.append(row)
    table = pd.DataFrame(rows).sort_values(["replica", "beta"], ignore_index=True)
    return table.assign(loss=table.distortion + table.beta * table.rate)


def _expected(model, mean: Tensor, covariance: Tensor) -> tuple[float, float]:
    """Rate and distortion of one plain linear VAE on data of that mean and covariance."""
    if getattr(model, "head", None) is None or model.head.posterior != "constant":
        wanted = "trained must hold linear models, made by VAE.linear"
        raise ValueError(f"{wanted}: others have no exact rate and distortion")
    model, head, last = model.double(), model.head, model.decoder[0]
    with torch.no_grad():
        encoder, decoder = head.linear.weight, last.weight  # (K, D), (D, K)
        latent_mean = encoder @ mean + head.linear.bias
        missed = mean - decoder @ latent_mean - last.bias
        posterior = (2 * head.log_scale.value).exp()
        rate = linear_vae.expected_rate(covariance, encoder, posterior, latent_mean=latent_mean)
        options = dict(noise_variance=model.noise_variance, posterior=posterior)
        options["residual_mean"] = missed
        distortion = linear_vae.expected_distortion(covariance, encoder, decoder, **options)
    return float(rate), float(distortion)
