"""Make the Rosetta files that ship with the package, and their witness points.

    python tools/book_points.py [eight_gaussians] [digits]

Witness points are held-out (input, latent) pairs: no training uses them, so they can tell whether a
space is the book's. The committed files are the book's latent spaces; making them anew makes
another book.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np

from rvae_lite import RosettaPoints, select_points
from rvae_lite.studies.protocols import distil, halves
from rvae_lite.studies.setup import image_setup, toy_setup, train

FOLDER = Path(__file__).resolve().parents[1] / "rvae_lite" / "data" / "rosetta"
SETUPS = dict(eight_gaussians=toy_setup, digits=partial(image_setup, "digits", network="mlp"))
NUM_WITNESSES = 64


def make(name: str) -> None:
    """Train the book's model of one data set and write its points and its witnesses."""
    setup = SETUPS[name](progress=True)
    training, validation = halves(setup)
    model = train(setup, training.x, seed=0, label=name)
    points = distil(setup, model, training)
    means = model.encode(validation.x)[0]
    drawn = select_points(
        validation.x,
        means,
        NUM_WITNESSES,
        method="random",
        ids=validation.ids,
        header=points.header,
    )
    for suffix, pairs in (("", points), ("_witness", drawn)):
        pairs.save(FOLDER / f"{name}{suffix}.npz")
        loaded = RosettaPoints.load(FOLDER / f"{name}{suffix}.npz")
        assert np.array_equal(loaded.x, pairs.x) and np.array_equal(loaded.z, pairs.z)
        print(f"{name}{suffix}: {loaded}, {(FOLDER / f'{name}{suffix}.npz').stat().st_size} bytes")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SETUPS:
        make(chosen)
