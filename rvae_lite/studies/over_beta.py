"""A protocol for rate-distortion curves: one multi-rate training against one training per beta.

Bae et al. (2023), Sections 5.2 and 5.3, Appendices C and D.  Nats, summed over dimensions and
averaged over data; the loss is distortion + beta * rate.  A table has one row per (data, network,
width, method, beta, seed, metric); `beta` is empty where the value belongs to the whole
rate-distortion curve, `against` names the other one where there are two.
Letters: M replicas, N images, T values of beta.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from rvae_lite.data import load
from rvae_lite.data.dataset import TEST, TRAIN
from rvae_lite.fitted import Fit
from rvae_lite.metrics import (
    active_units,
    area_between,
    dominance,
    frechet_distance,
    rate_distortion_curve,
)
from rvae_lite.models.ladder import LadderVAE, rates_by_scale
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import closed_share, is_multirate
from rvae_lite.studies.features import features_of, quarter_turns
from rvae_lite.studies.setup import MR_VAE, PAPER_GATES, Method, Result, Setup, tidy, train

NETWORKS = ("mlp", "cnn", "resnet", "ladder")
TIMED_EXAMPLES, TIMED_RUNS = 1024, 3
FRECHET = ("samples", "reconstructions")
REFERENCE_IMAGES = 1024  # that train the encoder of Frechet distances
# The paper's distortion of colours: the sum of squared errors, without a factor of 1/2.
COLOUR = dict(likelihood="gaussian", noise_variance=0.5, value_range=(0.0, 1.0))

MR, PAPER = "MR-VAE", "MR-VAE, paper's gates"
MULTI_RATE = {MR: MR_VAE, PAPER: PAPER_GATES}
PLAIN = {"beta-VAE": Method()}
ANNEALED = {"beta-VAE, annealed": Method(anneal=0.3)}
METHODS = {MR: MR_VAE, **PLAIN, **ANNEALED}
WITH_PAPER_GATES = MULTI_RATE | PLAIN | ANNEALED


def rate_setup(
    name: str,
    *,
    network: str = "resnet",
    width: float = 1.0,
    latent_dim: int = 32,
    num_train: int | None = None,
    num_test: int | None = None,
    loading: dict | None = None,
    **changes,
) -> Setup:
    """A set of binary or of colour images with one of the paper's networks.

    Args:
        name: a set with a test part, for example "binary_mnist", "binary_digits" or "svhn".
        network: "cnn", "resnet", "mlp", two fully connected layers of 256 and 128 units, or
            "ladder", a `LadderVAE` of two scales with 64 and 32 channels, for binary images.
        width: factor of all numbers of channels or units.
        latent_dim: K; of a ladder the coarser scale's latent channels, four times the finer one's.
        num_train, num_test: images drawn at random; by default all.
        loading: options of `data.load`.
        changes: other fields of `Setup`.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {NETWORKS}, not {network!r}")
    whole = load(name, **loading or {})
    shape = whole.x.shape[1:]
    kinds = {1: "binary"} if network == "ladder" else {1: "binary", 3: "colour"}
    if "parts" not in whole.info or shape[0] not in kinds:
        wanted = f"a set of {' or '.join(kinds.values())} images with a test part"
        raise ValueError(f"name must be {wanted}, such as 'binary_digits', not {name!r}")
    likelihood = COLOUR if shape[0] == 3 else dict(likelihood="bernoulli")
    random, kept = np.random.default_rng(0), []
    for part, number in ((TRAIN, num_train), (TEST, num_test)):
        kept.append(random.permutation(np.flatnonzero(whole.part == part))[:number])
    if network == "ladder":
        channels = [round(width * number) for number in (64, 32)]
        latents = (latent_dim, max(1, latent_dim // 4))
        model = LadderVAE(shape, channels=channels, latent_channels=latents)
    elif network == "mlp":
        hidden = tuple(round(width * units) for units in (256, 128))
        model = VAE.mlp(shape, latent_dim, hidden, posterior="diagonal", **likelihood)
    else:
        model = getattr(VAE, network)(shape, latent_dim, width=width, **likelihood)
    dataset = whole.take(np.sort(np.concatenate(kept)))
    columns = dict(network=network, width=width)
    base = Setup(dataset, model, 200, 128, METHODS, cosine=True, replicas=3, columns=columns)
    return base._replace(**changes)


def over_beta(
    setup: Setup, *, seeds: Sequence[int] | None = None, measure: Callable | None = None
) -> Result:
    """Train every method with every seed and measure its curve on the test data (Figures 5 and 6).

    Metrics by beta: those of `measure_curve`; with `num_images` frechet_samples and
    frechet_reconstructions.  By curve: seconds that it cost, the number of trainings, parameters of
    one model, closed_share of the gates; of a multi-rate curve against each plain one: area (nats
    squared, negative is better) and dominance.  Multi-rate curves are read off at the setup's betas
    and at the geometric middles between them.

    Args:
        setup: data, model, methods, betas.
        seeds: by default 0, 1, ..., one for each of the setup's replicas.
        measure: (Fit, data, betas or None) -> a curve; by default of images, `measure_curve`.

    Returns:
        A `Result`; its fits are method -> a Fit for every seed, with a replica per plain beta.
    """
    rows, fits = [], {name: [] for name in setup.methods}
    seconds = {name: training_seconds(setup, method) for name, method in setup.methods.items()}
    for seed in range(setup.replicas) if seeds is None else seeds:
        one, curves = [], {}
        for name, method in setup.methods.items():
            trained = train_curve(setup, name, seed=seed)
            fits[name].append(trained)
            curves[name] = (measure or measure_curve)(trained, setup.test, read_at(setup, method))
            found = curves[name].melt("beta", var_name="metric").to_dict("records")
            whole = dict(seconds=seconds[name] * len(trained), trainings=len(trained))
            whole["parameters"] = trained.weights.shape[1]
            if measure is None and is_multirate(trained.model):
                whole["closed_share"] = closed_share(trained.replica(0))
            found += [dict(metric=metric, value=value) for metric, value in whole.items()]
            one += [dict(row, method=name) for row in found]
        one += compare_curves(setup, curves)
        if setup.num_images:
            latest = {name: trained[-1] for name, trained in fits.items()}
            one += frechet_rows(setup, latest, seed=seed)
        rows += [dict(row, seed=seed) for row in one]
    counts = dict(num_data=len(setup.train), num_test=len(setup.test))
    return Result(tidy(setup, rows, trained, **counts), fits)


def train_curve(setup: Setup, name: str, *, seed: int) -> Fit:
    """One method's trainings with one seed: one multi-rate model, or a plain one for each beta."""
    method, options = setup.methods[name], dict(seed=[seed])
    if method.gates is None:
        count = len(setup.betas)
        options = dict(seed=[seed] * count, replicas=count, beta=list(setup.betas))
    return train(setup, setup.train, method=method, label=f"{name}, seed {seed}", **options)


def training_seconds(setup: Setup, method: Method) -> float:
    """Seconds of one training of one model, on a CPU of computing, from three short ones."""
    few = setup.train[:TIMED_EXAMPLES]
    brief = setup._replace(epochs=1, compile=False, keep=None, progress=False)
    once = method._replace(anneal=0.0, longer=1)
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    taken = []
    for _ in range(TIMED_RUNS):
        begun = clock()
        train(brief, few, method=once, seed=0, label="timed")
        taken.append(clock() - begun)
    return min(taken) * setup.epochs * method.longer * len(setup.train) / len(few)


def _inside(setup: Setup, method: Method) -> np.ndarray:
    """The setup's betas within the method's range."""
    (low, high), betas = method.beta_range, np.array(setup.betas)
    return betas[(betas >= low * (1 - 1e-9)) & (betas <= high * (1 + 1e-9))]


def read_at(setup: Setup, method: Method) -> np.ndarray | None:
    """Where a multi-rate curve is read off: the betas in its range and their middles; or None."""
    if method.gates is None:
        return None
    inside = _inside(setup, method)
    return np.sort(np.concatenate([inside, np.sqrt(inside[1:] * inside[:-1])]))


def plain_fits(trained: Fit, betas=None) -> list[Fit]:
    """One plain Fit for each beta: a multi-rate replica's at `betas`, or a plain Fit's replicas."""
    if betas is not None:
        return [trained.at_beta(float(beta)) for beta in betas]
    return [trained.select([m]) for m in range(len(trained))]


def measure_curve(trained: Fit, x, betas=None):
    """A rate-distortion curve's points on data x (N, *data): a pandas DataFrame, a row per beta.

    Args:
        trained: one multi-rate replica, or plain ones, one for each beta.
        x: data.
        betas: where the multi-rate one is read off, (T,).

    Returns:
        Columns beta, rate, distortion, loss, negative_elbo (the loss at beta = 1), squared_error,
        and active_units, or of a hierarchical model rate_1, rate_2, ..., from its coarsest scale.
    """
    import pandas as pd

    points = rate_distortion_curve(trained, x, betas).drop(columns="replica")
    points["negative_elbo"] = points.distortion + points.rate
    pieces = plain_fits(trained, None if betas is None else points.beta)
    latents = pd.DataFrame([_of_latents(piece, x) for piece in pieces])
    return pd.concat([points, latents], axis=1).sort_values("beta", ignore_index=True)


def _of_latents(piece: Fit, x) -> dict[str, float]:
    # The means of a ladder move with those above them: no active units, but a rate for each scale.
    if isinstance(piece.model, LadderVAE):
        rates = piece.measure(rates_by_scale, x)[0]
        return {f"rate_{scale}": float(rate) for scale, rate in enumerate(rates, start=1)}
    diagonal = piece.model.head.posterior == "diagonal"
    return dict(active_units=active_units(piece.encode(x)[0], axes=diagonal))


def curve_of(table, method: str, *, seed: int | None = None):
    """A method's curve out of a table, by default medians: a row per beta, a column per metric."""
    rows = table[(table.method == method) & table.beta.notna()]
    rows = rows if seed is None else rows[rows.seed == seed]
    index = dict(index="beta", columns="metric", values="value")
    return rows.pivot_table(**index, aggfunc="median").reset_index()


def whole_of(table):
    """What belongs to a whole curve, medians over seeds: a row per method, a column per metric."""
    rows = table[table.beta.isna()]
    rows = rows[rows.against.isna()] if "against" in rows else rows
    index = dict(index="method", columns="metric", values="value", sort=False)
    return rows.pivot_table(**index, aggfunc="median")


def at_betas_of(other, curve):
    """The points of a curve at the betas of another one."""
    same = np.isclose(curve.beta.to_numpy()[:, None], other.beta.to_numpy())
    return curve[same.any(1)]


def common_rates(ours, theirs) -> float:
    """How long the range of rates is that two curves both reach, nats; negative where apart."""
    low = max(ours.rate.min(), theirs.rate.min())
    return float(min(ours.rate.max(), theirs.rate.max()) - low)


def compare_curves(setup: Setup, curves: dict) -> list[dict]:
    """`area_and_dominance` of every multi-rate curve against every plain one."""
    gated = [name for name in curves if setup.methods[name].gates is not None]
    rows = []
    for name, against in ((a, b) for a in gated for b in curves if b not in gated):
        for metric, value in area_and_dominance(curves[name], curves[against]).items():
            rows.append(dict(method=name, against=against, metric=metric, value=value))
    return rows


def area_and_dominance(ours, theirs) -> dict[str, float]:
    """Area (nats squared) and dominance of a curve against another one, at the other's betas.

    NaN where the two reach no rate in common, as after very short trainings.
    """
    ours = at_betas_of(theirs, ours)
    apart = common_rates(ours, theirs) <= 0
    measures = dict(area=area_between, dominance=dominance)
    return {name: np.nan if apart else of(ours, theirs) for name, of in measures.items()}


def frechet_rows(setup: Setup, found: dict[str, Fit], *, seed: int) -> list[dict]:
    """Frechet distances to the test images of what every model draws and reconstructs (Figure 6).

    All models decode the same latents, and the decoders' means are compared.  One small network
    gives the features; it has learned to tell the quarter turns of training images.
    """
    number = min(setup.num_images, len(setup.test))
    real, random = setup.test[:number], torch.Generator().manual_seed(seed)
    z = torch.randn((number, setup.model.latent_dim), generator=random)
    keys, sets = [], [real.astype(np.float32) / 255]
    for name, trained in found.items():
        method = setup.methods[name]
        betas = None if method.gates is None else _inside(setup, method)
        for one in plain_fits(trained, betas):
            row = dict(method=name, beta=float(one.beta[0]))
            keys += [dict(row, metric=f"frechet_{kind}") for kind in FRECHET]
            drawn = one.sample(z)[0], one.reconstruct(real)[0]
            sets += [each.clamp(0, 1).numpy() for each in drawn]  # Gaussian means are free
    turned, turns = quarter_turns(setup.train[:REFERENCE_IMAGES])
    known = dict(reference=turned, labels=turns, seed=seed)
    features, encoder = features_of(np.concatenate(sets), **known)
    target, *others = np.split(features, len(sets))
    pairs = zip(keys, others, strict=True)
    return [
        dict(key, value=frechet_distance(other, target), encoder=encoder) for key, other in pairs
    ]
