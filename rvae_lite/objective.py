"""The loss of one replica on one batch: distortion, rate and the Rosetta term.

Martinez & Pearson (2021), Eq. 1; Bae et al. (2023), Algorithm 1.  Nats, summed over dimensions.
Letters: B batch, K latent dimension, R Rosetta points.
"""

import contextlib
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rvae_lite.gates import BATCH_NORMS, standardise
from rvae_lite.losses import beta_loss, rosetta_penalty
from rvae_lite.multirate import is_multirate, responding

TERMS = ("loss", "distortion", "rate", "anchor_x", "anchor_z")  # an objective may add its own


class BetaVAE:
    """The objective distortion + beta * rate (Higgins et al. 2017).

    An objective computes its `parts` for a batch and combines them into the loss; `extra` names
    the terms that it adds to TERMS.
    """

    name = "beta-VAE"
    extra: tuple[str, ...] = ()

    def check(self, model: nn.Module, law) -> None:
        """Raises ValueError where the objective does not suit the model, or the law of beta."""

    def parts(self, model: nn.Module, x: Tensor, noise: Tensor, *, num_data: int):
        """-log p(x|z) at one sample of q(z|x), and KL(q(z|x) || N(0, I)): each (B,).

        x: a batch, (B, *data), of a data set of N = num_data; noise: standard normal,
        (B, noise_dim); the model is plain, or multi-rate and responding.
        """
        return model.distortion_and_rate(x, noise)

    def combine(self, distortion: Tensor, rate: Tensor, *, beta: Tensor) -> Tensor:
        """The loss of each example, or of their means: all () or (B,)."""
        return beta_loss(distortion, rate, beta=beta)


BETA_VAE = BetaVAE()


class Anchors(NamedTuple):
    """Rosetta points on the device, as one batch meets them.

    x, z: inputs (R, *data) and latents (R, K).
    x_weight, z_weight: weights of the two halves of the Rosetta term.
    target: the reconstruction that the decoder is trained towards, (R, *data); None for x itself.
    h: standardised log beta at which a multi-rate model meets the points, () or (R,).
    weight: of every point, () or (R,); None for 1.

    z, target, h and weight have a leading axis M where replicas differ in them.
    """

    x: Tensor
    z: Tensor
    x_weight: float = 1.0
    z_weight: float = 1.0
    target: Tensor | None = None
    h: Tensor | None = None
    weight: Tensor | None = None

    def axes(self) -> "Anchors":
        """For `vmap`: 0 for each entry that has the leading axis M; else None."""
        own = [None if value is None else 0 for value in self[4:]]
        return Anchors(None, 0, None, None, *own)


class Batch(NamedTuple):
    """What one replica sees in one step; for all replicas at once each tensor has a leading axis M.

    x: examples (B, *data); noise: standard normal, (B, noise_dim).
    beta: what a multi-rate model answers at, () or (B,); rate_weight: beta times its annealing,
    () or (B,); rho: weight of the Rosetta term, ().
    anchors: the Rosetta points, or None.
    """

    x: Tensor
    noise: Tensor
    beta: Tensor
    rate_weight: Tensor
    rho: Tensor
    anchors: Anchors | None


class ReplicaLoss(nn.Module):
    """The loss as a module, so that `functional_call` can swap the parameters of `model`.

    num_data: N, the size of the data set.
    """

    def __init__(self, model: nn.Module, objective: BetaVAE, *, num_data: int):
        super().__init__()
        self.model, self.objective, self.num_data = model, objective, num_data

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss, (), and its terms: TERMS, then the objective's own."""
        beta = batch.beta
        h = standardise(beta, self.model.beta_range) if is_multirate(self.model) else None
        with responding(self.model, h) as model:
            parts = self.objective.parts(model, batch.x, batch.noise, num_data=self.num_data)
        means = [part.mean() for part in parts]
        each = parts if beta.ndim else means
        loss = self.objective.combine(*each, beta=batch.rate_weight).mean()
        if batch.anchors is None:
            anchor_x = anchor_z = torch.zeros_like(loss)
        else:
            anchor_x, anchor_z = self.rosetta_terms(batch.anchors)
            weighted = batch.anchors.x_weight * anchor_x + batch.anchors.z_weight * anchor_z
            loss = loss + batch.rho * weighted
        terms = [loss, *means[:2], anchor_x, anchor_z, *means[2:]]
        return loss, torch.stack(terms).detach()

    def rosetta_terms(self, anchors: Anchors) -> tuple[Tensor, Tensor]:
        """Mean squared errors of the decoded and of the encoded anchors, each (), see `losses`."""
        with running_statistics(self.model), responding(self.model, anchors.h) as model:
            recon = model.decode(anchors.z)
            mean = model.encode(anchors.x).mean
        target = anchors.x if anchors.target is None else anchors.target
        return rosetta_penalty(recon, target, mean, anchors.z, weight=anchors.weight)


@contextlib.contextmanager
def running_statistics(model: nn.Module):
    """Inside the block batch norms use their running statistics and leave them alone."""
    norms = [layer for layer in model.modules() if type(layer) in BATCH_NORMS and layer.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True
