"""Theorem 1 of the Multi-Rate VAE: its response functions, corrected ones, and trained gates.

Bae et al. (2023), Section 3.1 and Appendix A, on linear VAEs in the basis of the principal
components.  Nats; the loss is distortion + beta * rate.
Letters: K latent dimension, T values of beta; d is the length of a decoder's column.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rvae_lite import linear_vae
from rvae_lite.reporting import figures, tables
from rvae_lite.studies.study import Study, stamp

CASE = dict(eigenvalues=torch.tensor([8.0, 1.0, 0.1], dtype=torch.float64), noise_variance=1.0)
WHOLE = dict(starts=3, count=61)
study = Study(
    "theorem_one",
    reproduces="Theorem 1",
    chapter="22_theorem_one",
    minutes=dict(cpu=1),
    profiles=dict(quick=dict(starts=1, count=13), cpu=WHOLE, paper=WHOLE),
)


class Response(NamedTuple):
    """What each latent's weights are at each log beta, (T, K)."""

    encoder: Tensor
    decoder: Tensor
    posterior_variance: Tensor


def response_corrected(log_beta: Tensor, *, eigenvalues: Tensor, noise_variance: float) -> Response:
    """The exact response functions.

    One sqrt gate for encoder *and* decoder, and log C = min(0, affine in log beta).

    Args:
        log_beta: (T,) or a number.
        eigenvalues: lambda, the data's leading variances, (K,), positive.
        noise_variance: s2.
    """
    shifted, scale = _gate_inputs(log_beta, eigenvalues, noise_variance)
    gate = sqrt_gate(shifted)
    return Response(gate / scale, gate * scale, shifted.clamp(max=0.0).exp())


def response_published(
    log_beta: Tensor,
    *,
    eigenvalues: Tensor,
    noise_variance: float,
    decoder_scale: Tensor | None = None,
) -> Response:
    """The weights of the proof of Theorem 1: sigmoid gates for E and C, the sqrt gate for D.

    E = sigmoid(log(d^2 / (beta s2))) / d and C = sigmoid(log(beta s2 / d^2)) are the best responses
    to a *fixed* decoder with column norms d; D is that of the *joint* optimum.  Together they
    minimise the loss at no beta.

    Args:
        log_beta, eigenvalues, noise_variance: as for `response_corrected`.
        decoder_scale: d, (K,); by default sqrt(lambda), the optimum's as beta goes to 0.
    """
    shifted, scale = _gate_inputs(log_beta, eigenvalues, noise_variance)
    fixed = scale if decoder_scale is None else torch.as_tensor(decoder_scale, dtype=torch.float64)
    against_fixed = shifted + 2 * (scale / fixed).log()
    encoder = torch.sigmoid(-against_fixed) / fixed
    return Response(encoder, sqrt_gate(shifted) * scale, torch.sigmoid(against_fixed))


def excess_loss(
    response: Response, log_beta: Tensor, *, eigenvalues: Tensor, noise_variance: float
) -> Tensor:
    """How much larger distortion + beta * rate is with these weights than at the optimum: (T,).

    Args:
        response: weights (T, K) at each log beta (T,); others as for `response_corrected`.
    """
    log_beta, values = (torch.as_tensor(v, dtype=torch.float64) for v in (log_beta, eigenvalues))
    covariance, beta, variance = values.diag(), log_beta.exp(), response.posterior_variance
    encoder, decoder = response.encoder.diag_embed(), response.decoder.diag_embed()  # (T, K, K)
    rate = linear_vae.expected_rate(covariance, encoder, variance)
    options = dict(posterior=variance, noise_variance=noise_variance)
    distortion = linear_vae.expected_distortion(covariance, encoder, decoder, **options)
    sizes = dict(latent_dim=len(values), noise_variance=noise_variance)
    best = linear_vae.rate_distortion(covariance, betas=beta, **sizes)
    return distortion + beta * rate - (best.distortion + beta * best.rate)


