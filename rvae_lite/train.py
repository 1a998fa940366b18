"""`fit`: train M replicas of a model at once, in one visible loop.

Martinez & Pearson (2021), Section 3 and Appendix B: Adam at 1e-3, the Rosetta points beside every batch.
Letters: M replicas, N data points, B batch, K latent dimension, R Rosetta points, P parameters.
"""

import copy
import time
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite import checkpoints, engine
from rvae_lite.anchors import Anchoring
from rvae_lite.checks import (
    check_data,
    check_objective,
    check_points,
    check_positive,
    check_rates,
    check_schedule,
    per_replica,
)
from rvae_lite.fitted import Fit
from rvae_lite.laws import anneal_factor, learning_rate_factor
from rvae_lite.multirate import LogUniform, is_multirate, responds_to_rho
from rvae_lite.rosetta import RosettaPoints

COMPILE_ABOVE = 100_000  # replica-steps from which compiling (5 to 30 s) pays, as measured on a CPU
GATE_SPEED = 5.0  # how many times as fast gates learn, where nothing else is said
LARGEST_BLOCK = 10  # replicas trained side by side on a CPU; more of them fall out of its cache
UNREACHED = 0.1  # share of the anchors' total variance above which they count as not reached
CHECKPOINT_SECONDS = 30.0  # between two checkpoints at least
CHECKPOINT_SHARE = 0.05  # of the time at most goes into writing them


