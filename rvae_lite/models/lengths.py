"""Batches of sentences of similar length, as He et al. (2019) train, without needless padding.

Replicas of a block are cut together, so that a replica's numbers depend on the others by rounding.
Letters: M replicas, N sentences, B batch, T tokens.
"""

import torch
from torch import Tensor, nn

POOL = 16  # batches whose sentences are sorted among each other


def trim(tokens):
    """Tokens (..., T), an array or tensor, cut to the longest of these sentences."""
    return tokens[..., : int((tokens != 0).sum(-1).max())]


class Lengths:
    """How a training draws batches from x, (N, *data): by length if a layer says `by_length`."""

    def __init__(self, model: nn.Module, x: Tensor):
        asked = any(getattr(layer, "by_length", False) for layer in model.modules())
        self.lengths = (x != 0).sum(-1).cpu() if asked else None  # (N,)

    def regroup(self, orders: Tensor, epoch: int) -> Tensor:
        """An epoch's examples, (num_batches, M, B), sorted within pools; batches in random order.

        That order is one for all replicas, which are cut together.
        """
        if self.lengths is None:
            return orders
        count, _, size = orders.shape
        flat = orders.transpose(0, 1).flatten(1)  # (M, num_batches * B)
        pools = torch.arange(count * size) // (POOL * size)
        keys = pools * (self.lengths.max() + 1) + self.lengths[flat]
        flat = flat.gather(1, keys.argsort(dim=1, stable=True))
        mixed = torch.randperm(count, generator=torch.Generator().manual_seed(epoch))
        return flat.unflatten(1, (count, size)).transpose(0, 1)[mixed]

    def take(self, x: Tensor, order: Tensor, *, cut: bool) -> Tensor:
        """The examples at `order` (M, B), (M, B, *data), their common padding cut if wished."""
        examples = x.index_select(0, order.flatten()).unflatten(0, order.shape)
        return trim(examples) if cut and self.lengths is not None else examples
