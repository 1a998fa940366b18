"""Two laboratories with different networks, each at a beta of its own, out of one file of curves.

Not in either paper.  The first trains one network at beta 1, the second another at beta 0.1, both
plain, once held by the file and once not.  The file alone says how the second space becomes the
first: an affine map, fitted on z_r(0.1) -> z_r(1), for which neither laboratory shows any data.
"""

from torch import nn

from rvae_lite import alignment
from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.models.vae import VAE
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.protocols import halves
from rvae_lite.studies.setup import Method, Result, Setup, run_seeds, tidy
from rvae_lite.studies.space_setup import PROFILES, multirate_template, space_setup, train_held
from rvae_lite.studies.study import Study

MAPS = ["known_map", "anchors_map", "best_map"]
study = Study(
    "two_networks",
    reproduces="two networks, two rates, one file (new)",
    chapter="30_one_space_real_data",
    minutes=dict(cpu=1),
    profiles=PROFILES,
)
study.grid(lambda profile: ["digits"])


@study.unit
def unit(profile, name, keep):
    """A fully connected network and one of patches."""
    changes = dict(replicas=min(5, profile.replicas), learning_rate=2e-3)
    setup = space_setup(profile, name, **changes)
    K, variance = setup.model.latent_dim, setup.model.noise_variance
    return two_networks(setup, VAE.patch((1, 8, 8), K, noise_variance=variance), rho=2.75)


def two_networks(
    setup: Setup, second_model: nn.Module, *, rho: float, betas=(1.0, 0.1), template: int = 0
) -> Result:
    """Train both laboratories, held by the first one's file and not, and map one to the other.

    By run, on held-out data and as shares of the first space's total variance: known_map, the
    distance after the file's map; anchors_map, after an affine map fitted on what both make of the
    R inputs; best_map, after the best affine map of the held-out data themselves, which no method
    can beat.

    Args:
        setup: data, the template's and first laboratory's network, R, epochs, number of runs.
        second_model: the second laboratory's.
        rho: weight of the points where held.
        betas: of the two laboratories.
        template: seed.
    """
    training, validation = halves(setup)
    space, points = multirate_template(setup, training, template=template)
    known = alignment.linear_map(points.z_at(betas[1]), points.z_at(betas[0]))
    labs = (setup, setup._replace(model=second_model))
    rows, fits = [], {}
    for name, weight in (("unanchored", 0.0), ("one file", rho)):
        pair = []
        for number, (lab, beta) in enumerate(zip(labs, betas, strict=True)):
            # The same seeds with and without the file.
            seeds = run_seeds(template, f"laboratory {number}", replicas=setup.replicas)
            options = dict(seed=seeds, label=f"{name} {number} {template}", beta=beta)
            method = Method(rho=weight)
            pair.append(train_held(lab, training.x, points, method=method, **options))
        found = _between(pair, known, points, validation)
        rows += [dict(row, method=name, rho=weight) for row in found]
        fits[name] = pair
    table = tidy(setup, rows, space, template=template, beta=None)
    return Result(table, fits, space, points, validation)


def _between(pair: list[Fit], known, points: RosettaPoints, validation: Dataset) -> list[dict]:
    first, second = (fits.encode(validation.x).numpy() for fits in pair)
    first_anchors, second_anchors = (fits.encode(points.x).numpy() for fits in pair)
    rows = []
    for m, seed in enumerate(pair[1].seeds):
        anchored = alignment.linear_map(second_anchors[m], first_anchors[m])
        best = alignment.linear_map(second[m], first[m])
        variance = alignment.total_variance(first[m])
        for metric, mapping in zip(MAPS, (known, anchored, best), strict=True):
            distance = alignment.mean_squared_distance(mapping(second[m]), first[m])
            rows.append(dict(seed=seed, metric=metric, value=distance / variance))
    return rows


@study.table
def table(own, published):
    """Median distance between the two spaces after each map, as a share of the first's variance."""
    wide = own.pivot_table(index="method", columns="metric", values="value", aggfunc="median")
    return wide[MAPS]
