"""How near a linear multi-rate VAE comes to the exact optimum at every beta, on the 8x8 digits.

    python benchmarks/linear_multirate.py             # about two minutes on one thread

Prints the relative excess of distortion + beta * rate, its constant D/2 log(2 pi s2) left out, over 25 betas in
[0.01, 10].  "sampled" is `fit` alone; "exact" goes on with L-BFGS on the expected loss, divided by its optimum and
averaged over 60 other betas.
"""

import argparse
import math
import time

import numpy as np
import torch

from rvae_lite import VAE, data, fit, linear_vae
from rvae_lite.multirate import LogUniform, make_multirate

VARIANCE, LAW = 0.1, LogUniform(0.01, 10.0)


def expected_loss(gated, covariance, h, beta):
    """distortion + beta * rate without its constant, of centred data and no biases: h and beta (S,) give (S,)."""
    head, decoder = gated.module.head, gated.module.decoder[0]
    encoder = head.linear.gate.scale(h).unsqueeze(2) * head.linear.layer.weight  # (S, K, D)
    decoder = decoder.layer.weight * decoder.gate.scale(h).unsqueeze(1)  # (S, D, K)
    log_variance = (h.unsqueeze(1) * head.log_scale.weight + head.log_scale.bias).clamp(max=0)  # (S, K)
    variance, moments = log_variance.exp(), encoder @ covariance @ encoder.mT
    kept = (decoder.mT @ decoder @ (moments + torch.diag_embed(variance))).diagonal(dim1=1, dim2=2).sum(1)
    crossed = (decoder.mT @ covariance * encoder).sum((1, 2))
    distortion = (covariance.trace() - 2 * crossed + kept) / (2 * VARIANCE)
    rate = 0.5 * (variance + moments.diagonal(dim1=1, dim2=2) - 1 - log_variance).sum(1)
    return distortion + beta * rate


def optimal_loss(covariance, latent_dim, betas):
    """The exact optimum of the same quantity: (S,)."""
    constant = 0.5 * len(covariance) * math.log(2 * math.pi * VARIANCE)
    options = dict(latent_dim=latent_dim, noise_variance=VARIANCE)
    best = [linear_vae.optimum(covariance, beta=float(beta), **options) for beta in betas]
    losses = [float(b.distortion) - constant + float(beta) * float(b.rate) for b, beta in zip(best, betas, strict=True)]
    return torch.tensor(losses, dtype=torch.float64)


def gaps(gated, covariance, betas):
    """Relative excess over the optimum at every beta, in float64."""
    with torch.no_grad():
        loss = expected_loss(gated, covariance, gated.h(betas), betas)
    return (loss / optimal_loss(covariance, gated.latent_dim, betas) - 1).numpy()


def refine(gated, covariance, iterations):
    """L-BFGS on the mean over betas of the expected loss, divided by its optimum."""
    betas = torch.from_numpy(np.geomspace(LAW.low, LAW.high, 60))
    best, h = optimal_loss(covariance, gated.latent_dim, betas), gated.h(betas)
    weights = [parameter for name, parameter in gated.named_parameters() if not name.endswith("layer.bias")]
    optimiser = torch.optim.LBFGS(
        weights, max_iter=iterations, history_size=50, line_search_fn="strong_wolfe", tolerance_change=1e-14
    )

    def closure():
        optimiser.zero_grad()
        loss = (expected_loss(gated, covariance, h, betas) / best).mean()
        loss.backward()
        return loss

    optimiser.step(closure)


def run(x, latent_dim, epochs, iterations, label="sampled", **options):
    covariance, betas = torch.cov(x.double().T, correction=0), torch.from_numpy(np.geomspace(0.01, 10, 25))
    began = time.process_time()
    gate = options.pop("gate", None)
    plan = dict(epochs=epochs, batch_size=len(x), learning_rate=0.02, schedule="cosine", warmup_epochs=epochs // 40)
    model = make_multirate(VAE.linear(x.shape[1], latent_dim, noise_variance=VARIANCE), gate=gate)
    gated = fit(model, x, beta=LAW, compile=False, **plan, **options).replica(0).double()
    with torch.no_grad():
        gated.module.head.linear.layer.bias.zero_()  # the data are centred
    report(label, latent_dim, gaps(gated, covariance, betas), betas, time.process_time() - began)
    if iterations:
        refine(gated, covariance, iterations)
        report("exact", latent_dim, gaps(gated, covariance, betas), betas, time.process_time() - began)


def report(label, latent_dim, excess, betas, seconds):
    worst = int(excess.argmax())
    print(
        f"{label:24}{latent_dim:4}{100 * excess.max():10.3f} %{betas[worst]:8.3g}{100 * excess.mean():10.3f} %"
        f"{seconds:8.1f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6000, help="of one batch each")
    parser.add_argument("--iterations", type=int, default=2000, help="of L-BFGS")
    options = parser.parse_args()
    torch.set_num_threads(1)
    x = torch.from_numpy(data.load("digits").x).float().flatten(1)
    x = x - x.mean(0)
    print(f"{'training':24}{'K':>4}{'worst gap':>12}{'at beta':>8}{'mean gap':>12}{'CPU s':>8}")
    for latent_dim in (16, 32):
        run(x, latent_dim, options.epochs, options.iterations)
    run(x, 16, options.epochs, 0, "one beta a batch", per="batch")
    run(x, 16, options.epochs, 0, "sigmoid encoder", gate=("sigmoid", "sqrt"))
    run(x, 16, options.epochs, 0, "sigmoid, sigmoid", gate="sigmoid")


if __name__ == "__main__":
    main()
