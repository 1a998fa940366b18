"""Variational autoencoders: an encoder, a posterior head, a decoder and a likelihood.

Martinez & Pearson (2021), Appendix C and Figure 3; Bae et al. (2023), Section 2.2 and Appendix C.
Letters: B batch, K latent dimension, F features; `*data` one example's shape.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import rvae_lite.models.checks as checks
from rvae_lite.gates import layers_of
from rvae_lite.gaussian import DiagonalPosterior, FullPosterior, LowRankPosterior, Posterior
from rvae_lite.linear_vae import LogScale
from rvae_lite.losses import bernoulli_nll, gaussian_nll
from rvae_lite.models.networks import NETWORKS

# What a network changes of the defaults of `VAE`.
BINARY = dict(posterior="diagonal", likelihood="bernoulli")
PREFERRED = dict(linear=dict(posterior="constant"), cnn=BINARY, resnet=BINARY)


class PosteriorHead(nn.Module):
    """From features (B, F) to a posterior over K latents.

    posterior: "full" (a Cholesky factor, as in the paper), "diagonal", "low_rank" (a factor of rank
    `rank` plus a diagonal) or "constant" (a diagonal that is the same for all data).
    hidden_dim: width of a hidden layer with ReLU for each part of the posterior; None for none.
    """

    def __init__(
        self, feature_dim: int, latent_dim: int, posterior: str, *, rank: int = 1, hidden_dim=None
    ):
        super().__init__()
        num_lower = latent_dim * (latent_dim - 1) // 2
        extra = dict(full=num_lower, diagonal=0, low_rank=latent_dim * rank, constant=0)
        if posterior != "constant":
            checks.check_known("posterior", posterior, sorted(extra.keys() - {"constant"}))
        num_scales = 0 if posterior == "constant" else latent_dim
        self.posterior, self.rank, self.hidden_dim = posterior, rank, hidden_dim
        self.sizes = [latent_dim, num_scales, extra[posterior]]
        self.noise_dim = latent_dim + (rank if posterior == "low_rank" else 0)
        if posterior == "constant":
            self.log_scale = LogScale(latent_dim)
        if hidden_dim is None:
            self.linear = nn.Linear(feature_dim, sum(self.sizes))
        else:
            used = [size for size in self.sizes if size]
            self.hidden = nn.Linear(feature_dim, hidden_dim * len(used))
            self.outputs = nn.ModuleList(nn.Linear(hidden_dim, size) for size in used)

    def latents_of_outputs(self) -> dict[str, tuple[Tensor, Tensor]]:
        """What `gates.LatentGate` asks of each output layer, by the layer's name.

        For each of F channels the two latents that it belongs to, (2, F), K for none; and 1 where
        it is a latent's log standard deviation, else 0, (F,).
        """
        latent_dim = self.sizes[0]
        one = torch.stack([torch.arange(latent_dim), torch.full((latent_dim,), latent_dim)])
        rest = one.repeat_interleave(self.rank, dim=1)  # of a low-rank factor, row by row
        if self.posterior == "full":
            rest = torch.tril_indices(latent_dim, latent_dim, offset=-1)
        parts = [(one, torch.zeros(latent_dim)), (one, torch.ones(latent_dim))]
        parts.append((rest, torch.zeros(rest.shape[1])))
        parts = [part for part, size in zip(parts, self.sizes, strict=True) if size]
        if self.hidden_dim is not None:
            return {f"outputs.{i}": part for i, part in enumerate(parts)}
        return dict(linear=tuple(torch.cat(each, dim=-1) for each in zip(*parts, strict=True)))

    def forward(self, features: Tensor) -> Posterior:
        if self.hidden_dim is None:
            output = self.linear(features)
        else:
            hidden = self.hidden(features).relu().split(self.hidden_dim, dim=-1)
            parts = [layer(part) for layer, part in zip(self.outputs, hidden, strict=True)]
            output = torch.cat(parts, dim=-1)
        mean, log_scale, rest = output.split(self.sizes, dim=-1)
        if self.posterior == "full":
            return FullPosterior(mean, log_scale, rest)
        if self.posterior == "low_rank":
            return LowRankPosterior(mean, log_scale, rest.unflatten(-1, (-1, self.rank)))
        if self.posterior == "constant":
            return DiagonalPosterior(mean, self.log_scale(mean))
        return DiagonalPosterior(mean, log_scale)


class VAE(nn.Module):
    """A variational autoencoder of any encoder and decoder; `VAE.build` knows networks by name.

    Args:
        encoder: maps (B, *data) to features (B, F).
        decoder: maps (B, K) to (B, *data): the mean (Gaussian) or the logits (Bernoulli).
        data_shape, feature_dim, latent_dim: shape of one example, F, K.
        head_dim, posterior: hidden_dim and posterior of the `PosteriorHead`.
        likelihood: "gaussian" (with `noise_variance`) or "bernoulli".
        noise_variance: variance of the Gaussian likelihood; 0.1 is the paper's precision of 10.
        value_range: (low, high) that the data keep to; always (0, 1) for Bernoulli.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        data_shape: Sequence[int],
        feature_dim: int,
        latent_dim: int,
        head_dim: int | None = None,
        posterior: str = "full",
        likelihood: str = "gaussian",
        noise_variance: float = 0.1,
        value_range: tuple[float, float] | None = None,
    ):
        super().__init__()
        checks.check_likelihood(likelihood, noise_variance)
        self.encoder, self.decoder = encoder, decoder
        self.head = PosteriorHead(feature_dim, latent_dim, posterior, hidden_dim=head_dim)
        self.data_shape, self.latent_dim = tuple(data_shape), latent_dim
        self.likelihood, self.noise_variance = likelihood, noise_variance
        self.value_range = (0.0, 1.0) if likelihood == "bernoulli" else value_range
        self.config: dict | None = None  # how `from_config` builds it again

    @classmethod
    def build(cls, name: str, data_shape: int | Sequence[int], latent_dim: int, **options) -> "VAE":
        """A VAE whose encoder and decoder are the network called `name` (module `networks`).

        name: "mlp", "linear", "residual", "conv", "patch", "cnn" or "resnet"; data_shape: shape of
        one example, or D; options: the network's and `VAE`'s.  ValueError: an unknown name, or a
        size that is impossible.
        """
        checks.check_known("network", name, NETWORKS)
        checks.check_sizes(latent_dim=[latent_dim])
        shape = (data_shape,) if isinstance(data_shape, int) else tuple(data_shape)
        own = NETWORKS[name].__kwdefaults__ or {}  # the network's options and their defaults
        chosen = {**own, **PREFERRED.get(name, {}), **options}
        network = NETWORKS[name](shape, latent_dim, **{key: chosen[key] for key in own})
        # All other options are the VAE's.  head_dim, a width on both sides, is of both.
        rest = {key: value for key, value in chosen.items() if key not in own or key == "head_dim"}
        model = cls(**network._asdict(), data_shape=shape, latent_dim=latent_dim, **rest)
        model.config = dict(network=name, data_shape=list(shape), latent_dim=latent_dim)
        for key, value in chosen.items():
            model.config[key] = list(value) if isinstance(value, tuple | list) else value
        return model

    @classmethod
    def from_config(cls, config: dict) -> "VAE":
        """Build the model again that `config` describes.  Old files say data_dim for data_shape."""
        options = {"network": None, "latent_dim": 0, **config}
        name, latent_dim = options.pop("network"), options.pop("latent_dim")
        data_shape = options.pop("data_dim", ())
        return cls.build(name, options.pop("data_shape", data_shape), latent_dim, **options)

    @classmethod
    def mlp(cls, data_dim, latent_dim: int, hidden: Sequence[int] = (64, 64), **options) -> "VAE":
        """Fully connected layers: `networks.mlp`.  data_dim is D or the shape of one example.

        Example:
            >>> model = VAE.mlp(5, 2)
            >>> model.encode(torch.zeros(3, 5)).mean.shape
            torch.Size([3, 2])
        """
        return cls.build("mlp", data_dim, latent_dim, hidden=hidden, **options)

    @classmethod
    def linear(cls, data_dim: int, latent_dim: int, *, noise_variance: float = 0.1) -> "VAE":
        """p(x|z) = N(D z + mu, s2 I), q(z|x) = N(E (x - mu), C), C diagonal; see `linear_vae`."""
        return cls.build("linear", data_dim, latent_dim, noise_variance=noise_variance)

    @classmethod
    def conv(cls, data_shape, latent_dim: int, channels=(16, 32), **options) -> "VAE":
        """Convolutions that halve the image: `networks.conv`."""
        return cls.build("conv", data_shape, latent_dim, channels=channels, **options)

    @classmethod
    def residual(cls, data_shape, latent_dim: int, channels=(16, 32), **options) -> "VAE":
        """Convolutions and residual blocks, the paper's network for images: `networks.residual`."""
        return cls.build("residual", data_shape, latent_dim, channels=channels, **options)

    @classmethod
    def patch(cls, data_shape, latent_dim: int, **options) -> "VAE":
        """Square patches through one linear map, fast on a CPU: `networks.patch`."""
        return cls.build("patch", data_shape, latent_dim, **options)

    @classmethod
    def cnn(cls, data_shape, latent_dim: int, **options) -> "VAE":
        """The CNN of Bae et al. (2023), by default diagonal and Bernoulli: `networks.cnn`."""
        return cls.build("cnn", data_shape, latent_dim, **options)

    @classmethod
    def resnet(cls, data_shape, latent_dim: int, **options) -> "VAE":
        """The ResNet of Bae et al. (2023), by default diagonal and Bernoulli: `networks.resnet`."""
        return cls.build("resnet", data_shape, latent_dim, **options)

    @property
    def noise_dim(self) -> int:
        """How many standard normal numbers a posterior sample takes."""
        return self.head.noise_dim

    @property
    def is_linear(self) -> bool:
        """Whether the posterior's covariance is the same for all data, as in the linear VAE."""
        return self.head.posterior == "constant"

    def layers_to_gate(self) -> list[str]:
        """The layers that `make_multirate` gates.

        The decoder's output layer stays plain; so does its first, if linear, unless none is left.
        """
        encoder = [f"encoder.{name}".rstrip(".") for name in layers_of(self.encoder)]
        decoder = [f"decoder.{name}".rstrip(".") for name in layers_of(self.decoder)]
        starts_linear = bool(decoder) and isinstance(self.get_submodule(decoder[0]), nn.Linear)
        inner = decoder[1:-1]
        return encoder + (inner if starts_linear and inner else decoder[:-1])

    def layers_of_latents(self) -> list[str]:
        """The layers that read the latents, if they are linear."""
        for name, layer in self.decoder.named_modules():
            if next(layer.parameters(recurse=False), None) is not None:
                return [f"decoder.{name}".rstrip(".")] if type(layer) is nn.Linear else []
        return []

    def encode(self, x: Tensor) -> Posterior:
        """The posterior q(z|x) of x (B, *data)."""
        return self.head(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's mean at z (B, K), for Bernoulli the probabilities: (B, *data)."""
        output = self.decoder(z)
        return output.sigmoid() if self.likelihood == "bernoulli" else output

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, summed over dimensions: x (B, *data) and z (B, K) give (B,)."""
        if self.likelihood == "bernoulli":
            return bernoulli_nll(x, self.decoder(z))
        return gaussian_nll(x, self.decoder(z), noise_variance=self.noise_variance)

    def distortion_and_rate(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) at one posterior sample and KL(q(z|x) || N(0, I)), in nats, each (B,).

        x: (B, *data); noise: standard normal, (B, noise_dim).
        """
        posterior = self.encode(x)
        return self.distortion(x, posterior.sample(noise)), posterior.kl_divergence()

    def squared_error(self, x: Tensor) -> Tensor:
        """|x - decode(mean(x))|^2 summed over dimensions: x (B, *data) gives (B,)."""
        return (self.decode(self.encode(x).mean) - x).square().flatten(1).sum(1)
