"""What a study is run on: data, pattern of the models, how long, and the methods that are compared.

Martinez & Pearson (2021), Appendices A to C.  Letters: M replicas, K latent dimension, R points.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn

from rvae_lite.anchors import Weighted
from rvae_lite.checkpoints import kept_as
from rvae_lite.data import Dataset, load
from rvae_lite.data.dataset import TEST, TRAIN
from rvae_lite.data.images import averaged
from rvae_lite.fitted import Fit
from rvae_lite.laws import Annealed, Cosine, LogUniform
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import BETA_RANGE, make_multirate
from rvae_lite.publishing import claimed
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.study import stamp
from rvae_lite.train import fit

BETAS = tuple(np.geomspace(*BETA_RANGE, 10))


class Method(NamedTuple):
    """One arm of a table.

    beta, rho: weights of the rate and of the Rosetta points.
    gates: options of `make_multirate`; None: a plain model.
    law, per: a multi-rate model draws beta by this law, for every "example" or every "batch".
    anneal: share of the training over which beta rises from 0.
    longer: how many times the setup's epochs it takes.
    same_seed: every run starts from the same seed.
    repeats: how often the points' inputs join the data; None: once per batch.
    at: a multi-rate model meets the points of this one beta; None: curves over beta.
    selected_at: the betas whose latents select the points, see `curve_points`.
    rho_power: how rho falls with beta, see `Weighted`.
    target: what the decoder is drawn to at plain points, see `Weighted`; the paper's is "input".
    start: start from the first laboratory's weights.
    frozen: which of its submodules stay as they are.
    """

    beta: float = 1.0
    rho: float = 0.0
    gates: dict | None = None
    law: type[LogUniform] = LogUniform
    per: str = "example"
    anneal: float = 0.0
    longer: int = 1
    same_seed: bool = False
    repeats: int | None = 1
    at: float | None = None
    selected_at: tuple[float, ...] | None = None
    rho_power: float = 0.0
    target: str = "input"
    start: bool = False
    frozen: tuple[str, ...] = ()

    @property
    def beta_range(self) -> tuple[float, float]:
        """The range over which a multi-rate model draws beta."""
        return (self.gates or {}).get("beta_range", BETA_RANGE)


PLAIN, MR_VAE = Method(), Method(gates={}, anneal=0.3)
PAPER_GATES = Method(gates=dict(latents="none"))  # those of Bae et al. (2023), without annealing
SAME_SEED = {"VAE (same seed)": Method(same_seed=True)}
REPEATED_ANCHORS = {"VAE, anchors repeated": Method(repeats=None)}


def methods_of(*, beta: float = 2.5, rho: float = 15.0) -> dict[str, Method]:
    """The three methods of Martinez & Pearson (2021)."""
    return {"VAE": Method(), "beta-VAE": Method(beta=beta), "R-VAE": Method(rho=rho)}


class Setup(NamedTuple):
    """What a study is run on.

    dataset, model: data and the pattern of every model, plain.
    epochs, batch_size, learning_rate: of every training, the templates' included.
    methods: name -> `Method`.
    cosine: the learning rate falls along a cosine.
    replicas: M, runs per method.
    num_points, selection: R, and how the points are chosen.
    second_model: the second laboratory's pattern in sequential training, by default the first's.
    betas: those of plain trainings, one for each.
    num_images: images that Frechet distances are taken of; 0 leaves them out.
    columns: what else stands on every row of the table.
    compile: as in `fit`.
    keep: folder where every training is kept, so that an interrupted one goes on.
    progress: show a bar for every training.
    """

    dataset: Dataset
    model: nn.Module
    epochs: int
    batch_size: int
    methods: dict[str, Method]
    learning_rate: float = 1e-3
    cosine: bool = False
    replicas: int = 10
    num_points: int | None = None
    selection: str = "kmeans"
    second_model: nn.Module | None = None
    betas: tuple[float, ...] = BETAS
    num_images: int = 0
    columns: dict | None = None
    compile: bool | str = "auto"
    keep: Path | None = None
    progress: bool = False

    @property
    def train(self) -> np.ndarray:
        """The training examples of a data set that is split for good."""
        return self.dataset.x[self.dataset.part == TRAIN]

    @property
    def test(self) -> np.ndarray:
        """Its test examples."""
        return self.dataset.x[self.dataset.part == TEST]


class Result(NamedTuple):
    """What a protocol returns.

    table: the tidy results, a pandas DataFrame.
    fits: method -> what was trained.
    target: the model whose space the runs should recover, one replica.
    points: its Rosetta points.
    validation: the held-out data.
    first: the first laboratory's model, where there are two laboratories.
    """

    table: object
    fits: dict
    target: Fit | None = None
    points: RosettaPoints | None = None
    validation: Dataset | None = None
    first: Fit | None = None


def train(
    setup: Setup,
    x,
    *,
    seed,
    label: str,
    replicas: int = 1,
    method: Method = PLAIN,
    beta=None,
    points=None,
    **options,
) -> Fit:
    """`fit` with the setup's model, epochs and batches; the training is kept as `label`.

    Args:
        setup: model, epochs, batches, learning rate.
        x: data, (N, *data).
        seed, replicas, points: as in `fit`.
        label: name of the training in the setup's folder and on its bar.
        method: gates, how beta is drawn or rises, and how long.
        beta: of plain models, a number or one per replica; by default the method's.
        options: others of `fit`, such as rho.
    """
    model, beta = setup.model, method.beta if beta is None else beta
    if method.gates is not None:
        model = make_multirate(model, **method.gates)
        beta = method.law(*model.beta_range, per=method.per)
    if method.anneal:
        beta = Annealed(beta, share=method.anneal)
    if points is not None:
        target = None if points.betas is not None else method.target
        points = Weighted(points, power=method.rho_power, target=target)
    rate, path = setup.learning_rate, kept_as(setup.keep, label)
    # Units at work side by side may share a training: one trains, the others read what it kept.
    with contextlib.nullcontext() if path is None else claimed(path, wait=True):
        return fit(
            model,
            x,
            replicas=replicas,
            seed=seed,
            epochs=setup.epochs * method.longer,
            batch_size=setup.batch_size,
            beta=beta,
            points=points,
            learning_rate=Cosine(rate) if setup.cosine else rate,
            compile=setup.compile,
            checkpoint=path,
            progress=label if setup.progress else False,
            **options,
        )


def run_seeds(*names: int | str, replicas: int) -> list[int]:
    """A seed for each of M runs, (M,), from the names of what is trained: others, other seeds."""
    key = []
    for name in names:
        key += name.encode() if isinstance(name, str) else [name]
    sequences = [np.random.SeedSequence([*key, m]) for m in range(replicas)]
    return [int(sequence.generate_state(1)[0]) for sequence in sequences]


def tidy(setup: Setup, rows, trained: Fit, **columns):
    """Rows of one setup with its data and scale, a pandas DataFrame: see `stamp`."""
    scale = dict(
        replicas=setup.replicas,
        epochs=setup.epochs,
        num_data=len(setup.dataset.x),
        batch_size=setup.batch_size,
        learning_rate=setup.learning_rate,
        latent_dim=setup.model.latent_dim,
    )
    if setup.num_points is not None:
        scale.update(num_points=setup.num_points, selection=setup.selection)
    scale.update(setup.columns or {})
    scale.update(columns)
    return stamp(rows, trained=trained, data=setup.dataset.info["title"], **scale)


def toy_setup(num_points: int = 8, num_examples: int | None = None, **changes) -> Setup:
    """8 Gaussians as the paper has them (Appendix A; batch, beta, rho from the authors' code)."""
    dataset = load("eight_gaussians", num_examples=num_examples)
    base = Setup(dataset, VAE.mlp(5, 2), 200, 100, methods_of())
    return base._replace(**dict(num_points=num_points) | changes)


# Figure 3 and Appendix F: residual blocks after each of four convolutions.
BIRDSONG = dict(channels=(12, 24, 48, 96), blocks=(0, 2, 0, 2), hidden=(1568,))
SIMPLE = BIRDSONG | dict(blocks=(0, 0, 0, 2))
COMPLEX = BIRDSONG | dict(blocks=(0, 2, 1, 2))

# How sets of images are modelled: K, batch and variance as in the paper, options of each network.
# Inverted, dark on white becomes bright on black.  A white background would have to come out of the
# decoder's last layer, and early in training latents that are the same for all images serve it as a
# bias: they then take most of the rate and say nothing.
MNIST = dict(latent_dim=16, batch_size=256, noise_variance=0.1, inverted=False)
MNIST.update(mlp=dict(hidden=(256, 128)), patch={}, residual={})
PATCHES = dict(patch_size=8, channels=16, hidden=(64,))
# With 64 pixels the paper's noise variance would leave five of eight dimensions collapsed.
DIGITS = MNIST | dict(latent_dim=8, batch_size=64, noise_variance=0.02, mlp=dict(hidden=(128,)))
CHAIRS = MNIST | dict(patch=PATCHES, inverted=True)
# The paper's batch of 256 would leave four steps an epoch of a thousand syllables.
SYNTHETIC = MNIST | dict(latent_dim=8, batch_size=64, patch=PATCHES, residual=BIRDSONG)
FINCH = SYNTHETIC | dict(latent_dim=32, patch=PATCHES | dict(hidden=(128,)))
IMAGES = dict(digits=DIGITS, mnist=MNIST, procedural_chairs=CHAIRS, chairs=CHAIRS)
IMAGES.update(synthetic_finch=SYNTHETIC, zebra_finch=FINCH, bengalese_finch=FINCH)
NETWORKS = ["mlp", "patch", "residual"]


def image_setup(
    name: str | Sequence[str],
    num_points: int = 64,
    *,
    network: str = "residual",
    num_examples: int | None = None,
    side: int | None = None,
    loading: dict | None = None,
    **changes,
) -> Setup:
    """A set of grey images, spectrograms among them, with one of three networks.

    Args:
        name: one of `IMAGES`, for example "digits" (8x8, scikit-learn's), "mnist" or "chairs"; of
            several the first that is present.
        num_points: R.
        network: "residual", the paper's convolutional one; "patch" or "mlp", faster on a CPU.
        num_examples: images drawn at random; by default all.
        side: pixels to which larger images are averaged down; by default they stay.
        loading: options of `data.load`, for example the spectrograms' size.
        changes: other fields of `Setup`.
    """
    names = [name] if isinstance(name, str) else list(name)
    unknown = [each for each in names if each not in IMAGES]
    if unknown:
        raise ValueError(f"name must be one of {sorted(IMAGES)}, not {unknown[0]!r}")
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {NETWORKS}, not {network!r}")
    images = _first_present(names, num_examples=num_examples, **loading or {})
    how = IMAGES[images.info["name"]]
    images = _prepared(images, inverted=how["inverted"], side=side)
    options = dict(how[network], noise_variance=how["noise_variance"], value_range=(0.0, 1.0))
    model = getattr(VAE, network)(images.x.shape[1:], how["latent_dim"], **options)
    base = Setup(images, model, 200, how["batch_size"], methods_of(rho=2.75))
    return base._replace(**dict(num_points=num_points) | changes)


def _first_present(names: list[str], **options) -> Dataset:
    for name in names[:-1]:
        try:
            return load(name, **options)
        except FileNotFoundError:
            continue
    return load(names[-1], **options)


def _prepared(images: Dataset, *, inverted: bool, side: int | None) -> Dataset:
    """Images inverted and averaged down, with a note of it for a colleague's program."""
    steps = dict(inverted=True) if inverted else {}
    if side not in (None, images.x.shape[-1]):
        steps["averaged_to"] = side
    if not steps:
        return images
    before = images.info.get("preprocessing", {})
    before = before if isinstance(before, dict) else dict(images=before)
    x = averaged(255 - images.x if inverted else images.x, side)
    return images._replace(x=x, info=images.info | dict(preprocessing=before | steps))
