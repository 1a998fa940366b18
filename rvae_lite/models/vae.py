"""Variational autoencoders: an encoder, a posterior head, a decoder and a likelihood.

Martinez & Pearson (2021), Appendix C and Figure 3; Bae et al. (2023), Section 2.2 and Appendix C.
Letters: B batch, K latent dimension; `*data` one example's shape.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rvae_lite.gaussian import DiagonalPosterior, FullPosterior, LowRankPosterior, Posterior
from rvae_lite.losses import bernoulli_nll, gaussian_nll
from rvae_lite.models.networks import LogScale, convolutional, dense, patches, strided


class PosteriorHead(nn.Module):
    """From features (B, F) to a posterior over K latents.

    Args:
        feature_dim: F.
        latent_dim: K.
        posterior: "full" (Cholesky factor, the paper's), "diagonal", "low_rank" (rank `rank` plus diagonal) or
            "constant" (diagonal, the same for all data: the linear VAE's).
        rank: r of the low-rank factor.
        hidden_dim: width of a hidden layer with ReLU that each of the posterior's parts has to itself; by default none.
    """

    def __init__(
        self,
        feature_dim: int,
        latent_dim: int,
        posterior: str,
        *,
        rank: int = 1,
        hidden_dim: int | None = None,
    ):
        super().__init__()
        num_lower = latent_dim * (latent_dim - 1) // 2
        extra = {"full": num_lower, "diagonal": 0, "low_rank": latent_dim * rank}
        if posterior not in (*extra, "constant"):
            raise ValueError(f"posterior must be one of {sorted(extra)}, not {posterior!r}")
        self.posterior, self.rank = posterior, rank
        self.sizes = [
            latent_dim,
            0 if posterior == "constant" else latent_dim,
            extra.get(posterior, 0),
        ]
        self.noise_dim = latent_dim + (rank if posterior == "low_rank" else 0)
        self.hidden_dim = hidden_dim
        if posterior == "constant":
            self.log_scale = LogScale(latent_dim)
        if hidden_dim is None:
            self.linear = nn.Linear(feature_dim, sum(self.sizes))
        else:
            used = [size for size in self.sizes if size]
            self.hidden = nn.Linear(feature_dim, hidden_dim * len(used))
            self.outputs = nn.ModuleList(nn.Linear(hidden_dim, size) for size in used)

    def _parts(self, features: Tensor) -> Tensor:
        if self.hidden_dim is None:
            return self.linear(features)
        hidden = self.hidden(features).relu().split(self.hidden_dim, dim=-1)
        return torch.cat(
            [output(part) for output, part in zip(self.outputs, hidden, strict=True)], dim=-1
        )

    def forward(self, features: Tensor) -> Posterior:
        mean, log_scale, rest = self._parts(features).split(self.sizes, dim=-1)
        if self.posterior == "full":
            return FullPosterior(mean, log_scale, rest)
        if self.posterior == "low_rank":
            return LowRankPosterior(mean, log_scale, rest.unflatten(-1, (-1, self.rank)))
        if self.posterior == "constant":
            return DiagonalPosterior(mean, self.log_scale(mean))
        return DiagonalPosterior(mean, log_scale)


class VAE(nn.Module):
    """A variational autoencoder of any encoder and decoder.

    Args:
        encoder: maps (B, *data) to features (B, F).
        decoder: maps (B, K) to (B, *data): the mean (Gaussian) or the logits (Bernoulli).
        data_shape: shape of one example.
        feature_dim: F, width of the encoder's output.
        latent_dim: K.
        posterior: "full", "diagonal" or "low_rank", see `PosteriorHead`.
        likelihood: "gaussian" (needs `noise_variance`) or "bernoulli".
        head_dim: width of a hidden layer in the posterior head, see `PosteriorHead`; by default none.
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
        head_dim: int | None = None,
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
        self.head = PosteriorHead(feature_dim, latent_dim, posterior, hidden_dim=head_dim)
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
        decoder_hidden: Sequence[int] | None = None,
        decoder_activation: str = "relu",
        **options,
    ) -> "VAE":
        """A fully connected VAE with ReLU; the decoder mirrors the encoder unless told otherwise.

        Args:
            data_dim: D, or the shape of one example, such as (1, 8, 8); it is flattened inside.
            latent_dim: K.
            hidden: widths of the encoder's hidden layers.
            decoder_hidden: widths of the decoder's, from the latents on; by default the encoder's in reverse.
            decoder_activation: "relu" or "tanh".
            options: head_dim, posterior, likelihood, noise_variance, value_range: see `VAE`.

        Example:
            >>> model = VAE.mlp(5, 2)
            >>> model.encode(torch.zeros(3, 5)).mean.shape
            torch.Size([3, 2])
        """
        data_shape = (data_dim,) if isinstance(data_dim, int) else tuple(data_dim)
        hidden = tuple(hidden)
        widths = hidden[::-1] if decoder_hidden is None else tuple(decoder_hidden)
        _check_sizes(
            data_dim=data_shape, latent_dim=(latent_dim,), hidden=hidden, decoder_hidden=widths
        )
        flat_dim = math.prod(data_shape)
        encoder = [nn.Flatten(1), *dense((flat_dim, *hidden))]
        decoder = [
            *dense((latent_dim, *widths), decoder_activation),
            nn.Linear(widths[-1], flat_dim),
        ]
        model = cls(
            nn.Sequential(*encoder),
            nn.Sequential(*decoder, nn.Unflatten(1, data_shape)),
            data_shape=data_shape,
            feature_dim=hidden[-1],
            latent_dim=latent_dim,
            **options,
        )
        config = dict(
            network="mlp", data_dim=list(data_shape), latent_dim=latent_dim, hidden=list(hidden)
        )
        config |= dict(decoder_hidden=None if decoder_hidden is None else list(widths))
        config |= dict(decoder_activation=decoder_activation)
        model.config = config | options
        return model

    @classmethod
    def linear(cls, data_dim: int, latent_dim: int, *, noise_variance: float = 0.1) -> "VAE":
        """The linear VAE, whose optimum is known: p(x|z) = N(D z + mu, s2 I), q(z|x) = N(E (x - mu), C), C diagonal.

        C does not depend on x; noise_variance is s2 (Bae et al. 2023, Section 2.2, after Lucas et al. 2019).
        """
        _check_sizes(data_dim=(data_dim,), latent_dim=(latent_dim,))
        model = cls(
            nn.Identity(),
            nn.Sequential(nn.Linear(latent_dim, data_dim)),
            data_shape=(data_dim,),
            feature_dim=data_dim,
            posterior="constant",
            **(sizes := dict(latent_dim=latent_dim, noise_variance=noise_variance)),
        )
        model.config = dict(network="linear", data_dim=data_dim) | sizes
        return model

    @classmethod
    def conv(
        cls,
        data_shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int] = (16, 32),
        **options,
    ) -> "VAE":
        """A convolutional VAE: `VAE.residual` without residual blocks.

        Example:
            >>> model = VAE.conv((1, 28, 28), 16)
            >>> model.decode(torch.zeros(3, 16)).shape
            torch.Size([3, 1, 28, 28])
        """
        return cls.residual(
            data_shape, latent_dim, channels, blocks=(0,) * len(channels), **options
        )

    @classmethod
    def residual(
        cls,
        data_shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int] = (16, 32),
        *,
        blocks: Sequence[int] = (0, 1),
        hidden: Sequence[int] = (),
        head_dim: int | None = 224,
        **options,
    ) -> "VAE":
        """A convolutional VAE with residual blocks (Figure 3); the decoder mirrors the encoder.

        The defaults are the paper's network for MNIST and 3D Chairs.

        Args:
            data_shape: (C, H, W), H and W divisible by 2 ** len(channels).
            latent_dim: K.
            channels: output channels of each convolution (4x4, stride 2, ReLU).
            blocks: residual blocks after each convolution.
            hidden: widths of fully connected layers between the convolutions and the head.
            head_dim: width of the hidden layer of each of the posterior's parts, and of the decoder's first layer.
            options: posterior, likelihood, noise_variance, value_range: see `VAE`.
        """
        data_shape, channels, blocks = _image_shape(data_shape), tuple(channels), tuple(blocks)
        _check_sizes(latent_dim=(latent_dim,), channels=channels)
        if len(blocks) != len(channels) or min(blocks) < 0:
            raise ValueError(
                f"blocks must be one count per convolution ({len(channels)}), not {blocks}"
            )
        _check_divides(data_shape, 2 ** len(channels), f"{len(channels)} convolutions of stride 2")
        layers = convolutional(data_shape, channels, blocks)
        model = cls._with_dense(layers, data_shape, latent_dim, tuple(hidden), head_dim, options)
        config = dict(network="residual", channels=list(channels), blocks=list(blocks))
        model.config |= config
        return model

    @classmethod
    def patch(
        cls,
        data_shape: Sequence[int],
        latent_dim: int,
        *,
        patch_size: int = 4,
        channels: int = 32,
        hidden: Sequence[int] = (128,),
        head_dim: int | None = None,
        **options,
    ) -> "VAE":
        """A small VAE of images: one linear map shared by all square patches, then fully connected layers.

        Not in the paper: on a CPU it trains several times faster than the convolutional one.

        Args:
            data_shape: (C, H, W), H and W divisible by patch_size.
            latent_dim: K.
            patch_size: side of a patch, in pixels.
            channels: features of a patch.
            hidden: widths of the fully connected layers.
            head_dim, options: as in `VAE.residual`.
        """
        data_shape = _image_shape(data_shape)
        _check_sizes(latent_dim=(latent_dim,), patch_size=(patch_size,), channels=(channels,))
        _check_divides(data_shape, patch_size, f"patch_size {patch_size}")
        layers = patches(data_shape, patch_size, channels)
        model = cls._with_dense(layers, data_shape, latent_dim, tuple(hidden), head_dim, options)
        model.config |= dict(network="patch", patch_size=patch_size, channels=channels)
        return model

    @classmethod
    def cnn(
        cls, data_shape: Sequence[int], latent_dim: int, *, width: float = 1.0, **options
    ) -> "VAE":
        """The convolutional VAE of Bae et al. (2023): 128, 256, 512, 1024 channels, 4x4, stride 2, batch norm, ReLU.

        The decoder is its mirror behind a linear layer; the defaults are a diagonal posterior and Bernoulli.

        Args:
            data_shape: (C, H, W), H and W at least 16.
            latent_dim: K.
            width: factor of all numbers of channels.
            options: head_dim, posterior, likelihood, noise_variance, value_range: see `VAE`.
        """
        plan = dict(channels=(128, 256, 512, 1024), kernels=(4, 4, 4, 4), norm=True, blocks=0)
        return cls._strided("cnn", plan, data_shape, latent_dim, width, options)

    @classmethod
    def resnet(
        cls, data_shape: Sequence[int], latent_dim: int, *, width: float = 1.0, **options
    ) -> "VAE":
        """The residual VAE of Bae et al. (2023): 64, 128 (4x4), 128 (3x3) channels, stride 2, ReLU, two blocks of 128.

        Its mirror, defaults and arguments are those of `VAE.cnn`, but H and W at least 8.
        """
        plan = dict(channels=(64, 128, 128), kernels=(4, 4, 3), norm=False, blocks=2)
        return cls._strided("resnet", plan, data_shape, latent_dim, width, options)

    @classmethod
    def _strided(
        cls, network: str, plan: dict, data_shape, latent_dim: int, width: float, options: dict
    ) -> "VAE":
        data_shape, smallest = _image_shape(data_shape), 2 ** len(plan["channels"])
        if min(data_shape[1:]) < smallest:
            raise ValueError(
                f"data_shape {data_shape} must be at least {smallest} in height and width: pad the images"
            )
        if not width > 0:
            raise ValueError(f"width must be positive, not {width}")
        options = dict(posterior="diagonal", likelihood="bernoulli") | options
        channels = [max(1, round(width * number)) for number in plan["channels"]]
        encoder, decoder, flat_dim = strided(data_shape, **plan | dict(channels=channels))
        sizes = dict(data_shape=data_shape, latent_dim=latent_dim)
        first = nn.Linear(latent_dim, flat_dim)
        model = cls(
            nn.Sequential(*encoder),
            nn.Sequential(first, *decoder),
            feature_dim=flat_dim,
            **sizes,
            **options,
        )
        model.config = (
            dict(network=network, data_shape=list(data_shape), latent_dim=latent_dim, width=width)
            | options
        )
        return model

    @classmethod
    def _with_dense(
        cls, layers, data_shape, latent_dim: int, hidden, head_dim: int | None, options
    ) -> "VAE":
        """Fully connected layers between an image network and the latents, on both sides."""
        encoder, decoder, flat_dim = layers
        widths = (flat_dim, *hidden)
        mirrored = (latent_dim, *([head_dim] if head_dim else []), *reversed(widths))
        model = cls(
            nn.Sequential(*encoder, *dense(widths)),
            nn.Sequential(*dense(mirrored), *decoder),
            data_shape=data_shape,
            feature_dim=widths[-1],
            latent_dim=latent_dim,
            head_dim=head_dim,
            **options,
        )
        config = dict(
            data_shape=list(data_shape),
            latent_dim=latent_dim,
            hidden=list(hidden),
            head_dim=head_dim,
        )
        model.config = config | options
        return model

    @classmethod
    def from_config(cls, config: dict) -> "VAE":
        """Build the model that a constructor such as `VAE.mlp` described in its `config`."""
        networks = {
            "mlp": cls.mlp,
            "residual": cls.residual,
            "patch": cls.patch,
            "linear": cls.linear,
        }
        networks |= {"cnn": cls.cnn, "resnet": cls.resnet}
        options = dict(config)
        network = options.pop("network", None)
        if network not in networks:
            raise ValueError(f"network must be one of {list(networks)}, not {network!r}")
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

    def distortion_and_rate(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) at one posterior sample and KL(q(z|x) || N(0, I)), in nats, each (B,).

        x: (B, *data); noise: standard normal, (B, noise_dim).
        """
        posterior = self.encode(x)
        return self.distortion(x, posterior.sample(noise)), posterior.kl_divergence()

    def squared_error(self, x: Tensor) -> Tensor:
        """|x - decode(mean(x))|^2 summed over dimensions, in squared units of the data: x (B, *data) gives (B,)."""
        return (self.decode(self.encode(x).mean) - x).square().flatten(1).sum(1)

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, summed over dimensions, constant included: x (B, *data), z (B, K) give (B,)."""
        if self.likelihood == "bernoulli":
            return bernoulli_nll(x, self.decoder(z))
        return gaussian_nll(x, self.decoder(z), noise_variance=self.noise_variance)


def _check_sizes(**sizes: tuple[int, ...]) -> None:
    for name, values in sizes.items():
        if min(values, default=0) < 1:
            raise ValueError(
                f"{name} must be positive, not {values if len(values) != 1 else values[0]}"
            )


def _image_shape(data_shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(data_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"data_shape must be (channels, height, width), not {shape}")
    return shape


def _check_divides(data_shape: tuple[int, ...], factor: int, reason: str) -> None:
    if data_shape[1] % factor or data_shape[2] % factor:
        raise ValueError(
            f"data_shape {data_shape} must divide by {factor} in height and width for {reason}: crop or pad the images"
        )
