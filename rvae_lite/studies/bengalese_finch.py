"""Birdsong of one Bengalese finch, half of its recordings in each of D1 and D2."""

from functools import partial

from rvae_lite.studies import linear_maps, rosetta_tables
from rvae_lite.studies.song_setup import BENGALESE_FINCH, WHOLE, song_cells, song_unit
from rvae_lite.studies.study import Study

study = Study(
    "bengalese_finch",
    reproduces="Tables 1 and 2, birdsong, on one bird",
    chapter="14_birdsong",
    minutes=dict(cpu=60),
    profiles=WHOLE,
)
study.grid(song_cells)
study.figure(partial(linear_maps.plot_linear_maps, log=True))  # Figures 6 and 7


@study.unit
def unit(profile, protocol, template, keep):
    """One protocol with one template."""
    return song_unit(profile, protocol, template, keep, birds=BENGALESE_FINCH)


@study.table
def table(own, published):
    """Medians of every method; the paper has no such bird."""
    return rosetta_tables.summary(own)
