"""A hierarchical VAE: latents at several scales, the finer ones given the coarser ones.

Vahdat & Kautz (2020), Section 3, made small; Bae et al. (2023), Section 5.2, train it at many rates at once.
Letters: B batch, K latent dimension of all scales together, L scales, numbered from the coarsest; `*data` an image's
shape (C, H, W).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rvae_lite.losses import bernoulli_nll
from rvae_lite.models.networks import ResidualBlock

BOUND = 5.0  # log standard deviations stay within this, so that no step of training can make a rate infinite


class ResidualNormal(NamedTuple):
    """q = N(prior_mean + shift, exp(prior_log_scale + log_ratio)^2) beside p = N(prior_mean, exp(prior_log_scale)^2).

    All four have one shape, (B, ...); the entries are independent.  Where shift and log_ratio are 0, q is p (Vahdat &
    Kautz 2020, Section 3.2).
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
        """KL(q || p) = 1/2 sum (shift^2 / exp(2 prior_log_scale) + exp(2 log_ratio) - 1) - log_ratio, in nats: (B,)."""
        quadratic = (
            (self.shift / self.prior_log_scale.exp()).square() + (2 * self.log_ratio).exp() - 1
        )
        return (0.5 * quadratic - self.log_ratio).flatten(1).sum(1)


class BottomUp(nn.Module):
    """Features of images at every scale, each half as fine as the one before.

    Args:
        colours: C of the images.
        channels: of each scale's features, coarsest first.
        cells: residual cells at each scale.
    """

    def __init__(self, colours: int, channels: Sequence[int], cells: int):
        super().__init__()
        pairs = zip(channels, [*channels[1:], colours], strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(finer, own, 4, stride=2, padding=1),
                nn.ReLU(),
                *(ResidualBlock(own, own) for _ in range(cells)),
            )
            for own, finer in pairs
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in reversed(self.stages):
            x = stage(x)
            features.append(x)
        return features[::-1]


class TopDown(nn.Module):
    """The path from the coarsest latents to the image, which prior, posterior and likelihood share.

    Args:
        colours: C of the images.
        channels, latent_channels: of each scale's features and latents, coarsest first.
        cells: residual cells at each scale.
    """

    def __init__(
        self, colours: int, channels: Sequence[int], latent_channels: Sequence[int], cells: int
    ):
        super().__init__()
        above = [0, *channels[1:]]
        sizes = zip(latent_channels, above, channels, strict=True)
        self.merge = nn.ModuleList(nn.Conv2d(latent + kept, own, 1) for latent, kept, own in sizes)
        self.cells = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(own, own) for _ in range(cells))) for own in channels
        )
        pairs = list(zip(channels, [*channels[1:], colours], strict=True))
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(own, finer, 4, stride=2, padding=1) for own, finer in pairs
        )

    def forward(self, z: Tensor, state: Tensor | None, scale: int) -> Tensor:
        """From z_l and the state above it to the state below it; from the finest scale, to the logits."""
        seen = z if state is None else torch.cat([z, state], dim=1)
        return self.grow[scale](self.cells[scale](self.merge[scale](seen)).relu())


