"""Make results/svhn_pictures.npz, samples of SVHN over beta that chapter 29 draws.

    python tools/svhn_pictures.py           SVHN is read from the folder RVAE_LITE_DATA

One multi-rate training and seven annealed ones, at the scale of the committed table (profile `cpu`
of the study `colour`, seed 0).  What that study has kept in results/units/ is not trained again;
else it takes some fifteen minutes on one core.  The file holds

    samples  uint8 (2, 5, 7, 3, 32, 32): latents of the prior, decoded at every beta
    methods  names of the two: the one training, the separate ones
    betas    float64 (7,)
    changes  float64 (2,): mean squared difference between neighbours in beta, over the variance
             of the samples at one beta; from 200 latents
    scale    one line on what the pictures rest on
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from rvae_lite.publishing import write_atomically
from rvae_lite.studies import colour
from rvae_lite.studies.over_beta import train_curve

RESULTS = Path(__file__).resolve().parents[1] / "results"
PLACE = RESULTS / "svhn_pictures.npz"
DATA, METHODS = "svhn_part", ("MR-VAE", "beta-VAE, annealed")
SHOWN, MEASURED = 5, 200  # latents


def trained() -> tuple[dict, np.ndarray, str]:
    """A Fit of each method, the betas, and the scale."""
    profile, fits = SimpleNamespace(**colour.study.profiles["cpu"]), {}
    for name in METHODS:
        setup = colour.colour_setup(profile, DATA, name, keep=RESULTS / "units" / "colour-cpu")
        fits[name] = train_curve(setup, name, seed=0)
    title = setup.dataset.info["title"]
    counts = f"{len(setup.train):,} to train on, {setup.epochs} epochs"
    scale = f"{title}: {counts}, residual network at a quarter of its width, one seed"
    return fits, np.array(setup.betas), scale


def pictures(fits: dict, betas: np.ndarray, scale: str) -> dict:
    """The file's arrays."""
    drawn = [colour.draw_over_beta(fit, betas, num=MEASURED).numpy() for fit in fits.values()]
    return dict(
        samples=np.rint(255 * np.stack(drawn)[:, :SHOWN]).astype(np.uint8),
        methods=np.array(list(fits)),
        betas=betas,
        changes=np.array([change(images) for images in drawn]),
        scale=np.array(scale),
    )


def change(images) -> float:
    """How far images (N, T, *data) move from one beta to the next, over their variance."""
    moves = np.square(images[:, 1:] - images[:, :-1]).mean()
    return float(moves / images.var(axis=0).mean())


if __name__ == "__main__":
    arrays = pictures(*trained())
    write_atomically(PLACE, lambda file: np.savez_compressed(file, **arrays))
    print(PLACE.name, f"{PLACE.stat().st_size:,} bytes;", arrays["scale"])