def fit(
    model: nn.Module,
    x,
    *,
    replicas: int = 1,
    epochs: int,
    batch_size: int,
    beta: float | Sequence[float] | LogUniform = 1.0,
    objective: str = "beta-VAE",
    per: str = "example",
    anneal: float = 0.0,
    rho: float | Sequence[float] | LogUniform = 0.0,
    points: RosettaPoints | None = None,
    x_weight: float = 1.0,
    z_weight: float = 1.0,
    rho_power: float = 0.0,
    seed: int | Sequence[int] = 0,
    learning_rate: float = 1e-3,
    gate_speed: float = GATE_SPEED,
    schedule: str = "constant",
    warmup_epochs: int = 0,
    device: str | torch.device | None = None,
    compile: bool | str = "auto",
    checkpoint=None,
    progress: bool | str = False,
) -> Fit:
    """Train M replicas of `model` on `x`, minimising the mean over data of

        distortion + beta * rate + rho * mean_r(x_weight |x_r - decode(z_r)|^2 + z_weight |z_r - mean(x_r)|^2)

    (Eq. 1 of Martinez & Pearson 2021; distortion and rate in nats, summed over dimensions), for a multi-rate model
    also over beta (Bae et al. 2023, Algorithm 1).  With the objective "beta-TCVAE" beta weighs one part of the rate
    only: distortion + rate + (beta - 1) * total correlation (Chen et al. 2018; `losses.total_correlation_loss`).

    Args:
        model: the pattern; each replica re-initialises it.  Its parameters' dtype is the training's.
        x: data, (N, *data): floats in the model's declared range, or uint8, which is divided by 255.
        replicas: M.
        epochs: passes over the data.
        batch_size: the largest batch.  An epoch is cut into equal batches, so that at most a few examples sit it out.
        beta: weight of the rate, a number or one per replica; for a multi-rate model `LogUniform`, drawn anew.
        objective: "beta-VAE"; or "beta-TCVAE", for diagonal posteriors, whose history has the total correlation too.
        per: draw beta for every "example" or every "batch": both are unbiased, the first varies less.  A batch has one
            total correlation, so that "beta-TCVAE" needs "batch".
        anneal: share of the steps over which beta rises in a line from 0 to its value.
        rho: weight of the Rosetta points, a number or one per replica; 0 is the plain VAE.  For a model that responds
            to rho `LogUniform`, drawn anew for every example and point, or batch, as beta is; the loss at every rho is
            then divided by 1 + rho.
        points: Rosetta points, needed where rho is not 0.  They are not added to the data.  Where they are curves
            (see `anchors.curve_points`) their latents are those at beta, and decode(z_r) is drawn to the template's
            own reconstruction at beta; without reconstructions it is drawn to x_r, which biases the decoder.
        x_weight, z_weight: weights of the two halves of the Rosetta term.
        rho_power: a multi-rate model meets each point at a beta of its own, where it weighs rho times a multiple of
            beta ** -rho_power whose mean over the law is 1.  Above 0 points hold better at low beta, below 0 at high.
        seed: an integer from which each replica's seed is derived, or one per replica; replica m of
            [s0, s1, ...] equals a single training with [s_m].
        learning_rate: of Adam.
        gate_speed: how many times as fast the sigmoid and sqrt gates of a multi-rate model learn.  They start the same
            at every beta and have further to go than other weights, for which short trainings leave them no time.  5
            served best on images and sentences; 1 did for linear models, trained at a high learning rate, and for the
            beta-TCVAE, whose one beta a batch pulls gates to and fro.
        schedule: "constant", or "cosine": the learning rate falls along a cosine to 0.
        warmup_epochs: epochs over which the learning rate first rises in a line from 0.
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
        RuntimeWarning: anchors that were not reached after training.

    Differs from the papers: the Rosetta term is a mean over the R points, not a sum times a ratio of R and B; gates
    have a learning rate of their own (gate_speed=1 is the paper's).

    Example:
        >>> from rvae_lite import VAE, data
        >>> x = data.load("eight_gaussians").x
        >>> space = fit(VAE.mlp(5, 2), x, replicas=3, epochs=1, batch_size=100)
        >>> space.encode(x).shape
        torch.Size([3, 6400, 2])
    """
    x = check_data(model, x, minimum=2)
    check_positive(replicas=replicas, epochs=epochs, batch_size=batch_size)
    check_positive(learning_rate=learning_rate, gate_speed=gate_speed)
    seeds = engine.replica_seeds(seed, replicas)
    check_schedule(schedule, warmup_epochs, epochs, anneal, per)
    check_rates(model, beta, rho, anneal=anneal, rho_power=rho_power)
    check_objective(model, objective, per=per)
    law, rho_law = (value if isinstance(value, LogUniform) else None for value in (beta, rho))
    nowhere = torch.full((replicas,), torch.nan, dtype=torch.float64)
    beta = nowhere if law else per_replica("beta", beta, replicas)
    rho = nowhere if rho_law else per_replica("rho", rho, replicas)
    for name, weight in (("x_weight", x_weight), ("z_weight", z_weight)):
        per_replica(name, weight, 1)
    anchored = rho_law is not None or bool((rho > 0).any())
    if anchored and points is None:
        raise ValueError(
            "rho is positive but there are no points: pass points=RosettaPoints, or rho=0"
        )
    if anchored:
        check_points(model, x, points)
    device = torch.device(
        device if device is not None else "cuda" if torch.cuda.is_available() else "cpu"
    )
    plan = engine.EpochPlan.of(len(x), batch_size)
    compiled = _choose_engine(compile, model, device, epochs * plan.num_batches * replicas)

    laws = (beta, law, rho, rho_law, per == "example")
    course = _Course(*laws, anneal, learning_rate, gate_speed, schedule, warmup_epochs, epochs)

    state = _State.initial(model, seeds, device)
    if checkpoint is not None:
        settings = checkpoints.settings_of(
            model, x, points if anchored else None, seeds=seeds, batch_size=plan.batch_size,
            x_weight=x_weight, z_weight=z_weight, rho_power=rho_power or None,
            objective=None if objective == "beta-VAE" else objective, **course.settings(),
        )  # fmt: skip
        checkpoints.resume(checkpoint, settings, state, epochs=epochs)
    anchors = None
    if anchored:
        drawn = dict(law=law, rho_law=rho_law, per_example=per == "example", rho_power=rho_power)
        anchors = Anchoring(
            points, like=state.rows, x_weight=x_weight, z_weight=z_weight, beta=beta, **drawn
        )
    trainer = _Trainer(
        model, x.to(device), plan, seeds, course, anchors, compiled, compile == "auto", objective
    )
    started = written = time.monotonic()
    pause = CHECKPOINT_SECONDS
    for epoch in _progress_bar(len(state.terms), epochs, progress):
        state.terms.append(trainer.run_epoch(state, epoch))
        _stop_if_not_finite(state.terms[-1][0], epoch, seeds, law or beta, rho_law or rho)
        overdue = time.monotonic() - written > pause
        if checkpoint is not None and (overdue or epoch == epochs - 1):
            begun = time.monotonic()
            checkpoints.write(checkpoint, settings, state)
            written = time.monotonic()
            pause = max(CHECKPOINT_SECONDS, (written - begun) / CHECKPOINT_SHARE)
    info = dict(
        plan._asdict(),
        epochs=epochs,
        learning_rate=learning_rate,
        device=str(device),
        torch=torch.__version__,
    )
    info |= dict(
        engine="compiled" if trainer.compiled else "eager",
        seconds=round(time.monotonic() - started, 3),
    )
    info |= dict(schedule=schedule, warmup_epochs=warmup_epochs, anneal=anneal)
    info |= dict(beta_range=[law.low, law.high], per=per, gate_speed=gate_speed) if law else {}
    info |= dict(rho_range=[rho_law.low, rho_law.high]) if rho_law else {}
    info |= {} if objective == "beta-VAE" else dict(objective=objective)
    result = Fit(
        copy.deepcopy(model).cpu(),
        state.rows.cpu(),
        buffers={name: buffer.cpu() for name, buffer in state.buffers.items()},
        seeds=seeds,
        beta=beta.numpy(),
        rho=rho.numpy(),
        terms=np.stack(state.terms),
        info=info,
    )
    if anchored:
        _warn_of_unreached(result, points)
    return result


