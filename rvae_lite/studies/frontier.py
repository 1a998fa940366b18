"""Fit against fidelity: what a second laboratory gives up of its own loss to stay in the first one's space.

Not in either paper.  The first laboratory's data, D1, are not the second's, D2, so that the weight rho of the Rosetta
points decides whom the second serves.  Trained are a multi-rate model for every rho, and one whose gates respond to
log rho too, from which every rho is read off.
A table has one row per (data, method, rho, beta, seed, metric).
Letters: M replicas, N data points, K latent dimension, R Rosetta points.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.studies.measure import distance_rows, run_rows
from rvae_lite.studies.one_space import COURSE, Held, distil_curves, halves, tidy_table
from rvae_lite.studies.protocols import Setting, train

RHO_RANGE = (0.1, 100.0)
SEPARATE, ONE, LONGER = "one training per rho", "one training", "one training, 4 times as long"


def frontier_study(
    setting: Setting,
    *,
    rhos: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
    betas=(0.1, 1.0, 3.0),
    template: int = 0,
):
    """Train with every rho apart, and all at once; measure fit and fidelity on held-out data.

    Args:
        setting: data with parts D1 and D2, a plain model, R, epochs, M; its methods are not used.
        rhos: weights of the points, within RHO_RANGE.
        betas: where the multi-rate models are read off.
        template: seed of the first laboratory and of what follows.

    Returns:
        A tidy pandas DataFrame; by rho, beta and run: distance, the unaligned distance to the first laboratory's space
        on D1 as a share of its total variance (fidelity; lower is better), and loss, distortion + beta * rate on D2
        in nats (fit; lower is better).
    """
    training, validation, gated = halves(setting)
    law = LogUniform(*gated.model.beta_range)
    first = training.take(training.part == 1)
    space = train(
        gated, first.x, seed=template, label=f"first laboratory {template}", beta=law, **COURSE
    )
    points = distil_curves(setting, space, first)
    joined = np.concatenate([np.asarray(training.x[training.part == 2]), points.x])
    options = dict(
        replicas=setting.replicas, points=points, beta=law, seed=10 * (template + 1), **COURSE
    )
    drawn = dict(options, rho=LogUniform(*RHO_RANGE))
    responsive = gated._replace(model=make_multirate(setting.model, rho_range=RHO_RANGE))
    longer = responsive._replace(epochs=len(rhos) * setting.epochs)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a weak rho does not reach the points, and need not
        fits = {
            SEPARATE: [
                train(gated, joined, label=f"rho {rho:g}", rho=rho, **options) for rho in rhos
            ]
        }
        for name, one in ((ONE, responsive), (LONGER, longer)):
            every = train(one, joined, label=name, **drawn)
            fits[name] = [every.at_rho(rho) for rho in rhos]
    rows = [
        dict(row, method=name, rho=rho, beta=beta)
        for name, each in fits.items()
        for rho, runs in zip(rhos, each, strict=True)
        for beta in betas
        for row in _rows(runs, space, validation, beta)
    ]
    return tidy_table(setting._replace(methods={name: Held() for name in fits}), template, rows)


def _rows(runs: Fit, space: Fit, validation: Dataset, beta: float) -> list[dict]:
    here, there = (validation.x[validation.part == part] for part in (1, 2))
    reference, loss = (
        space.encode(here, beta=beta)[0].numpy(),
        runs.evaluate(there, beta=beta).loss(beta),
    )
    distances = distance_rows(runs.encode(here, beta=beta).numpy(), reference, runs.seeds)
    return [dict(row, metric="distance") for row in distances] + run_rows(
        dict(loss=loss), runs.seeds
    )
