"""`fit`: train M replicas of a model at once, in one visible loop.

Martinez & Pearson (2021), Section 3 and Appendix B: Adam at 1e-3, Rosetta points in every batch.
Letters: M replicas, N data points, R Rosetta points.
"""

import copy
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite import checks, engine
from rvae_lite.anchors import Anchoring, PointsNotReached, Weighted
from rvae_lite.arrays import as_array, check_kept, named, unsuitable_units
from rvae_lite.checkpoints import Checkpoint
from rvae_lite.fitted import Fit, Start
from rvae_lite.laws import Annealed, Constant, Cosine, LogUniform, drawn_from
from rvae_lite.models.checks import check_data
from rvae_lite.models.lengths import Lengths
from rvae_lite.models.likeness import check_points
from rvae_lite.multirate import is_multirate
from rvae_lite.objective import BETA_VAE, BetaVAE, ReplicaLoss
from rvae_lite.rosetta import RosettaPoints

UNREACHED = 0.1  # share of the anchors' total variance above which they count as not reached


def fit(
    model: nn.Module,
    x,
    *,
    replicas: int = 1,
    epochs: int,
    batch_size: int,
    beta: float | Sequence[float] | LogUniform | Annealed = 1.0,
    rho: float | Sequence[float] = 0.0,
    points: RosettaPoints | Weighted | None = None,
    learning_rate: float | Cosine = 1e-3,
    objective: BetaVAE = BETA_VAE,
    seed: int | Sequence[int] = 0,
    start: Fit | Start | None = None,
    device: str | torch.device | None = None,
    compile: bool | str = "auto",
    checkpoint=None,
    progress: bool | str = False,
) -> Fit:
    """Train M replicas of `model` on `x`, minimising the mean over data of

        distortion + beta * rate + rho * mean_r(|t_r - decode(z_r)|^2 + |z_r - mean(x_r)|^2)

    (Eq. 1 of Martinez & Pearson 2021; distortion and rate in nats, summed over dimensions; t_r is
    the template's reconstruction of the point, or x_r where the points came without), for a
    multi-rate model also over beta (Bae et al. 2023, Algorithm 1).

    Args:
        model: the pattern; each replica re-initialises it.  Its dtype is the training's.
        x: data, (N, *data): floats in the model's range, or uint8, which is divided by 255.
        replicas, epochs: M, and passes over the data.
        batch_size: the largest batch.  Batches are equal, so a few examples may sit an epoch out.
        beta: weight of the rate: a number, one per replica, or `Annealed`.  A multi-rate model
            needs a law that draws it from its range, such as `LogUniform`, or that annealed.
        rho: weight of the Rosetta points, a number or one per replica; 0 is the plain VAE.
        points: Rosetta points, needed where rho is not 0, or `Weighted` ones.  They are not added
            to the data.  Curves (see `points.curve_points`) have latents and targets at beta.
        learning_rate: of Adam: a number or `Cosine`.
        objective: terms and weights of the loss; `disentanglement.BetaTCVAE()` is another.
        seed: an integer from which each replica's seed is derived, or one per replica; replica m of
            [s0, s1, ...] equals a single training with [s_m].
        start: a trained Fit of the same model to go on from, or `fitted.Start`, which can freeze
            parts of it; by default weights are drawn at random.
        device: "cpu", "cuda", ...; by default a CUDA device where there is one.
        compile: True, False, or "auto": where the training is long enough and a compiler is there.
        checkpoint: a path; an interrupted training goes on from it to the very same result.
        progress: show a bar with the time left; a text becomes its label.

    Raises:
        ValueError: an argument or the data do not fit; the message names it and the remedy.
        FloatingPointError: a loss became infinite or NaN; epoch, replica, beta and rho are named.
        PointsNotReached: a warning where anchors were not reached after training.

    Differs from the papers: the Rosetta term is a mean over the R points, see `losses`, and t_r is
    x_r in the paper, as with points=Weighted(points, target="input").

    Example:
        >>> from rvae_lite import VAE, data
        >>> x = data.load("eight_gaussians").x
        >>> space = fit(VAE.mlp(5, 2), x, replicas=3, epochs=1, batch_size=100)
        >>> space.encode(x).shape
        torch.Size([3, 6400, 2])
    """
    # Refuse what does not fit, before anything is computed.
    checks.check_counts(replicas=replicas, epochs=epochs, batch_size=batch_size)
    checks.check_layers(model)
    columns, x, device = named(x), _training_data(model, x), _device(device)
    seeds = engine.replica_seeds(seed, replicas)
    rate_law, law = _learning_rate_law(learning_rate, epochs), _beta_law(model, beta)
    beta, rho = _numbers(law, replicas), checks.per_replica("rho", rho, replicas)
    weighted, start = _met_points(model, x, rho, points, columns), _start(start, model, replicas)
    checks.check_objective(objective, model, law)

    # Lay the training out, and go on where an interrupted one left off.
    batches = engine.Batches.of(len(x), batch_size)
    passes = replicas * epochs
    course = dict(seeds=seeds, epochs=epochs, law=law, beta=beta, rho=rho, learning_rate=rate_law)
    trainer = engine.Trainer(
        loss=ReplicaLoss(copy.deepcopy(model).to(device).train(), objective, num_data=len(x)),
        x=x.to(device),
        lengths=Lengths(model, x),
        batches=batches,
        **course,
        anchoring=weighted and Anchoring(weighted, model, device, beta=beta, law=law),
        frozen=start.frozen,
        compiled=checks.choose_compiled(compile, model, device, passes, batches.num_batches, x),
    )
    state = start.state(model, seeds, device)
    keeper = Checkpoint(checkpoint, trainer, weighted, start)
    keeper.resume(state)

    # Train epoch by epoch.
    started = time.monotonic()
    for epoch in _progress_bar(len(state.history), epochs, progress):
        with torch.enable_grad():  # whatever the caller has switched off
            state.history.append(trainer.run_epoch(state, epoch))
        checks.check_finite_loss(trainer, state.history[-1][0], epoch)
        keeper.after_epoch(state)

    # Hand over the trained replicas.
    result = Fit.of(model, trainer, state, seconds=round(time.monotonic() - started, 3))
    result.info |= columns
    _warn_of_unreached(result, weighted)
    return result