class _State(NamedTuple):
    rows: Tensor
    buffers: dict[str, Tensor]
    moments: engine.Adam
    terms: list  # per epoch (5, M) float64, or 6 with the total correlation

    @classmethod
    def initial(cls, model: nn.Module, seeds: list[int], device: torch.device) -> "_State":
        rows = engine.initial_rows(model, seeds).to(device)
        buffers = {
            name: buffer.to(device) for name, buffer in engine.initial_buffers(model, seeds).items()
        }
        return cls(rows, buffers, engine.Adam(torch.zeros_like(rows), torch.zeros_like(rows)), [])


class _Course(NamedTuple):
    """How beta, rho and the learning rate go over the training."""

    beta: Tensor  # (M,), without meaning where beta is drawn
    law: LogUniform | None
    rho: Tensor  # likewise
    rho_law: LogUniform | None
    per_example: bool
    anneal: float
    learning_rate: float
    gate_speed: float
    schedule: str
    warmup_epochs: int
    epochs: int

    def settings(self) -> dict:
        """What must not change between a training and its resumption; plain ones may be prolonged."""
        prolonged = self.schedule == "constant" and not self.anneal
        return dict(
            beta=self.beta if self.law is None else [self.law.low, self.law.high, self.per_example],
            rho=self.rho if self.rho_law is None else [self.rho_law.low, self.rho_law.high],
            learning_rate=self.learning_rate,
            gate_speed=None if self.law is None else self.gate_speed,
            anneal=self.anneal or None,
            schedule=None if self.schedule == "constant" else self.schedule,
            warmup_epochs=self.warmup_epochs or None,
            epochs=None if prolonged else self.epochs,
        )

    def learning_rate_at(self, number: int, num_batches: int) -> float:
        steps = dict(
            num_steps=self.epochs * num_batches, warmup_steps=self.warmup_epochs * num_batches
        )
        return self.learning_rate * learning_rate_factor(number, schedule=self.schedule, **steps)

    def betas(
        self, plan: engine.EpochPlan, seeds: list[int], epoch: int, block: slice, like: Tensor
    ) -> list[Tensor]:
        """beta of an epoch's batches, for each (M,), or (M, B) where every example has its own."""
        if self.law is not None:
            return self._drawn(self.law, plan, seeds, epoch, like, purpose=engine.RATE)
        beta, numbers = self.beta[block].to(like.device, like.dtype), range(1, plan.num_batches + 1)
        steps = dict(num_steps=self.epochs * plan.num_batches, anneal=self.anneal)
        return [
            beta * anneal_factor(epoch * plan.num_batches + number, **steps) for number in numbers
        ]

    def rhos(
        self, plan: engine.EpochPlan, seeds: list[int], epoch: int, block: slice, like: Tensor
    ) -> list[Tensor]:
        """rho of an epoch's batches, for each (M,), or (M, B) where every example has its own."""
        if self.rho_law is not None:
            return self._drawn(self.rho_law, plan, seeds, epoch, like, purpose=engine.RHO)
        return [self.rho[block].to(like.device, like.dtype)] * plan.num_batches

    def _drawn(
        self, law: LogUniform, plan, seeds, epoch: int, like: Tensor, *, purpose: int
    ) -> list[Tensor]:
        count = plan.batch_size if self.per_example else None
        return list(
            plan.drawn(law, seeds, epoch, purpose=purpose, count=count).to(like.device, like.dtype)
        )


