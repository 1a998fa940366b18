"""One multi-rate beta-TCVAE against one beta-TCVAE per beta, on sprites whose factors are known.

Bae et al. (2023), Section 5.3 and Figure 8, with the set-up of Chen et al. (2018).  Nats, summed
over dimensions and averaged over data; the loss is distortion + rate + (beta - 1) * total
correlation.
Letters: N images, K latent dimension, F factors, T values of beta.
"""

from collections.abc import Sequence

import numpy as np
import torch

from rvae_lite.data import load
from rvae_lite.data.images import averaged
from rvae_lite.disentanglement import BetaTCVAE, decompose_rate
from rvae_lite.engine import to_units
from rvae_lite.fitted import Fit
from rvae_lite.gaussian import DiagonalPosterior
from rvae_lite.metrics import active_units, mutual_information_gap
from rvae_lite.models.vae import VAE
from rvae_lite.reporting import figures
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.setup import Method, Result, Setup, tidy, train
from rvae_lite.studies.study import Study

BETA_RANGE = (0.1, 10.0)
BETAS = tuple(np.geomspace(*BETA_RANGE, 10))  # where the multi-rate model is read off
CHUNK = 4096  # images encoded at once
# With one beta a batch gates are pulled to and fro: fast ones do worse here.
GATED = Method(gates=dict(beta_range=BETA_RANGE, gate_speed=1.0, latents="none"), per="batch")
METHODS = {"MR-VAE": GATED, "beta-TCVAE": Method(per="batch")}
# With few, small batches the paper's tanh stays longer where nothing but the scale is told.
RELU = dict(decoder_activation="relu", batch_size=64, learning_rate=2e-3)
RATED = dict(num_rated=1024)
QUICK = dict(RELU, hidden=(64,) * 2, decoder_hidden=(64,) * 3, epochs=30, replicas=1)
# A ninth of the width, a quarter of the pixels: 2,880 steps in place of 18,000.
SMALL = dict(RELU, hidden=(128,) * 2, decoder_hidden=(128,) * 3, side=32, epochs=4)
study = Study(
    "disentanglement",
    reproduces="Figure 8, beta-TCVAE on dSprites",
    chapter="26_disentanglement",
    minutes=dict(cpu=10),
    profiles=dict(
        quick=dict(data="procedural_sprites", measure=dict(num_samples=500, **RATED), setup=QUICK),
        cpu=dict(data="dsprites", measure=dict(num_samples=256, **RATED), setup=SMALL),
        paper=dict(data="dsprites", measure=dict(num_samples=1000), setup={}),
    ),
)
study.grid(lambda profile: ((profile.data, m) for m in range(profile.setup.get("replicas", 3))))


@study.unit
def unit(profile, data, seed, keep):
    """Every method with one seed."""
    setup = sprite_setup(data, keep=keep, progress=True, **profile.setup)
    return over_beta_sprites(setup, seeds=[seed], **profile.measure)


def sprite_setup(
    name: str,
    *,
    hidden: Sequence[int] = (1200, 1200),
    decoder_hidden: Sequence[int] = (1200, 1200, 1200),
    decoder_activation: str = "tanh",
    latent_dim: int = 10,
    side: int | None = None,
    loading: dict | None = None,
    **changes,
) -> Setup:
    """Sprites with the paper's network: fully connected, Bernoulli, a diagonal posterior.

    All images are trained on and measured, as the factors' grid is whole.

    Args:
        name: "dsprites" or "procedural_sprites"; others are refused.
        hidden, decoder_hidden, decoder_activation, latent_dim: of `VAE.mlp`, the paper's.
        side: pixels to which images are averaged down; by default they stay.
        loading: options of `data.load`.
        changes: other fields of `Setup`; its betas are those of the plain trainings.
    """
    dataset = load(name, **loading or {})
    if dataset.factors is None:
        raise ValueError(
            f"name must be a set with known factors, such as 'procedural_sprites', not {name!r}"
        )
    dataset = dataset._replace(x=averaged(dataset.x, side))
    layers = dict(decoder_hidden=tuple(decoder_hidden), decoder_activation=decoder_activation)
    layers.update(posterior="diagonal", likelihood="bernoulli")
    shape = dataset.x.shape[1:]
    model = VAE.mlp(shape, latent_dim, hidden, **layers)
    columns = dict(side=shape[-1], hidden="-".join(map(str, hidden)))
    columns["decoder"] = "-".join(map(str, decoder_hidden)) + f" {decoder_activation}"
    base = Setup(dataset, model, 50, 2048, METHODS, replicas=3, betas=BETAS[1::2], columns=columns)
    return base._replace(**changes)


