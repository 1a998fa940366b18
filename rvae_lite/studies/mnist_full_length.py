"""MNIST as long as the paper's training and on all its images, with the small network of patches.

The study `mnist` has the paper's network at a smaller scale.  This one has the paper's scale, and
a unit for each method, so that a long run gives its first rows early.
"""

from itertools import product

from rvae_lite.studies.protocols import PROTOCOLS
from rvae_lite.studies.rival_rows import Alice, latents_of, mapped_rows, regression_rows
from rvae_lite.studies.rosetta_tables import rosetta_table
from rvae_lite.studies.setup import image_setup, methods_of, tidy
from rvae_lite.studies.study import Study

METHODS = methods_of(rho=2.75)
SMALL = dict(network="patch", num_examples=1000, epochs=2, replicas=3)
WHOLE = dict(network="patch", epochs=200)  # the paper's epochs; all images
study = Study(
    "mnist_full_length",
    reproduces="Tables 1 and 2, MNIST, at the paper's length",
    chapter="12_mnist",
    minutes=dict(cpu=500),
    profiles=dict(
        quick=dict(templates=1, setup=SMALL),
        cpu=dict(templates=1, setup=WHOLE),
        paper=dict(templates=3, setup=WHOLE),
    ),
)
study.grid(lambda profile: product(PROTOCOLS, METHODS, range(profile.templates)))


@study.unit
def unit(profile, protocol, method, template, keep):
    """One method of one protocol with 64 points; what its methods share is trained once.

    After sequential training also by every map from the points to the first laboratory's space.
    """
    import pandas as pd

    options = dict(profile.setup, keep=keep, progress=True, methods={method: METHODS[method]})
    setup = image_setup("mnist", 64, columns=dict(network=options["network"]), **options)
    result = PROTOCOLS[protocol](setup, template=template)
    if result.first is None:
        return result
    alice, runs = Alice.of(result.first, result.points, result.validation), result.fits[method]
    rows = regression_rows(alice) if method == "VAE" else []  # no method's, so once
    rows += mapped_rows(alice, *latents_of(alice, runs), runs.seeds, method=method)
    rivals = tidy(setup, rows, result.target, recipe="rivals", template=template)
    return pd.concat([result.table, rivals])


@study.table
def table(own, published, *, number=2):
    """Table 1 or 2."""
    return rosetta_table(own, published, number=number, data="MNIST")
