"""`fit`: train M replicas of a model at once, in one visible loop.

Martinez & Pearson (2021), Section 3 and Appendix B: Adam at 1e-3, Rosetta points beside every
batch. Letters: M replicas, N data points, B batch, K latent dimension, R Rosetta points, P
parameters.
"""

import copy
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite import engine
from rvae_lite.anchors import Anchoring, PointsNotReached, Weighted
from rvae_lite.checkpoints import Checkpoint
from rvae_lite.checks import (
    check_counts,
    check_data,
    check_learning_rate,
    check_objective,
    check_points,
    choose_compiled,
    compiles_slowly,
    per_replica,
)
from rvae_lite.fitted import Fit
from rvae_lite.laws import Annealed, Constant, Cosine, LogUniform
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
    device: str | torch.device | None = None,
    compile: bool | str = "auto",
    checkpoint=None,
    progress: bool | str = False,
) -> Fit:
    """Train M replicas of `model` on `x`, minimising the mean over data of

        distortion + beta * rate + rho * mean_r(|x_r - decode(z_r)|^2 + |z_r - mean(x_r)|^2)

    (Eq. 1 of Martinez & Pearson 2021; distortion and rate in nats, summed over dimensions), for a
    multi-rate model also over beta (Bae et al. 2023, Algorithm 1).

    Args:
        model: the pattern; each replica re-initialises it.  Its dtype is the training's.
        x: data, (N, *data): floats in the model's range, or uint8, which is divided by 255.
        replicas: M.
        epochs: passes over the data.
        batch_size: the largest batch.  An epoch is cut into equal batches, so that at most a few
            examples sit it out.
        beta: weight of the rate: a number, one per replica, or `Annealed`.  A multi-rate model
            needs `LogUniform`, from which beta is drawn anew.
        rho: weight of the Rosetta points, a number or one per replica; 0 is the plain VAE.
        points: Rosetta points, needed where rho is not 0, or `Weighted` ones.  They are not added
            to the data.  Curves (see `points.curve_points`) have their latents at beta, and
            decode(z_r) is trained towards the template's own reconstruction at beta.
        learning_rate: of Adam: a number or `Cosine`.
        objective: what weighs what; `disentanglement.BetaTCVAE()` is another.
        seed: an integer from which each replica's seed is derived, or one per replica; replica m of
            [s0, s1, ...] equals a single training with [s_m].
        device: "cpu", "cuda", ...; by default a CUDA device where there is one.
        compile: True, False, or "auto": where the training is long enough and a compiler is there.
        checkpoint: a path; an interrupted training goes on from it to the very same result.
        progress: show a bar with the time left; a text becomes its label.

    Returns:
        A `Fit`.

    Raises:
        ValueError: an argument or the data do not fit; the message names it and the remedy.
        FloatingPointError: a loss became infinite or NaN; epoch, replica, beta and rho are named.

    Warns:
        PointsNotReached: anchors that were not reached after training.

    Differs from the papers: the Rosetta term is a mean over the R points, not a sum times a ratio
        of R
    and B.

    Example:
        >>> from rvae_lite import VAE, data
        >>> x = data.load("eight_gaussians").x
        >>> space = fit(VAE.mlp(5, 2), x, replicas=3, epochs=1, batch_size=100)
        >>> space.encode(x).shape
        torch.Size([3, 6400, 2])
    """
    # Refuse what does not fit, before anything is computed.
    x = check_data(model, x, minimum=2)
    check_counts(replicas=replicas, epochs=epochs, batch_size=batch_size)
    seeds = engine.replica_seeds(seed, replicas)
    rate_law, beta_law = _learning_rate_law(learning_rate, epochs), _beta_law(model, beta)
    numbers = dict(beta=_numbers(beta_law, replicas), rho=per_replica("rho", rho, replicas))
    weighted = _met_points(model, x, numbers["rho"], points)
    check_objective(objective, model, beta_law)

    # Lay the training out, and go on where an interrupted one left off.
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    batches = engine.Batches.of(len(x), batch_size)
    slow = compiles_slowly(model, device)
    num_steps = replicas * epochs * batches.num_batches
    course = dict(numbers, epochs=epochs, law=beta_law, learning_rate=rate_law, batches=batches)
    trainer = engine.Trainer(
        loss=ReplicaLoss(copy.deepcopy(model).train(), objective, num_data=len(x)),
        x=x.to(device),
        seeds=seeds,
        anchoring=weighted
        and Anchoring(weighted, model, device, beta=numbers["beta"], law=beta_law),
        compiled=choose_compiled(compile, device, num_steps, slow=slow),
        **course,
    )
    state = engine.State.initial(model, seeds, device)
    keeper = Checkpoint(checkpoint, trainer, weighted)
    keeper.resume(state)

    # Train epoch by epoch.
    started = time.monotonic()
    for epoch in _progress_bar(len(state.history), epochs, progress):
        state.history.append(trainer.run_epoch(state, epoch))
        _stop_if_not_finite(trainer, state, epoch)
        keeper.after_epoch(state)
    seconds = round(time.monotonic() - started, 3)

    # Hand over the trained replicas.
    result = Fit.of(model, trainer, state, seconds=seconds)
    if weighted is not None:
        _warn_of_unreached(result, weighted.points)
    return result


