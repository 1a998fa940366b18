"""One multi-rate beta-TCVAE against one beta-TCVAE per beta, on sprites whose factors are known, as a tidy table.

Bae et al. (2023), Section 5.3 and Figure 8, with the set-up of Chen et al. (2018).  Nats, summed over dimensions and
averaged over data; the loss is distortion + rate + (beta - 1) * total correlation.
Letters: N images, K latent dimension, F factors, T values of beta.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from rvae_lite.checkpoints import kept_as
from rvae_lite.data import Dataset, load
from rvae_lite.data.images import averaged
from rvae_lite.disentanglement import decompose_rate
from rvae_lite.engine import EpochPlan, to_units
from rvae_lite.fitted import Fit
from rvae_lite.gaussian import DiagonalPosterior
from rvae_lite.metrics import active_units, mutual_information_gap
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.train import fit

BETA_RANGE = (0.1, 10.0)
CHUNK = 4096  # images encoded at once
METHODS = ("MR-VAE", "beta-TCVAE")


class SpriteSetting(NamedTuple):
    """What `disentanglement_study` is run on.

    Attributes:
        dataset: images with known factors; all of them are trained on and measured, as the factors' grid is whole.
        model: the pattern of every model, plain, with a diagonal posterior.
        epochs, batch_size, learning_rate: of every training; the learning rate stays.
        betas: T, where the multi-rate model is read off.
        plain_betas: those of the plain trainings.
        seeds: of the repetitions.
        num_samples, num_rated: samples of the gap's sampled form; images that rate, distortion and total correlation
            are measured on.
        compile, progress: as in `fit`.
        folder: where every training is kept, so that what was interrupted goes on.
    """

    dataset: Dataset
    model: nn.Module
    epochs: int
    batch_size: int = 2048
    learning_rate: float = 1e-3
    betas: tuple[float, ...] = tuple(np.geomspace(*BETA_RANGE, 10))
    plain_betas: tuple[float, ...] = tuple(np.geomspace(*BETA_RANGE, 10)[1::2])
    seeds: tuple[int, ...] = (0, 1, 2)
    num_samples: int = 10_000
    num_rated: int = 2048
    compile: bool | str = "auto"
    folder: Path | None = None
    progress: bool = False


class SpriteStudy(NamedTuple):
    """What `disentanglement_study` returns.

    table: the tidy results, a pandas DataFrame.
    fits: method -> its trainings by seed: a Fit, or for "beta-TCVAE" a Fit per beta.
    """

    table: object
    fits: dict[str, list]


def sprite_setting(
    name: str,
    *,
    hidden: Sequence[int] = (1200, 1200),
    decoder_hidden: Sequence[int] = (1200, 1200, 1200),
    decoder_activation: str = "tanh",
    latent_dim: int = 10,
    side: int | None = None,
    loading: dict | None = None,
    **changes,
) -> SpriteSetting:
    """Sprites with the paper's network: fully connected, Bernoulli, a diagonal posterior.

    Args:
        name: "dsprites" or "procedural_sprites".
        hidden, decoder_hidden, decoder_activation, latent_dim: of `VAE.mlp`; the defaults are the paper's.
        side: pixels to which images are averaged down; by default they stay.
        loading: options of `data.load`.
        changes: other fields of `SpriteSetting`.

    Raises:
        ValueError: a set without known factors, or a side that does not divide the images'.
    """
    dataset = load(name, **loading or {})
    if dataset.factors is None:
        raise ValueError(
            f"name must be a set with known factors, such as 'procedural_sprites', not {name!r}"
        )
    dataset = dataset._replace(x=averaged(dataset.x, side))
    decoder = dict(decoder_hidden=tuple(decoder_hidden), decoder_activation=decoder_activation)
    model = VAE.mlp(
        dataset.x.shape[1:],
        latent_dim,
        hidden,
        posterior="diagonal",
        likelihood="bernoulli",
        **decoder,
    )
    return SpriteSetting(dataset, model, epochs=50)._replace(**changes)


def disentanglement_study(setting: SpriteSetting) -> SpriteStudy:
    """Train one multi-rate beta-TCVAE, and a plain one for each beta, with every seed (Figure 8).

    Metrics by beta: mig_sampled and mig_histogram (see `disentanglement.mutual_information_gap`), rate, distortion,
    total_correlation, active_units.

    Args:
        setting: data, model, betas.
    """
    rows, fits = [], {method: [] for method in METHODS}
    for seed in setting.seeds:
        multi = train_sprites(setting, None, seed=seed)
        plain = [train_sprites(setting, float(beta), seed=seed) for beta in setting.plain_betas]
        fits["MR-VAE"].append(multi)
        fits["beta-TCVAE"].append(plain)
        read = [("MR-VAE", float(beta), multi.at_beta(float(beta))) for beta in setting.betas]
        read += [
            ("beta-TCVAE", beta, one) for beta, one in zip(setting.plain_betas, plain, strict=True)
        ]
        for method, beta, one in read:
            found = measure_sprites(setting, one, seed=seed)
            rows += [
                dict(method=method, beta=beta, seed=seed, metric=key, value=value)
                for key, value in found.items()
            ]
    return SpriteStudy(_table(setting, rows), fits)


def train_sprites(setting: SpriteSetting, beta: float | None, *, seed: int) -> Fit:
    """One beta-TCVAE of one seed: the multi-rate one, or a plain one at `beta`; the same number of steps for each."""
    label = f"{METHODS[0] if beta is None else f'{METHODS[1]} at {beta:.3g}'}, seed {seed}"
    model, law = setting.model, beta
    if beta is None:
        model, law = make_multirate(model, beta_range=BETA_RANGE), LogUniform(*BETA_RANGE)
    options = dict(
        epochs=setting.epochs, batch_size=setting.batch_size, learning_rate=setting.learning_rate
    )
    options |= dict(compile=setting.compile, progress=label if setting.progress else False)
    # With one beta a batch gates are pulled to and fro: fast ones served worse here.
    options |= dict(
        per="batch", gate_speed=1.0, seed=[seed], checkpoint=kept_as(setting.folder, label)
    )
    return fit(model, setting.dataset.x, beta=law, objective="beta-TCVAE", **options)


def measure_sprites(setting: SpriteSetting, trained: Fit, *, seed: int = 0) -> dict[str, float]:
    """The metrics of one plain replica on all images: see `disentanglement_study`."""
    images, factors = setting.dataset.x, setting.dataset.factors
    posterior = posterior_of(trained, images)
    random = np.random.default_rng(seed)
    some = np.sort(random.permutation(len(images))[: setting.num_rated])
    rated, kept = (
        trained.evaluate(images[some], seed=seed),
        DiagonalPosterior(*(part[some] for part in posterior)),
    )
    noise = torch.from_numpy(random.standard_normal(kept.mean.shape)).to(kept.mean)
    sampled = dict(
        estimator="sampled",
        log_scales=posterior.log_scale,
        num_samples=setting.num_samples,
        seed=seed,
    )
    parts = decompose_rate(kept.sample(noise), *kept, num_data=len(images))
    return dict(
        mig_sampled=mutual_information_gap(posterior.mean, factors, **sampled),
        mig_histogram=mutual_information_gap(posterior.mean, factors),
        rate=float(rated.rate[0]),
        distortion=float(rated.distortion[0]),
        total_correlation=float(parts.total_correlation),
        active_units=active_units(posterior.mean, axes=True),
    )


def posterior_of(trained: Fit, x) -> DiagonalPosterior:
    """q(z|x) of data x (N, *data) under a Fit of one plain replica with a diagonal posterior, on the CPU."""
    model, x = trained.replica(0), torch.as_tensor(x)
    with torch.no_grad():
        pieces = [model.encode(to_units(chunk, trained.rows)) for chunk in x.split(CHUNK)]
    return DiagonalPosterior(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))


def gap_curve(table, method: str, *, metric: str = "mig_sampled"):
    """One method's metric out of a study's table: a row per beta, with median, lowest and highest over the seeds."""
    rows = table[(table.method == method) & (table.metric == metric)]
    return rows.groupby("beta").value.agg(["median", "min", "max"]).reset_index()


def _table(setting: SpriteSetting, rows: list[dict]):
    import pandas as pd

    config, count = setting.model.config, len(setting.dataset.x)
    return pd.DataFrame(rows).assign(
        data=setting.dataset.info["title"],
        side=setting.dataset.x.shape[-1],
        hidden="-".join(map(str, config["hidden"])),
        decoder="-".join(map(str, config["decoder_hidden"])) + f" {config['decoder_activation']}",
        latent_dim=config["latent_dim"],
        epochs=setting.epochs,
        steps=setting.epochs * EpochPlan.of(count, setting.batch_size).num_batches,
        num_data=count,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        replicas=len(setting.seeds),
        device="cuda" if torch.cuda.is_available() else "cpu",
        torch=torch.__version__.split("+")[0],
    )
