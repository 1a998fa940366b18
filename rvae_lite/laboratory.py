"""What a laboratory does, as functions: train into a space, distil a space into a Rosetta file.

Martinez & Pearson (2021), Section 3.  Letters: N examples, K latent dimension, R Rosetta points.
"""

import warnings
from typing import NamedTuple

import numpy as np
import torch

from rvae_lite.alignment import total_variance
from rvae_lite.fitted import Fit
from rvae_lite.multirate import is_multirate
from rvae_lite.plans import Plan, build_model, complete, in_units
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.selection import select_points
from rvae_lite.train import UNREACHED, fit

SHARES = ("inputs", "decoded")
COSTS = ("error_share", "moved_share")


class Training(NamedTuple):
    """A trained space: `fit`, one replica; `trained`, (N,) True where an example was trained on; `report`, JSON."""

    fit: Fit
    trained: np.ndarray
    report: dict


def train_space(
    x, *, points: RosettaPoints | None = None, plan: Plan | None = None, preprocessing=None, device=None, progress=False
) -> Training:
    """Train one VAE, into the space of the points where there are some, and measure it on held-out examples.

    The points' inputs are trained on with the data, and no held-out example is.  The half of the Rosetta term that
    concerns inputs is weighted by 0.1 / noise variance, so that rho means the same in all units.

    Args:
        x: data, (N, *data): uint8, or floats.
        points: Rosetta points, or None for a space of one's own.
        plan: by default `Plan()`.
        preprocessing: how x were made; compared with the points' header.
        device, progress: as in `fit`.

    Returns:
        Training; its report holds N, plan, losses and, with points, whether they were reached, in words too.

    Raises:
        ValueError: data, points and plan do not fit; the message says where.
    """
    x = np.asarray(x)
    cautions = []
    if points is not None:
        check = points.check(x, preprocessing)
        if check.errors:
            raise ValueError("points do not fit the data: " + "; ".join(check.errors))
        cautions = check.warnings
    plan = complete(plan or Plan(), x, points)
    trained = _hold_out(len(x), plan)
    joined = x[trained] if points is None else _joined(x[trained], points.x)
    values = in_units(x)
    images = x.ndim == 4 and values.min() >= 0 and values.max() <= 1 and (points is None or _bounded(points.x))
    model = build_model(x.shape[1:], plan, bounded=images)
    options = {key: getattr(plan, key) for key in ("epochs", "batch_size", "beta", "rho", "learning_rate", "seed")}
    with warnings.catch_warnings():  # the report says whether the points were reached
        warnings.filterwarnings("ignore", "replicas .* did not reach the Rosetta points", RuntimeWarning)
        x_weight = 0.1 / plan.noise_variance
        space = fit(model, joined, points=points, x_weight=x_weight, device=device, progress=progress, **options)
    report = dict(num_examples=len(x), data_shape=list(x.shape[1:]), plan=plan._asdict(), cautions=cautions)
    report |= dict(seconds=space.info["seconds"], held_out=_measure(space, x[~trained], x[trained]))
    return Training(space, trained, report | reaching(space, points))


def _bounded(x: np.ndarray) -> bool:
    values = in_units(x)
    return bool(values.min() >= 0 and values.max() <= 1)


def _hold_out(num_data: int, plan: Plan) -> np.ndarray:
    if not 0 <= plan.held_out < 1:
        raise ValueError(f"held_out must be a share of the data, from 0 to below 1, not {plan.held_out!r}")
    count = min(round(plan.held_out * num_data), num_data - 2)
    trained = np.ones(num_data, dtype=bool)
    trained[np.random.default_rng(plan.seed).permutation(num_data)[:count]] = False
    return trained


