"""The small digits of scikit-learn: reproducibility and sequential training."""

from itertools import product

from rvae_lite.studies.protocols import CONTROLS, PROTOCOLS
from rvae_lite.studies.rosetta_tables import rosetta_table
from rvae_lite.studies.setup import image_setup, methods_of
from rvae_lite.studies.study import Study

study = Study(
    "digits",
    reproduces="Tables 1 and 2, MNIST, in small",
    chapter="11_digits",
    minutes=dict(cpu=10),
    profiles=dict(
        quick=dict(templates=1, setup=dict(replicas=5, epochs=40)),
        cpu=dict(templates=3, setup={}),
        paper=dict(templates=3, setup={}),
    ),
)
study.grid(lambda profile: product(PROTOCOLS, range(profile.templates)))


@study.unit
def unit(profile, protocol, template, keep):
    """One protocol with one template."""
    methods = methods_of(rho=2.75) | CONTROLS[protocol]
    setup = image_setup("digits", network="mlp", methods=methods, **profile.setup)
    return PROTOCOLS[protocol](setup, template=template)


@study.table
def table(own, published, *, number=1):
    """Table 1 or 2, beside the paper's MNIST."""
    return rosetta_table(own, published, number=number, data="MNIST")
