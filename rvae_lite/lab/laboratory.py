"""What a laboratory does, as functions: train into a space, distil a space into a Rosetta file.

Martinez & Pearson (2021), Section 3; with multi-rate models the points are curves over beta, ours.
Letters: N examples, K latent dimension, R Rosetta points.
"""

import warnings
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import total_variance
from rvae_lite.anchors import curve_points
from rvae_lite.fitted import Fit
from rvae_lite.lab.plan import Plan, build_model, complete, in_units
from rvae_lite.lab.spaces import COLLAPSED
from rvae_lite.multirate import LogUniform, is_multirate
from rvae_lite.points import select_points
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.train import UNREACHED, fit

SHARES = ("inputs", "decoded")
COSTS = ("error_share", "moved_share")
READ_AT = 7  # betas at which a multi-rate model is measured, log-spaced over its range

PLAIN_POINTS = (
    "the points are plain, so that the model is held to the same latents at every beta, though latents shrink as beta "
    "grows: ask for curves, which distil makes of a multi-rate model"
)


class Training(NamedTuple):
    """A trained space: `fit`, one replica; `trained`, (N,) True where an example was trained on; `report`, JSON."""

    fit: Fit
    trained: np.ndarray
    report: dict


def train_space(
    x,
    *,
    points: RosettaPoints | None = None,
    plan: Plan | None = None,
    preprocessing=None,
    device=None,
    progress=False,
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
        Training; its report holds N, plan, losses and, with points, whether they were reached, in words too.  Of a
        multi-rate model the losses are those at the beta nearest to 1, and `over_beta` has them at seven.

    Raises:
        ValueError: data, points and plan do not fit; the message says where.
    """
    x, plan = np.asarray(x), plan or Plan()
    cautions = [] if points is None else _check(points, x, plan, preprocessing)
    plan = complete(plan, x, points)
    trained = _hold_out(len(x), plan)
    joined = x[trained] if points is None else _joined(x[trained], points.x)
    values = in_units(x)
    images = (
        x.ndim == 4
        and values.min() >= 0
        and values.max() <= 1
        and (points is None or _bounded(points.x))
    )
    model = build_model(x.shape[1:], plan, bounded=images)
    options = {
        key: getattr(plan, key) for key in ("epochs", "batch_size", "rho", "learning_rate", "seed")
    }
    options["beta"] = plan.beta if plan.beta_range is None else LogUniform(*plan.beta_range)
    with warnings.catch_warnings():  # the report says both
        warnings.filterwarnings(
            "ignore", "replicas .* did not reach the Rosetta points", RuntimeWarning
        )
        warnings.filterwarnings("ignore", "the points are known for beta in", UserWarning)
        x_weight = 0.1 / plan.noise_variance
        space = fit(
            model,
            joined,
            points=points,
            x_weight=x_weight,
            device=device,
            progress=progress,
            **options,
        )
        measured = _measure(space, x[~trained], x[trained], points) | reaching(space, points)
    report = dict(
        num_examples=len(x), data_shape=list(x.shape[1:]), plan=plan._asdict(), cautions=cautions
    )
    return Training(space, trained, report | dict(seconds=space.info["seconds"]) | measured)


def _check(points: RosettaPoints, x: np.ndarray, plan: Plan, preprocessing) -> list[str]:
    """Sentences that make one look again, after refusing what cannot be trained on."""
    check = points.check(x, preprocessing)
    if check.errors:
        raise ValueError("points do not fit the data: " + "; ".join(check.errors))
    return [*check.warnings, *_check_beta(points, plan)]


def _check_beta(points: RosettaPoints, plan: Plan) -> list[str]:
    if points.betas is None:
        return [] if plan.beta_range is None else [PLAIN_POINTS]
    low, high = plan.beta_range or (plan.beta, plan.beta)
    if not low > 0:
        raise ValueError(
            f"beta must be positive, not {low:g}, since the points are curves over beta"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        points.warn_beyond(low, high)
    return [str(warning.message) for warning in caught]


def _bounded(x: np.ndarray) -> bool:
    values = in_units(x)
    return bool(values.min() >= 0 and values.max() <= 1)


def _hold_out(num_data: int, plan: Plan) -> np.ndarray:
    if not 0 <= plan.held_out < 1:
        raise ValueError(
            f"held_out must be a share of the data, from 0 to below 1, not {plan.held_out!r}"
        )
    count = min(round(plan.held_out * num_data), num_data - 2)
    trained = np.ones(num_data, dtype=bool)
    trained[np.random.default_rng(plan.seed).permutation(num_data)[:count]] = False
    return trained


def _joined(x: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Data and the points' inputs in one array; of two types, both become floats in the model's units."""
    if x.dtype != inputs.dtype:
        x, inputs = in_units(x), in_units(inputs)
    return np.concatenate([x, inputs])


def betas_of(space: Fit) -> list:
    """Where a space is measured: [None] for a plain model, seven betas for a multi-rate one."""
    return (
        np.geomspace(*space.model.beta_range, READ_AT).tolist()
        if is_multirate(space.model)
        else [None]
    )


def _measure(
    space: Fit, held_out: np.ndarray, trained: np.ndarray, points: RosettaPoints | None
) -> dict:
    """Losses in nats per example, on held-out data where there are some; of a multi-rate model also over beta."""
    x = held_out if len(held_out) else trained
    on = "held-out examples" if len(held_out) else "training examples"
    values = in_units(np.concatenate([held_out, trained])).reshape(len(held_out) + len(trained), -1)
    variance = float(values.var(0, dtype=np.float64).sum())
    rows = [_losses(space, x, beta) for beta in betas_of(space)]
    for row in rows:
        row["unexplained_share"] = row["squared_error"] / variance
    if not is_multirate(space.model):
        return dict(held_out=dict(num_examples=len(x), on=on, **rows[0]))
    nearest = min(rows, key=lambda row: abs(np.log(row["beta"])))
    result = dict(held_out=dict(num_examples=len(x), on=on, **nearest))
    if points is not None:
        rows = [dict(row, anchor_distance=_away(space, points, row["beta"])) for row in rows]
    return result | dict(over_beta=rows)


def _losses(space: Fit, x: np.ndarray, beta: float | None) -> dict:
    terms = space.evaluate(x, beta=beta)
    losses = dict(distortion=terms.distortion, rate=terms.rate, negative_elbo=terms.loss())
    losses |= dict(squared_error=terms.squared_error)
    return dict([] if beta is None else [("beta", beta)]) | {
        name: float(value[0]) for name, value in losses.items()
    }


def _away(space: Fit, points: RosettaPoints, beta: float | None) -> float | None:
    """How far the encoded points are from their latents at beta, as a share of their variance; None where collapsed."""
    at = float(space.beta[0]) if beta is None else beta
    if points.betas is not None and total_variance(points.z_at(at)) < COLLAPSED:
        return None
    return float(space.anchor_distance(points, beta=beta)[0])


def reaching(space: Fit, points: RosettaPoints | None) -> dict:
    """Whether replica 0 reached the points: their distance, unaligned, as a share of their variance; and in words.

    Of a multi-rate model the distance is the largest over beta.  Where curves have collapsed it is None.
    """
    if points is None:
        return {}
    many = is_multirate(space.model)
    away = {beta: _away(space, points, beta) for beta in betas_of(space)}
    known = {beta: distance for beta, distance in away.items() if distance is not None}
    own = f" at beta {space.beta[0]:g}" if points.betas is not None and not many else ""
    if not known:
        verdict = f"with nothing to reach{own}: there their latents have collapsed to one place, whatever the input"
        return dict(anchor_distance=None, reached=None, verdict=verdict)
    missed = (
        [f"{beta:.3g}" for beta, distance in known.items() if distance > UNREACHED] if many else []
    )
    where = f" at beta {', '.join(missed)}" if missed else " at every beta"
    where = " at any beta" if len(missed) == len(known) else where
    distance = max(known.values())
    verdict = _verdict(distance, where if many else own, many)
    return dict(anchor_distance=distance, reached=distance <= UNREACHED, verdict=verdict)


def _verdict(distance: float, where: str, many: bool) -> str:
    share = f"{'up to ' * many}{100 * distance:.2g} % of their variance away"
    if distance <= UNREACHED:
        return f"reached{where}: the points' inputs land on their latents ({share}), so this is the space of the points"
    remedy = "train longer or raise rho" if many else "train longer, raise rho or lower beta"
    return (
        f"not reached{where}: the points' inputs are {share}, so this is another space; {remedy}, and see that the "
        f"inputs were prepared as the points' were"
    )


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
    beta: float | None = None,
) -> RosettaPoints:
    """Distil replica 0 of a trained space into Rosetta points, with a header that says how.

    Args:
        space: a trained Fit; of a multi-rate one the points are curves over beta.
        x: data, (N, *data).
        num_points: R; by default 64, fewer for few data.
        method, seed: of the choice, as in `select_points`.
        ids: names of the data, (N,).
        share: "inputs" ships x_r as they are; "decoded" ships decode(z_r) in their place, no ids, and records what
            that costs as header["share"], see `cost_of_decoding`.  Of curves it is what the model makes of them at
            its lowest beta, where it keeps most.
        header: entries to add: preprocessing, licence, source, ...
        beta: at which a multi-rate model is read off as plain points, in place of curves.

    Raises:
        ValueError: as `select_points`, an unknown `share`, or a plain model of another beta.
    """
    if share not in SHARES:
        raise ValueError(f"share must be one of {', '.join(SHARES)}, not {share!r}")
    x, space = np.asarray(x), _at(space.select([0]), beta)
    if num_points is None:
        num_points = min(len(x), max(space.model.latent_dim + 1, min(64, len(x) // 4)))
    entries = dict(header or {}) | dict(model=_origin(space), share=dict(inputs="as they are"))
    options = dict(method=method, seed=seed, ids=ids, header=entries)
    if is_multirate(space.model):
        points = curve_points(space, x, num_points, **options)
    else:
        points = select_points(x, space.encode(x)[0], num_points, **options)
    if share == "inputs":
        return points
    decoded = decode_inputs(space, points)
    told = points.header | dict(share=cost_of_decoding(space, points, decoded))
    return RosettaPoints(decoded, points.z, betas=points.betas, recon=points.recon, header=told)


def _at(space: Fit, beta: float | None) -> Fit:
    if beta is not None and is_multirate(space.model):
        return space.at_beta(beta)
    if beta is not None and not np.isclose(space.beta[0], beta):
        raise ValueError(
            f"beta {beta:g} was asked of a plain model, trained at {space.beta[0]:g}: leave beta out"
        )
    return space


def _origin(space: Fit) -> dict:
    """How the space was trained, for the header."""
    many = is_multirate(space.model)
    config = (space.model.config or {}).get("module" if many else "network") or {}
    model = dict(
        network=config.get("network") if many else config or None, likelihood=space.model.likelihood
    )
    model |= dict(noise_variance=space.model.noise_variance)
    model |= (
        dict(beta_range=list(space.model.beta_range)) if many else dict(beta=float(space.beta[0]))
    )
    return model | dict(epochs=len(space.terms), batch_size=space.info.get("batch_size"))


def decode_inputs(space: Fit, points: RosettaPoints) -> np.ndarray:
    """What the model makes of the points' latents, of curves at the lowest beta, in the inputs' units: (R, *data)."""
    decoded = space.decode(points.z)[0].float().numpy() if points.betas is None else points.recon[0]
    if space.model.value_range is not None:
        decoded = decoded.clip(*space.model.value_range)
    return (
        np.rint(255 * decoded.clip(0, 1)).astype(np.uint8)
        if points.x.dtype == np.uint8
        else decoded
    )


def cost_of_decoding(space: Fit, points: RosettaPoints, decoded: np.ndarray) -> dict:
    """What is lost where decoded inputs are shipped in place of the original ones.

    Returns:
        squared_error: mean over points of |decoded - x_r|^2, summed over dimensions, squared units of the data;
        error_share: the same as a share of the inputs' variance over the points;
        moved_share: mean |mean(decoded) - mean(x_r)|^2 as a share of the latents' variance; 0 costs nothing.  Of
        curves both are summed over beta; decoded_at is the beta of the decoded inputs, and moved_shares has a share
        for each beta of the curves.
    """
    original, shipped = (
        in_units(inputs).reshape(len(points), -1).astype(np.float64)
        for inputs in (points.x, decoded)
    )
    error = float(np.square(shipped - original).sum(1).mean())
    betas = [None] if points.betas is None else points.betas.tolist()
    moved = [_moved(space, (points.x, decoded), beta) for beta in betas]
    spread = [total_variance(z) for z in points.z.reshape(len(betas), *points.z.shape[-2:])]
    cost = dict(
        inputs="decoded", squared_error=error, error_share=_share(error, total_variance(original))
    )
    cost |= dict(moved_share=_share(sum(moved), sum(spread)))
    if points.betas is None:
        return cost
    return cost | dict(
        decoded_at=betas[0],
        moved_shares=[_share(*pair) for pair in zip(moved, spread, strict=True)],
    )


def _moved(space: Fit, pair: tuple, beta: float | None) -> float:
    one, other = (space.encode(inputs, beta=beta)[0].double() for inputs in pair)
    return float((other - one).square().sum(1).mean())


def _share(value: float, variance: float) -> float | None:
    return value / variance if variance > 0 else None


def distil_text(result: dict) -> str:
    """What `rvae-lite distil` says: the outcome as a few lines."""
    lines = [
        f"{result['num_points']} Rosetta points of K = {result['latent_dim']} in {result['points']}"
    ]
    if result["beta_range"]:
        lines[0] += ", curves over beta from {:g} to {:g}".format(*result["beta_range"])
    if result["training"]:
        lines += [
            f"the model they come from is in {result['model']}",
            *_held_out_lines(result["training"]),
        ]
    cost = result["share"]
    if cost["inputs"] == "decoded":
        shares = [f"{100 * cost[name]:.3g} %" if cost[name] is not None else "—" for name in COSTS]
        at = f" (at beta {cost['decoded_at']:g})" if "decoded_at" in cost else ""
        lines.append(
            f"decoded inputs{at} stand in place of the originals: squared error {cost['squared_error']:.4g} "
            f"({shares[0]} of the inputs' variance), the encoder's means move by {shares[1]} of the latents' variance"
        )
    return "\n".join([*lines, *result["notes"]])


def train_text(result: dict) -> str:
    """What `rvae-lite train` says: the outcome as a few lines."""
    plan = result["plan"]
    rates = (
        f"beta {plan['beta']:g}"
        if plan["beta_range"] is None
        else "beta {:g} to {:g}".format(*plan["beta_range"])
    )
    lines = [
        f"{result['num_examples']:,} examples, network {plan['network']}, K = {plan['latent_dim']}"
    ]
    lines[0] += f", {rates}, rho {plan['rho']:g}, {plan['epochs']} epochs"
    cautions = [f"warning: {text}" for text in result["cautions"]]
    return "\n".join(
        [
            *lines,
            *cautions,
            *_held_out_lines(result),
            f"points {result['verdict']}",
            *result["notes"],
        ]
    )


def _held_out_lines(report: dict) -> list[str]:
    held_out = report["held_out"]
    where = f"on {held_out['num_examples']} {held_out['on']}"
    if "over_beta" not in report:
        return [f"{where}: {_said(held_out)}"]
    return [
        f"{where}, at beta",
        *(f"  {row['beta']:<7.3g} {_said(row)}" for row in report["over_beta"]),
    ]


def _said(row: dict) -> str:
    share = f"{100 * row['unexplained_share']:.3g} % of the variance not reconstructed"
    losses = f"distortion {row['distortion']:.4g} nats, rate {row['rate']:.4g} nats, {share}"
    away = row.get("anchor_distance")
    return losses + ("" if away is None else f", points {100 * away:.2g} % away")
