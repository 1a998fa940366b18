"""Distil a trained space into a Rosetta file's points, with a header that says how they were made.

Martinez & Pearson (2021), Section 3; of a multi-rate model the points are curves over beta, ours.
Letters: N examples, K latent dimension, R Rosetta points, J betas of curves.
"""

import numpy as np

from rvae_lite.fitted import Fit
from rvae_lite.lab.plan import in_units
from rvae_lite.multirate import is_multirate
from rvae_lite.points import curve_points, select_points
from rvae_lite.rosetta import RosettaPoints

SHARES = ("inputs", "decoded")


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
        share: "inputs" ships x_r as they are.  "decoded" ships decode(z_r) in their place and no
            ids, and records what that costs as header["share"], see `cost_of_decoding`.  Of curves
            it is what the model makes of them at its lowest beta, where it keeps most.
        header: entries to add: preprocessing, licence, source, ...
        beta: at which a multi-rate model is read off as plain points, in place of curves.

    Raises:
        ValueError: as `select_points`, an unknown `share`, or a plain model of another beta.
    """
    if share not in SHARES:
        raise ValueError(f"share must be one of {', '.join(SHARES)}, not {share!r}")
    x, space = np.asarray(x), _read_at(space, beta)
    if num_points is None:
        num_points = min(len(x), max(space.model.latent_dim + 1, min(64, len(x) // 4)))
    header = dict(header or {}) | dict(model=_origin(space), share=dict(inputs="as they are"))
    options = dict(method=method, seed=seed, ids=ids, header=header)
    if is_multirate(space.model):
        points = curve_points(space, x, num_points, **options)
    else:
        points = select_points(x, space.encode(x)[0], num_points, **options)
    return points if share == "inputs" else _with_decoded_inputs(space, points)


def load_space(path, *, multi_rate: bool = False) -> Fit:
    """A saved Fit to distil.

    Raises:
        ValueError: it is plain, though a multi-rate one is asked for; else as `Fit.load`.
    """
    space = Fit.load(path)
    if multi_rate and not is_multirate(space.model):
        raise ValueError(
            f"{path} is a plain model, which has no curves: leave --multi-rate or --model out"
        )
    return space


def _read_at(space: Fit, beta: float | None) -> Fit:
    """Replica 0, of a multi-rate model at one beta if there is one."""
    space = space.select([0])
    if beta is None:
        return space
    if is_multirate(space.model):
        return space.at_beta(beta)
    if not np.isclose(space.beta[0], beta):
        raise ValueError(
            f"beta {beta:g} was asked of a plain model, trained at {space.beta[0]:g}: "
            f"leave beta out"
        )
    return space


def _origin(space: Fit) -> dict:
    """How the space was trained, for the header."""
    config, model = space.model.config or {}, space.model
    if is_multirate(model):
        network = (config.get("module") or {}).get("network")
        trained_at = dict(beta_range=list(model.beta_range))
    else:
        network = config.get("network")
        trained_at = dict(beta=float(space.beta[0]))
    origin = dict(network=network, likelihood=model.likelihood)
    origin |= dict(noise_variance=model.noise_variance, **trained_at)
    return origin | dict(epochs=space.num_epochs, batch_size=space.info.get("batch_size"))


def _with_decoded_inputs(space: Fit, points: RosettaPoints) -> RosettaPoints:
    """The points with decode(z_r) in place of x_r, in the inputs' units, and what that costs."""
    if points.betas is None:
        decoded = space.decode(points.z)[0].float().numpy()
    else:
        decoded = points.recon[0]  # at the lowest beta
    if space.model.value_range is not None:
        decoded = decoded.clip(*space.model.value_range)
    if points.x.dtype == np.uint8:
        decoded = np.rint(255 * decoded.clip(0, 1)).astype(np.uint8)
    header = points.header | dict(share=cost_of_decoding(space, points, decoded))
    return RosettaPoints(decoded, points.z, betas=points.betas, recon=points.recon, header=header)


def cost_of_decoding(space: Fit, points: RosettaPoints, decoded: np.ndarray) -> dict:
    """What is lost if decoded inputs, (R, *data), are shipped in place of the original ones.

    Returns:
        squared_error: mean over points of |decoded - x_r|^2, summed over dimensions, squared units
            of the data.
        error_share: the same as a share of the inputs' variance over the points.
        moved_share: mean |mean(decoded) - mean(x_r)|^2 as a share of the latents' variance; 0
            costs nothing.  Of curves both are summed over beta.
        decoded_at, moved_shares: of curves alone, the beta of the decoded inputs, and a share for
            each beta of the curves.
    """
    original, shipped = _flat(points.x), _flat(decoded)
    error = float(np.square(shipped - original).sum(1).mean())
    betas = [None] if points.betas is None else points.betas.tolist()
    moved = [_moved(space, points.x, decoded, beta) for beta in betas]
    latents = points.z.reshape(len(betas), *points.z.shape[-2:])
    spread = latents.astype(np.float64).var(1).sum(1).tolist()  # (J,)
    cost = dict(inputs="decoded", squared_error=error)
    cost["error_share"] = _share(error, float(original.var(0).sum()))
    cost["moved_share"] = _share(sum(moved), sum(spread))
    if points.betas is not None:
        shares = [_share(*pair) for pair in zip(moved, spread, strict=True)]
        cost |= dict(decoded_at=betas[0], moved_shares=shares)
    return cost


def _flat(x: np.ndarray) -> np.ndarray:
    return in_units(x).reshape(len(x), -1).astype(np.float64)


def _moved(space: Fit, x: np.ndarray, other: np.ndarray, beta: float | None) -> float:
    """Mean squared distance between the means of two sets of inputs."""
    own, others = space.encode(x, beta=beta)[0], space.encode(other, beta=beta)[0]
    return float((others.double() - own.double()).square().sum(1).mean())


def _share(value: float, variance: float) -> float | None:
    return value / variance if variance > 0 else None