def _learning_rate_law(learning_rate, epochs: int) -> Cosine | Constant:
    if not isinstance(learning_rate, Cosine):
        check_learning_rate(learning_rate)
        return Constant(learning_rate)
    if learning_rate.warmup_epochs >= epochs:
        expected = f"warmup_epochs must be a whole number below epochs={epochs}"
        raise ValueError(f"{expected}, not {learning_rate.warmup_epochs}")
    return learning_rate


def _beta_law(model: nn.Module, beta) -> LogUniform | Annealed | Constant:
    if not is_multirate(model):
        if isinstance(beta, LogUniform):
            remedy = "pass make_multirate(model), or a number"
            raise ValueError(f"beta={beta} is for multi-rate models: {remedy}")
        return beta if isinstance(beta, Annealed) else Constant(beta)
    low, high = model.beta_range
    if not isinstance(beta, LogUniform) or (beta.low, beta.high) != (low, high):
        needed = f"beta=LogUniform({low:g}, {high:g}), its range"
        raise ValueError(f"this multi-rate model needs {needed}, not {beta!r}")
    return beta


def _numbers(law: LogUniform | Annealed | Constant, replicas: int) -> Tensor:
    """beta of each replica, (M,); NaN where it is drawn."""
    if isinstance(law, LogUniform):
        return torch.full((replicas,), torch.nan, dtype=torch.float64)
    return per_replica("beta", law.value, replicas)


def _met_points(model: nn.Module, x: Tensor, rho: Tensor, points) -> Weighted | None:
    """The points that the training meets, after checking them; None where rho is 0 throughout."""
    if not (rho > 0).any():
        return None
    if points is None:
        remedy = "pass points=RosettaPoints, or rho=0"
        raise ValueError(f"rho is positive but there are no points: {remedy}")
    weighted = Weighted.of(points)
    if weighted.power and not is_multirate(model):
        remedy = "give rho per replica for models of one beta"
        raise ValueError(f"Weighted(power=) is for multi-rate models: {remedy}")
    check_points(model, x, weighted.points)
    return weighted


def _progress_bar(first: int, epochs: int, progress: bool | str):
    if not progress:
        return range(first, epochs)
    from tqdm import tqdm

    label = progress if isinstance(progress, str) else "training"
    return tqdm(range(first, epochs), initial=first, total=epochs, desc=label, unit="epoch")


def _stop_if_not_finite(trainer: engine.Trainer, state: engine.State, epoch: int) -> None:
    bad = np.flatnonzero(~np.isfinite(state.history[-1][0]))
    if not bad.size:
        return
    m = int(bad[0])
    law, rho = trainer.law, trainer.rho[m]
    beta = law if isinstance(law, LogUniform) else f"{trainer.beta[m]:g}"
    where = f"epoch {epoch + 1}, replica {m} (seed {trainer.seeds[m]}, beta {beta}, rho {rho:g})"
    remedy = "lower learning_rate, or rescale the data"
    raise FloatingPointError(f"the loss is not finite in {where}: {remedy}")


def _warn_of_unreached(result: Fit, points: RosettaPoints) -> None:
    beta = None
    if is_multirate(result.model):
        beta = float(np.sqrt(np.prod(result.model.beta_range)))  # the middle of the range
    distance = result.anchor_distance(points, beta=beta)
    missed = np.flatnonzero((result.rho > 0) & (distance > UNREACHED)).tolist()
    if not missed:
        return
    message = (
        f"replicas {missed} did not reach the Rosetta points: mean squared distance up to "
        f"{max(distance[missed]):.2g} of their total variance; train longer, raise rho, or check "
        f"that the points were made with the same preprocessing"
    )
    warnings.warn(message, PointsNotReached, stacklevel=3)
