"""Data, scale and methods of the studies that ask whether one needs anchoring.

Letters: R Rosetta points.
"""

from rvae_lite.studies.setup import Method, Setup, image_setup, toy_setup
from rvae_lite.studies.song_setup import BENGALESE_FINCH, QUICK, SMALL, ZEBRA_FINCHES, song_setup

CHAIRS = ("chairs", "procedural_chairs")
SETS = ("eight_gaussians", "digits", "mnist", "chairs", "zebra_finch", "bengalese_finch")
FAST = dict(network="patch")
BIRDS = ("zebra_finch", "bengalese_finch")
# once: the sets that take long, with one template in place of three.
PROFILES = dict(
    quick=dict(
        once=SETS,
        eight_gaussians=dict(epochs=20, replicas=3),
        digits=dict(epochs=20, replicas=3),
        mnist=dict(FAST, num_examples=1000, epochs=5, replicas=3),
        chairs=dict(FAST, num_examples=1000, side=32, epochs=5, replicas=3),
        zebra_finch=dict(QUICK, side=32),
        bengalese_finch=dict(QUICK, side=32),
    ),
    cpu=dict(
        once=(*BIRDS, "mnist"),
        eight_gaussians={},
        digits={},
        mnist=dict(FAST, num_examples=10_000, epochs=30),
        chairs=dict(FAST, side=32, epochs=60, batch_size=64),
        zebra_finch=dict(SMALL, epochs=150),
        bengalese_finch=dict(SMALL, epochs=150),
    ),
    paper=dict(
        once=(),
        eight_gaussians={},
        digits={},
        mnist=dict(epochs=200),
        chairs=dict(epochs=300),
        zebra_finch=dict(batch_size=256, epochs=300),
        bengalese_finch=dict(batch_size=256, epochs=300),
    ),
)
OURS = "R-VAE, decoded targets"


def rival_setup(profile, name: str, *, keep=None) -> Setup:
    """One of `SETS` with the number of points of the paper's Table 2, at a profile."""
    changes = dict(getattr(profile, name), keep=keep and keep / name)
    if name == "eight_gaussians":
        return toy_setup(8, **changes)
    if name == "digits":
        return image_setup("digits", 64, network="mlp", **changes)
    if name == "mnist":
        return image_setup("mnist", 64, **changes)
    if name == "chairs":
        return image_setup(CHAIRS, 128, **changes)
    birds = dict(zebra_finch=ZEBRA_FINCHES, bengalese_finch=BENGALESE_FINCH)[name]
    return song_setup(32, birds=birds, **changes)


def anchored_methods(setup: Setup) -> dict[str, Method]:
    """The plain VAE, the paper's R-VAE, and ours, whose decoder is drawn to reconstructions."""
    anchored = setup.methods["R-VAE"]
    ours = anchored._replace(target="reconstruction")
    return {"VAE": Method(), "R-VAE": anchored, OURS: ours}


def cells_of(profile) -> list[tuple[str, int]]:
    """Every data set with the seeds of its templates."""
    return [(name, t) for name in SETS for t in range(1 if name in profile.once else 3)]
