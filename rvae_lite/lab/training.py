"""Train a laboratory's own data, into the space of Rosetta points or its own, and measure it.

Martinez & Pearson (2021), Section 3; with multi-rate models the points are curves over beta, ours.
Letters: N examples, K latent dimension, R Rosetta points.
"""

import warnings
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import total_variance
from rvae_lite.anchors import PointsNotReached, Weighted
from rvae_lite.arrays import as_array, in_units, named, variances
from rvae_lite.fitted import Fit
from rvae_lite.lab.gathering import gathered
from rvae_lite.lab.plan import Plan, are_bounded_images, build_model, complete
from rvae_lite.lab.spaces import COLLAPSED
from rvae_lite.laws import LogUniform
from rvae_lite.multirate import is_multirate
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.train import UNREACHED, fit

# Noise variance, and signal to noise, at which rho means what it does for the paper's spectrograms.
EVEN_NOISE, EVEN_SIGNAL = 0.1, 0.4
DARK = 0.1  # of a byte's range; images that reach less are rare, masks and counts are not
READ_AT = 7  # betas at which a multi-rate model is measured, log-spaced over its range
PLAIN_POINTS = (
    "the points are plain, so that the model is held to the same latents at every beta, though "
    "latents shrink as beta grows: ask for curves, which distil makes of a multi-rate model"
)


class Training(NamedTuple):
    """A trained space.

    fit: one replica.  trained: (N,), True where an example was trained on.  report: JSON.
    """

    fit: Fit
    trained: np.ndarray
    report: dict


def train_space(
    x,
    *,
    points: RosettaPoints | None = None,
    plan: Plan | None = None,
    preprocessing=None,
    names=None,
    device=None,
    progress=False,
) -> Training:
    """Train one VAE, into the space of the points where there are some, and measure it.

    The points' inputs are trained on with the data, and no held-out example is.

    Args:
        x: data, (N, *data): uint8, or floats.
        points: Rosetta points, or None for a space of one's own.
        plan: by default `Plan()`.
        preprocessing, names: how x were made, and what the columns of a table are called; compared
            with the points' header.
        device, progress: as in `fit`.

    Returns:
        Training; its report holds N, plan, losses and, with points, whether they were reached, in
        words too.  Of a multi-rate model the losses are those at the beta nearest to 1, and
        `over_beta` has them at seven.

    Raises:
        ValueError: data, points and plan do not fit; the message says where.
    """
    names = named(x).get("names") if names is None else names
    x, plan = as_array("x", x), plan or Plan()
    cautions, covering = _dark(x), None
    if points is not None:
        doubts, covering = _check(points, x, plan, preprocessing, names)
        cautions += doubts
    plan = complete(plan, x, points)
    model = build_model(x.shape[1:], plan, bounded=are_bounded_images(x, points))
    trained = _not_held_out(len(x), plan)
    with warnings.catch_warnings():  # the cautions say it
        warnings.filterwarnings("ignore", "the points are known for beta in", UserWarning)
        options = dict(rows=np.flatnonzero(trained), device=device, progress=progress)
        space = train_into(points, model, x, plan, **options)
        measured = _measure(space, x, trained, points)
    space.info |= {} if names is None else dict(names=[str(name) for name in names])
    report = dict(num_examples=len(x), data_shape=list(x.shape[1:]), plan=plan._asdict())
    if cautions and measured.get("reached"):
        measured["verdict"] += "; mind the warnings"
    cautions += _unexplained(measured["held_out"]["unexplained_share"])
    report |= dict(cautions=cautions, seconds=space.info["seconds"])
    if covering is not None:
        numbers = covering._asdict() | dict(uncovered=len(covering.uncovered))
        report["covering"] = dict(**numbers, said=str(covering))
    return Training(space, trained, report | measured)


def train_into(
    points: RosettaPoints | None,
    model,
    x: np.ndarray,
    plan: Plan,
    *,
    rows: np.ndarray | None = None,
    device=None,
    progress=False,
) -> Fit:
    """Train one replica of a model on data and the points' inputs, held to the points' latents.

    Both halves of the Rosetta term keep pace with the distortion, so that rho means the same in all
    units and at every noise: the decoder's is weighted by 0.1 / noise variance, the encoder's by
    2.5 times the variance of the points' inputs / noise variance, 1 at least.  Whether the points
    were reached is left to the caller to say.

    Args:
        points: Rosetta points, or None.
        model: the pattern.
        x: data, (N, *data).
        plan: a completed plan.
        rows: which of x are trained on, integers; by default all.
        device, progress: as in `fit`.
    """
    rows = np.arange(len(x)) if rows is None else rows
    x = gathered(x, rows, None if points is None else points.x)
    if points is not None:
        signal = float(in_units(points.x).var(0, dtype=np.float64).mean())
        z = max(1.0, signal / plan.noise_variance / EVEN_SIGNAL)
        points = Weighted(points, x=EVEN_NOISE / plan.noise_variance, z=z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PointsNotReached)
        return fit(
            model,
            x,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            beta=plan.beta if plan.beta_range is None else LogUniform(*plan.beta_range),
            rho=0.0 if points is None else plan.rho,
            points=points,
            learning_rate=plan.learning_rate,
            seed=plan.seed,
            device=device,
            progress=progress,
        )