class _Trainer:
    """Runs epochs: block by block of replicas, batch by batch."""

    def __init__(self, model, x, plan, seeds, course, anchors, compiled, may_fall_back, objective):
        self.model, self.x, self.plan, self.seeds, self.course = model, x, plan, seeds, course
        self.anchors, self.compiled, self.may_fall_back = anchors, compiled, may_fall_back
        self.num_data = plan.num_data if objective == "beta-TCVAE" else None
        self.num_terms = len(engine.TERMS if self.num_data is None else engine.TC_TERMS)
        self.step = self._make_step()
        speeds = engine.Parameters(model).learning_rates(model, gate_speed=course.gate_speed)
        self.speeds = speeds if isinstance(speeds, float) else speeds.to(x.device)
        self.blocks = engine.blocks(len(seeds), self._largest_block())

    def _make_step(self):
        axes = None if self.anchors is None else self.anchors.axes()
        return engine.make_step(
            self.model, compiled=self.compiled, num_data=self.num_data, anchor_axes=axes
        )

    def _largest_block(self) -> int:
        if engine.one_by_one(self.model, self.x.device):
            return 1
        return LARGEST_BLOCK if self.compiled and self.x.device.type == "cpu" else len(self.seeds)

    def run_epoch(self, state: _State, epoch: int) -> np.ndarray:
        """Mean of the loss terms over the epoch's batches: (5 or 6, M) float64."""
        return np.concatenate(
            [self._run_block(state, epoch, block) for block in self.blocks], axis=1
        )

    def _run_block(self, state: _State, epoch: int, block: slice) -> np.ndarray:
        rows, seeds = state.rows[block], self.seeds[block]
        moments = engine.Adam(state.moments.first[block], state.moments.second[block])
        buffers = {name: buffer[block] for name, buffer in state.buffers.items()}
        orders = self.plan.orders(seeds, epoch).to(self.x.device)
        noises = self.plan.noises(seeds, epoch, self.model.noise_dim, rows.dtype).to(self.x.device)
        drawn = (self.plan, seeds, epoch, block, rows)
        batches = zip(
            orders, noises, self.course.betas(*drawn), self.course.rhos(*drawn), strict=True
        )
        totals = torch.zeros(
            (self.num_terms, len(seeds)), dtype=torch.float64, device=self.x.device
        )
        anchors = [None] * self.plan.num_batches
        if self.anchors is not None:
            anchors = self.anchors.of_epoch(self.plan, seeds, epoch, block)
        for batch, ((order, noise, beta, rho), anchor) in enumerate(
            zip(batches, anchors, strict=True)
        ):
            number = epoch * self.plan.num_batches + batch + 1
            learning_rate = self.speeds * self.course.learning_rate_at(
                number, self.plan.num_batches
            )
            corrections = engine.adam_corrections(number, learning_rate, rows)
            examples = self.x.index_select(0, order.flatten()).unflatten(
                0, order.shape
            )  # (M, B, *data)
            examples = engine.to_units(examples, rows)
            totals += self._take_step(
                rows, buffers, moments, examples, noise, beta, rho, anchor, *corrections
            )
        return (totals / self.plan.num_batches).cpu().numpy()

    def _take_step(self, *arguments) -> Tensor:
        if not (self.compiled and self.may_fall_back):
            return self.step(*arguments)
        try:
            terms = self.step(*arguments)
        except torch._dynamo.exc.TorchDynamoException:  # raised before anything was computed
            self.compiled = False
            self.step = self._make_step()
            terms = self.step(*arguments)
        self.may_fall_back = False
        return terms


def _choose_engine(compile, model: nn.Module, device: torch.device, replica_steps: int) -> bool:
    if compile not in (True, False, "auto"):
        raise ValueError(f"compile must be True, False or 'auto', not {compile!r}")
    if compile == "auto":
        slow = engine.one_by_one(model, device) or engine.compiles_slowly(model)
        worthwhile = replica_steps >= COMPILE_ABOVE and not slow
        return worthwhile and engine.compiler_available(device)
    if compile and not engine.compiler_available(device):
        raise ValueError(
            "compile=True needs a C++ compiler (Triton on CUDA): install one, or leave compile='auto'"
        )
    return compile


def _progress_bar(first: int, epochs: int, progress: bool | str):
    if not progress:
        return range(first, epochs)
    from tqdm import tqdm

    label = progress if isinstance(progress, str) else "training"
    return tqdm(range(first, epochs), initial=first, total=epochs, desc=label, unit="epoch")


def _stop_if_not_finite(loss: np.ndarray, epoch: int, seeds, beta, rho) -> None:
    bad = np.flatnonzero(~np.isfinite(loss))
    if bad.size:
        m = int(bad[0])
        beta, rho = (
            value if isinstance(value, LogUniform) else f"{value[m]:g}" for value in (beta, rho)
        )
        raise FloatingPointError(
            f"the loss is not finite in epoch {epoch + 1}, replica {m} (seed {seeds[m]}, beta {beta}, rho {rho}): "
            f"lower learning_rate, or rescale the data"
        )


def _warn_of_unreached(fit: Fit, points: RosettaPoints) -> None:
    fit = fit.at_rho(fit.model.rho_range[1]) if responds_to_rho(fit.model) else fit
    beta = float(np.sqrt(np.prod(fit.model.beta_range))) if is_multirate(fit.model) else None
    distance = fit.anchor_distance(points, beta=beta)
    missed = [m for m in range(len(fit)) if fit.rho[m] > 0 and distance[m] > UNREACHED]
    if missed:
        warnings.warn(
            f"replicas {missed} did not reach the Rosetta points: mean squared distance up to "
            f"{max(distance[missed]):.2g} of their total variance; train longer, raise rho, or check that the points "
            f"were made with the same preprocessing",
            RuntimeWarning,
            stacklevel=3,
        )
