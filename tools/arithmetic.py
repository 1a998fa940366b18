"""A digest of this machine's arithmetic: the bits of some products, convolutions, sums and steps.

Processors round differently where their instructions or the sizes of their caches differ, and so
do devices, numbers of threads and versions of PyTorch.  A training amplifies the last bit: after
some hundred steps its third digit may be another one.  Machines of one digest are expected to print
the same numbers; it samples what the chapters compute and is no proof.

    python tools/arithmetic.py          print the digest, by default that of one thread
"""

import hashlib
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LENGTH = 12  # hexadecimal digits


def digest() -> str:
    """The first digits of the SHA-256 of what `results` gives, and of the name of a GPU."""
    found = hashlib.sha256()
    for result in results():
        found.update(np.ascontiguousarray(result).tobytes())
    if torch.cuda.is_available():
        found.update(torch.cuda.get_device_name().encode())
    return found.hexdigest()[:LENGTH]


def results():
    """Arrays as trainings and measures compute them: shapes and operations of the chapters."""
    random = np.random.default_rng(0)

    def normal(*shape):
        return torch.from_numpy(random.standard_normal(shape).astype(np.float32))

    for rows, columns, outputs in ((64, 2, 50), (64, 64, 256), (128, 784, 256), (1000, 64, 32)):
        yield (normal(rows, columns) @ normal(columns, outputs)).tanh()
        yield torch.baddbmm(
            normal(10, 1, outputs), normal(10, rows, columns), normal(10, columns, outputs)
        )
    for size in (8, 28, 64):
        images, filters = normal(16, 4, size, size), normal(8, 4, 4, 4)
        maps = functional.conv2d(images, filters, stride=2, padding=1)
        yield maps
        yield functional.conv_transpose2d(maps, filters, stride=2, padding=1)
        yield functional.conv2d(images.repeat(1, 4, 1, 1), normal(32, 4, 4, 4), groups=4)
    values = normal(100, 1000)
    yield from (values.exp(), values.sin(), values.sigmoid(), functional.softplus(values))
    yield from (values.sum(0), values.mean(1), values.std(1), values.logsumexp(1))
    yield torch.randn(4096, generator=torch.Generator().manual_seed(0))
    for kind in (torch.float32, torch.float64):
        square = (values[:, :200] @ values[:, :200].T / 200).to(kind)
        yield from (torch.linalg.eigvalsh(square), torch.linalg.svdvals(values.to(kind)))
        yield torch.linalg.solve(square, values[:, :3].to(kind))
        yield torch.linalg.cholesky(square)
    array = values.numpy().astype(np.float64)
    yield from (array @ array.T, np.exp(array), np.linalg.lstsq(array.T, array[0], rcond=None)[0])
    yield from trained(values[:, :64])


def trained(x):
    """The weights of a small network, normalised in batches, after ten steps of Adam."""
    weights = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 64))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=weights) / 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(10):
        optimizer.zero_grad()
        functional.mse_loss(model(x), x).backward()
        optimizer.step()
    return [parameter.detach() for parameter in model.parameters()]


if __name__ == "__main__":
    print(digest())