def _joined(x: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Data and the points' inputs in one array; of two types, both become floats in the model's units."""
    if x.dtype != inputs.dtype:
        x, inputs = in_units(x), in_units(inputs)
    return np.concatenate([x, inputs])


def _measure(space: Fit, held_out: np.ndarray, trained: np.ndarray) -> dict:
    """Losses in nats per example, on held-out data where there are some; the error also as a share of the variance."""
    x = held_out if len(held_out) else trained
    terms = space.evaluate(x)
    values = in_units(np.concatenate([held_out, trained])).reshape(len(held_out) + len(trained), -1)
    error = float(terms.squared_error[0])
    return dict(
        num_examples=len(x),
        on="held-out examples" if len(held_out) else "training examples",
        distortion=float(terms.distortion[0]),
        rate=float(terms.rate[0]),
        negative_elbo=float(terms.loss()[0]),
        squared_error=error,
        unexplained_share=error / float(values.var(0, dtype=np.float64).sum()),
    )


def reaching(space: Fit, points: RosettaPoints | None) -> dict:
    """Whether replica 0 reached the points: their distance, unaligned, as a share of their variance; and in words."""
    if points is None:
        return {}
    distance = float(space.anchor_distance(points)[0])
    reached = distance <= UNREACHED
    share = f"{100 * distance:.2g} % of their variance away"
    if reached:
        verdict = f"reached: the points' inputs land on their latents ({share}), so this is the space of the points"
    else:
        verdict = (
            f"not reached: the points' inputs are {share}, so this is another space; train longer, raise rho or lower "
            f"beta, and see that the inputs were prepared as the points' were"
        )
    return dict(anchor_distance=distance, reached=reached, verdict=verdict)


def distil_space(
    space: Fit,
    x,
    num_points: int | None = None,
    *,
    method: str = "kmeans",
    seed: int = 0,
    ids=None,
    share: str = "inputs",
    header: dict | None = None,
    beta: float = 1.0,
) -> RosettaPoints:
    """Distil replica 0 of a trained space into Rosetta points, with a header that says how.

    Args:
        space: a trained Fit.
        x: data, (N, *data).
        num_points: R; by default 64, fewer for few data.
        method, seed: of the choice, as in `select_points`.
        ids: names of the data, (N,).
        share: "inputs" ships x_r as they are; "decoded" ships decode(z_r) in their place, no ids, and records what
            that costs as header["share"], see `cost_of_decoding`.
        header: entries to add: preprocessing, licence, source, ...
        beta: at which a multi-rate model is read off.

    Raises:
        ValueError: as `select_points`, or an unknown `share`.
    """
    if share not in SHARES:
        raise ValueError(f"share must be one of {', '.join(SHARES)}, not {share!r}")
    x, space = np.asarray(x), space.select([0])
    space = space.at_beta(beta) if is_multirate(space.model) else space
    means = space.encode(x)[0]
    if num_points is None:
        num_points = min(len(x), max(means.shape[1] + 1, min(64, len(x) // 4)))
    model = dict(network=(space.model.config or {}).get("network"), likelihood=space.model.likelihood)
    model |= dict(noise_variance=space.model.noise_variance, beta=float(space.beta[0]))
    model |= dict(epochs=len(space.terms), batch_size=space.info.get("batch_size"))
    entries = dict(header or {}) | dict(model=model, share=dict(inputs="as they are"))
    points = select_points(x, means, num_points, method=method, seed=seed, ids=ids, header=entries)
    if share == "inputs":
        return points
    decoded = decode_inputs(space, points)
    return RosettaPoints(decoded, points.z, header=points.header | dict(share=cost_of_decoding(space, points, decoded)))


def decode_inputs(space: Fit, points: RosettaPoints) -> np.ndarray:
    """What the model makes of the points' latents, in the units of the points' inputs: (R, *data)."""
    decoded = space.decode(points.z)[0].float().numpy()
    if space.model.value_range is not None:
        decoded = decoded.clip(*space.model.value_range)
    return np.rint(255 * decoded.clip(0, 1)).astype(np.uint8) if points.x.dtype == np.uint8 else decoded


def cost_of_decoding(space: Fit, points: RosettaPoints, decoded: np.ndarray) -> dict:
    """What is lost where decoded inputs are shipped in place of the original ones.

    Returns:
        squared_error: mean over points of |decoded - x_r|^2, summed over dimensions, squared units of the data;
        error_share: the same as a share of the inputs' variance over the points;
        moved_share: mean |mean(decoded) - mean(x_r)|^2 as a share of the latents' variance; 0 costs nothing.
    """
    original, shipped = (in_units(inputs).reshape(len(points), -1).astype(np.float64) for inputs in (points.x, decoded))
    error = float(np.square(shipped - original).sum(1).mean())
    means = [space.encode(inputs)[0].double() for inputs in (points.x, decoded)]
    moved = float((means[1] - means[0]).square().sum(1).mean())
    variances = (total_variance(original), total_variance(torch.as_tensor(points.z)))
    shares = [
        value / variance if variance > 0 else None for value, variance in zip((error, moved), variances, strict=True)
    ]
    return dict(inputs="decoded", squared_error=error, error_share=shares[0], moved_share=shares[1])


def distil_text(result: dict) -> str:
    """What `rvae-lite distil` says: the outcome as a few lines."""
    lines = [f"{result['num_points']} Rosetta points of K = {result['latent_dim']} in {result['points']}"]
    if result["training"]:
        lines += [f"the model they come from is in {result['model']}", *_held_out_lines(result["training"])]
    cost = result["share"]
    if cost["inputs"] == "decoded":
        shares = [f"{100 * cost[name]:.3g} %" if cost[name] is not None else "—" for name in COSTS]
        lines.append(
            f"decoded inputs stand in place of the originals: squared error {cost['squared_error']:.4g} "
            f"({shares[0]} of the inputs' variance), the encoder's means move by {shares[1]} of the latents' variance"
        )
    return "\n".join([*lines, *result["notes"]])


def train_text(result: dict) -> str:
    """What `rvae-lite train` says: the outcome as a few lines."""
    plan = result["plan"]
    lines = [f"{result['num_examples']:,} examples, network {plan['network']}, K = {plan['latent_dim']}"]
    lines[0] += f", beta {plan['beta']:g}, rho {plan['rho']:g}, {plan['epochs']} epochs"
    cautions = [f"warning: {text}" for text in result["cautions"]]
    return "\n".join([*lines, *cautions, *_held_out_lines(result), f"points {result['verdict']}", *result["notes"]])


def _held_out_lines(report: dict) -> list[str]:
    held_out = report["held_out"]
    losses = f"distortion {held_out['distortion']:.4g} nats, rate {held_out['rate']:.4g} nats"
    share = f"{100 * held_out['unexplained_share']:.3g} % of the variance not reconstructed"
    return [f"on {held_out['num_examples']} {held_out['on']}: {losses}, {share}"]
