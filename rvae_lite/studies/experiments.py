"""The book's experiments at their two scales, cut into units: one finished unit is one file.

`rvae-lite recipe NAME --profile paper` runs them without notebooks; kill it at any moment, run it again, and it goes
on from the last finished unit.
"""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rvae_lite.data import load
from rvae_lite.models.vae import VAE
from rvae_lite.points import SELECTION_METHODS
from rvae_lite.storage import write_atomically
from rvae_lite.studies import rate_experiments
from rvae_lite.studies import text as text_rates
from rvae_lite.studies.frontier import frontier_study
from rvae_lite.studies.linear_multirate import TARGETS, anchored_study
from rvae_lite.studies.one_space import (
    methods_over_beta,
    space_study,
    two_networks,
    variants_of_curves,
)
from rvae_lite.studies.protocols import (
    REPEATED_ANCHORS,
    SAME_SEED,
    Method,
    Setting,
    methods_of,
    reproducibility,
    sequential,
)
from rvae_lite.studies.rate_experiments import Table
from rvae_lite.studies.setup import BIRDSONG, COMPLEX, SIMPLE, image_setting, toy_setting

PROFILES = ("quick", "cpu", "paper")
Unit = tuple[str, Callable]  # its name, and a function without arguments that returns a tidy table


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
            once = toy_setting(
                num_points, methods=base | (SAME_SEED if num_points == 8 else {}), **changes
            )
            twice = toy_setting(
                num_points, methods=base | (REPEATED_ANCHORS if num_points == 8 else {}), **changes
            )
            name = f"R{num_points}-template{template}"
            units.append(
                (
                    f"reproducibility-{name}",
                    lambda s=once, t=template: reproducibility(s, template=t),
                )
            )
            units.append(
                (f"sequential-{name}", lambda s=twice, t=template: sequential(s, template=t))
            )
        joint = toy_setting(8, **changes)
        run = lambda s=joint, t=template: sequential(s, template=t, points_from="joint")
        units.append((f"joint-points-template{template}", run))
    return units


def digits(profile: str, folder: Path | None = None) -> list[Unit]:
    """Tables 1 and 2 on the 8x8 digits that scikit-learn ships."""
    templates, changes = (
        ((0,), dict(replicas=5, epochs=40)) if profile == "quick" else ((0, 1, 2), {})
    )
    units: list[Unit] = []
    for template in templates:
        once = image_setting(
            "digits", network="mlp", methods=methods_of(rho=2.75) | SAME_SEED, **changes
        )
        twice = image_setting(
            "digits", network="mlp", methods=methods_of(rho=2.75) | REPEATED_ANCHORS, **changes
        )
        units.append(
            (
                f"reproducibility-template{template}",
                lambda s=once, t=template: reproducibility(s, template=t),
            )
        )
        units.append(
            (
                f"sequential-template{template}",
                lambda s=twice, t=template: sequential(s, template=t),
            )
        )
    return units


SCALES = dict(  # of the experiments on images
    quick=dict(num_examples=1000, epochs=5, replicas=3, network="patch"),
    cpu=dict(num_examples=10_000, epochs=30),
    paper=dict(epochs=200),
)


def mnist(profile: str, folder: Path | None = None) -> list[Unit]:
    """Tables 1 and 2, 4 and 7 on MNIST, with 64 and 32 points."""

    def run(recipe, num_points, extra):
        setting = image_setting(
            "mnist", num_points, folder=folder, progress=True, **SCALES[profile]
        )
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
        return sequential(_setting_of_first(("chairs", "procedural_chairs"), 128, **options))

    return [("sequential-R128", run)]


SONG_SCALES = dict(
    quick=dict(network="patch", loading=dict(size=64), num_examples=400, epochs=5, replicas=3),
    cpu=dict(network="patch", loading=dict(size=64), epochs=150),
    paper=dict(batch_size=256, epochs=300),
)
ABLATION_SCALES = dict(  # of Appendices D to F
    quick=dict(SONG_SCALES["quick"], side=32),
    cpu=dict(network="patch", loading=dict(size=64), side=32, epochs=60),
    paper=dict(batch_size=256, epochs=60),
)
ZEBRA_FINCHES, BENGALESE_FINCH = (
    ("zebra_finch", "synthetic_finch"),
    ("bengalese_finch", "synthetic_finch"),
)


def zebra_finch(profile: str, folder: Path | None = None) -> list[Unit]:
    """Tables 1 and 2 on birdsong: three zebra finches where they are present, else synthetic ones."""
    return _song(ZEBRA_FINCHES, folder, SONG_SCALES[profile])


