"""How many points to send: from 4 to 64 of them, on birdsong (Appendix D)."""

from itertools import product

from rvae_lite.reporting import figures
from rvae_lite.studies import rosetta_tables
from rvae_lite.studies.protocols import PROTOCOLS
from rvae_lite.studies.rosetta_tables import frame_of
from rvae_lite.studies.setup import methods_of
from rvae_lite.studies.song_setup import ABLATION, song_setup
from rvae_lite.studies.study import Study

COUNTS = (4, 8, 16, 32, 64)
study = Study(
    "how_many_points",
    reproduces="Tables 3 to 8, number of points",
    chapter="15_how_many_points",
    minutes=dict(cpu=65),
    profiles=dict(
        quick=dict(templates=1, counts=(8, 32), setup=ABLATION["quick"]),
        cpu=dict(templates=3, counts=COUNTS, setup=ABLATION["cpu"]),
        paper=dict(templates=3, counts=COUNTS, setup=ABLATION["paper"]),
    ),
)
study.grid(lambda profile: product(PROTOCOLS, profile.counts, range(profile.templates)))


@study.unit
def unit(profile, protocol, R, template, keep):
    """One protocol with R points and one template."""
    return PROTOCOLS[protocol](song_setup(R, keep=keep, **profile.setup), template=template)


@study.table
def table(own, published):
    """Tables 4 and 7 or 5 and 8 of one data set, without the paper's, whose columns are shifted."""
    own = own[own.method.isin(methods_of())]
    return rosetta_tables.by_num_points([frame_of(own, metric) for metric in ("RV", "LSD")])


@study.figure
def figure(own, axes=None):
    """Every run's distance to the template, and the labels that carry over, over the points."""
    axes = figures.figure_row(2, width=3.4)[1] if axes is None else axes
    label = "distance to the template\n/ its variance (lower is better)"
    draw = figures.plot_runs_over_points
    draw(own, metric="unaligned", part="rest", label=label, ax=axes[0])
    label = "labels carried over, D1\n(higher is better)"
    draw(own, metric="label_transfer", part="D1", label=label, ax=axes[1])
    return axes