class LadderVAE(nn.Module):
    """A hierarchical VAE of binary images: p(x, z) = p(x|z) p(z_1) prod_l p(z_l | z_1 .. z_(l-1)).

    A bottom-up pass reads the image at L scales.  The top-down pass goes from the coarsest latents to the finest: at
    each scale its state gives the prior, and together with the bottom-up features the posterior relative to that
    prior (`ResidualNormal`).  The rate is the sum over scales of their exact divergences at the sampled z_1 .. z_(l-1).

    Args:
        data_shape: (C, H, W), H and W divisible by 2 ** L.
        channels: of the features at each of the L scales, coarsest first.
        latent_channels: of the latents at each scale, coarsest first; scale l is H / 2 ** (L + 1 - l) high.
        cells: residual cells at each scale, on both ways.

    Attributes:
        latent_dim, noise_dim: K, the number of entries of all latents.
        latent_shapes: (channels, height, width) of each scale's latents; flattened and joined they make z (B, K).

    Raises:
        ValueError: the image does not divide, or a number is impossible.

    Differs from the paper: two or three scales of one group each, plain residual cells without batch norm, squeeze
    and excitation or depthwise convolutions; no balancing of the scales' rates while training warms up, and no
    spectral regularisation.

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
        shape, channels, latent_channels = (
            tuple(data_shape),
            tuple(channels),
            tuple(latent_channels),
        )
        _check(shape, channels, latent_channels, cells)
        self.data_shape, self.num_scales = shape, len(channels)
        sides = [
            [side // 2**halvings for side in shape[1:]]
            for halvings in range(self.num_scales, 0, -1)
        ]
        self.latent_shapes = [
            (own, *side) for own, side in zip(latent_channels, sides, strict=True)
        ]
        self.latent_dim = self.noise_dim = sum(math.prod(latent) for latent in self.latent_shapes)
        self.encoder = BottomUp(shape[0], channels, cells)
        self.decoder = TopDown(shape[0], channels, latent_channels, cells)
        self.posterior = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(seen * own, own, 3, padding=1), nn.ReLU(), nn.Conv2d(own, 2 * latent, 1)
            )
            for seen, own, latent in zip(
                [1] + [2] * (self.num_scales - 1), channels, latent_channels, strict=True
            )
        )
        self.prior = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(own, 2 * latent, 1))
            for own, latent in zip(channels[1:], latent_channels[1:], strict=True)
        )
        self.config = dict(network="ladder", data_shape=list(shape), channels=list(channels))
        self.config |= dict(latent_channels=list(latent_channels), cells=cells)

    @classmethod
    def from_config(cls, config: dict) -> "LadderVAE":
        """Build the model that `config` describes."""
        return cls(**{name: value for name, value in config.items() if name != "network"})

    def layers_to_gate(self) -> list[str]:
        """What `make_multirate` gates: all convolutions but those that read latents, or give the prior or the image.

        Differs from the paper: the posterior's heads are gated.  They give q relative to p, so that a closed gate is
        q = p, a scale that says nothing.
        """
        kept = ("decoder.merge", f"decoder.grow.{self.num_scales - 1}", "prior")
        layers = (
            name
            for name, layer in self.named_modules()
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        )
        return [name for name in layers if not name.startswith(kept)]

    def encode(self, x: Tensor) -> ResidualNormal:
        """q and p of every scale, joined to (B, K), where all coarser latents are at their posterior means."""
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
        """As `distortion_and_rate`, with the rate of each scale apart, coarsest first: (B,) and (B, L)."""
        path: list[ResidualNormal] = []
        logits = self._descend(
            self._posterior_of(x, path), ResidualNormal.sample, self.split(noise)
        )
        return bernoulli_nll(x, logits), torch.stack([q.kl_divergence() for q in path], dim=-1)

    def squared_error(self, x: Tensor) -> Tensor:
        """|x - decode(mean(x))|^2 summed over pixels: x (B, *data) gives (B,)."""
        return (self.decode(self.encode(x).mean) - x).square().flatten(1).sum(1)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw from the prior: standard normal noise (B, K) gives the pixels' probabilities, (B, *data)."""
        prior_at = partial(self._prior_at, like=noise)
        return self._descend(prior_at, ResidualNormal.sample, self.split(noise)).sigmoid()

    def split(self, z: Tensor) -> list[Tensor]:
        """z or noise (B, K) as one image per scale, coarsest first: (B, *latent_shapes[l])."""
        pieces = z.split([math.prod(shape) for shape in self.latent_shapes], dim=-1)
        return [
            piece.unflatten(-1, shape)
            for piece, shape in zip(pieces, self.latent_shapes, strict=True)
        ]

    def _logits(self, z: Tensor) -> Tensor:
        return self._descend(lambda *_: None, lambda _, given: given, self.split(z))

    def _descend(self, normal_at: Callable, choose: Callable, inputs: list) -> Tensor:
        """Top-down: z_l = choose(normal_at(l, state), inputs[l]) at every scale; the logits (B, *data)."""
        state = None
        for scale, given in enumerate(inputs):
            z = choose(normal_at(scale, state), given)
            state = self.decoder(z, state, scale)
        return state

    def _posterior_of(self, x: Tensor, path: list) -> Callable:
        """A function of (scale, state) that gives q(z_l | z_<l, x) beside p(z_l | z_<l), and appends it to path."""
        features = self.encoder(x)

        def posterior_at(scale: int, state: Tensor | None) -> ResidualNormal:
            prior = self._prior_at(scale, state, like=x)
            seen = features[scale] if state is None else torch.cat([features[scale], state], dim=1)
            shift, log_ratio = self.posterior[scale](seen).chunk(2, dim=1)
            path.append(prior._replace(shift=shift, log_ratio=_bounded(log_ratio)))
            return path[-1]

        return posterior_at

    def _prior_at(self, scale: int, state: Tensor | None, *, like: Tensor) -> ResidualNormal:
        """p(z_l | z_<l), as a q that equals it; N(0, I) at the coarsest scale, of `like`'s dtype and device."""
        if state is None:
            nothing = like.new_zeros((1, *self.latent_shapes[0]))
            return ResidualNormal(nothing, nothing, nothing, nothing)
        mean, log_scale = self.prior[scale - 1](state).chunk(2, dim=1)
        nothing = torch.zeros_like(mean)
        return ResidualNormal(mean, _bounded(log_scale), nothing, nothing)


def _bounded(log_scale: Tensor) -> Tensor:
    return BOUND * (log_scale / BOUND).tanh()


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Images of all scales, each (B or 1, C, H, W), as (B, K)."""
    batch = max(len(part) for part in parts)
    return torch.cat([part.flatten(1).expand(batch, -1) for part in parts], dim=-1)


def _check(shape: tuple, channels: tuple, latent_channels: tuple, cells: int) -> None:
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"data_shape must be (channels, height, width), not {shape}")
    if not channels or min(channels) < 1:
        raise ValueError(
            f"channels must be positive, one number per scale and one scale at least, not {channels}"
        )
    if len(latent_channels) != len(channels) or min(latent_channels) < 1:
        raise ValueError(
            f"latent_channels must be positive, one number for each of the {len(channels)} scales of channels, "
            f"not {latent_channels}"
        )
    if isinstance(cells, bool) or not isinstance(cells, int) or cells < 1:
        raise ValueError(f"cells must be a positive integer, not {cells!r}")
    factor = 2 ** len(channels)
    if shape[1] % factor or shape[2] % factor:
        raise ValueError(
            f"data_shape {shape} must divide by {factor} in height and width for {len(channels)} scales: crop or pad "
            f"the images, or take fewer scales"
        )
