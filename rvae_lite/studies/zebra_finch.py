"""Birdsong of three zebra finches: reproducibility and sequential training."""

from rvae_lite.studies.rosetta_tables import rosetta_table
from rvae_lite.studies.song_setup import CELLS, WHOLE, ZEBRA_FINCHES, song_unit
from rvae_lite.studies.study import Study

study = Study(
    "zebra_finch",
    reproduces="Tables 1 and 2, Figures 2, 4 and 5, birdsong",
    chapter="14_birdsong",
    minutes=dict(cpu=60),
    profiles=WHOLE,
)
study.grid(lambda profile: CELLS)


@study.unit
def unit(profile, protocol, R, keep):
    """One protocol with R points."""
    return song_unit(profile, protocol, R, keep, birds=ZEBRA_FINCHES)


@study.table
def table(own, published, *, number=1):
    """Table 1 or 2, birdsong."""
    return rosetta_table(own, published, number=number, data="Birdsong")
