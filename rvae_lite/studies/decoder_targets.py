"""What the decoder is drawn to at the points: single data, as in the paper, or reconstructions."""

from rvae_lite.studies.protocols import reproducibility
from rvae_lite.studies.rivals_setup import (
    BIRDS,
    OURS,
    PROFILES,
    anchored_methods,
    cells_of,
    rival_setup,
)
from rvae_lite.studies.song_setup import ABLATION
from rvae_lite.studies.study import Study

SHOWN = {
    "distance": ("unaligned", "rest"),
    "RV, scale-free": ("rv_relative", "rest"),
    "distortion": ("distortion", "rest"),
    "rate": ("rate", "rest"),
    "squared error": ("squared_error", "rest"),
}
# Twice the data of `fair_rivals`, so birds are smaller.
SMALLER = PROFILES["cpu"] | dict.fromkeys(BIRDS, ABLATION["cpu"]) | dict(once=("mnist", "chairs"))
study = Study(
    "decoder_targets",
    reproduces="what the decoder is drawn to at the points (new)",
    chapter="19_do_you_need_it",
    minutes=dict(cpu=40),
    profiles=PROFILES | dict(cpu=SMALLER),
)
study.grid(cells_of)


@study.unit
def unit(profile, name, template, keep):
    """Retraining on one data set with one template by the plain VAE and both R-VAEs."""
    setup = rival_setup(profile, name, keep=keep)
    return reproducibility(setup._replace(methods=anchored_methods(setup)), template=template)


@study.table
def table(own, published):
    """Medians over runs and templates on held-out data, a row per data set and method."""
    import pandas as pd

    columns = {}
    for name, (metric, part) in SHOWN.items():
        chosen = own[(own.metric == metric) & (own.part == part)]
        columns[name] = chosen.groupby(["data", "method"], sort=False).value.median()
    return pd.DataFrame(columns)


def excess(own):
    """What both anchored trainings cost against the plain VAE: medians, a row per data set.

    distortion: nats above the VAE's; squared error: a multiple of the VAE's.
    """
    import pandas as pd

    wide = table(own, None).unstack("method", sort=False)
    found = {}
    for method in ("R-VAE", OURS):
        found["distortion, nats", method] = wide["distortion"][method] - wide["distortion"]["VAE"]
        ratio = wide["squared error"][method] / wide["squared error"]["VAE"]
        found["squared error, ratio", method] = ratio
        found["distance", method] = wide["distance"][method]
    return pd.DataFrame(found).sort_index(axis=1, level=0, sort_remaining=False)
