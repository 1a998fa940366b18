"""8 Gaussians at the paper's scale: reproducibility, sequential training, the number of points."""

import numpy as np

from rvae_lite.reporting import figures
from rvae_lite.studies.protocols import CONTROLS, PROTOCOLS, sequential
from rvae_lite.studies.rosetta_tables import frame_of, rosetta_table
from rvae_lite.studies.setup import Method, methods_of, toy_setup
from rvae_lite.studies.study import Study

WHOLE = dict(templates=5, counts=(2, 4, 8, 16), setup={})
study = Study(
    "eight_gaussians",
    reproduces="Tables 1 to 3 and 6, Figures 2 and 4 to 7, 8 Gaussians",
    chapter="10_eight_gaussians 10_eight_gaussians_new_data",
    minutes=dict(paper=45),
    profiles=dict(
        quick=dict(templates=1, counts=(8,), setup=dict(replicas=5, epochs=40)),
        cpu=WHOLE,
        paper=WHOLE,
    ),
)


@study.grid
def grid(profile):
    """Both protocols for every number of points, and points of the joint model, over templates."""
    for template in range(profile.templates):
        for count in profile.counts:
            yield "reproducibility", count, template
            yield "sequential", count, template
        yield "joint-points", 8, template


@study.unit
def unit(profile, protocol, R, template, keep):
    """One protocol with R points of one template; with 8 a lower rho and the controls too."""
    if protocol == "joint-points":
        setup = toy_setup(R, **profile.setup)
        return sequential(setup, template=template, points_from="joint")
    methods = methods_of()
    if R == 8:
        methods |= {"R-VAE, rho 2.75": Method(rho=2.75), **CONTROLS[protocol]}
    setup = toy_setup(R, methods=methods, **profile.setup)
    return PROTOCOLS[protocol](setup, template=template)


@study.table
def table(own, published, *, number=1):
    """Tables 1 and 2 with 8 points, 3 and 6 over the number of points."""
    own = own[own.num_points == 8] if number < 3 else own[own.method.isin(methods_of())]
    return rosetta_table(own, published, number=number, data="8 Gaussians")


def lost_runs(own, method: str = "R-VAE, rho 2.75") -> float:
    """The share of runs that did not reach the points: farther off than a tenth of the variance."""
    far = own[(own.method == method) & (own.metric == "unaligned") & (own.part == "R1")]
    return (far.value > 0.1).mean()


@study.figure
def figure(own, parts=("rest", "D1", "D2")):
    """Tables 3 and 6 as curves over the number of points: variability ("rest"), distortion."""
    own = own[own.method.isin(methods_of())]
    axes = np.atleast_1d(figures.figure_row(len(parts), width=3.1)[1])
    for ax, part in zip(axes, parts, strict=True):
        frame = frame_of(own, "RV" if part == "rest" else "LSD")
        label = "RV − median VAE, nats" if part == "rest" else f"log LSD on {part} − median VAE"
        figures.plot_over_points(frame, part=part, label=f"{label}\n(lower is better)", ax=ax)
    return axes
