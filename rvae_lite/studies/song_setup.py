"""Birdsong at the scales of the book, for the studies that share it."""

from rvae_lite.studies.protocols import CONTROLS, PROTOCOLS
from rvae_lite.studies.setup import Result, Setup, image_setup

# Recorded birds where they are present, else a synthetic colony; the table says which.
ZEBRA_FINCHES = ("zebra_finch", "synthetic_finch")
BENGALESE_FINCH = ("bengalese_finch", "synthetic_finch")
POINTS = dict(reproducibility=64, sequential=32)  # of Tables 1 and 2
SMALL = dict(network="patch", loading=dict(size=64))
QUICK = dict(SMALL, num_examples=400, epochs=5, replicas=3)
WHOLE = dict(  # Tables 1 and 2
    quick=dict(templates=1, setup=QUICK),
    cpu=dict(templates=1, setup=dict(SMALL, epochs=150)),
    paper=dict(templates=3, setup=dict(batch_size=256, epochs=300)),
)
ABLATION = dict(  # Appendices D to F
    quick=dict(QUICK, side=32),
    cpu=dict(SMALL, side=32, epochs=60),
    paper=dict(batch_size=256, epochs=60),
)


def song_setup(num_points: int, *, birds=ZEBRA_FINCHES, **options) -> Setup:
    """The first of several sets of birds that is present, as in `image_setup`, with bars."""
    return image_setup(birds, num_points, **dict(progress=True) | options)


def song_cells(profile) -> list[tuple[str, int]]:
    """The protocols of Tables 1 and 2 with the seeds of their templates."""
    return [(protocol, t) for t in range(profile.templates) for protocol in POINTS]


def song_unit(profile, protocol, template, keep, *, birds) -> Result:
    """One protocol of some birds with one template, its control included."""
    setup = song_setup(POINTS[protocol], birds=birds, keep=keep, **profile.setup)
    setup = setup._replace(methods=setup.methods | CONTROLS[protocol])
    return PROTOCOLS[protocol](setup, template=template)
