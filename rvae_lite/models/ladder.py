"""A hierarchical VAE: latents at several scales, the finer ones given the coarser ones.

Vahdat & Kautz (2020), Section 3, made small; Bae et al. (2023), Section 5.2, train it at all rates.
Letters: B batch, K entries of the latents of all scales, L scales, numbered from the coarsest;
`*data` an image's shape (C, H, W).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rvae_lite.losses import bernoulli_nll
from rvae_lite.models.checks import check_scales
from rvae_lite.models.networks import ResidualBlock

BOUND = 5.0  # of log standard deviations: no training step can make a rate infinite


class ResidualNormal(NamedTuple):
    """A posterior q relative to its prior p, entry by entry (Vahdat & Kautz 2020, Section 3.2).

    p = N(prior_mean, exp(prior_log_scale)^2) and q = N(prior_mean + shift, exp(prior_log_scale +
    log_ratio)^2), each part (B, ...).  Where shift and log_ratio are 0, q is p.
    """

    prior_mean: Tensor
    prior_log_scale: Tensor
    shift: Tensor
    log_ratio: Tensor

    @property
    def mean(self) -> Tensor:
        """The mean of q: (B, ...)."""
        return self.prior_mean + self.shift

    @property
    def log_scale(self) -> Tensor:
        """The log standard deviation of q: (B, ...)."""
        return self.prior_log_scale + self.log_ratio

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + exp(log_scale) * noise, with noise ~ N(0, I) of the same shape."""
        return self.mean + self.log_scale.exp() * noise

    def kl_divergence(self) -> Tensor:
        """KL(q || p) = sum of 1/2 (whitened^2 + exp(2 log_ratio) - 1) - log_ratio, nats: (B,)."""
        whitened = self.shift / self.prior_log_scale.exp()
        quadratic = whitened.square() + (2 * self.log_ratio).exp() - 1
        return (0.5 * quadratic - self.log_ratio).flatten(1).sum(1)


class BottomUp(nn.Module):
    """Features of images (B, colours, H, W) at every scale, coarsest first as `channels`."""

    def __init__(self, colours: int, channels: Sequence[int], cells: int):
        super().__init__()
        self.stages = nn.ModuleList()
        for own, finer in zip(channels, [*channels[1:], colours], strict=True):
            halve = nn.Conv2d(finer, own, 4, stride=2, padding=1)
            self.stages.append(nn.Sequential(halve, nn.ReLU(), *_cells(own, cells)))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in reversed(self.stages):
            x = stage(x)
            features.append(x)
        return features[::-1]


class TopDown(nn.Module):
    """The path from the coarsest latents to the image, shared by prior, posterior, likelihood."""

    def __init__(self, colours: int, channels, latent_channels, cells: int):
        super().__init__()
        self.merge, self.cells, self.grow = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for latent, above, own in zip(latent_channels, [0, *channels[1:]], channels, strict=True):
            self.merge.append(nn.Conv2d(latent + above, own, 1))
        for own in channels:
            self.cells.append(nn.Sequential(*_cells(own, cells)))
        for own, finer in zip(channels, [*channels[1:], colours], strict=True):
            self.grow.append(nn.ConvTranspose2d(own, finer, 4, stride=2, padding=1))

    def forward(self, z: Tensor, state: Tensor | None, scale: int) -> Tensor:
        """From z_l and the state above it to the state below it; at the last scale, the logits."""
        seen = z if state is None else torch.cat([z, state], dim=1)
        return self.grow[scale](self.cells[scale](self.merge[scale](seen)).relu())