def bengalese_finch(profile: str, folder: Path | None = None) -> list[Unit]:
    """The same on the recordings of one Bengalese finch, a half of them in each of D1 and D2."""
    return _song(BENGALESE_FINCH, folder, SONG_SCALES[profile])


def _song(names: tuple, folder: Path | None, scale: dict) -> list[Unit]:
    def run(recipe, num_points, extra):
        setting = _setting_of_first(names, num_points, folder=folder, progress=True, **scale)
        return recipe(setting._replace(methods=setting.methods | extra))

    return [
        ("reproducibility-R64", lambda: run(reproducibility, 64, SAME_SEED)),
        ("sequential-R32", lambda: run(sequential, 32, REPEATED_ANCHORS)),
    ]


def how_many_points(profile: str, folder: Path | None = None) -> list[Unit]:
    """Appendix D on birdsong, Tables 5 and 8: from 4 to 64 points."""

    def run(recipe, num_points):
        return recipe(
            _setting_of_first(
                ZEBRA_FINCHES, num_points, folder=folder, progress=True, **ABLATION_SCALES[profile]
            )
        )

    return [
        (f"{recipe.__name__}-R{count}", partial(run, recipe, count))
        for count in ((8, 32) if profile == "quick" else (4, 8, 16, 32, 64))
        for recipe in (reproducibility, sequential)
    ]


def which_points(profile: str, folder: Path | None = None) -> list[Unit]:
    """Appendix E, Table 9: four ways of choosing 32 points, over templates."""

    def run(selection, template):
        options = dict(
            ABLATION_SCALES[profile], folder=folder and folder / selection, progress=True
        )
        setting = _setting_of_first(ZEBRA_FINCHES, 32, selection=selection, **options)
        methods = {"R-VAE": setting.methods["R-VAE"]}
        return sequential(setting._replace(methods=methods), template=template)

    return [
        (f"{selection}-template{template}", partial(run, selection, template))
        for template in ((0,) if profile == "quick" else (0, 1, 2))
        for selection in SELECTION_METHODS
    ]


ARCHITECTURES = {"same architecture": BIRDSONG, "simple": SIMPLE, "complex": COMPLEX}


def any_architecture(profile: str, folder: Path | None = None) -> list[Unit]:
    """Appendix F, Table 10: the second laboratory's network is the first's, a simpler or a more complex one."""
    small, scale = profile != "paper", dict(ABLATION_SCALES[profile], network="residual")
    scale |= dict(epochs=40) if profile == "cpu" else {}

    def run(name):
        options = dict(scale, folder=folder and folder / name.replace(" ", "-"), progress=True)
        setting = _setting_of_first(ZEBRA_FINCHES, 32, **options)
        # A sixteenth of the pixels, and a dense layer to match.
        template = setting.model.config | (dict(hidden=[128]) if small else {})
        other = template | dict(blocks=list(ARCHITECTURES[name]["blocks"]))
        models = dict(model=VAE.from_config(template), second_model=VAE.from_config(other))
        study = sequential(setting._replace(methods={"R-VAE": setting.methods["R-VAE"]}, **models))
        return study._replace(table=study.table.assign(architecture=name))

    return [(name.replace(" ", "-"), partial(run, name)) for name in ARCHITECTURES]


SPACE_SCALES = dict(  # epochs, runs, and how many examples of MNIST
    quick=dict(
        toy=10, wide=10, digits=10, mnist=2, songs=5, replicas=3, num_examples=500, iterations=20
    ),
    cpu=dict(
        toy=18,
        wide=15,
        digits=40,
        mnist=30,
        songs=60,
        replicas=10,
        num_examples=6000,
        iterations=1000,
    ),
    paper=dict(
        toy=200,
        wide=200,
        digits=400,
        mnist=200,
        songs=300,
        replicas=10,
        num_examples=None,
        iterations=2000,
    ),
)


