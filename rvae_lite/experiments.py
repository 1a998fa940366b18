"""The book's experiments at their two scales, cut into units: one finished unit is one file.

`rvae-lite recipe NAME --profile paper` runs them without notebooks; kill it at any moment, run it again, and it goes
on from the last finished unit.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.data import load
from rvae_lite.models import VAE
from rvae_lite.recipes import REPEATED_ANCHORS, SAME_SEED, Method, Setting, methods_of, reproducibility, sequential
from rvae_lite.storage import write_atomically

PROFILES = ("quick", "cpu", "paper")
Unit = tuple[str, Callable]  # its name, and a function without arguments that returns a tidy table


def toy_setting(num_points: int = 8, *, methods: dict | None = None, **changes) -> Setting:
    """8 Gaussians as the paper trains them (Appendix A; batch, beta and rho from the authors' code)."""
    setting = Setting(
        dataset=load("eight_gaussians"),
        model=VAE.mlp(5, 2),
        num_points=num_points,
        epochs=200,
        batch_size=100,
        methods=methods_of() if methods is None else methods,
    )
    return setting._replace(**changes)


class Images(NamedTuple):
    """How a set of images is modelled.

    latent_dim, batch_size, noise_variance: K and the paper's choices.
    hidden: widths of the fully connected network.
    patch, residual: options of the network of patches and of the residual one.
    inverted: dark on white becomes bright on black.

    A white background would have to come out of the decoder's last layer, and early in training latents that are the
    same for all images serve it as a bias: they then take most of the rate and say nothing.
    """

    latent_dim: int = 16
    batch_size: int = 256
    noise_variance: float = 0.1
    hidden: tuple[int, ...] = (256, 128)
    patch: dict = {}
    residual: dict = {}
    inverted: bool = False


IMAGES = dict(
    # With 64 pixels in place of 784, the paper's noise variance would leave five of eight dimensions collapsed.
    digits=Images(latent_dim=8, batch_size=64, noise_variance=0.02, hidden=(128,)),
    mnist=Images(),
    procedural_chairs=Images(patch=dict(patch_size=8, channels=16, hidden=(64,)), inverted=True),
    chairs=Images(patch=dict(patch_size=8, channels=16, hidden=(64,)), inverted=True),
)


def image_setting(
    name: str,
    num_points: int = 64,
    *,
    network: str = "residual",
    num_examples: int | None = None,
    side: int | None = None,
    loading: dict | None = None,
    **changes,
) -> Setting:
    """A set of grey images, spectrograms among them, with one of three networks.

    Args:
        name: one of `IMAGES`, for example "digits" (8x8, scikit-learn's), "mnist" or "chairs".
        num_points: R.
        network: "residual", the paper's convolutional one; "patch" or "mlp", faster on a CPU.
        num_examples: images drawn at random; by default all.
        side: pixels to which larger images are averaged down; by default they stay.
        loading: options of `data.load`, for example the chairs' partition.
        changes: other fields of `Setting`.
    """
    if name not in IMAGES:
        raise ValueError(f"name must be one of {sorted(IMAGES)}, not {name!r}")
    how = IMAGES[name]
    images = load(name, num_examples=num_examples, **loading or {})
    images = images._replace(x=_averaged(255 - images.x if how.inverted else images.x, side))
    shape, options = images.x.shape[1:], dict(noise_variance=how.noise_variance, value_range=(0.0, 1.0))
    networks = dict(
        residual=lambda: VAE.residual(shape, how.latent_dim, **how.residual, **options),
        patch=lambda: VAE.patch(shape, how.latent_dim, **how.patch, **options),
        mlp=lambda: VAE.mlp(shape, how.latent_dim, how.hidden, **options),
    )
    if network not in networks:
        raise ValueError(f"network must be one of {sorted(networks)}, not {network!r}")
    setting = Setting(
        dataset=images,
        model=networks[network](),
        num_points=num_points,
        epochs=200,
        batch_size=how.batch_size,
        methods=methods_of(rho=2.75),
    )
    return setting._replace(**changes)


def _averaged(x: np.ndarray, side: int | None) -> np.ndarray:
    """Square images (N, 1, H, H) averaged over blocks down to (N, 1, side, side), uint8 as it was."""
    if side is None or side == x.shape[-1]:
        return x
    if side < 1 or x.shape[-1] % side:
        raise ValueError(f"side must divide {x.shape[-1]}, the images' own, not be {side}")
    block = x.shape[-1] // side
    mean = x.reshape(len(x), 1, side, block, side, block).mean((3, 5), dtype=np.float32)
    return np.rint(mean).astype(np.uint8) if x.dtype == np.uint8 else mean


def eight_gaussians(profile: str, folder: Path | None = None) -> list[Unit]:
    """Tables 1 and 2, 3 and 6, and the linear maps, on 8 Gaussians."""
    templates, counts, changes = ((0, 1, 2, 3, 4), (2, 4, 8, 16), {})
    if profile == "quick":
        templates, counts, changes = (0,), (8,), dict(replicas=5, epochs=40)
    rho_too = {"R-VAE, rho 2.75": Method(rho=2.75)}
    units: list[Unit] = []
    for template in templates:
        for num_points in counts:
            base = methods_of() | (rho_too if num_points == 8 else {})
            once = toy_setting(num_points, methods=base | (SAME_SEED if num_points == 8 else {}), **changes)
            twice = toy_setting(num_points, methods=base | (REPEATED_ANCHORS if num_points == 8 else {}), **changes)
            name = f"R{num_points}-template{template}"
            units.append((f"reproducibility-{name}", lambda s=once, t=template: reproducibility(s, template=t)))
            units.append((f"sequential-{name}", lambda s=twice, t=template: sequential(s, template=t)))
        joint = toy_setting(8, **changes)
        run = lambda s=joint, t=template: sequential(s, template=t, points_from="joint")  # noqa: E731
        units.append((f"joint-points-template{template}", run))
    return units


def digits(profile: str, folder: Path | None = None) -> list[Unit]:
    """Tables 1 and 2 on the 8x8 digits that scikit-learn ships."""
    templates, changes = ((0,), dict(replicas=5, epochs=40)) if profile == "quick" else ((0, 1, 2), {})
    units: list[Unit] = []
    for template in templates:
        once = image_setting("digits", network="mlp", methods=methods_of(rho=2.75) | SAME_SEED, **changes)
        twice = image_setting("digits", network="mlp", methods=methods_of(rho=2.75) | REPEATED_ANCHORS, **changes)
        units.append((f"reproducibility-template{template}", lambda s=once, t=template: reproducibility(s, template=t)))
        units.append((f"sequential-template{template}", lambda s=twice, t=template: sequential(s, template=t)))
    return units


SCALES = dict(  # of the experiments on images
    quick=dict(num_examples=1000, epochs=5, replicas=3, network="patch"),
    cpu=dict(num_examples=10_000, epochs=30),
    paper=dict(epochs=200),
)


def mnist(profile: str, folder: Path | None = None) -> list[Unit]:
    """Tables 1 and 2, 4 and 7 on MNIST, with 64 and 32 points."""

    def run(recipe, num_points, extra):
        setting = image_setting("mnist", num_points, folder=folder, progress=True, **SCALES[profile])
        return recipe(setting._replace(methods=setting.methods | extra))

    return [
        ("reproducibility-R64", lambda: run(reproducibility, 64, SAME_SEED)),
        ("sequential-R64", lambda: run(sequential, 64, REPEATED_ANCHORS)),
        ("reproducibility-R32", lambda: run(reproducibility, 32, {})),
        ("sequential-R32", lambda: run(sequential, 32, {})),
    ]


CHAIRS_SCALES = dict(
    quick=dict(SCALES["quick"], side=32),
    cpu=dict(side=32, epochs=60, batch_size=64),
    paper=dict(epochs=300),
)


def chairs(profile: str, folder: Path | None = None) -> list[Unit]:
    """Table 2 on 3D Chairs where they are present, else on procedural chairs; the table says which."""

    def run():
        options = dict(folder=folder, progress=True, **CHAIRS_SCALES[profile])
        try:
            setting = image_setting("chairs", 128, **options)
        except FileNotFoundError:
            setting = image_setting("procedural_chairs", 128, **options)
        return sequential(setting)

    return [("sequential-R128", run)]


EXPERIMENTS = dict(eight_gaussians=eight_gaussians, digits=digits, mnist=mnist, chairs=chairs)


def results_folder() -> Path:
    """The folder of the committed tables: beside the package in a checkout, inside it once installed."""
    inside = Path(__file__).parent / "results"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "results"


def load_results(name: str):
    """A committed table of results/, for example "eight_gaussians" or "published", as a pandas DataFrame."""
    import pandas as pd

    path = results_folder() / f"{name}.csv"
    if not path.is_file():
        known = sorted(file.stem for file in results_folder().glob("*.csv"))
        raise ValueError(f"there is no table {name!r} in results/; there are {known}")
    return pd.read_csv(path)


def run_experiment(name: str, profile: str, *, out=None, only: str | None = None, progress: bool = True):
    """Run the units of an experiment that are not finished yet, then write the whole table.

    Args:
        name: one of EXPERIMENTS.
        profile: "quick" (minutes), "cpu" (what a night on two cores allows) or "paper" (meant for a GPU).
        out: folder for the units and the table; by default results/.
        only: run just the units whose name contains this, and write no table.
        progress: print which unit runs, with the time left.

    Returns:
        The table, a pandas DataFrame, or None with `only`.
    """
    import pandas as pd
    from tqdm import tqdm

    if name not in EXPERIMENTS:
        raise ValueError(f"name must be one of {sorted(EXPERIMENTS)}, not {name!r}")
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, not {profile!r}")
    folder = Path(out) if out is not None else results_folder()
    kept = folder / "units" / f"{name}-{profile}"
    units = [(unit, run) for unit, run in EXPERIMENTS[name](profile, kept) if only is None or only in unit]
    tables = []
    for unit, run in tqdm(units, desc=f"{name}, {profile}", unit="unit", disable=not progress):
        path = kept / f"{unit}.csv"
        if not path.is_file():
            _write_table(path, run().table.assign(profile=profile, commit=_commit()))
        tables.append(pd.read_csv(path))
    if only is not None:
        return None
    table = pd.concat(tables, ignore_index=True)
    _write_table(folder / f"{name}.csv", table)
    return table


def _write_table(path: Path, table) -> None:
    text = table.to_csv(index=False, float_format="%.7g")
    write_atomically(path, lambda file: file.write(text.encode()))


def _commit() -> str:
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
