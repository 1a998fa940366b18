"""The book's experiments at their two scales, cut into units: one finished unit is one file.

`rvae-lite recipe NAME --profile paper` runs them without notebooks; kill it at any moment, run it again, and it goes
on from the last finished unit.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

from rvae_lite.data import load
from rvae_lite.models import VAE
from rvae_lite.recipes import REPEATED_ANCHORS, SAME_SEED, Method, Setting, methods_of, reproducibility, sequential
from rvae_lite.storage import write_atomically

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


DIGITS_NETWORKS = dict(  # latent dimension, hidden widths, noise variance, batch
    digits=(8, (128,), 0.02, 64),
    mnist=(16, (256, 128), 0.1, 256),
)


def digits_setting(
    name: str = "digits", num_points: int = 64, *, num_examples: int | None = None, **changes
) -> Setting:
    """Handwritten digits with a fully connected network: "digits" (8x8, scikit-learn's) or "mnist" (28x28).

    The 8x8 digits take a smaller noise variance than the paper's 0.1: with 64 pixels in place of 784 that would leave
    five of eight latent dimensions collapsed.
    """
    latent_dim, hidden, noise_variance, batch_size = DIGITS_NETWORKS[name]
    images = load(name, num_examples=num_examples)
    options = dict(noise_variance=noise_variance, value_range=(0.0, 1.0))
    setting = Setting(
        dataset=images,
        model=VAE.mlp(images.x.shape[1:], latent_dim, hidden, **options),
        num_points=num_points,
        epochs=200,
        batch_size=batch_size,
        methods=methods_of(rho=2.75),
    )
    return setting._replace(**changes)


def eight_gaussians(profile: str) -> list[Unit]:
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


def digits(profile: str) -> list[Unit]:
    """Tables 1 and 2 on the 8x8 digits that scikit-learn ships."""
    templates, changes = ((0, 1, 2), {}) if profile == "paper" else ((0,), dict(replicas=5, epochs=40))
    units: list[Unit] = []
    for template in templates:
        once = digits_setting(methods=methods_of(rho=2.75) | SAME_SEED, **changes)
        twice = digits_setting(methods=methods_of(rho=2.75) | REPEATED_ANCHORS, **changes)
        units.append((f"reproducibility-template{template}", lambda s=once, t=template: reproducibility(s, template=t)))
        units.append((f"sequential-template{template}", lambda s=twice, t=template: sequential(s, template=t)))
    return units


EXPERIMENTS = dict(eight_gaussians=eight_gaussians, digits=digits)


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
        profile: "quick" or "paper".
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
    if profile not in ("quick", "paper"):
        raise ValueError(f"profile must be 'quick' or 'paper', not {profile!r}")
    folder = Path(out) if out is not None else results_folder()
    units = [(unit, run) for unit, run in EXPERIMENTS[name](profile) if only is None or only in unit]
    tables = []
    for unit, run in tqdm(units, desc=f"{name}, {profile}", unit="unit", disable=not progress):
        path = folder / "units" / f"{name}-{profile}" / f"{unit}.csv"
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
