"""The multi-rate paper's experiments as functions: one training against one training per beta, as a tidy table.

Bae et al. (2023), Sections 5.2 and 5.3, Appendices C and D.  Nats, summed over dimensions and averaged over data; the
loss is distortion + beta * rate.  A table has one row per (data, network, width, method, beta, seed, metric); `beta`
is empty where the value belongs to the whole curve, `against` names the other curve where there are two.
Letters: M replicas, N images, T values of beta.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from rvae_lite.checkpoints import kept_as
from rvae_lite.data import Dataset, load
from rvae_lite.data.dataset import TEST, TRAIN
from rvae_lite.fitted import Fit
from rvae_lite.metrics import (
    active_units,
    area_between,
    dominance,
    features_of,
    frechet_distance,
    rate_distortion_curve,
)
from rvae_lite.models.ladder import LadderVAE
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import BETA_RANGE, LogUniform, closed_share, is_multirate, make_multirate
from rvae_lite.train import GATE_SPEED, fit

NETWORKS = ("mlp", "cnn", "resnet", "ladder")
TIMED_EXAMPLES, TIMED_RUNS = 1024, 3
FRECHET = ("samples", "reconstructions")


class Curve(NamedTuple):
    """How one rate-distortion curve is obtained: by one multi-rate training, or by a training for every beta.

    multirate: one training with gates.
    gate, beta_range, tilt: of the gates, see `make_multirate`.
    per: whether beta is drawn for every "example" or every "batch".
    anneal: share of a plain training over which beta rises from 0.
    longer: how many times the setting's epochs it takes.
    gate_speed: how many times as fast gates learn, see `fit`.
    """

    multirate: bool = True
    gate: str | Sequence[str] | None = None
    beta_range: tuple[float, float] = BETA_RANGE
    per: str = "example"
    anneal: float = 0.0
    tilt: float = 0.0
    longer: int = 1
    gate_speed: float = GATE_SPEED


PLAIN = {"beta-VAE": Curve(multirate=False)}
LONGER = {"MR-VAE, 4 times as long": Curve(longer=4)}  # at half the cost of ten trainings
METHODS = {"MR-VAE": Curve()} | PLAIN | {"beta-VAE, annealed": Curve(multirate=False, anneal=0.3)}


class RateSetting(NamedTuple):
    """What a study of rate-distortion curves is run on.

    dataset: with `part` 1 for training, 3 for the test.
    model: the pattern of every model, plain.
    network, width: the pattern's names in the table.
    methods: name -> `Curve`.
    betas: T, those of the plain trainings.
    replicas: curves per method, with the seeds 0, 1, ...
    epochs, batch_size, learning_rate: of every training; the learning rate falls along a cosine.
    num_images: images that Frechet distances are taken of; 0 leaves them out.
    compile, progress: as in `fit`.
    folder: where every training is kept, so that what was interrupted goes on and what is finished loads at once.
    """

    dataset: Dataset
    model: nn.Module
    network: str
    width: float
    epochs: int
    methods: dict[str, Curve] = METHODS
    betas: tuple[float, ...] = tuple(np.geomspace(*BETA_RANGE, 10))
    replicas: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    num_images: int = 0
    compile: bool | str = "auto"
    folder: Path | None = None
    progress: bool = False

    @property
    def train(self) -> np.ndarray:
        """The training images."""
        return self.dataset.x[self.dataset.part == TRAIN]

    @property
    def test(self) -> np.ndarray:
        """The test images."""
        return self.dataset.x[self.dataset.part == TEST]


class CurveStudy(NamedTuple):
    """What `curve_study` returns.

    table: the tidy results, a pandas DataFrame.
    fits: method -> its trainings, a Fit for every seed; one replica if multi-rate, else one for every beta.
    """

    table: object
    fits: dict[str, list[Fit]]


def rate_setting(
    name: str,
    *,
    network: str = "resnet",
    width: float = 1.0,
    latent_dim: int = 32,
    num_train: int | None = None,
    num_test: int | None = None,
    **changes,
) -> RateSetting:
    """A set of binary images with one of the paper's networks.

    Args:
        name: a set with a test part, for example "binary_mnist", "omniglot" or "binary_digits".
        network: "cnn", "resnet", "mlp", two fully connected layers of 256 and 128 units, or "ladder", a `LadderVAE`
            of two scales with 64 and 32 channels.
        width: factor of all numbers of channels or units.
        latent_dim: K; of a ladder the latent channels of its coarser scale, four times those of the finer one.
        num_train, num_test: images drawn at random; by default all.
        changes: other fields of `RateSetting`.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {NETWORKS}, not {network!r}")
    whole = load(name)
    if "parts" not in whole.info or whole.x.shape[1] != 1:
        raise ValueError(
            f"name must be a set of binary images with a test part, such as 'binary_digits', not {name!r}"
        )
    random = np.random.default_rng(0)
    kept = [
        _some(whole.part == part, number, random)
        for part, number in ((TRAIN, num_train), (TEST, num_test))
    ]
    dataset, shape = whole.take(np.sort(np.concatenate(kept))), whole.x.shape[1:]
    if network == "ladder":
        widths = dict(channels=[round(width * number) for number in (64, 32)])
        model = LadderVAE(shape, **widths, latent_channels=(latent_dim, max(1, latent_dim // 4)))
    elif network == "mlp":
        hidden = tuple(round(width * units) for units in (256, 128))
        model = VAE.mlp(shape, latent_dim, hidden, posterior="diagonal", likelihood="bernoulli")
    else:
        model = getattr(VAE, network)(shape, latent_dim, width=width)
    return RateSetting(dataset, model, network, width, epochs=200)._replace(**changes)


def _some(mask: np.ndarray, number: int | None, random: np.random.Generator) -> np.ndarray:
    return random.permutation(np.flatnonzero(mask))[:number]


def curve_study(setting: RateSetting) -> CurveStudy:
    """Train every method with every seed and measure its curve on the test images (Figures 5 and 6).

    Metrics by beta: rate, distortion, loss, negative_elbo (the loss at beta = 1), squared_error, active_units, and
    with `num_images` frechet_samples and frechet_reconstructions.  By curve: seconds that it cost, the number of
    trainings, parameters of one model, closed_share of the gates; of a multi-rate curve against each plain one, over
    the rates that both reach: area (nats squared, negative is better) and dominance.

    Multi-rate curves are read off at the setting's betas and at the geometric middles between them.

    Args:
        setting: data, model, methods.
    """
    rows, fits = [], {name: [] for name in setting.methods}
    seconds = {name: training_seconds(setting, curve) for name, curve in setting.methods.items()}
    for seed in range(setting.replicas):
        found = {name: train_curve(setting, name, seed=seed) for name in setting.methods}
        curves = {}
        for name, trained in found.items():
            fits[name].append(trained)
            curves[name] = measure_curve(
                trained, setting.test, read_at(setting, setting.methods[name])
            )
            rows += _long(curves[name], method=name, seed=seed)
            whole = _cost_of(trained, seconds[name])
            rows += [
                dict(method=name, seed=seed, metric=metric, value=value)
                for metric, value in whole.items()
            ]
        rows += [dict(row, seed=seed) for row in compare_curves(setting, curves)]
        if setting.num_images:
            rows += [dict(row, seed=seed) for row in frechet_rows(setting, found, seed=seed)]
    return CurveStudy(_table(setting, rows), fits)


def train_curve(setting: RateSetting, name: str, *, seed: int) -> Fit:
    """One method's trainings with one seed: a multi-rate model, or a plain one for each of the setting's betas."""
    curve, count = setting.methods[name], len(setting.betas)
    label = f"{name}, seed {seed}"
    options = dict(compile=setting.compile, checkpoint=kept_as(setting.folder, label))
    options["progress"] = label if setting.progress else False
    trainings = (
        dict(replicas=1, seed=[seed])
        if curve.multirate
        else dict(replicas=count, seed=[seed] * count)
    )
    beta = LogUniform(*curve.beta_range) if curve.multirate else list(setting.betas)
    return _fit(
        setting,
        curve,
        setting.train,
        epochs=setting.epochs * curve.longer,
        beta=beta,
        **trainings,
        **options,
    )


def _fit(setting: RateSetting, curve: Curve, x, **options) -> Fit:
    model = setting.model
    if curve.multirate:
        model = make_multirate(model, beta_range=curve.beta_range, gate=curve.gate, tilt=curve.tilt)
    course = dict(
        batch_size=setting.batch_size, learning_rate=setting.learning_rate, schedule="cosine"
    )
    return fit(
        model,
        x,
        per=curve.per,
        anneal=curve.anneal,
        gate_speed=curve.gate_speed,
        **course,
        **options,
    )


def training_seconds(setting: RateSetting, curve: Curve) -> float:
    """Seconds that one training of one model takes, extrapolated from the fastest of three short ones.

    On a CPU these are seconds of computing, so that whatever else runs on the machine hardly counts.
    """
    few = setting.train[:TIMED_EXAMPLES]
    beta = LogUniform(*curve.beta_range) if curve.multirate else 1.0
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    taken = []
    for _ in range(TIMED_RUNS):
        begun = clock()
        _fit(setting, curve._replace(anneal=0.0), few, epochs=1, beta=beta, compile=False)
        taken.append(clock() - begun)
    return min(taken) * setting.epochs * curve.longer * len(setting.train) / len(few)


def _cost_of(trained: Fit, seconds: float) -> dict[str, float]:
    cost = dict(
        seconds=seconds * len(trained), trainings=len(trained), parameters=trained.rows.shape[1]
    )
    if is_multirate(trained.model):
        cost["closed_share"] = closed_share(trained.replica(0))
    return cost


def _inside(setting: RateSetting, curve: Curve) -> np.ndarray:
    """The setting's betas within the curve's range."""
    low, high = curve.beta_range
    return np.array(
        [beta for beta in setting.betas if low * (1 - 1e-9) <= beta <= high * (1 + 1e-9)]
    )


def read_at(setting: RateSetting, curve: Curve) -> np.ndarray | None:
    """Where a multi-rate curve is read off: the betas within its range and the middles between them; else None."""
    if not curve.multirate:
        return None
    inside = _inside(setting, curve)
    return np.sort(np.concatenate([inside, np.sqrt(inside[1:] * inside[:-1])]))


def measure_curve(trained: Fit, x, betas=None):
    """A curve's points on data x (N, *data): a pandas DataFrame, a row per beta.

    Args:
        trained: one multi-rate replica, or plain ones, one for each beta.
        x: data.
        betas: where the multi-rate one is read off, (T,).

    Returns:
        Columns beta, rate, distortion, loss, negative_elbo, squared_error, and active_units, or of a hierarchical model
        rate_1, rate_2, ..., its scales' from the coarsest.
    """
    import pandas as pd

    points = rate_distortion_curve(trained, x, betas).drop(columns="replica")
    points["negative_elbo"] = points.distortion + points.rate
    if betas is None:
        pieces = [trained.select([m]) for m in range(len(trained))]
    else:
        pieces = [trained.at_beta(float(beta)) for beta in points.beta]
    latents = pd.DataFrame([_of_latents(piece, x) for piece in pieces])
    return pd.concat([points, latents], axis=1).sort_values("beta", ignore_index=True)


def _of_latents(piece: Fit, x) -> dict[str, float]:
    """Active units; of a hierarchical model, whose means move with those above them, the rate of each scale instead."""
    if isinstance(piece.model, LadderVAE):
        return {
            f"rate_{scale}": float(rate)
            for scale, rate in enumerate(piece.rates_by_scale(x)[0], start=1)
        }
    diagonal = piece.model.head.posterior == "diagonal"
    return dict(active_units=active_units(piece.encode(x)[0], axes=diagonal))


def curve_of(table, method: str, *, seed: int | None = None):
    """A method's curve out of a study's table: a row per beta, a column per metric; by default medians over seeds."""
    rows = table[(table.method == method) & table.beta.notna()]
    rows = rows if seed is None else rows[rows.seed == seed]
    return rows.pivot_table(
        index="beta", columns="metric", values="value", aggfunc="median"
    ).reset_index()


def compare_curves(setting: RateSetting, curves: dict) -> list[dict]:
    """Area and dominance of every multi-rate curve against every plain one, read off at the plain one's betas.

    NaN where the two reach no rate in common, as after a training too short to leave the collapse.
    """
    rows = []
    for name, against in ((a, b) for a in curves for b in curves):
        if not setting.methods[name].multirate or setting.methods[against].multirate:
            continue
        ours, theirs = curves[name], curves[against]
        ours = ours[np.isclose(ours.beta.to_numpy()[:, None], theirs.beta.to_numpy()).any(1)]
        common = max(ours.rate.min(), theirs.rate.min()) < min(ours.rate.max(), theirs.rate.max())
        for metric, measure in (("area", area_between), ("dominance", dominance)):
            value = measure(ours, theirs) if common else np.nan
            rows.append(dict(method=name, against=against, metric=metric, value=value))
    return rows


def frechet_rows(setting: RateSetting, found: dict[str, Fit], *, seed: int) -> list[dict]:
    """Frechet distances to the test images of what every model draws and reconstructs, over beta (Figure 6).

    The same latents are decoded by all, and compared are the likelihood's means.  One small network gives the
    features; it has learned to tell the quarter turns of training images, for which no labels are needed.
    """
    number = min(setting.num_images, len(setting.test))
    real = setting.test[:number]
    random = torch.Generator().manual_seed(seed)
    z = torch.randn((number, setting.model.latent_dim), generator=random)
    keys, sets = [], [real.astype(np.float32) / 255]
    for name, trained in found.items():
        plain = [trained.select([m]) for m in range(len(trained))]
        if setting.methods[name].multirate:
            plain = [
                trained.at_beta(float(beta)) for beta in _inside(setting, setting.methods[name])
            ]
        for one in plain:
            keys += [
                dict(method=name, beta=float(one.beta[0]), metric=f"frechet_{kind}")
                for kind in FRECHET
            ]
            sets += [one.sample(z)[0].numpy(), one.reconstruct(real)[0].numpy()]
    turned, turns = quarter_turns(setting.train[:TIMED_EXAMPLES])
    features = features_of(np.concatenate(sets), reference=turned, labels=turns, seed=seed)[0]
    target, *others = np.split(features, len(sets))
    return [
        dict(key, value=frechet_distance(other, target))
        for key, other in zip(keys, others, strict=True)
    ]


def quarter_turns(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square images (N, C, H, H) turned by 0 to 3 quarters, (4 N, C, H, H), and by how many, (4 N,)."""
    turned = [np.rot90(images, turn, axes=(2, 3)) for turn in range(4)]
    return np.concatenate(turned), np.repeat(np.arange(4), len(images))


def _long(curve, **keys) -> list[dict]:
    long = curve.melt("beta", var_name="metric")
    return [dict(keys, **row) for row in long.to_dict("records")]


def _table(setting: RateSetting, rows: list[dict]):
    import pandas as pd

    table = pd.DataFrame(rows)
    keys = ["data", "network", "width", "method", "against", "beta", "seed", "metric", "value"]
    fixed = dict(
        data=setting.dataset.info["title"],
        network=setting.network,
        width=setting.width,
        latent_dim=setting.model.latent_dim,
        epochs=setting.epochs,
        num_data=len(setting.train),
        num_test=len(setting.test),
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        replicas=setting.replicas,
        device="cuda" if torch.cuda.is_available() else "cpu",
        torch=torch.__version__.split("+")[0],
    )
    table = table.reindex(columns=keys).assign(**fixed)
    return table[keys + [column for column in table if column not in keys]]
