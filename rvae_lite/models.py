"""Variational autoencoders: an encoder, a posterior head, a decoder and a likelihood.

Martinez & Pearson (2021), Appendix C.  Letters: B batch, K latent dimension; `*data` is the shape of one example.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from rvae_lite.gaussian import DiagonalPosterior, FullPosterior, LowRankPosterior, Posterior
from rvae_lite.losses import bernoulli_nll, gaussian_nll


class PosteriorHead(nn.Module):
    """One linear layer from features (B, H) to a posterior over K latents.

    Args:
        feature_dim: H.
        latent_dim: K.
        posterior: "full" (Cholesky factor, the paper's), "diagonal" or "low_rank" (rank `rank` plus diagonal).
        rank: r of the low-rank factor.
    """

    def __init__(self, feature_dim: int, latent_dim: int, posterior: str, *, rank: int = 1):
        super().__init__()
        num_lower = latent_dim * (latent_dim - 1) // 2
        extra = {"full": num_lower, "diagonal": 0, "low_rank": latent_dim * rank}
        if posterior not in extra:
            raise ValueError(f"posterior must be one of {sorted(extra)}, not {posterior!r}")
        self.posterior, self.rank = posterior, rank
        self.sizes = [latent_dim, latent_dim, extra[posterior]]
        self.noise_dim = latent_dim + (rank if posterior == "low_rank" else 0)
        self.linear = nn.Linear(feature_dim, sum(self.sizes))

    def forward(self, features: Tensor) -> Posterior:
        mean, log_scale, rest = self.linear(features).split(self.sizes, dim=-1)
        if self.posterior == "full":
            return FullPosterior(mean, log_scale, rest)
        if self.posterior == "low_rank":
            return LowRankPosterior(mean, log_scale, rest.unflatten(-1, (-1, self.rank)))
        return DiagonalPosterior(mean, log_scale)


class VAE(nn.Module):
    """A variational autoencoder of any encoder and decoder.

    Args:
        encoder: maps (B, *data) to features (B, feature_dim).
        decoder: maps (B, K) to (B, *data): the mean (Gaussian) or the logits (Bernoulli).
        data_shape: shape of one example.
        feature_dim: width of the encoder's output.
        latent_dim: K.
        posterior: "full", "diagonal" or "low_rank".
        likelihood: "gaussian" (needs `noise_variance`) or "bernoulli".
        noise_variance: variance of the Gaussian likelihood; the paper's precision of 10 is the default, 0.1.
        value_range: (low, high) that the data must keep to; (0, 1) for Bernoulli, by default None for Gaussian.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        data_shape: Sequence[int],
        feature_dim: int,
        latent_dim: int,
        posterior: str = "full",
        likelihood: str = "gaussian",
        noise_variance: float = 0.1,
        value_range: tuple[float, float] | None = None,
    ):
        super().__init__()
        if likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(f"likelihood must be 'gaussian' or 'bernoulli', not {likelihood!r}")
        if not noise_variance > 0:
            raise ValueError(f"noise_variance must be positive, not {noise_variance}")
        self.encoder, self.decoder = encoder, decoder
        self.head = PosteriorHead(feature_dim, latent_dim, posterior)
        self.data_shape, self.latent_dim = tuple(data_shape), latent_dim
        self.likelihood, self.noise_variance = likelihood, noise_variance
        self.value_range = (0.0, 1.0) if likelihood == "bernoulli" else value_range
        self.config: dict | None = None  # how to build it again; set by the constructors below

    @classmethod
    def mlp(
        cls,
        data_dim: int | Sequence[int],
        latent_dim: int,
        hidden: Sequence[int] = (64, 64),
        *,
        posterior: str = "full",
        likelihood: str = "gaussian",
        noise_variance: float = 0.1,
        value_range: tuple[float, float] | None = None,
    ) -> "VAE":
        """A fully connected VAE with ReLU; the decoder mirrors the encoder.

        Args:
            data_dim: D, or the shape of one example, such as (1, 8, 8); it is flattened inside.
            latent_dim: K.
            hidden: widths of the encoder's hidden layers.
            posterior, likelihood, noise_variance, value_range: see `VAE`.

        Example:
            >>> model = VAE.mlp(5, 2)
            >>> model.encode(torch.zeros(3, 5)).mean.shape
            torch.Size([3, 2])
        """
        data_shape = (data_dim,) if isinstance(data_dim, int) else tuple(data_dim)
        hidden = tuple(hidden)
        if min((*data_shape, latent_dim, *hidden), default=0) < 1 or not hidden:
            raise ValueError(f"data_dim, latent_dim and hidden must be positive: {data_shape}, {latent_dim}, {hidden}")
        flat_dim = math.prod(data_shape)
        encoder = nn.Sequential(nn.Flatten(1), *_dense_relu((flat_dim, *hidden)))
        decoder = nn.Sequential(
            *_dense_relu((latent_dim, *reversed(hidden))),
            nn.Linear(hidden[0], flat_dim),
            nn.Unflatten(1, data_shape),
        )
        options = dict(
            posterior=posterior, likelihood=likelihood, noise_variance=noise_variance, value_range=value_range
        )
        model = cls(encoder, decoder, data_shape=data_shape, feature_dim=hidden[-1], latent_dim=latent_dim, **options)
        model.config = dict(
            network="mlp", data_dim=list(data_shape), latent_dim=latent_dim, hidden=list(hidden), **options
        )
        return model

    @classmethod
    def from_config(cls, config: dict) -> "VAE":
        """Build the model that a constructor such as `VAE.mlp` described in its `config`."""
        networks = {"mlp": cls.mlp}
        options = dict(config)
        network = options.pop("network", None)
        if network not in networks:
            raise ValueError(f"network must be one of {sorted(networks)}, not {network!r}")
        return networks[network](**options)

    @property
    def noise_dim(self) -> int:
        """How many standard normal numbers a posterior sample takes."""
        return self.head.noise_dim

    def encode(self, x: Tensor) -> Posterior:
        """The posterior q(z|x) of x (B, *data)."""
        return self.head(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's mean at z (B, K), for Bernoulli the probabilities: (B, *data)."""
        output = self.decoder(z)
        return output.sigmoid() if self.likelihood == "bernoulli" else output

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, summed over dimensions, constant included: x (B, *data), z (B, K) give (B,)."""
        if self.likelihood == "bernoulli":
            return bernoulli_nll(x, self.decoder(z))
        return gaussian_nll(x, self.decoder(z), noise_variance=self.noise_variance)


def _dense_relu(widths: Sequence[int]) -> list[nn.Module]:
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return [layer for inputs, outputs in pairs for layer in (nn.Linear(inputs, outputs), nn.ReLU())]
