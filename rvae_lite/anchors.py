"""Rosetta points over beta: distilled from a multi-rate model as curves z_r(beta), and met by every training.

Not in either paper.  Posterior means shrink as beta grows, so a model of many rates is held by the curve that the
template's own anchors run through, and its decoder by the template's own reconstructions of them.
Letters: M replicas, N data points, K latent dimension, R Rosetta points, J values of beta at which a curve is known.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from rvae_lite import engine
from rvae_lite.fitted import Fit
from rvae_lite.gates import standardise
from rvae_lite.multirate import LogUniform, is_multirate
from rvae_lite.points import select_points
from rvae_lite.rosetta import RosettaPoints, along_beta

NUM_BETAS = 10  # of a curve
SELECTED_AT = 3  # betas whose latents, side by side, are clustered


def curve_points(
    fit: Fit,
    x,
    num_points: int,
    *,
    betas: Sequence[float] | None = None,
    selected_at: Sequence[float] | None = None,
    replica: int = 0,
    method: str = "kmeans",
    seed: int = 0,
    ids=None,
    header=None,
) -> RosettaPoints:
    """Distil a multi-rate model: R data, the curves of their posterior means over beta, and their reconstructions.

    The data are chosen as by `select_points`, but for the whole range at once: what is clustered are the means at
    several betas side by side, each divided by its total standard deviation.

    Args:
        fit: a multi-rate Fit.
        x: data, (N, *data).
        num_points: R, at most N.
        betas: where the curves are read off, (J,), ascending; by default ten, log-spaced over the model's range.
        selected_at: the betas whose means are clustered; by default the lowest, the middle and the highest.
        replica: which of the Fit's replicas.
        method, seed, ids, header: as in `select_points`.

    Raises:
        ValueError: a plain Fit, and what `select_points` refuses.

    Example:
        >>> from rvae_lite import VAE, fit
        >>> from rvae_lite.multirate import LogUniform, make_multirate
        >>> x = torch.randn(100, 5)
        >>> space = fit(make_multirate(VAE.mlp(5, 2)), x, epochs=1, batch_size=50, beta=LogUniform(0.01, 10.0))
        >>> curve_points(space, x, 8).z.shape
        (10, 8, 2)
    """
    if not is_multirate(fit.model):
        raise ValueError(
            "curves need a multi-rate Fit: train make_multirate(model), or use select_points"
        )
    fit = fit.select([replica])
    low, high = fit.model.beta_range
    betas = (
        np.geomspace(low, high, NUM_BETAS) if betas is None else np.asarray(betas, dtype=np.float64)
    )
    selected_at = (
        np.geomspace(low, high, SELECTED_AT) if selected_at is None else np.atleast_1d(selected_at)
    )
    features = [_standardised(fit.encode(x, beta=float(beta))[0]) for beta in selected_at]
    selected = select_points(
        x, torch.cat(features, 1), num_points, method=method, seed=seed, header=header
    )
    chosen = selected.ids.astype(int)
    z = torch.cat([fit.encode(selected.x, beta=float(beta)) for beta in betas])  # (J, R, K)
    recon = torch.cat([fit.decode(at, beta=float(beta)) for at, beta in zip(z, betas, strict=True)])
    names = chosen if ids is None else np.asarray(ids)[chosen]
    return RosettaPoints(selected.x, z, betas=betas, recon=recon, ids=names, header=selected.header)


def _standardised(means: Tensor) -> Tensor:
    return means / means.var(0, correction=0).sum().sqrt().clamp(min=1e-12)


class Anchoring:
    """The Rosetta points as a training meets them, step by step.

    Plain points and a model of one beta: the same at every step and for all replicas.  Curves and a model of one
    beta: for each replica the latents at its beta.  A multi-rate model: every replica draws a beta for each point
    anew, log-uniform from a stream of its own, or one for all of them where the training draws beta per batch.

    Args:
        points: plain or curves.
        like: parameters, for device and dtype.
        x_weight, z_weight: of the two terms.
        beta: of models of one beta, (M,).
        law: of a multi-rate model.
        per_example: how it draws beta.
        rho_power: the points weigh beta ** -rho_power, divided by the mean of that over the law.
        rho_law: of a model that responds to rho: every point is met at a rho of its own, and weighs rho / (1 + rho).
    """

    def __init__(
        self, points: RosettaPoints, *, like: Tensor, x_weight, z_weight, beta, law: LogUniform | None = None,
        per_example: bool = True, rho_power: float = 0.0, rho_law: LogUniform | None = None,
    ):  # fmt: skip
        self.law, self.per_example, self.rho_power, self.rho_law = (
            law,
            per_example,
            rho_power,
            rho_law,
        )
        self.x, self.z = (
            engine.to_units(torch.as_tensor(array), like) for array in (points.x, points.z)
        )
        self.betas = (
            None if points.betas is None else torch.as_tensor(points.betas, device=like.device)
        )
        self.recon = None if points.recon is None else torch.as_tensor(points.recon).to(like)
        self.weights, self.beta = (x_weight, z_weight), beta.to(like.device)
        if law is not None:
            points.warn_beyond(law.low, law.high)
        elif self.betas is not None:
            points.warn_beyond(float(beta.min()), float(beta.max()))

    def axes(self) -> engine.Anchors | None:
        """Which entries differ between replicas, see `replicas.Anchors.axes`."""
        if self.law is None and self.betas is None:
            return None
        one = torch.ones_like(self.beta[:1])
        return self._at(one, None if self.rho_law is None else one).axes()

    def of_epoch(
        self, plan: engine.EpochPlan, seeds: list[int], epoch: int, block: slice
    ) -> Iterator[engine.Anchors]:
        """The anchors of each batch of an epoch for a block of replicas."""
        if self.law is None:
            fixed = (
                engine.Anchors(self.x, self.z, *self.weights)
                if self.betas is None
                else self._at(self.beta[block])
            )
            yield from [fixed] * plan.num_batches
            return
        count, device = len(self.x) if self.per_example else None, self.x.device
        betas = plan.drawn(self.law, seeds, epoch, purpose=engine.ANCHOR_RATE, count=count).to(
            device
        )
        rhos = [None] * len(betas)
        if self.rho_law is not None:
            rhos = plan.drawn(
                self.rho_law, seeds, epoch, purpose=engine.ANCHOR_RHO, count=count
            ).to(device)
        yield from map(self._at, betas, rhos)

    def _at(self, beta: Tensor, rho: Tensor | None = None) -> engine.Anchors:
        """The anchors at betas and, where the model responds to it, rhos, each (M,) or (M, R)."""
        each = (beta if beta.ndim == 2 else beta.unsqueeze(1)).expand(len(beta), len(self.x))
        if self.betas is None:
            z, target = self.z.expand(len(beta), *self.z.shape), None
        else:
            z = along_beta(self.betas, self.z, each)
            target = None if self.recon is None else along_beta(self.betas, self.recon, each)
        h = r = weight = None
        if self.law is not None:
            h = standardise(beta, (self.law.low, self.law.high)).to(self.x)
            weight = self._weight(beta).to(self.x) if self.rho_power else None
        if rho is not None:
            r = standardise(rho, (self.rho_law.low, self.rho_law.high)).to(self.x)
            weight = (rho / (1 + rho)).to(self.x)
        return engine.Anchors(self.x, z, *self.weights, target, h, r, weight)

    def _weight(self, beta: Tensor) -> Tensor:
        power, low, high = self.rho_power, self.law.low, self.law.high
        mean = (low**-power - high**-power) / (power * math.log(high / low))
        return beta.pow(-power) / mean
