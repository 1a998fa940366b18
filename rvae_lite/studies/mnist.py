"""MNIST with 64 and 32 points: reproducibility and sequential training."""

from itertools import product

from rvae_lite.studies import linear_maps, rosetta_tables
from rvae_lite.studies.protocols import CONTROLS, PROTOCOLS
from rvae_lite.studies.rosetta_tables import frame_of, rosetta_table
from rvae_lite.studies.setup import image_setup
from rvae_lite.studies.study import Study

study = Study(
    "mnist",
    reproduces="Tables 1, 2, 4 and 7, Figures 2 and 4 to 7, MNIST",
    chapter="12_mnist",
    minutes=dict(cpu=120),
    profiles=dict(
        quick=dict(setup=dict(num_examples=1000, epochs=5, replicas=3, network="patch")),
        cpu=dict(setup=dict(num_examples=10_000, epochs=30)),
        paper=dict(setup=dict(epochs=200)),
    ),
)
study.grid(lambda profile: product(PROTOCOLS, (64, 32)))


@study.unit
def unit(profile, protocol, R, keep):
    """One protocol with R points; with 64 the controls too."""
    setup = image_setup("mnist", R, keep=keep, progress=True, **profile.setup)
    if R == 64:
        setup = setup._replace(methods=setup.methods | CONTROLS[protocol])
    return PROTOCOLS[protocol](setup)


@study.table
def table(own, published, *, number=1):
    """Table 1 or 2 with 64 points; 4, which is Table 7 too, over the number of points."""
    if number in (4, 7):
        return rosetta_tables.by_num_points([frame_of(own, metric) for metric in ("RV", "LSD")])
    return rosetta_table(own[own.num_points == 64], published, number=number, data="MNIST")


@study.figure
def figure(own):
    """Figures 6 and 7 with 64 points: the maps from Bob's spaces to the joint one."""
    return linear_maps.plot_linear_maps(own[own.num_points == 64])
