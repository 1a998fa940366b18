"""Chairs: sequential training on 3D Chairs where they are present, else on procedural ones."""

from rvae_lite.studies.protocols import sequential
from rvae_lite.studies.rosetta_tables import rosetta_table
from rvae_lite.studies.setup import image_setup
from rvae_lite.studies.study import Study

study = Study(
    "chairs",
    reproduces="Table 2, Figures 5 to 7, chairs",
    chapter="13_chairs",
    minutes=dict(cpu=30),
    profiles=dict(
        quick=dict(setup=dict(num_examples=1000, epochs=5, replicas=3, network="patch", side=32)),
        cpu=dict(setup=dict(side=32, epochs=60, batch_size=64)),
        paper=dict(setup=dict(epochs=300)),
    ),
)
study.grid(lambda profile: [("sequential", 128)])


@study.unit
def unit(profile, protocol, R, keep):
    """Sequential training with R points; the table says which chairs."""
    names = ("chairs", "procedural_chairs")
    return sequential(image_setup(names, R, keep=keep, progress=True, **profile.setup))


@study.table
def table(own, published):
    """Table 2, chairs."""
    return rosetta_table(own, published, number=2, data="3D Chairs")