def one_space(profile: str, folder: Path | None = None) -> list[Unit]:
    """One latent space at every rate: multi-rate models with plain points, with curves and without.

    8 Gaussians as the paper has them, and in units of their radius, where high rates collapse; digits; MNIST with
    fully connected networks; two laboratories with different networks; fit against fidelity, for every rho apart and
    for all at once; the linear model against its exact curve.
    """
    scale = SPACE_SCALES[profile]
    # Short trainings need larger steps to learn the gates; the plain models of two_networks and wide data do not.
    course = dict(replicas=scale["replicas"], learning_rate=1e-3 if profile == "paper" else 5e-3)

    def toy(radius, rho):
        small = (
            dict(epochs=scale["toy"])
            if radius == 1
            else dict(epochs=scale["wide"], learning_rate=2e-3)
        )
        methods = methods_over_beta(rho) | (variants_of_curves(rho) if radius == 1 else {})
        base = toy_setting(methods=methods, **course | small)
        title = f"8 Gaussians, radius {radius}"
        x, info = base.dataset.x * (radius / 40), base.dataset.info | dict(title=title)
        return base._replace(dataset=base.dataset._replace(x=x, info=info))

    def images(name):
        loading = dict(num_examples=scale["num_examples"]) if name == "mnist" else {}
        methods = methods_over_beta(2.75) | (variants_of_curves(2.75) if name == "digits" else {})
        options = dict(network="mlp", methods=methods, epochs=scale[name], **course, **loading)
        setting = image_setting(name, **options)
        few = dict(batch_size=64, learning_rate=2e-3)
        return setting._replace(**few) if name == "mnist" and profile == "cpu" else setting

    def songs():
        birds = dict(SONG_SCALES[profile], epochs=scale["songs"], replicas=scale["replicas"])
        return space_study(
            _setting_of_first(ZEBRA_FINCHES, 64, methods=methods_over_beta(2.75), **birds)
        )

    def networks():
        setting = images("digits")._replace(replicas=min(5, scale["replicas"]), learning_rate=2e-3)
        patch = VAE.patch(
            (1, 8, 8), setting.model.latent_dim, noise_variance=setting.model.noise_variance
        )
        return Table(two_networks(setting, patch, rho=2.75))

    def frontier(setting):
        return Table(frontier_study(setting._replace(replicas=min(5, scale["replicas"]))))

    def linear(target):
        x = load("digits").x.reshape(-1, 64)
        table = anchored_study(
            x,
            latent_dim=4,
            epochs=1000,
            iterations=scale["iterations"],
            target=target,
            learning_rate=0.1,
        )
        long = table.melt(["beta", "target", "rho"], var_name="metric").rename(
            columns=dict(target="method")
        )
        return Table(
            long.assign(data="digits, linear model", latent_dim=4, num_points=64, num_data=len(x))
        )

    return [
        ("eight_gaussians-1", lambda: space_study(toy(1, 15.0))),
        ("digits", lambda: space_study(images("digits"))),
        ("two_networks", networks),
        ("frontier-eight_gaussians", lambda: frontier(toy(1, 15.0))),
        ("frontier-digits", lambda: frontier(images("digits"))),
        ("mnist", lambda: space_study(images("mnist"))),
        ("zebra_finch", songs),
        *[(f"linear-{target}", partial(linear, target)) for target in TARGETS],
        ("eight_gaussians-40", lambda: space_study(toy(40, 2.75))),
    ]


def _setting_of_first(names: tuple, num_points: int, **options) -> Setting:
    """The setting of the first data set that is present; the last one is generated."""
    for name in names[:-1]:
        try:
            return image_setting(name, num_points, **options)
        except FileNotFoundError:
            continue
    return image_setting(names[-1], num_points, **options)


EXPERIMENTS = dict(
    eight_gaussians=eight_gaussians,
    digits=digits,
    mnist=mnist,
    chairs=chairs,
    zebra_finch=zebra_finch,
    bengalese_finch=bengalese_finch,
    how_many_points=how_many_points,
    which_points=which_points,
    any_architecture=any_architecture,
    one_space=one_space,
    **rate_experiments.EXPERIMENTS,
    **text_rates.EXPERIMENTS,
)


def results_folder() -> Path:
    """The folder of the committed tables: beside the package in a checkout, inside it once installed."""
    inside = Path(__file__).parent / "results"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "results"


def load_results(name: str):
    """A committed table of results/, for example "eight_gaussians" or "published", as a pandas DataFrame."""
    import pandas as pd

    path = results_folder() / f"{name}.csv"
    if not path.is_file():
        known = sorted(file.stem for file in results_folder().glob("*.csv"))
        raise ValueError(f"there is no table {name!r} in results/; there are {known}")
    return pd.read_csv(path)


def run_experiment(
    name: str, profile: str, *, out=None, only: str | None = None, progress: bool = True
):
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
    units = [
        (unit, run)
        for unit, run in EXPERIMENTS[name](profile, kept)
        if only is None or only in unit
    ]
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
