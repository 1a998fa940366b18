"""Encoders and their mirrored decoders: fully connected, convolutional with residual blocks, and patches.

Martinez & Pearson (2021), Figure 3; Bae et al. (2023), Appendix C, for those with batch norm and the deeper residual
ones.  Letters: B batch, K latent dimension, F features; an image is (C, H, W).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def dense(widths: Sequence[int], activation: str = "relu") -> list[nn.Module]:
    """Linear layers between successive widths, one of ACTIVATIONS after each."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, not {activation!r}")
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return [
        layer
        for inputs, outputs in pairs
        for layer in (nn.Linear(inputs, outputs), ACTIVATIONS[activation]())
    ]


class LogScale(nn.Module):
    """A log standard deviation for each latent, (K,), that does not depend on the data."""

    def __init__(self, latent_dim: int):
        super().__init__()
        self.value = nn.Parameter(torch.empty(latent_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Standard deviation 1, the prior's."""
        nn.init.zeros_(self.value)

    def forward(self, mean: Tensor) -> Tensor:
        return self.value.expand_as(mean)


class ResidualBlock(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))): (B, C, H, W) to the same.

    Args:
        channels: C.
        hidden: channels inside, by default twice as many.
    """

    def __init__(self, channels: int, hidden: int | None = None):
        super().__init__()
        hidden = hidden if hidden is not None else 2 * channels
        # Not in place: that would rectify the skip path too.
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def convolutional(data_shape: Sequence[int], channels: Sequence[int], blocks: Sequence[int]):
    """An encoder that halves the image at every convolution (4x4, stride 2, ReLU), and its mirror.

    Args:
        data_shape: (C, H, W); H and W divide by 2 ** len(channels).
        channels: of each convolution's output.
        blocks: residual blocks after each convolution, each with weights of its own.

    Returns:
        Layers (B, C, H, W) to (B, F), layers (B, F) to (B, C, H, W), and F.
    """
    colours, height, width = data_shape
    shrink = 2 ** len(channels)
    widths, small = (colours, *channels), (channels[-1], height // shrink, width // shrink)
    encoder, decoder = [], [nn.Unflatten(1, small)]
    for inputs, outputs, count in zip(widths[:-1], widths[1:], blocks, strict=True):
        encoder += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU()]
        encoder += [ResidualBlock(outputs) for _ in range(count)]
    for outputs, inputs, count in reversed(list(zip(widths[:-1], widths[1:], blocks, strict=True))):
        decoder += [ResidualBlock(inputs) for _ in range(count)]
        decoder += [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU()]
    return [*encoder, nn.Flatten(1)], decoder[:-1], math.prod(small)


def strided(
    data_shape: Sequence[int],
    channels: Sequence[int],
    kernels: Sequence[int],
    *,
    norm: bool,
    blocks: int,
):
    """Convolutions of stride 2, each with ReLU, then residual blocks; and their mirror, for images of any size.

    Args:
        data_shape: (C, H, W).
        channels: of each convolution's output.
        kernels: of each convolution: 4 halves the image rounding down, 3 rounding up.
        norm: a batch norm after each convolution, which then has no bias.
        blocks: residual blocks after the last convolution, with as many channels inside.

    Returns:
        Layers (B, C, H, W) to (B, F), layers (B, F) to (B, C, H, W), and F.
    """
    widths, sizes = (data_shape[0], *channels), [tuple(data_shape[1:])]
    for kernel in kernels:
        sizes.append(tuple((side + (kernel == 3)) // 2 for side in sizes[-1]))
    encoder, decoder = [], []
    for i, kernel in enumerate(kernels):
        encoder += [nn.Conv2d(widths[i], widths[i + 1], kernel, stride=2, padding=1, bias=not norm)]
        encoder += [*([nn.BatchNorm2d(widths[i + 1])] if norm else []), nn.ReLU()]
        # What the mirror lacks in each direction to reach the size before the convolution
        extra = tuple(
            side - 2 * small - (kernel - 4)
            for side, small in zip(sizes[i], sizes[i + 1], strict=True)
        )
        last = [nn.BatchNorm2d(widths[i]), nn.ReLU()] if norm else [nn.ReLU()]
        up = dict(stride=2, padding=1, output_padding=extra, bias=not norm or i == 0)
        decoder = [
            nn.ConvTranspose2d(widths[i + 1], widths[i], kernel, **up),
            *(last if i else []),
            *decoder,
        ]
    small = (widths[-1], *sizes[-1])
    encoder += [ResidualBlock(widths[-1], widths[-1]) for _ in range(blocks)]
    before = [
        nn.Unflatten(1, small),
        *(ResidualBlock(widths[-1], widths[-1]) for _ in range(blocks)),
    ]
    return [*encoder, nn.Flatten(1)], [*before, *decoder], math.prod(small)


class ToPatches(nn.Module):
    """Cut images (B, C, H, W) into squares of side p: (B, patches, C * p * p)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        batch, colours, height, width = x.shape
        p = self.size
        squares = x.reshape(batch, colours, height // p, p, width // p, p)
        return squares.permute(0, 2, 4, 1, 3, 5).reshape(
            batch, -1, colours * p * p
        )  # (B, patches, C p p)


class FromPatches(nn.Module):
    """Put squares (B, patches, C * p * p) together again: (B, C, H, W)."""

    def __init__(self, size: int, data_shape: Sequence[int]):
        super().__init__()
        self.size, self.data_shape = size, tuple(data_shape)

    def forward(self, patches: Tensor) -> Tensor:
        colours, height, width = self.data_shape
        p = self.size
        squares = patches.reshape(len(patches), height // p, width // p, colours, p, p)
        return squares.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), colours, height, width)


def patches(data_shape: Sequence[int], size: int, channels: int):
    """One linear map shared by all patches (a convolution whose kernel is its stride), ReLU, and its mirror.

    It trains as products of matrices, on a CPU several times faster than the paper's convolutions.

    Returns:
        Layers (B, C, H, W) to (B, F), layers (B, F) to (B, C, H, W), and F.
    """
    colours, height, width = data_shape
    count, pixels = (height // size) * (width // size), colours * size**2
    encoder = [ToPatches(size), nn.Linear(pixels, channels), nn.ReLU(), nn.Flatten(1)]
    decoder = [
        nn.Unflatten(1, (count, channels)),
        nn.Linear(channels, pixels),
        FromPatches(size, data_shape),
    ]
    return encoder, decoder, count * channels