def response_trained(
    log_beta: Tensor,
    *,
    eigenvalues: Tensor,
    noise_variance: float,
    decoder_gate: str = "sqrt",
    starts: int = 3,
) -> Response:
    """The best that two gated layers do in practice: they minimise the mean excess over log beta.

    Each of E and C is a product of two sigmoid gates and a number, D of two decoder gates; every
    latent is optimised by itself (BFGS, random starts), so the result is an upper bound.

    Args:
        log_beta, eigenvalues, noise_variance: as for `response_corrected`; at least two betas.
        decoder_gate: "sqrt", the paper's, or "sigmoid".
        starts: how many random starts, seeded 0, 1, ...
    """
    from scipy.optimize import minimize

    gates = dict(sqrt=sqrt_gate, sigmoid=torch.sigmoid)
    if decoder_gate not in gates:
        raise ValueError(f"decoder_gate must be one of {sorted(gates)}, not {decoder_gate!r}")
    log_beta, values = (torch.as_tensor(v, dtype=torch.float64) for v in (log_beta, eigenvalues))
    inputs = (log_beta - log_beta.mean()) / log_beta.std()  # (T,)
    kinds = (torch.sigmoid, gates[decoder_gate], torch.sigmoid)

    def weights(flat: Tensor) -> Response:
        parts = []  # of E, D, C, each a log scale, two slopes, two shifts
        for gate, p in zip(kinds, flat.view(3, 5), strict=True):
            gated = gate(torch.outer(inputs, p[1:3]) + p[3:]).prod(1)
            parts.append((p[0].exp() * gated).unsqueeze(1))  # (T, 1)
        return Response(*parts)

    def trained(value: Tensor, start: int):
        case = dict(eigenvalues=value[None], noise_variance=noise_variance)

        def mean_excess(flat):
            flat = torch.tensor(flat, requires_grad=True)
            excess = excess_loss(weights(flat), log_beta, **case).mean()
            return excess.item(), torch.autograd.grad(excess, flat)[0].numpy()

        first = np.random.default_rng(start).standard_normal((3, 5))
        first[1, 3:] -= 2  # gates of the decoder start open
        return minimize(mean_excess, first.ravel(), jac=True, method="BFGS")

    latents = []
    for value in values:
        found = [trained(value, start) for start in range(starts)]
        best = min(found, key=lambda one: one.fun)
        latents.append(weights(torch.tensor(best.x)))
    return Response(*(torch.cat(parts, 1) for parts in zip(*latents, strict=True)))


def sqrt_gate(x: Tensor) -> Tensor:
    """sqrt(max(0, 1 - exp(x))), without overflow, its gradient finite where it is closed."""
    is_open = x < 0
    return torch.where(is_open, (-torch.expm1(torch.where(is_open, x, -1.0))).sqrt(), 0.0)


def _gate_inputs(log_beta, eigenvalues, noise_variance: float) -> tuple[Tensor, Tensor]:
    """log(beta s2 / lambda), (T, K), and sqrt(lambda), (K,)."""
    log_beta, values = (torch.as_tensor(v, dtype=torch.float64) for v in (log_beta, eigenvalues))
    if values.ndim != 1 or not bool((values > 0).all()):
        raise ValueError(f"eigenvalues must be positive numbers, (K,), not {values.tolist()}")
    return log_beta.unsqueeze(-1) + math.log(noise_variance) - values.log(), values.sqrt()


RESPONSES = {
    "proof's weights": response_published,
    "same gates, optimised": response_trained,
    "all sigmoid, optimised": partial(response_trained, decoder_gate="sigmoid"),
    "corrected": response_corrected,
}
study.grid(lambda profile: RESPONSES)


@study.unit
def unit(profile, method, keep):
    """The excess loss of one kind of weights for three latents, over beta in [0.01, 10]."""
    import pandas as pd

    log_beta = torch.linspace(math.log(0.01), math.log(10), profile.count, dtype=torch.float64)
    starts = dict(starts=profile.starts) if "optimised" in method else {}
    excess = excess_loss(RESPONSES[method](log_beta, **CASE, **starts), log_beta, **CASE)
    rows = pd.DataFrame(dict(beta=log_beta.exp().numpy(), value=excess.numpy()))
    return stamp(rows, method=method, metric="excess", data="three latents", latent_dim=3)


@study.table
def table(own, published):
    """Mean and largest excess loss over beta, nats; the paper claims none."""
    groups = own.groupby("method", sort=False).value
    return groups.mean().to_frame("mean excess").assign(**{"largest excess": groups.max()})


def against_paper(own):
    """Theorem 1: are the proof's weights exact, and are the corrected ones? Excess in nats."""
    most, rows = own.assign(value=own.value.abs()).groupby("method").value.max(), {}
    for method, where in (("proof's weights", "Theorem 1"), ("corrected", "not in the paper")):
        exact = most[method] < 1e-12
        holds = exact if where == "Theorem 1" else "new"
        rows[f"{method} are exact"] = (where, f"{most[method]:.2g} at most", holds)
    return tables.statements(rows)


@study.figure
def figure(own, ax=None):
    """Excess loss over beta, clipped at 1e-5 nats; the corrected gates would lie at zero."""
    kinds = own[own.method != "corrected"].groupby("method", sort=False)
    lines = {name: (rows.beta, rows.value.clip(lower=1e-5)) for name, rows in kinds}
    label = "excess loss in nats"
    return figures.plot_over_beta(lines, label=label, lines=list(lines), log=True, ax=ax)
