"""Any architecture: the second laboratory's network is the first's, or another one (Appendix F)."""

from itertools import product

from rvae_lite.models.vae import VAE
from rvae_lite.studies.protocols import sequential
from rvae_lite.studies.rosetta_tables import ablation_table, medians
from rvae_lite.studies.setup import BIRDSONG, COMPLEX, SIMPLE
from rvae_lite.studies.song_setup import ABLATION, song_setup
from rvae_lite.studies.study import Study

ARCHITECTURES = {"same architecture": BIRDSONG, "simple": SIMPLE, "complex": COMPLEX}
# A sixteenth of the pixels, and a dense layer to match.
SMALL = dict(hidden=[128])
study = Study(
    "any_architecture",
    reproduces="Table 10, architectures",
    chapter="17_any_architecture",
    minutes=dict(cpu=120),
    profiles=dict(
        quick=dict(templates=1, config=SMALL, setup=dict(ABLATION["quick"], network="residual")),
        cpu=dict(
            templates=3, config=SMALL, setup=dict(ABLATION["cpu"], network="residual", epochs=40)
        ),
        paper=dict(templates=3, config={}, setup=dict(ABLATION["paper"], network="residual")),
    ),
)
study.grid(lambda profile: product(ARCHITECTURES, range(profile.templates)))


@study.unit
def unit(profile, architecture, template, keep):
    """Sequential training of the R-VAE with 32 points, the second laboratory's network another."""
    keep = keep and keep / architecture.replace(" ", "-")
    setup = song_setup(32, keep=keep, columns=dict(architecture=architecture), **profile.setup)
    first = dict(setup.model.config, **profile.config)
    second = dict(first, blocks=list(ARCHITECTURES[architecture]["blocks"]))
    models = dict(model=VAE.from_config(first), second_model=VAE.from_config(second))
    setup = setup._replace(methods={"R-VAE": setup.methods["R-VAE"]}, **models)
    return sequential(setup, template=template)


def by_architecture(own):
    """The study's table with the architecture as its method."""
    return own.assign(method=own.architecture)


@study.table
def table(own, published, *, metric="LSD"):
    """Table 10, log distortion ("LSD") or retraining variability ("RV")."""
    options = dict(number=10, metric=metric, baseline="same architecture")
    return ablation_table(by_architecture(own), published, **options)


def closeness(own):
    """Labels carried over, R^2, distance to the first laboratory: medians, a row per network."""
    return medians(by_architecture(own), "label_transfer", "r_squared", "unaligned_first")
