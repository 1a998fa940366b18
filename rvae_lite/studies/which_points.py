"""Which points to send: four ways of choosing 32 of them, on birdsong (Appendix E)."""

from itertools import product

from rvae_lite.reporting import figures
from rvae_lite.studies.protocols import sequential
from rvae_lite.studies.rosetta_tables import ablation_table, medians
from rvae_lite.studies.song_setup import ABLATION, song_setup
from rvae_lite.studies.study import Study

PAPER = dict(kmeans="k-means", gaussian_mixture="Gaussian mixture")  # what the paper calls them
WAYS = ("kmeans", "gaussian_mixture", "agglomerative", "random")
study = Study(
    "which_points",
    reproduces="Table 9, choice of points",
    chapter="16_which_points",
    minutes=dict(cpu=30),
    profiles=dict(
        quick=dict(templates=1, setup=ABLATION["quick"]),
        cpu=dict(templates=3, setup=ABLATION["cpu"]),
        paper=dict(templates=3, setup=ABLATION["paper"]),
    ),
)
study.grid(lambda profile: product(WAYS, range(profile.templates)))


@study.unit
def unit(profile, selection, template, keep):
    """Sequential training of the R-VAE with 32 points chosen in one way."""
    keep = keep and keep / selection
    setup = song_setup(32, selection=selection, keep=keep, **profile.setup)
    setup = setup._replace(methods={"R-VAE": setup.methods["R-VAE"]})
    return sequential(setup, template=template)


def by_selection(own):
    """The study's table with the way of choosing, in the paper's words, as its method."""
    return own.assign(method=own.selection.replace(PAPER))


@study.table
def table(own, published, *, metric="LSD"):
    """Table 9, log distortion ("LSD") or retraining variability ("RV")."""
    options = dict(number=9, metric=metric, baseline="k-means")
    return ablation_table(by_selection(own), published, **options)


def closeness(own):
    """Labels carried over, and the distance to the first laboratory: medians, a row per way."""
    metrics = ("label_transfer", "unaligned_first")
    return medians(by_selection(own), *metrics, columns=["metric"])


@study.figure
def figure(own, ax=None):
    """Every run's distance to the first laboratory's space, a column per way."""
    label = "distance to Alice / variance\n(lower is better)"
    own = by_selection(own)
    return figures.plot_by_method(own, metric="unaligned_first", part="D1", label=label, ax=ax)
