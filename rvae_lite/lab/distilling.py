"""Distil a trained space into a Rosetta file's points, with a header that says how they were made.

Martinez & Pearson (2021), Section 3; of a multi-rate model the points are curves over beta, ours.
Letters: N examples, K latent dimension, R Rosetta points, J betas of curves.
"""

import numpy as np

from rvae_lite.arrays import as_array, in_units, named
from rvae_lite.coverage import covering
from rvae_lite.fitted import Fit
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
            ids, and records what that costs as header["share"].  Of curves it is what the model
            makes of them at its lowest beta, where it keeps most.
        header: entries to add: preprocessing, licence, source, ...
        beta: at which a multi-rate model is read off as plain points, in place of curves.

    Raises:
        ValueError: as `select_points`, an unknown `share`, or a plain model of another beta.
    """
    if share not in SHARES:
        raise ValueError(f"share must be one of {', '.join(SHARES)}, not {share!r}")
    header = (
        named(x)
        | (header or {})
        | dict(model=_origin(space, beta), share=dict(inputs="as they are"))
    )
    options = dict(method=method, seed=seed, ids=ids, header=header)
    x, space = as_array("x", x), space.select([0])
    space.check_names(header.get("names"), x.shape[1:])
    if num_points is None:
        num_points = default_count(len(x), space.model.latent_dim)
    if is_multirate(space.model) and beta is None:
        points = curve_points(space, x, num_points, **options)
    else:
        space = space.at_beta(beta) if is_multirate(space.model) else space
        options["decode"] = space.decode
        points = select_points(x, space.encode(x)[0], num_points, **options)
    return points if share == "inputs" else _with_decoded_inputs(space, points, x)


def default_count(num_data: int, latent_dim: int) -> int:
    """R where nothing is said: 64, fewer for few data, more than K where that is possible."""
    return min(num_data, max(latent_dim + 1, min(64, num_data // 4)))


def load_space(path, *, multi_rate: bool = False) -> Fit:
    """A saved Fit to distil.

    Raises:
        ValueError: it is plain, though a multi-rate one is asked for; else as `Fit.load`.
    """
    space = Fit.load(path)
    if multi_rate and not is_multirate(space.model):
        remedy = "leave --multi-rate or --model out"
        raise ValueError(f"{path} is a plain model, which has no curves: {remedy}")
    return space


def _origin(space: Fit, beta: float | None) -> dict:
    """How the space was trained, and the beta or the betas at which it is distilled."""
    model, config = space.model, space.model.config or {}
    if is_multirate(model):
        config = config.get("module") or {}
        read_at = (
            dict(beta_range=list(model.beta_range)) if beta is None else dict(beta=float(beta))
        )
    elif beta is None or np.isclose(space.beta[0], beta):
        read_at = dict(beta=float(space.beta[0]))
    else:
        found = f"a plain model, trained at {space.beta[0]:g}"
        raise ValueError(f"beta {beta:g} was asked of {found}: leave beta out")
    origin = dict(network=config.get("network"), likelihood=model.likelihood)
    origin |= dict(noise_variance=model.noise_variance, **read_at)
    return origin | dict(epochs=space.num_epochs, batch_size=space.info.get("batch_size"))


def _with_decoded_inputs(space: Fit, points: RosettaPoints, x: np.ndarray) -> RosettaPoints:
    """The points with decode(z_r) in place of x_r, in the inputs' units, and what that costs.

    Of curves the inputs are those of the lowest beta.  The cost is header["share"]:
        squared_error: mean over points of |decoded - x_r|^2, summed over dimensions, squared units
            of the data.
        error_share: the same as a share of the inputs' variance over the points.
        moved_share: mean |mean(decoded) - mean(x_r)|^2 as a share of the latents' variance; 0
            costs nothing.  Of curves both are summed over beta.
        decoded_at, moved_shares: of curves alone, the beta of the decoded inputs, and a share for
            each beta of the curves.
    """
    curves = points.betas is not None
    decoded = points.recon[0] if curves else points.recon
    if space.model.value_range is not None:
        decoded = decoded.clip(*space.model.value_range)
    if points.x.dtype == np.uint8:
        decoded = np.rint(255 * decoded.clip(0, 1)).astype(np.uint8)

    betas, moved = points.betas.tolist() if curves else [None], []
    for beta in betas:
        own, other = space.encode(points.x, beta=beta)[0], space.encode(decoded, beta=beta)[0]
        moved.append(float((other.double() - own.double()).square().sum(1).mean()))
    latents = points.z.reshape(len(betas), *points.z.shape[-2:]).astype(np.float64)
    spread = latents.var(1).sum(1).tolist()  # (J,)
    original, shipped = _flat(points.x), _flat(decoded)
    error = float(np.square(shipped - original).sum(1).mean())
    cost = dict(inputs="decoded", squared_error=error)
    cost["error_share"] = _share(error, float(original.var(0).sum()))
    cost["moved_share"] = _share(sum(moved), sum(spread))
    if curves:
        cost |= dict(decoded_at=betas[0], moved_shares=list(map(_share, moved, spread)))
    header = points.header | dict(share=cost, covering=covering(x, decoded))
    return RosettaPoints(decoded, points.z, betas=points.betas, recon=points.recon, header=header)


def _flat(x: np.ndarray) -> np.ndarray:
    return in_units(x).reshape(len(x), -1).astype(np.float64)


def _share(value: float, variance: float) -> float | None:
    return value / variance if variance > 0 else None