def over_beta_sprites(
    setup: Setup, *, seeds: Sequence[int], betas=BETAS, num_samples=10_000, num_rated=2048
) -> Result:
    """Train one multi-rate beta-TCVAE, and a plain one per beta, with every seed (Figure 8).

    Metrics by beta: mig_sampled and mig_histogram (see `disentanglement.mutual_information_gap`),
    rate, distortion, total_correlation, active_units.

    Args:
        setup: data, model, the plain betas.
        seeds: of the repetitions.
        betas: where the multi-rate model is read off.
        num_samples: of the gap's sampled form.
        num_rated: images that rate, distortion and total correlation are measured on.

    Returns:
        A `Result`; its fits are by method and seed: a Fit, or for "beta-TCVAE" a Fit per beta.
    """
    rows, fits = [], {method: [] for method in METHODS}
    options = dict(num_samples=num_samples, num_rated=num_rated)
    for seed in seeds:
        multi = train_sprites(setup, None, seed=seed)
        plain = [train_sprites(setup, float(beta), seed=seed) for beta in setup.betas]
        fits["MR-VAE"].append(multi)
        fits["beta-TCVAE"].append(plain)
        read = [("MR-VAE", float(beta), multi.at_beta(float(beta))) for beta in betas]
        read += [("beta-TCVAE", *pair) for pair in zip(setup.betas, plain, strict=True)]
        for method, beta, one in read:
            found = measure_sprites(setup, one, seed=seed, **options)
            keys = dict(method=method, beta=beta, seed=seed)
            rows += [dict(keys, metric=metric, value=value) for metric, value in found.items()]
    steps = multi.info["num_batches"] * setup.epochs
    return Result(tidy(setup, rows, multi, steps=steps), fits)


def train_sprites(setup: Setup, beta: float | None, *, seed: int) -> Fit:
    """One beta-TCVAE of one seed: the multi-rate one, or a plain one at `beta`, as long."""
    name = "MR-VAE" if beta is None else "beta-TCVAE"
    label = f"{name}, seed {seed}" if beta is None else f"{name} at {beta:.3g}, seed {seed}"
    options = dict(objective=BetaTCVAE(), method=METHODS[name], seed=[seed], label=label)
    if beta is not None:
        options["beta"] = beta
    return train(setup, setup.dataset.x, **options)


def measure_sprites(
    setup: Setup, trained: Fit, *, seed: int = 0, num_samples=10_000, num_rated=2048
) -> dict[str, float]:
    """The metrics of one plain replica on all images: see `over_beta_sprites`."""
    images, factors = setup.dataset.x, setup.dataset.factors
    posterior, random = posterior_of(trained, images), np.random.default_rng(seed)
    some = np.sort(random.permutation(len(images))[:num_rated])
    rated = trained.evaluate(images[some], seed=seed)
    kept = DiagonalPosterior(*(part[some] for part in posterior))
    noise = torch.from_numpy(random.standard_normal(kept.mean.shape)).to(kept.mean)
    parts = decompose_rate(kept.sample(noise), *kept, num_data=len(images))
    sampled = dict(estimator="sampled", num_samples=num_samples, seed=seed)
    sampled["log_scales"] = posterior.log_scale
    return dict(
        mig_sampled=mutual_information_gap(posterior.mean, factors, **sampled),
        mig_histogram=mutual_information_gap(posterior.mean, factors),
        rate=float(rated.rate[0]),
        distortion=float(rated.distortion[0]),
        total_correlation=float(parts.total_correlation),
        active_units=active_units(posterior.mean, axes=True),
    )


def posterior_of(trained: Fit, x) -> DiagonalPosterior:
    """q(z|x) of data x (N, *data) under a Fit of one plain replica, diagonal, on the CPU."""
    model, x = trained.replica(0), torch.as_tensor(x)
    with torch.no_grad():
        pieces = [model.encode(to_units(chunk, trained.weights)) for chunk in x.split(CHUNK)]
    return DiagonalPosterior(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))


def gap_curve(own, method: str, *, metric: str = "mig_sampled"):
    """One method's metric: a row per beta, with median, lowest and highest over the seeds."""
    rows = own[(own.method == method) & (own.metric == metric)]
    return rows.groupby("beta").value.agg(["median", "min", "max"]).reset_index()


@study.table
def table(own, published):
    """The gap over beta beside the published one."""
    return over_beta_tables.gaps_against_paper(own, published)


def medians(own):
    """Medians over the seeds: a row per metric and beta, a column per method."""
    return own.groupby(["metric", "beta", "method"]).value.median().unstack()


def spreads(own):
    """How far the gap moves over beta with a seed, and over the seeds at a beta: medians."""
    gaps = own[own.metric == "mig_sampled"]
    over_beta = gaps.groupby(["method", "seed"]).value.agg(np.ptp).groupby("method").median()
    over_seeds = gaps.groupby(["method", "beta"]).value.agg(np.ptp).groupby("method").median()
    return over_beta.to_frame("over β").assign(**{"over seeds": over_seeds})


@study.figure
def figure(own, axes=None, *, labels):
    """Figure 8: metrics over beta, a panel for each of `labels` (metric -> label); seeds thin."""
    axes = figures.figure_row(len(labels), width=2.5)[1] if axes is None else axes
    for ax, (metric, label) in zip(axes, labels.items(), strict=True):
        found = {name: gap_curve(own, name, metric=metric) for name in METHODS}
        lines = {name: (curve.beta, curve["median"]) for name, curve in found.items()}
        figures.plot_over_beta(lines, label=label, lines=["MR-VAE"], ax=ax)
        for (name, _), run in own[own.metric == metric].groupby(["method", "seed"]):
            style = dict(color=figures.colour_of(name), linewidth=0.6, alpha=0.5)
            ax.plot(run.beta, run.value, **style)
    return axes
