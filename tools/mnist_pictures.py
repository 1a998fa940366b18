"""Make results/mnist_pictures.npz, the real MNIST digits that chapter 12 draws.

    python tools/mnist_pictures.py          MNIST is read from the folder RVAE_LITE_DATA

Three trainings of the paper's network, at the scale of the committed table (profile `cpu` of the
study `mnist`): a template, a VAE and an R-VAE with the template's 64 Rosetta points.
It takes some seven minutes on one core.  The file holds

    images   uint8 (rows, 10, 28, 28): a held-out image of each digit, and what is made of it
    rows     names of those rows; "X by the template" is the template's decoder on X's latents
    errors   squared error of each row over all held-out images, summed over pixels
    points   uint8 (64, 28, 28): the Rosetta points' inputs
    spaces   names of four spaces; "VAE, mapped" is behind a smooth map from the Rosetta points
    planes   float16 (4, 1000, 2): 1,000 held-out images in a UMAP fitted on the template's space
    labels   uint8 (1000,): their digits
    scale    one line on what the pictures rest on
"""

from pathlib import Path

import numpy as np

from rvae_lite import rivals
from rvae_lite.publishing import write_atomically
from rvae_lite.reporting import figures
from rvae_lite.studies import mnist
from rvae_lite.studies.protocols import distil, halves, train_methods
from rvae_lite.studies.setup import image_setup, train

PLACE = Path(__file__).resolve().parents[1] / "results" / "mnist_pictures.npz"
METHODS = ("VAE", "R-VAE")
SHOWN = 1000  # latents in the window


def trained(**changes):
    """The template, its Rosetta points, one run of each method, held-out data and the scale."""
    scale = mnist.study.profiles["cpu"]["setup"] | dict(replicas=1) | changes
    setup = image_setup("mnist", 64, progress=True, **scale)
    setup = setup._replace(methods={name: setup.methods[name] for name in METHODS})
    training, held_out = halves(setup)
    template = train(setup, training.x, seed=0, label="template")
    points = distil(setup, template, training)
    runs = train_methods(setup, training.x, points, template=0, label="retrainings")
    counts = f"{len(setup.dataset.x):,} images, {len(held_out.x):,} of them held out"
    scale = f"MNIST: {counts}, {setup.epochs} epochs, one run of each method, residual network"
    return template, points, runs, held_out, scale


def pictures(template, points, runs, held_out, scale) -> dict:
    """The file's arrays."""
    codes = {"template": template.encode(held_out.x)[0].numpy()}
    codes |= {name: fit.encode(held_out.x)[0].numpy() for name, fit in runs.items()}
    anchors = runs["VAE"].encode(points.x)[0]
    codes["VAE, mapped"] = rivals.fit_map("smooth", anchors, points.z)(codes["VAE"])
    drawn = {"images": held_out.x[:, 0] / 255}  # (N, 28, 28)
    for name, fit in {"template": template, **runs}.items():
        drawn[name] = decoded(fit, codes[name])
    for name in ("VAE", "R-VAE", "VAE, mapped"):
        drawn[f"{name} by the template"] = decoded(template, codes[name])
    one_of_each = np.unique(held_out.labels, return_index=True)[1]
    window = figures.umap_of(codes["template"])
    squares = [np.square(rows - drawn["images"]) for rows in drawn.values()]
    return dict(
        images=np.stack([in_bytes(rows[one_of_each]) for rows in drawn.values()]),
        rows=np.array(list(drawn)),
        errors=np.array([square.sum((1, 2)).mean() for square in squares]),
        points=in_bytes(np.asarray(points.x)[:, 0]),
        spaces=np.array(list(codes)),
        planes=window(np.stack(list(codes.values()))[:, :SHOWN]).astype(np.float16),
        labels=held_out.labels[:SHOWN].astype(np.uint8),
        scale=np.array(scale),
    )


def decoded(fit, means) -> np.ndarray:
    """What a model's decoder makes of latents (N, K): images (N, 28, 28) in 0 to 1."""
    return fit.decode(means)[0].numpy()[:, 0].clip(0, 1)


def in_bytes(images) -> np.ndarray:
    """Images in 0 to 1, or bytes already, as uint8."""
    return images if images.dtype == np.uint8 else np.rint(255 * images).astype(np.uint8)


if __name__ == "__main__":
    arrays = pictures(*trained())
    write_atomically(PLACE, lambda file: np.savez_compressed(file, **arrays))
    print(PLACE.name, f"{PLACE.stat().st_size:,} bytes;", arrays["scale"])
