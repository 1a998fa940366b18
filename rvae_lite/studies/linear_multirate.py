"""How near a trained linear multi-rate VAE comes to the exact optimum at every beta.

Bae et al. (2023), Section 5.1 and Figure 4.  Losses are distortion + beta * rate in nats, summed over dimensions and
averaged over data; gaps are shares of the optimal loss without its constant D/2 log(2 pi s2).
Letters: D data dimension, K latent dimension, T values of beta.
"""

import math
import time
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rvae_lite import linear_vae
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import LogUniform, MultiRate, make_multirate
from rvae_lite.rosetta import RosettaPoints, along_beta
from rvae_lite.train import fit

REFINED_BETAS = 60
COURSE = dict(
    schedule="cosine", gate_speed=1.0
)  # the learning rates here are high enough for the gates too
TARGETS = ("recon", "z", "x")


def linear_study(
    x,
    *,
    latent_dim: int,
    epochs: int,
    iterations: int = 0,
    noise_variance: float = 0.1,
    beta_range: tuple[float, float] = (0.01, 10.0),
    betas=None,
    gate=None,
    per: str = "example",
    seed: int = 0,
    batch_size: int | None = None,
    learning_rate: float = 0.02,
):
    """Train a linear multi-rate VAE and measure its gap to the exact optimum (Figure 4, in numbers).

    "sampled" is `fit` alone (Adam, a fortieth of the epochs warm-up, cosine); "exact" goes on with L-BFGS on the
    expected loss divided by its optimum, averaged over 60 betas.

    Args:
        x: data, (N, D); they are centred here.
        latent_dim: K.
        epochs, batch_size, learning_rate: of the sampled training; by default one batch an epoch.
        iterations: of L-BFGS; 0 leaves the exact training out.
        noise_variance: s2, in squared units of the data.
        beta_range, gate, per: as in `make_multirate` and `fit`.
        betas: where the gap is measured, by default 25 over the range.
        seed: of the training.

    Returns:
        A pandas DataFrame with a row per training and beta: training, beta, gap, loss, seconds (of computing).
    """
    import pandas as pd

    x = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    x = x - x.mean(0)
    covariance = torch.cov(x.double().T, correction=0)
    betas = torch.as_tensor(
        np.geomspace(*beta_range, 25) if betas is None else betas, dtype=torch.float64
    )
    model = VAE.linear(x.shape[1], latent_dim, noise_variance=noise_variance)
    course = dict(epochs=epochs, warmup_epochs=epochs // 40, learning_rate=learning_rate, **COURSE)
    begun = time.process_time()
    trained = fit(
        make_multirate(model, beta_range=beta_range, gate=gate),
        x,
        batch_size=len(x) if batch_size is None else batch_size,
        beta=LogUniform(*beta_range),
        per=per,
        seed=seed,
        compile=False,
        **course,
    )
    gated = _centred(trained)
    pieces = [_measured("sampled", gated, covariance, betas, begun)]
    if iterations:
        refine(gated, covariance, iterations)
        pieces.append(_measured("exact", gated, covariance, betas, begun))
    return pd.concat(pieces, ignore_index=True)


def anchored_study(
    x,
    *,
    latent_dim: int,
    epochs: int,
    iterations: int = 0,
    target: str = "recon",
    rho: float = 2.75,
    num_points: int = 64,
    noise_variance: float = 0.1,
    beta_range: tuple[float, float] = (0.01, 10.0),
    betas=(0.03, 0.1, 0.3, 1.0, 3.0),
    seed: int = 0,
    learning_rate: float = 0.05,
):
    """Train a linear multi-rate VAE anchored to the exact curve: how far are loss and space from the optimum's?

    With anchors no sign or order of the latents is left free, so that encoder and decoder themselves are compared.
    The training is sampled, by `fit`, and goes on with L-BFGS on the expected loss and Rosetta term over 60 betas.

    Args:
        x: data, (N, D); they are centred here.  The first `num_points` are the Rosetta points.
        latent_dim: K.
        epochs, learning_rate, seed: of the sampled training, one batch an epoch.
        iterations: of L-BFGS.
        target: what the decoder makes of z_r(beta) shall be "recon", the exact reconstruction, or "x", the raw x_r;
            "z" leaves that term out.
        rho: weight of the points; 0 trains without.
        noise_variance: s2, in squared units of the data.
        beta_range: of the gates.
        betas: where it is measured.

    Returns:
        A pandas DataFrame with a row per beta: target, rho, beta; loss, excess as a share of the optimal loss without
        its constant; encoder, the root mean squared distance of posterior means from the optimum's, as a share of
        the root of their total variance; decoder, |D - D*| / |D*| in the Frobenius norm.
    """
    import pandas as pd

    if target not in TARGETS:
        raise ValueError(f"target must be one of {TARGETS}, not {target!r}")
    x = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    x = x - x.mean(0)
    covariance = torch.cov(x.double().T, correction=0)
    exact = dict(latent_dim=latent_dim, noise_variance=noise_variance)
    nodes = np.geomspace(*beta_range, REFINED_BETAS)
    z, recon = linear_vae.anchor_curve(covariance, x[:num_points], betas=nodes, **exact)
    points = RosettaPoints(
        x[:num_points], z, betas=nodes, recon=recon if target == "recon" else None
    )
    trained = fit(
        make_multirate(
            VAE.linear(x.shape[1], latent_dim, noise_variance=noise_variance), beta_range=beta_range
        ),
        x,
        batch_size=len(x),
        beta=LogUniform(*beta_range),
        points=points,
        rho=rho,
        x_weight=0.0 if target == "z" else 1.0,
        seed=seed,
        compile=False,
        **dict(epochs=epochs, warmup_epochs=epochs // 40, learning_rate=learning_rate, **COURSE),
    )
    gated = _centred(trained)
    if iterations:
        weights = dict(rho=rho, x_weight=0.0 if target == "z" else 1.0)
        refine(
            gated,
            covariance,
            iterations,
            penalty=partial(_expected_penalty, points=points, **weights),
        )
    rows = _measured(target, gated, covariance, torch.as_tensor(betas, dtype=torch.float64), 0.0)[
        ["beta", "gap"]
    ]
    rows = rows.rename(columns=dict(gap="loss"))
    root = torch.linalg.cholesky(
        covariance + 1e-12 * covariance.trace() * torch.eye(len(covariance))
    )
    found = []
    for beta in betas:
        plain, best = gated.at_beta(beta), linear_vae.optimum(covariance, beta=beta, **exact)
        pairs = (
            (plain.head.linear.weight @ root, best.encoder @ root),
            (plain.decoder[0].weight, best.decoder),
        )
        found.append(
            [float((own.detach() - exactly).norm() / exactly.norm()) for own, exactly in pairs]
        )
    return pd.concat([rows, pd.DataFrame(found, columns=["encoder", "decoder"])], axis=1).assign(
        target=target, rho=rho
    )


def _centred(trained) -> MultiRate:
    gated = trained.replica(0).double()
    with torch.no_grad():
        gated.module.head.linear.layer.bias.zero_()  # the data are centred
    return gated


def expected_loss(gated: MultiRate, covariance: Tensor, betas: Tensor) -> Tensor:
    """The gated linear VAE's loss at betas (T,), without its constant, for centred data and no biases: (T,).

    Exact and differentiable: nothing is sampled.
    """
    h, head, decoder = gated.h(betas), gated.module.head, gated.module.decoder[0]
    encoder_gate, decoder_gate = head.linear.gate.scale(h), decoder.gate.scale(h)  # (T, K)
    log_variance = (h.unsqueeze(1) * head.log_scale.weight + head.log_scale.bias).clamp(
        max=0
    )  # (T, K)
    E, D = head.linear.layer.weight, decoder.layer.weight
    # The gates stand at the latents, so that beyond these three (K, K) matrices nothing is as large as the data.
    seen, mixed, gram = E @ covariance @ E.T, E @ covariance @ D, D.T @ D
    second = encoder_gate.unsqueeze(2) * seen * encoder_gate.unsqueeze(1)  # E[z z^T], (T, K, K)
    second = second + torch.diag_embed(log_variance.exp())
    squared = covariance.trace() - 2 * (encoder_gate * decoder_gate * mixed.diagonal()).sum(1)
    squared = squared + (decoder_gate.unsqueeze(2) * gram * decoder_gate.unsqueeze(1) * second).sum(
        (1, 2)
    )
    rate = 0.5 * (second.diagonal(dim1=1, dim2=2) - 1 - log_variance).sum(1)
    return squared / (2 * gated.noise_variance) + betas * rate


def _weights(gated: MultiRate, h: Tensor) -> tuple[Tensor, Tensor]:
    """Encoder (T, K, D) and decoder (T, D, K) at the standardised log betas h (T,)."""
    head, decoder = gated.module.head.linear, gated.module.decoder[0]
    encoder = head.gate.scale(h).unsqueeze(2) * head.layer.weight
    return encoder, decoder.layer.weight * decoder.gate.scale(h).unsqueeze(1)


def _expected_penalty(
    gated: MultiRate, betas: Tensor, *, points: RosettaPoints, rho: float, x_weight: float
) -> Tensor:
    """The Rosetta term at betas (T,), for centred data and no biases: (T,)."""
    encoder, decoder = _weights(gated, gated.h(betas))
    x, z = torch.from_numpy(points.x).double(), torch.from_numpy(points.z).double()
    nodes, each = torch.from_numpy(points.betas), betas.unsqueeze(1).expand(len(betas), len(x))
    z = along_beta(nodes, z, each)  # (T, R, K)
    target = (
        x
        if points.recon is None
        else along_beta(nodes, torch.from_numpy(points.recon).double(), each)
    )
    recon_error = (target - z @ decoder.mT).square().sum(2).mean(1)
    return rho * (x_weight * recon_error + (z - x @ encoder.mT).square().sum(2).mean(1))


def optimal_loss(gated: MultiRate, covariance: Tensor, betas: Tensor) -> Tensor:
    """The least loss that any linear VAE of this size has at betas (T,), without its constant: (T,)."""
    options = dict(latent_dim=gated.latent_dim, betas=betas, noise_variance=gated.noise_variance)
    best = linear_vae.rate_distortion(covariance, **options)
    return best.distortion - _constant(gated, covariance) + betas * best.rate


def refine(gated: MultiRate, covariance: Tensor, iterations: int, *, penalty=None) -> None:
    """L-BFGS on the mean over betas of the expected loss divided by its optimum; `gated` is changed in place.

    penalty: what is added to the loss, a function of `gated` and betas (T,) that returns (T,).
    """
    betas = torch.from_numpy(np.geomspace(*gated.beta_range, REFINED_BETAS))
    best = optimal_loss(gated, covariance, betas)
    weights = [
        parameter for name, parameter in gated.named_parameters() if not name.endswith("layer.bias")
    ]
    optimiser = torch.optim.LBFGS(
        weights,
        max_iter=iterations,
        history_size=50,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
    )

    def closure():
        optimiser.zero_grad()
        loss = expected_loss(gated, covariance, betas)
        loss = ((loss if penalty is None else loss + penalty(gated, betas)) / best).mean()
        loss.backward()
        return loss

    optimiser.step(closure)


def _measured(training: str, gated: MultiRate, covariance: Tensor, betas: Tensor, begun: float):
    import pandas as pd

    best = optimal_loss(gated, covariance, betas)
    with torch.no_grad():
        loss = expected_loss(gated, covariance, betas)
    columns = dict(beta=betas.numpy(), gap=(loss / best - 1).numpy(), loss=loss.numpy())
    return pd.DataFrame(dict(training=training, **columns, seconds=time.process_time() - begun))


def _constant(gated: MultiRate, covariance: Tensor) -> float:
    return 0.5 * len(covariance) * math.log(2 * math.pi * gated.noise_variance)