def _training_data(model: nn.Module, x) -> Tensor:
    """x as `check_data` gives it, if a training in its precision and units makes sense."""
    data = check_data(model, x, minimum=2)
    if getattr(model, "num_tokens", None) is None:
        if data.dtype == torch.float32:
            check_kept("x", as_array("x", x))
        if doubt := unsuitable_units(as_array("x", data)):
            warnings.warn(doubt, stacklevel=3)
    return data


def _start(start, model: nn.Module, replicas: int) -> Start:
    start = start if isinstance(start, Start) else Start(start)
    start.check(model, replicas)
    return start


def _device(device) -> torch.device:
    if torch.is_inference_mode_enabled():
        remedy = "call fit outside of torch.inference_mode()"
        raise ValueError(f"gradients are off, so that nothing can be trained: {remedy}")
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, TypeError, ImportError, NotImplementedError) as error:
        remedy = "leave device out, or name one that is there, such as 'cpu'"
        raise ValueError(f"device={device!r} cannot be used: {remedy}") from error
    return found


def _learning_rate_law(learning_rate, epochs: int) -> Cosine | Constant:
    if not isinstance(learning_rate, Cosine):
        checks.check_learning_rate(learning_rate)
        return Constant(learning_rate)
    checks.check_warmup(learning_rate.warmup_epochs, epochs=epochs)
    return learning_rate


def _beta_law(model: nn.Module, beta) -> LogUniform | Annealed | Constant:
    law = drawn_from(beta)
    drawn = None if law is None else (law.low, law.high)
    checks.check_drawn(beta, drawn, model.beta_range if is_multirate(model) else None)
    return beta if isinstance(beta, LogUniform | Annealed) else Constant(beta)


def _numbers(law: LogUniform | Annealed | Constant, replicas: int) -> Tensor:
    """beta of each replica, (M,); NaN where it is drawn."""
    if drawn_from(law) is not None:
        return torch.full((replicas,), torch.nan, dtype=torch.float64)
    return checks.per_replica("beta", law.value, replicas)


def _met_points(model: nn.Module, x: Tensor, rho: Tensor, points, columns: dict):
    """The points that the training meets, `Weighted`; None where rho is 0 throughout."""
    if not (rho > 0).any():
        return None
    if points is None:
        remedy = "pass points=RosettaPoints, or rho=0"
        raise ValueError(f"rho is positive but there are no points: {remedy}")
    weighted = points if isinstance(points, Weighted) else Weighted(points)
    check_points(model, x, weighted, gated=is_multirate(model), names=columns.get("names"))
    return weighted


def _progress_bar(first: int, epochs: int, progress: bool | str):
    if not progress:
        return range(first, epochs)
    from tqdm import tqdm

    label = progress if isinstance(progress, str) else "training"
    return tqdm(range(first, epochs), initial=first, total=epochs, desc=label, unit="epoch")


def _warn_of_unreached(result: Fit, weighted: Weighted | None) -> None:
    if weighted is None:
        return
    middle = None  # of a multi-rate model's range
    if is_multirate(result.model):
        middle = float(np.sqrt(np.prod(result.model.beta_range)))
    distance = result.anchor_distance(weighted.points, beta=middle)
    missed = np.flatnonzero((result.rho > 0) & (distance > UNREACHED))
    if missed.size:
        text = checks.not_reached(missed.tolist(), max(distance[missed]))
        warnings.warn(text, PointsNotReached, stacklevel=3)