class LadderVAE(nn.Module):
    """A hierarchical VAE of binary images: p(x, z) = p(x|z) p(z_1) prod_l p(z_l | z_1 .. z_(l-1)).

    A bottom-up pass reads the image at L scales.  A top-down pass goes from the coarsest latents
    to the finest.  At each scale its state gives the prior; the state and the bottom-up features
    give the posterior relative to that prior (`ResidualNormal`).  The rate is the sum over scales
    of their exact divergences at the sampled z_1 .. z_(l-1).

    Args:
        data_shape: (C, H, W), H and W divisible by 2 ** L.
        channels: of the features at each of the L scales, coarsest first.
        latent_channels: of the latents at each scale, which is H / 2 ** (L + 1 - l) high.
        cells: residual cells at each scale, in both passes.

    Attributes:
        latent_dim, noise_dim: K.
        latent_shapes: (channels, height, width) of each scale's latents, which z (B, K) joins.

    Differs from the paper: two or three scales of one group each; plain residual cells, without
    batch norm, squeeze and excitation or depthwise convolutions; no balancing of the scales' rates
    and no spectral regularisation.

    Example:
        >>> model = LadderVAE((1, 8, 8), channels=(16, 8), latent_channels=(4, 1))
        >>> model.latent_shapes
        [(4, 2, 2), (1, 4, 4)]
        >>> model.sample(torch.zeros(3, model.latent_dim)).shape
        torch.Size([3, 1, 8, 8])
    """

    likelihood, noise_variance, value_range = "bernoulli", None, (0.0, 1.0)

    def __init__(
        self,
        data_shape: Sequence[int],
        *,
        channels: Sequence[int] = (64, 32),
        latent_channels: Sequence[int] = (8, 2),
        cells: int = 1,
    ):
        super().__init__()
        shape, channels = tuple(data_shape), tuple(channels)
        latent_channels = tuple(latent_channels)
        check_scales(shape, channels, latent_channels, cells)
        self.data_shape, self.num_scales, self.latent_shapes = shape, len(channels), []
        for scale, latent in enumerate(latent_channels):
            shrink = 2 ** (self.num_scales - scale)
            self.latent_shapes.append((latent, shape[1] // shrink, shape[2] // shrink))
        self.latent_dim = self.noise_dim = sum(math.prod(latent) for latent in self.latent_shapes)
        self.encoder = BottomUp(shape[0], channels, cells)
        self.decoder = TopDown(shape[0], channels, latent_channels, cells)
        self.posterior, self.prior = nn.ModuleList(), nn.ModuleList()
        for scale, (own, latent) in enumerate(zip(channels, latent_channels, strict=True)):
            seen = own if scale == 0 else 2 * own  # the features, and the state where there is one
            first, last = nn.Conv2d(seen, own, 3, padding=1), nn.Conv2d(own, 2 * latent, 1)
            self.posterior.append(nn.Sequential(first, nn.ReLU(), last))
        for own, latent in zip(channels[1:], latent_channels[1:], strict=True):
            self.prior.append(nn.Sequential(nn.ReLU(), nn.Conv2d(own, 2 * latent, 1)))
        self.config = dict(network="ladder", data_shape=list(shape), channels=list(channels))
        self.config |= dict(latent_channels=list(latent_channels), cells=cells)

    @classmethod
    def from_config(cls, config: dict) -> "LadderVAE":
        """Build the model that `config` describes."""
        return cls(**{name: value for name, value in config.items() if name != "network"})

    def layers_to_gate(self) -> list[str]:
        """The layers that `make_multirate` gates: all convolutions but some of the top-down path.

        Those that read latents, give the prior or give the image stay plain.

        Differs from the paper: the posterior's heads are gated.  They give q relative to p, so that
        q = p where the gate is closed: the scale says nothing.
        """
        kept = ("decoder.merge", f"decoder.grow.{self.num_scales - 1}", "prior")
        kinds = (nn.Conv2d, nn.ConvTranspose2d)
        layers = [name for name, layer in self.named_modules() if isinstance(layer, kinds)]
        return [name for name in layers if not name.startswith(kept)]

    def encode(self, x: Tensor) -> ResidualNormal:
        """q and p of every scale, joined to (B, K), with all coarser latents at their means."""
        path: list[ResidualNormal] = []
        self._descend(self._posterior_of(x, path), lambda q, _: q.mean, [None] * self.num_scales)
        return ResidualNormal(*(_joined(parts) for parts in zip(*path, strict=True)))

    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's mean, the pixels' probabilities, at z (B, K): (B, *data)."""
        return self._logits(z).sigmoid()

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, summed over pixels: x (B, *data), z (B, K) give (B,)."""
        return bernoulli_nll(x, self._logits(z))

    def distortion_and_rate(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) at one posterior sample and the rate, in nats, each (B,).

        x: (B, *data); noise: standard normal, (B, noise_dim).
        """
        distortion, rates = self.distortion_and_rates(x, noise)
        return distortion, rates.sum(-1)

    def distortion_and_rates(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """As `distortion_and_rate`, with one rate per scale, coarsest first: (B,) and (B, L)."""
        path: list[ResidualNormal] = []
        posterior_at = self._posterior_of(x, path)
        logits = self._descend(posterior_at, ResidualNormal.sample, self.split(noise))
        return bernoulli_nll(x, logits), torch.stack([q.kl_divergence() for q in path], dim=-1)

    def squared_error(self, x: Tensor) -> Tensor:
        """|x - decode(mean(x))|^2 summed over pixels: x (B, *data) gives (B,)."""
        return (self.decode(self.encode(x).mean) - x).square().flatten(1).sum(1)

    def sample(self, noise: Tensor) -> Tensor:
        """Pixels' probabilities, (B, *data), at a draw from the prior: noise ~ N(0, I), (B, K)."""
        prior_at = partial(self._prior_at, like=noise)
        return self._descend(prior_at, ResidualNormal.sample, self.split(noise)).sigmoid()

    def split(self, z: Tensor) -> list[Tensor]:
        """z or noise (B, K) as one image per scale, coarsest first: (B, *latent_shapes[l])."""
        pieces = z.split([math.prod(shape) for shape in self.latent_shapes], dim=-1)
        return [z_l.unflatten(-1, of) for z_l, of in zip(pieces, self.latent_shapes, strict=True)]

    def _logits(self, z: Tensor) -> Tensor:
        return self._descend(lambda *_: None, lambda _, given: given, self.split(z))

    def _descend(self, normal_at: Callable, choose: Callable, inputs: list) -> Tensor:
        """Logits (B, *data) from z_l = choose(normal_at(l, state), inputs[l]) at every scale l."""
        state = None
        for scale, given in enumerate(inputs):
            z = choose(normal_at(scale, state), given)
            state = self.decoder(z, state, scale)
        return state

    def _posterior_of(self, x: Tensor, path: list) -> Callable:
        """A function of (scale, state) that returns q(z_l | z_<l, x) and appends it to path."""
        features = self.encoder(x)

        def posterior_at(scale: int, state: Tensor | None) -> ResidualNormal:
            prior = self._prior_at(scale, state, like=x)
            seen = features[scale] if state is None else torch.cat([features[scale], state], dim=1)
            shift, log_ratio = self.posterior[scale](seen).chunk(2, dim=1)
            path.append(prior._replace(shift=shift, log_ratio=_bounded(log_ratio)))
            return path[-1]

        return posterior_at

    def _prior_at(self, scale: int, state: Tensor | None, *, like: Tensor) -> ResidualNormal:
        """p(z_l | z_<l), as a q that equals it; N(0, I), in the dtype of `like`, at scale 0."""
        if state is None:
            nothing = like.new_zeros((1, *self.latent_shapes[0]))
            return ResidualNormal(nothing, nothing, nothing, nothing)
        mean, log_scale = self.prior[scale - 1](state).chunk(2, dim=1)
        nothing = torch.zeros_like(mean)
        return ResidualNormal(mean, _bounded(log_scale), nothing, nothing)


def rates_by_scale(model, x: Tensor, noise: Tensor) -> Tensor:
    """The rate of each scale of a `LadderVAE`, coarsest first, in nats: (B, L).

    x: (B, *data); noise: standard normal, (B, noise_dim).  ValueError: the model has no scales.
    """
    if not hasattr(model, "distortion_and_rates"):
        message = "rates_by_scale is for hierarchical models, such as LadderVAE"
        raise ValueError(f"{message}: use evaluate for this one")
    return model.distortion_and_rates(x, noise)[1]


def _cells(channels: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(channels, channels) for _ in range(count)]


def _bounded(log_scale: Tensor) -> Tensor:
    return BOUND * (log_scale / BOUND).tanh()


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Images of all scales, each (B or 1, C, H, W), as (B, K)."""
    batch = max(len(part) for part in parts)
    return torch.cat([part.flatten(1).expand(batch, -1) for part in parts], dim=-1)
