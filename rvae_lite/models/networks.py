"""Networks by name: functions that build an encoder and the decoder that mirrors it.

`residual` is Figure 3 of Martinez & Pearson (2021); `cnn`, `resnet` are Bae et al. (2023), App. C.
Letters: B batch, K latent dimension, F features.  shape: of one example, (C, H, W) of an image.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

import rvae_lite.models.checks as checks

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class Network(NamedTuple):
    """An encoder (B, *data) to (B, F), a decoder (B, K) to (B, *data), and the width F."""

    encoder: nn.Module
    decoder: nn.Module
    feature_dim: int


class ResidualBlock(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))) of (B, C, H, W), `hidden` (or 2C) channels inside."""

    def __init__(self, channels: int, hidden: int | None = None):
        super().__init__()
        hidden = hidden if hidden is not None else 2 * channels
        wide, narrow = nn.Conv2d(channels, hidden, 3, padding=1), nn.Conv2d(hidden, channels, 1)
        # No ReLU is in place: the first would change x on the skip path too.
        self.branch = nn.Sequential(nn.ReLU(), wide, nn.ReLU(), narrow)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class ToPatches(nn.Module):
    """Cut images (B, C, H, W) into squares of side p: (B, patches, C p p)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        (batch, colours, height, width), p = x.shape, self.size
        squares = x.reshape(batch, colours, height // p, p, width // p, p)
        squares = squares.permute(0, 2, 4, 1, 3, 5)  # (B, H/p, W/p, C, p, p)
        return squares.reshape(batch, -1, colours * p * p)


class FromPatches(nn.Module):
    """Put squares of side p, (B, patches, C p p), together to images (B, C, H, W)."""

    def __init__(self, size: int, data_shape: Sequence[int]):
        super().__init__()
        self.size, self.data_shape = size, tuple(data_shape)

    def forward(self, patches: Tensor) -> Tensor:
        (colours, height, width), p = self.data_shape, self.size
        squares = patches.reshape(len(patches), height // p, width // p, colours, p, p)
        squares = squares.permute(0, 3, 1, 4, 2, 5)  # (B, C, H/p, p, W/p, p)
        return squares.reshape(len(patches), colours, height, width)


def mlp(shape, latent_dim, *, hidden=(64, 64), decoder_hidden=None, decoder_activation="relu"):
    """Fully connected layers with ReLU; data of any shape are flattened inside.

    hidden: widths of the encoder's hidden layers; decoder_hidden: of the decoder's, from the
    latents on, by default `hidden` reversed; decoder_activation: "relu" or "tanh".
    """
    checks.check_sizes(data_dim=shape, hidden=hidden)
    widths = hidden[::-1] if decoder_hidden is None else decoder_hidden
    checks.check_sizes(decoder_hidden=widths)
    encoder = [nn.Flatten(1), *dense((math.prod(shape), *hidden))]
    decoder = dense((latent_dim, *widths), decoder_activation)
    decoder += [nn.Linear(widths[-1], math.prod(shape)), nn.Unflatten(1, shape)]
    return Network(nn.Sequential(*encoder), nn.Sequential(*decoder), hidden[-1])


def linear(shape, latent_dim):
    """The data themselves as features, and a linear decoder (Bae et al. 2023, Section 2.2)."""
    checks.check_sizes(data_dim=shape)
    return Network(nn.Identity(), nn.Sequential(nn.Linear(latent_dim, *shape)), *shape)


def residual(shape, latent_dim, *, channels=(16, 32), blocks=(0, 1), hidden=(), head_dim=224):
    """Convolutions (4x4, stride 2, ReLU) that halve the image, each with residual blocks behind.

    channels, blocks: output channels of each convolution, and residual blocks behind it; hidden:
    widths of fully connected layers between the convolutions and the features; head_dim: width of
    the decoder's first layer, and of the posterior head's hidden layer, None for none.  H and W
    divide by 2 ** len(channels).  The defaults are the paper's network for MNIST and 3D Chairs.
    """
    count, factor = len(channels), 2 ** len(channels)
    checks.check_image(shape, factor, f"{count} convolutions of stride 2")
    checks.check_sizes(channels=channels)
    checks.check_blocks(blocks, count)
    steps = list(zip((shape[0], *channels[:-1]), channels, blocks, strict=True))
    small = (channels[-1], shape[1] // factor, shape[2] // factor)
    encoder, decoder = [], [nn.Unflatten(1, small)]
    for inputs, outputs, repeats in steps:
        encoder += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU()]
        encoder += [ResidualBlock(outputs) for _ in range(repeats)]
    for outputs, inputs, repeats in reversed(steps):
        decoder += [ResidualBlock(inputs) for _ in range(repeats)]
        decoder += [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU()]
    return _joined(encoder, decoder[:-1], (math.prod(small), *hidden), latent_dim, head_dim)


def conv(shape, latent_dim, *, channels=(16, 32), hidden=(), head_dim=224):
    """`residual` without residual blocks."""
    options = dict(channels=channels, hidden=hidden, head_dim=head_dim)
    return residual(shape, latent_dim, blocks=[0] * len(channels), **options)


def patch(shape, latent_dim, *, patch_size=4, channels=32, hidden=(128,), head_dim=None):
    """One linear map shared by all square patches, ReLU, then fully connected layers.

    patch_size: side of a patch in pixels, which divides H and W; channels: features of a patch;
    hidden, head_dim: as in `residual`.  As a product of matrices, this convolution of kernel =
    stride trains several times faster on a CPU.  It is not in the paper.
    """
    checks.check_sizes(patch_size=[patch_size], channels=[channels])
    checks.check_image(shape, patch_size, f"patch_size {patch_size}")
    pixels = shape[0] * patch_size**2
    count = math.prod(shape) // pixels
    encoder = [ToPatches(patch_size), nn.Linear(pixels, channels), nn.ReLU()]
    decoder = [nn.Unflatten(1, (count, channels)), nn.Linear(channels, pixels)]
    decoder += [FromPatches(patch_size, shape)]
    return _joined(encoder, decoder, (count * channels, *hidden), latent_dim, head_dim)


def cnn(shape, latent_dim, *, width=1.0):
    """Convolutions (4x4, stride 2, batch norm, ReLU) for images of at least 16x16 pixels.

    They have 128, 256, 512, 1024 channels times `width`.
    """
    convolutions = [(128, 4), (256, 4), (512, 4), (1024, 4)]
    return _strided(shape, latent_dim, convolutions, width=width, norm=True)


def resnet(shape, latent_dim, *, width=1.0):
    """Convolutions of stride 2, ReLU, two residual blocks, for images of at least 8x8 pixels.

    The convolutions have 64 (4x4), 128 (4x4), 128 (3x3) channels times `width`.
    """
    convolutions = [(64, 4), (128, 4), (128, 3)]
    return _strided(shape, latent_dim, convolutions, width=width, norm=False, blocks=2)


NETWORKS = {build.__name__: build for build in (mlp, linear, residual, conv, patch, cnn, resnet)}


def dense(widths: Sequence[int], activation: str = "relu") -> list[nn.Module]:
    """Linear layers between successive widths, each with an activation, "relu" or "tanh"."""
    checks.check_known("activation", activation, sorted(ACTIVATIONS))
    layers = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return layers


def _joined(encoder, decoder, widths, latent_dim, head_dim) -> Network:
    """Fully connected layers of `widths` between layers of images and the latents, both ways."""
    mirrored = [latent_dim, *([head_dim] if head_dim else []), *reversed(widths)]
    encoder = nn.Sequential(*encoder, nn.Flatten(1), *dense(widths))
    return Network(encoder, nn.Sequential(*dense(mirrored), *decoder), widths[-1])


def _strided(shape, latent_dim, convolutions, *, width, norm, blocks=0) -> Network:
    """Convolutions (channels, kernel) of stride 2, then residual blocks, and their mirror.

    A kernel of 4 halves an image of any size rounding down, one of 3 rounding up.
    """
    checks.check_strided(shape, len(convolutions), width)
    inputs, size = shape[0], shape[1:]
    encoder, decoder = [], []
    for channels, kernel in convolutions:
        outputs = max(1, round(width * channels))
        small = tuple((side + (kernel == 3)) // 2 for side in size)
        # The rows and columns that the mirror must add to meet the size before the convolution
        extra = tuple(a - 2 * b - (kernel - 4) for a, b in zip(size, small, strict=True))
        is_output, options = not decoder, dict(kernel_size=kernel, stride=2, padding=1)
        encoder += [nn.Conv2d(inputs, outputs, bias=not norm, **options)]
        encoder += _activated(outputs, norm)
        options |= dict(output_padding=extra, bias=is_output or not norm)
        mirror = nn.ConvTranspose2d(outputs, inputs, **options)
        decoder = [mirror, *([] if is_output else _activated(inputs, norm)), *decoder]
        inputs, size = outputs, small
    encoder += [ResidualBlock(inputs, inputs) for _ in range(blocks)]
    decoder = [*(ResidualBlock(inputs, inputs) for _ in range(blocks)), *decoder]
    first = [nn.Linear(latent_dim, inputs * math.prod(size)), nn.Unflatten(1, (inputs, *size))]
    encoder = nn.Sequential(*encoder, nn.Flatten(1))
    return Network(encoder, nn.Sequential(*first, *decoder), first[0].out_features)


def _activated(channels: int, norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU()] if norm else [nn.ReLU()]
