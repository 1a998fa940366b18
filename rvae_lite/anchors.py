"""How a training meets Rosetta points: plain ones, curves over beta, and their weights.

Martinez & Pearson (2021), Section 3.  Ours are curves z_r(beta), because posterior means shrink as
beta grows, and the template's reconstructions as targets of the decoder, because a datum's own
noise would pull the decoder away from what the template decodes.
Letters: M replicas, K latent dimension, R Rosetta points.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from rvae_lite.arrays import is_number
from rvae_lite.checks import check_positive_betas, per_replica
from rvae_lite.engine import ANCHOR_RATE, Batches, to_units
from rvae_lite.gates import standardise
from rvae_lite.laws import drawn_from
from rvae_lite.models.checks import check_known
from rvae_lite.objective import Anchors
from rvae_lite.rosetta import RosettaPoints, along_beta

MIDPOINTS = 20_000  # for the mean of a weight under a law of beta


class PointsNotReached(RuntimeWarning):
    """A training ended far from its Rosetta points."""


class Weighted:
    """Rosetta points with weights of their own, for `fit(points=...)`.

    Args:
        points: the Rosetta points.
        x, z: weights of the decoder's and of the encoder's half of the Rosetta term.
        power: for multi-rate models: a point met at beta weighs rho times a multiple of
            beta ** -power whose mean over the law of beta is 1.  Above 0 the points hold better at
            low beta, below 0 at high.
        target: what the decoder is drawn to at z_r: the template's "reconstruction" or the "input"
            x_r, as in the paper; by default the reconstruction where the points hold it.
    """

    def __init__(
        self,
        points: RosettaPoints,
        *,
        x: float = 1.0,
        z: float = 1.0,
        power: float = 0.0,
        target: str | None = None,
    ):
        if not isinstance(points, RosettaPoints):
            remedy = "pass points, or points=None to fit"
            raise ValueError(f"Weighted weighs RosettaPoints, not {points!r}: {remedy}")
        if not is_number(power) or not math.isfinite(power):
            raise ValueError(f"power must be a finite number, not {power!r}")
        check_known("target", target, [None, "input", "reconstruction"])
        if target == "reconstruction" and points.recon is None:
            remedy = "distil them with select_points(decode=fit.decode), or pass target='input'"
            raise ValueError(f"these points hold no reconstructions: {remedy}")
        self.points, self.power = points, power
        self.recon = None if target == "input" else points.recon
        weights = (("Weighted's x", x), ("Weighted's z", z))
        self.x, self.z = (float(per_replica(name, weight, 1)) for name, weight in weights)


class Anchoring:
    """The Rosetta points as a training meets them, batch by batch.

    A model of one beta meets plain points as they are, and curves at each replica's own beta.  For
    a multi-rate model every replica draws a new beta for each point, or one for all points where
    the law draws beta per batch.

    model, device: the pattern, for the dtype, and where it is trained.
    beta, law: each replica's, (M,), for models of one beta, and the law of beta.
    """

    def __init__(self, weighted: Weighted, model, device, *, beta: Tensor, law):
        points, like = weighted.points, next(model.parameters()).to(device)
        self.weighted, self.beta = weighted, beta.to(like.device)
        self.law = drawn_from(law)
        self.mean_weight = None  # of beta ** -power under the law
        if self.law is not None and weighted.power:
            midpoints = (torch.arange(MIDPOINTS, dtype=torch.float64) + 0.5) / MIDPOINTS
            self.mean_weight = float(self.law.quantile(midpoints).pow(-weighted.power).mean())
        if self.law is None and points.betas is not None:
            check_positive_betas(beta)
        self.x = to_units(torch.as_tensor(points.x), like)
        self.z = torch.as_tensor(points.z).to(like)
        self.betas = self.recon = None
        if points.betas is not None:
            self.betas = torch.as_tensor(points.betas, device=like.device)
        if weighted.recon is not None:
            self.recon = torch.as_tensor(weighted.recon).to(like)
        law = self.law
        met = (float(beta.min()), float(beta.max())) if law is None else (law.low, law.high)
        points.warn_beyond(*met)

    def axes(self) -> Anchors | None:
        """Which entries differ between replicas, see `Anchors.axes`; None where none does."""
        if self.law is None and self.betas is None:
            return None
        return self._at(torch.ones_like(self.beta[:1])).axes()

    def of_epoch(self, batches: Batches, seeds, epoch: int, block: slice) -> Iterator[Anchors]:
        """The anchors of each batch of an epoch for a block of replicas."""
        if self.law is not None:
            drawn = batches.draw(self.law, seeds, epoch, ANCHOR_RATE, len(self.x))
            yield from map(self._at, drawn.to(self.x.device))
            return
        fixed = Anchors(self.x, self.z, self.weighted.x, self.weighted.z, self.recon)
        if self.betas is not None:
            fixed = self._at(self.beta[block])
        yield from [fixed] * batches.num_batches

    def _at(self, beta: Tensor) -> Anchors:
        """The anchors at betas, (M,) or (M, R)."""
        each = beta.reshape(len(beta), -1).expand(-1, len(self.x))  # (M, R)
        z, target = (self._along(values, each) for values in (self.z, self.recon))
        h = weight = None
        if self.law is not None:
            h = standardise(beta, (self.law.low, self.law.high)).to(self.x)
            weight = self._weight(beta).to(self.x) if self.weighted.power else None
        return Anchors(self.x, z, self.weighted.x, self.weighted.z, target, h, weight)

    def _along(self, values, each: Tensor):
        """Latents or reconstructions at the betas, (M, R), of each replica and point; or None."""
        if values is None:
            return None
        if self.betas is None:
            return values.expand(len(each), *values.shape)
        return along_beta(self.betas, values, each)

    def _weight(self, beta: Tensor) -> Tensor:
        """beta ** -power over its mean under the law."""
        return beta.pow(-self.weighted.power) / self.mean_weight