def _dark(x: np.ndarray) -> list[str]:
    """A caution where bytes, which are divided by 255, are small numbers of another kind."""
    largest = int(x.max()) if x.dtype == np.uint8 and x.size else 255
    if not 0 < largest < DARK * 255:
        return []
    remedy = f"pass value_scale={largest} (--value-scale {largest})"
    return [f"uint8 values reach only {largest} of 255: {remedy}"]


def _unexplained(share: float) -> list[str]:
    """A caution where reconstructions are farther from the examples than their mean is."""
    if not share > 1:
        return []
    error = f"its squared error is {share:.3g} times the variance"
    return [f"the model explains nothing ({error}): train longer, or check the values' scale"]


def _check(points: RosettaPoints, x: np.ndarray, plan: Plan, preprocessing, names) -> tuple:
    """Sentences that make one look again, and what is covered, after refusing what does not fit."""
    check = points.check(x, preprocessing, names=names)
    if check.errors:
        raise ValueError("points do not fit the data: " + "; ".join(check.errors))
    if points.betas is None:
        return check.warnings + [PLAIN_POINTS] * (plan.beta_range is not None), check.covering
    beta = 1.0 if plan.beta is None else plan.beta
    low, high = plan.beta_range or (beta, beta)
    if not low > 0:
        reason = "since the points are curves over beta"
        raise ValueError(f"beta must be positive, not {low:g}, {reason}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        points.warn_beyond(low, high)
    return check.warnings + [str(warning.message) for warning in caught], check.covering


def _not_held_out(num_data: int, plan: Plan) -> np.ndarray:
    """Which examples are trained on, (N,)."""
    if not 0 <= plan.held_out < 1:
        expected = "a share of the data, from 0 to below 1"
        raise ValueError(f"held_out must be {expected}, not {plan.held_out!r}")
    count = min(round(plan.held_out * num_data), num_data - 2)
    trained = np.ones(num_data, dtype=bool)
    trained[np.random.default_rng(plan.seed).permutation(num_data)[:count]] = False
    return trained


def _measure(space: Fit, x: np.ndarray, trained: np.ndarray, points) -> dict:
    """Losses in nats per example, over beta too, and whether the points were reached."""
    variance, rows, on = float(variances(x).sum()), [], "training"
    if not trained.all():
        x, on = x[~trained], "held-out"
    for beta in _betas_of(space):
        terms = space.evaluate(x, beta=beta)
        losses = dict(distortion=terms.distortion, rate=terms.rate, negative_elbo=terms.loss())
        losses["squared_error"] = terms.squared_error
        row = {} if beta is None else dict(beta=beta)
        row |= {name: float(value[0]) for name, value in losses.items()}
        rows.append(row | dict(unexplained_share=row["squared_error"] / variance))
    nearest = min(rows, key=lambda row: abs(np.log(row.get("beta", 1.0))))
    measured = dict(held_out=dict(num_examples=len(x), on=f"{on} examples", **nearest))
    distances = {} if points is None else _distances(space, points)
    if is_multirate(space.model):
        for row in rows if distances else []:
            row["anchor_distance"] = distances[row["beta"]]
        measured["over_beta"] = rows
    return measured | (_reached(space, points, distances) if distances else {})


def _betas_of(space: Fit) -> list:
    """Where a space is measured: [None] for a plain model, seven betas for a multi-rate one."""
    if not is_multirate(space.model):
        return [None]
    return np.geomspace(*space.model.beta_range, READ_AT).tolist()


def reaching(space: Fit, points: RosettaPoints | None) -> dict:
    """Whether replica 0 reached the points: a share of their variance; and in words.

    Of a multi-rate model the distance is the largest over beta.  It is None where the points'
    latents have collapsed; without points nothing is said.
    """
    return {} if points is None else _reached(space, points, _distances(space, points))


def _distances(space: Fit, points: RosettaPoints) -> dict:
    """beta -> how far the encoded points are from their latents; None where those collapsed."""
    distances = {}
    for beta in _betas_of(space):
        latents = points.z_at(float(space.beta[0]) if beta is None else beta)
        gone = points.betas is not None and total_variance(latents) < COLLAPSED
        distances[beta] = None if gone else float(space.anchor_distance(points, beta=beta)[0])
    return distances


def _reached(space: Fit, points: RosettaPoints, distances: dict) -> dict:
    """The largest distance, whether the points were reached, and a verdict."""
    many, where = is_multirate(space.model), ""
    if points.betas is not None and not many:
        where = f" at beta {space.beta[0]:g}"
    known = {beta: distance for beta, distance in distances.items() if distance is not None}
    if not known:
        verdict = (
            f"with nothing to reach{where}: there their latents have collapsed to one place, "
            f"whatever the input"
        )
        return dict(anchor_distance=None, reached=None, verdict=verdict)
    distance = max(known.values())
    share = f"{'up to ' * many}{100 * distance:.2g} % of their variance away"
    missed = [beta for beta, distance in known.items() if distance > UNREACHED]
    if many and len(missed) in (0, len(known)):
        where = " at any beta" if missed else " at every beta"
    elif many:
        where = f" at beta {', '.join(f'{beta:.3g}' for beta in missed)}"
    remedy = "train longer or raise rho" if many else "train longer, raise rho or lower beta"
    verdict = (
        f"not reached{where}: the points' inputs are {share}, though they were trained on; "
        f"{remedy}, and see that the inputs were prepared as the points' were"
    )
    if not missed:
        verdict = (
            f"reached{where}: the points' inputs land on their latents ({share}); they were "
            f"trained on, and compare tells where other examples lie"
        )
    return dict(anchor_distance=distance, reached=not missed, verdict=verdict)
