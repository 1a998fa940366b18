"""Birdsong of three zebra finches: reproducibility and sequential training."""

from functools import partial

from rvae_lite.studies import linear_maps
from rvae_lite.studies.rosetta_tables import rosetta_table
from rvae_lite.studies.song_setup import SMALL, WHOLE, ZEBRA_FINCHES, song_cells, song_unit
from rvae_lite.studies.study import Study

study = Study(
    "zebra_finch",
    reproduces="Tables 1 and 2, Figures 2 and 4 to 7, birdsong",
    chapter="14_birdsong",
    minutes=dict(cpu=175),
    profiles=WHOLE | dict(cpu=dict(templates=3, setup=dict(SMALL, epochs=300))),
)
study.grid(song_cells)
study.figure(partial(linear_maps.plot_linear_maps, log=True))  # Figures 6 and 7


@study.unit
def unit(profile, protocol, template, keep):
    """One protocol with one template."""
    return song_unit(profile, protocol, template, keep, birds=ZEBRA_FINCHES)


@study.table
def table(own, published, *, number=1):
    """Table 1 or 2, birdsong."""
    return rosetta_table(own, published, number=number, data="Birdsong")
