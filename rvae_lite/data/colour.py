"""Colour images, 32x32: parts of CIFAR-10 and of SVHN, and small landscapes drawn here.

Bae et al. (2023), Section 5.2, on all of CIFAR-10 and SVHN.  Letters: N images.
"""

import io

import numpy as np

from rvae_lite.data.dataset import TEST, TRAIN, Dataset, draw_parts, draw_validation, in_parts
from rvae_lite.data.folders import damaged, folder_of, info_of, sources, verified

SIDE = 32
CIFAR10_TEST = 1000  # images of the random ones that are the test set
NEIGHBOURS = 100  # images in a row of SVHN that stay in one part


def load_cifar10_part(*, root=None, seed: int = 0) -> Dataset:
    """5,971 of the training images of CIFAR-10, by <root>/cifar10_part/cifar10_lossless_5971.npz.

    The test set is always the same 1,000 of the 4,000 images that are a random sample; a tenth of
    the others, by `seed`, is the validation set.  1,971 images were chosen because JPEG hurts them
    little: they are smoother than most, and never in the test set.
    """
    images, labels, origin = _read_part("cifar10_part", root, ["images", "labels", "origin"])
    part = np.full(len(images), TRAIN)
    part[np.flatnonzero(origin == 0)[-CIFAR10_TEST:]] = TEST
    return in_parts(images, draw_validation(part, seed), info_of("cifar10_part"), labels=labels)


def load_svhn_part(*, root=None, seed: int = 0) -> Dataset:
    """The first 10,000 test images of SVHN, by <root>/svhn_part/svhn_test_first10000.npz.

    Neighbours are digits of one house number, so runs of 100 go into one part together: by `seed`
    20 % into the test set, 8 % into the validation set.
    """
    images, labels = _read_part("svhn_part", root, ["images", "labels"])
    runs = draw_parts(-(-len(images) // NEIGHBOURS), seed)
    part = runs.repeat(NEIGHBOURS)[: len(images)]
    return in_parts(images, part, info_of("svhn_part"), labels=labels)


def _read_part(name: str, root, members: list[str]) -> list[np.ndarray]:
    """Images (N, 3, 32, 32) uint8, and integers (N,), members of a set's one verified file."""
    (file,) = sources()[name]["files"]
    with folder_of(name, root) as folder:
        content = verified(name, folder / file)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            images, *others = (archive[member] for member in members)
        found = [(str(each.dtype), *each.shape) for each in (images, *others)]
        if found[0] != ("uint8", len(images), SIDE, SIDE, 3) or len({row[1] for row in found}) > 1:
            raise ValueError(f"{', '.join(members)} must not be {found}")
    except Exception as error:  # of many kinds, as the file is damaged in many ways
        raise damaged(name, folder / file, error) from error
    images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))  # (N, 3, H, W)
    return [images, *(each.astype(int) for each in others)]


def load_procedural_colour(*, seed: int = 0, num_images: int = 4000) -> Dataset:
    """N landscapes: a bright sky above a dark ground, and before them a disc or (label 1) a square.

    Colours, sizes and places are drawn evenly by `seed`, which also draws the parts.
    """
    if num_images < 1:
        raise ValueError(f"num_images must be positive, not {num_images}")
    random = np.random.default_rng(seed)
    labels = random.integers(2, size=num_images)

    def drawn(low: float, high: float, colours: int = 1) -> np.ndarray:
        return random.uniform(low, high, (num_images, colours, 1, 1)).astype(np.float32)

    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    # The horizon is tilted, and more or less blurred.
    below = (y + drawn(-0.5, 0.5) * x - drawn(-0.4, 0.4)) / drawn(0.03, 0.5)
    sky, ground, share = drawn(0.5, 1, 3), drawn(0, 0.5, 3), 0.5 + 0.5 * np.tanh(below)
    images = sky + (ground - sky) * share
    # The shape is where |u|^p + |v|^p < 1, with an edge of one pixel.
    power, radius = np.where(labels, 8, 2)[:, None, None, None], drawn(0.2, 0.5)
    u, v = (x - drawn(-0.5, 0.5)) / radius, (y - drawn(-0.5, 0.5)) / radius
    distance = (abs(u) ** power + abs(v) ** power) ** (1 / power)
    inside = np.clip(0.5 + (1 - distance) * radius * SIDE / 2, 0, 1)
    images = np.rint(255 * (images + (drawn(0, 1, 3) - images) * inside)).astype(np.uint8)
    info, part = info_of("procedural_colour"), draw_parts(num_images, seed)
    return in_parts(images, part, info, labels=labels)
